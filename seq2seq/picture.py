"""The heatmap as a drawing (SVG) for print and slides: white ground, real text, no browser and no Plotly needed.

Plotly could make one too, but only in a browser, with the cells as a bitmap and labels cut off by fixed margins.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from html import escape
from math import sqrt
from typing import NamedTuple

from seq2seq.figures import NUMBERS_UP_TO, THEMES, Grid, caption, grid, percent
from seq2seq.language import translate
from seq2seq.sheet import Sheet, Side

SCALE = THEMES["light"]["scale"]
INK, PALE = THEMES["light"]["text"], "#52606d"
FONT = "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
SIZE, TITLE = 14, 16
"""Pixels: of the words and of a model's name."""
MARGIN, GAP = 24, 48
"""Pixels around everything, and between two models."""
LONGEST = 32
"""Characters of a word that are written out."""
MAX_CELLS = 10_000
TOO_LARGE = "This sentence is too long for a picture. Its weights are in the CSV and JSON files."
SLANT = 1 / sqrt(2)
"""Column labels stand at 45 degrees."""


def to_svg(sheet: Sheet) -> str:
    """The attention of each side, the left one on the left. The file needs no other one."""
    said = " ".join(
        translate("{name}: {value}", sheet.language, name=side.title, value=_said(side, sheet)) for side in sheet.sides
    )
    stops = "".join(f'<stop offset="{at:.0%}" stop-color="{colour}"/>' for at, colour in SCALE)
    scale = f'<linearGradient id="scale">{stops}</linearGradient>'
    return framed([_panel(side, sheet) for side in sheet.sides], sheet.text, said, scale)


def framed(panels: Sequence[Panel], title: str, said: str, definitions: str) -> str:
    """Panels beside each other on white. said: the whole in words. definitions: what the panels refer to, as SVG."""
    width = sum(panel.width for panel in panels) + GAP * (len(panels) - 1) + 2 * MARGIN
    height = max(panel.height for panel in panels) + 2 * MARGIN
    body, x = [], MARGIN
    for panel in panels:
        body.append(f'<g transform="translate({x:.0f} {MARGIN})">\n{panel.body}\n</g>')
        x += panel.width + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width:.0f}" '
        f'height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="{FONT}" font-size="{SIZE}" fill="{INK}" role="img">\n'
        f"<title>{text(title)}</title>\n<desc>{text(said)}</desc>\n"
        f"<defs>{definitions}</defs>\n"
        f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


# -- one model -------------------------------------------------------------------------------------------------------


class Panel(NamedTuple):
    """A part of the drawing, in pixels."""

    body: str
    width: float
    height: float


def _panel(side: Side, sheet: Sheet) -> Panel:
    shown = grid(side.translation, pieces=sheet.pieces, show_eos=sheet.show_eos, language=sheet.language)
    drawn = shown.weights is not None and 0 < shown.weights.size <= MAX_CELLS
    if drawn:
        shares = "probability" if side.translation.posterior else "of a word’s attention"
        inner = _heatmap(shown, translate(shares, sheet.language), sheet.language)
    else:
        inner = sentences([side.translation.translation, _said(side, sheet)])
    title = f'<text y="{TITLE}" font-size="{TITLE}" font-weight="600">{text(side.title)}</text>\n'
    top = TITLE + 16
    body = f'{title}<g transform="translate(0 {top})">\n{inner.body}\n</g>'
    return Panel(body, max(inner.width, text_width(side.title, TITLE)), inner.height + top)


def _said(side: Side, sheet: Sheet) -> str:
    """The picture in words, or why there is none."""
    weights = grid(side.translation, pieces=sheet.pieces, show_eos=sheet.show_eos).weights
    if weights is not None and weights.size > MAX_CELLS:
        return translate(TOO_LARGE, sheet.language)
    return caption(side.translation, show_eos=sheet.show_eos, language=sheet.language)


def _heatmap(shown: Grid, shares: str, language: str) -> Panel:
    """Cells, words around them, and what the colours mean: shares of what."""
    assert shown.weights is not None, "without attention there are no cells"
    T, S = len(shown.rows), len(shown.columns)
    rows, columns = ([short(word) for word in words] for words in (shown.rows, shown.columns))
    cell_width, cell_height = (42, 32) if max(T, S) <= NUMBERS_UP_TO else (28, 26)
    left = max(text_width(word) for word in rows) + 10
    top = max(text_width(word) for word in columns) * SLANT + SIZE
    # A slanted label leans over the cells to its right, the last ones beyond the edge.
    edge = max((s + 0.5) * cell_width + (text_width(word) + SIZE) * SLANT for s, word in enumerate(columns))
    lines = [
        f'<text transform="translate({left + (s + 0.5) * cell_width + 4:.1f} {top - 6:.1f}) rotate(-45)"'
        f"{_style(word, s == S - 1 and shown.padding)}>{text(word)}</text>"
        for s, word in enumerate(columns)
    ]
    for t, word in enumerate(rows):
        y = top + t * cell_height
        lines.append(
            f'<text x="{left - 8:.1f}" y="{y + cell_height / 2 + 5:.1f}" text-anchor="end">{text(word)}</text>'
        )
        lines += _cells(shown.weights[t], left, y, cell_width, cell_height, numbers=max(T, S) <= NUMBERS_UP_TO)
    bottom = top + T * cell_height + 18
    key = legend(left, bottom, shares, language)
    return Panel("\n".join([*lines, key.body]), max(left + max(edge, S * cell_width), key.width), key.height)


def _cells(weights: Sequence[float], left: float, y: float, width: int, height: int, numbers: bool) -> Iterator[str]:
    """One row; its numbers are percent, none where nothing would stand but 0."""
    for s, weight in enumerate(weights):
        x, fill = left + s * width, colour(float(weight))
        yield f'<rect x="{x:.1f}" y="{y:.1f}" width="{width - 1}" height="{height - 1}" fill="{fill}"/>'
        if numbers and weight >= 0.01:
            yield (
                f'<text x="{x + width / 2 - 0.5:.1f}" y="{y + height / 2 + 4:.1f}" font-size="12" text-anchor="middle" '
                f'fill="{readable(fill)}">{100 * weight:.0f}</text>'
            )


def legend(left: float, y: float, said: str, language: str) -> Panel:
    """What the colours of the gradient "scale" mean: a share, and of what."""
    marks = "".join(
        f'<text x="{left + 120 * share:.1f}" y="{y + 26:.1f}" font-size="12" text-anchor="middle">'
        f"{percent(share, language)}</text>"
        for share in (0, 0.5, 1)
    )
    body = (
        f'<rect x="{left:.1f}" y="{y:.1f}" width="120" height="10" fill="url(#scale)" stroke="#9aa5b1"/>{marks}'
        f'<text x="{left + 150:.1f}" y="{y + 10:.1f}" font-size="12" fill="{PALE}">{text(said)}</text>'
    )
    return Panel(body, left + 150 + text_width(said, 12), y + 32)


def sentences(said: Sequence[str], width: int = 360) -> Panel:
    """Text, the first sentence larger; where no map can stand it is the translation, and why."""
    lines, y = [], 0.0
    for place, sentence in enumerate(said):
        size, fill = (17, INK) if place == 0 else (SIZE, PALE)
        for line in wrapped(sentence, width, size):
            y += 1.45 * size
            lines.append(f'<text y="{y:.1f}" font-size="{size}" fill="{fill}">{text(line)}</text>')
        y += 12
    return Panel("\n".join(lines), width, y)


def _style(word: str, padding: bool) -> str:
    """The column that is no word looks like none."""
    return f' font-style="italic" fill="{PALE}"' if padding else ""


# -- text and colours ------------------------------------------------------------------------------------------------


def legal(said: str) -> str:
    """Text without the characters that no XML file may have."""
    return "".join(c for c in said if c >= " " and not 0xD800 <= ord(c) <= 0xDFFF and c not in "\ufffe\uffff")


def text(said: str) -> str:
    """Text as it stands in XML."""
    return escape(legal(said))


def short(word: str) -> str:
    return word if len(word) <= LONGEST else word[: LONGEST - 1] + "…"


def text_width(said: str, size: float = SIZE) -> float:
    """Pixels that a text takes at most in a common sans-serif font; a drawing has no font to ask."""
    return size * sum(map(_em, said))


def _em(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.1
    if character in "iljtfrI.,:;'’|!()[] -":
        return 0.42
    if character in "mwMW@%<>…—" or ord(character) > 0x2FFF:
        return 1.0
    return 0.74 if character.isupper() or character in "&#+=~" else 0.62


def wrapped(said: str, width: float, size: float) -> list[str]:
    """The text in lines of at most `width` pixels; a longer word is broken."""
    lines, line = [], ""
    for word in said.split():
        while text_width(word, size) > width:
            fits = max(1, next(n for n in range(len(word), 0, -1) if text_width(word[:n], size) <= width or n == 1))
            lines += [line] * bool(line) + [word[:fits]]
            line, word = "", word[fits:]
        if text_width(f"{line} {word}".strip(), size) > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return [*lines, line] if line else lines


def colour(weight: float) -> str:
    """The colour of a weight on white, as the heatmap has it: "#rrggbb"."""
    weight = min(1.0, max(0.0, weight))
    (low, dark), (high, light) = next(
        (before, after) for before, after in zip(SCALE, SCALE[1:]) if weight <= after[0] or after is SCALE[-1]
    )
    share = (weight - low) / (high - low)
    channels = (round(a + share * (b - a)) for a, b in zip(_rgb(dark), _rgb(light)))
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def readable(colour: str) -> str:
    """Black or white, whichever stands out more (WCAG 2 relative luminance; they are equal at 0.179)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in _rgb(colour))]
    return "#000000" if 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 else "#ffffff"
