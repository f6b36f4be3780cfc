"""What is taken away of the tab Pictures: both boards as a drawing and as an offline page, and the numbers behind them.

Neither needs Plotly: of each word there is a small panel, the picture pale and over it the weights, as the page has them when
that word is pointed at.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from seq2seq.demo import take_away
from seq2seq.demo.picture_pairs import Pair
from seq2seq.demo.take_away import BYTE_ORDER_MARK, answer, value
from seq2seq.demo.visitor import language, say
from seq2seq.language import TAGS, Said
from seq2seq.picture import SIZE, TITLE, Panel, framed, legend, sentences, text, text_width, wrapped
from seq2seq.report import offline_page, to_csv, weight_table
from seq2seq.scenes import CELLS, LETTERS, cell_names, painted
from seq2seq.sheet import file_name
from seq2seq.translation import EOS, Translation

KINDS = {kind: label for kind, label in take_away.KINDS.items() if kind != "pptx"}
NOTHING = "There is nothing to take: no picture stands here."
PANEL, ROOM, ACROSS = 112, 14, 8
"""Pixels of a side of a panel and between two of them; how many stand in a row of the drawing."""
BLUE, VEIL = "#1d5f96", ((0, 0), (0.05, 0.12), (1, 0.85))
"""The colour that lies over the picture, and how opaque it is by weight, as in `picture_board.js`."""
LEAST, FAINT = 0.005, 0.3
"""The smallest weight that is drawn; how opaque the picture is below weights."""
GRADIENT = "".join(f'<stop offset="{at:.0%}" stop-color="{BLUE}" stop-opacity="{veil}"/>' for at, veil in VEIL)
DEFINITIONS = (
    f'<linearGradient id="scale">{GRADIENT}</linearGradient>'
    '<filter id="grey"><feColorMatrix type="saturate" values="0"/></filter>'  # or a blue object would look like a weight
)
STYLE = """
.panels { display: flex; flex-wrap: wrap; gap: .7rem; background: #fff; padding: .7rem; border-radius: .4rem }
.panels figure { margin: 0; width: 6.3rem; text-align: center }
.panels figure:first-child { width: 13.3rem }
.panels figcaption { color: #1f2933; line-height: 1.3 }
.panels figure svg { display: block; border: 1px solid #9aa5b1 }
.panels > svg { flex: none; max-width: 100% }
"""


def of_pair(pair: Pair | None, heading: str, description: str, event: gr.EventData) -> dict[str, Any]:
    """The file that a click asks for, as `take_away.of_translation`. pair: None where nothing is shown. description: the one
    that was painted; empty for captions."""
    make = partial(_file, pair, heading.lstrip("# "), description) if pair else None
    return value(answer(make, event, KINDS, NOTHING), KINDS)


def _file(pair: Pair, heading: str, description: str, kind: str) -> dict[str, Any]:
    said = description or pair.boards[1]["said"]
    named = {"name": file_name(said, kind)}
    made = [cells_named(one) for one in pair.made] if description else pair.made
    texts = [description or board["said"] for board in pair.boards]
    if kind == "csv":
        return named | {"text": BYTE_ORDER_MARK + to_csv(made, texts=False)}
    if kind == "json":
        both = {side: one.to_dict() for side, one in zip(("left", "right"), pair.made)}
        return named | {"text": json.dumps(both, ensure_ascii=False) + "\n"}
    if kind == "html":
        return named | {"text": to_html(pair.boards, made, heading, texts)}
    return named | {"text": to_svg(pair.boards, f"{heading}: {said}", texts)}


def cells_named(made: Translation) -> Translation:
    """A painting whose words are its cells by name and colour, "h8 red", instead of what the painter calls them."""
    colours = {letter: colour for colour, letter in LETTERS.items()}
    letters = painted(made.target_words)
    names = [f"{cell} {colours.get(letter, 'white')}" for cell, letter in zip(cell_names(), letters)]
    words = (word if word == EOS else name for word, name in zip(made.target_words, names))
    return replace(made, target_words=(*words, *made.target_words[CELLS * CELLS :]))


# -- panels ----------------------------------------------------------------------------------------------------------


def whole(board: dict[str, Any], key: str) -> str:
    """A board's picture in units of its places, as the group `key` that panels refer to."""
    side = board["side"]
    if board["picture"]:
        inner = f'<image xlink:href="{board["picture"]}" width="{side}" height="{side}"/>'
    else:
        inner = "".join(
            f'<rect x="{i % side}" y="{i // side}" width="1" height="1" fill="{board["palette"][cell]}"/>'
            for i, cell in enumerate(board["cells"])
            if cell  # 0 is the background
        )
    return f'<g id="{key}" shape-rendering="crispEdges">{inner}</g>'


def panel(board: dict[str, Any], key: str, word: int) -> str:
    """The picture and the weights of one word over it, in the same units; pointing at a place tells its share."""
    side = board["side"]
    at, veils = zip(*VEIL)
    places = "".join(
        f'<rect x="{i % side}" y="{i // side}" width="1" height="1" '
        f'fill-opacity="{np.interp(weight, at, veils):.3f}"><title>{board["places"][i]}: {percent(weight)}</title></rect>'
        for i, weight in enumerate(board["weights"][word])
        if weight >= LEAST
    )
    return (
        f'<use xlink:href="#{key}" opacity="{FAINT}" filter="url(#grey)"/>'
        f'<g fill="{BLUE}" shape-rendering="crispEdges">{places}</g>'
    )


def percent(weight: float) -> str:
    return say("{percent:.0f} %", percent=100 * weight)


def told(board: dict[str, Any], word: int) -> str:
    """The panel in words, as the page says it of a word that is pointed at."""
    weights = board["weights"][word]
    strongest = [i for i in np.argsort(weights)[::-1][:3] if weights[i] >= 0.05]
    shares = [say("{share} on {word}", share=percent(weights[i]), word=board["places"][i]) for i in strongest]
    values = {"word": board["words"][word], "shares": say(", ").join(shares) or say("nothing worth naming")}
    if board["paints"]:
        return say("“{word}” was read for: {shares}", **values)
    return say("To write “{word}”: {shares}", **values)


def scale_of(board: dict[str, Any]) -> str:
    return say("of a cell’s attention") if board["paints"] else say("of a word’s attention")


# -- the drawing -----------------------------------------------------------------------------------------------------


def to_svg(boards: list[dict[str, Any]], title: str, texts: list[str]) -> str:
    """Both boards beside each other. texts: the description or the caption of each."""
    definitions = DEFINITIONS + "".join(whole(board, f"picture{i}") for i, board in enumerate(boards))
    said = " ".join(f"{board['label']}: {one} {board['caption']}" for board, one in zip(boards, texts))
    drawn = [_side(board, f"picture{i}", one) for i, (board, one) in enumerate(zip(boards, texts))]
    return framed(drawn, title, said, definitions)


def _side(board: dict[str, Any], key: str, said: str) -> Panel:
    """Title, text, picture and, with attention, a panel a word, all below each other."""
    words = board["words"] if board["weights"] else []
    width = ACROSS * (PANEL + ROOM) - ROOM if words else 360
    title = f'<text y="{TITLE}" font-size="{TITLE}" font-weight="600">{text(board["label"])}</text>'
    parts = [
        Panel(title, text_width(board["label"], TITLE), TITLE),
        sentences([one for one in (said, board["caption"], board["note"], *board["warnings"]) if one], width),
        Panel(_square(f'<use xlink:href="#{key}"/>', board["side"], 2 * PANEL), 2 * PANEL, 2 * PANEL),
    ]
    for start in range(0, len(words), ACROSS):
        row = "\n".join(
            f'<g transform="translate({place * (PANEL + ROOM)} 0)">{_square(panel(board, key, word), board["side"], PANEL)}'
            f'<title>{text(told(board, word))}</title><text x="{PANEL / 2:.0f}" y="{PANEL + SIZE + 4}" '
            f'text-anchor="middle">{text(wrapped(words[word], PANEL, SIZE)[0])}</text></g>'
            for place, word in enumerate(range(start, min(start + ACROSS, len(words))))
        )
        parts.append(Panel(row, width, PANEL + SIZE + 6))
    if words:
        parts.append(legend(16, 0, scale_of(board), language()))
    body, y = [], 0.0
    for part in parts:
        body.append(f'<g transform="translate(0 {y:.1f})">{part.body}</g>')
        y += part.height + ROOM
    return Panel("\n".join(body), max(part.width for part in parts), y)


def _square(inner: str, side: int, pixels: int) -> str:
    """What is drawn in units of places, at its size and in a frame."""
    frame = f'<rect width="{pixels}" height="{pixels}" fill="none" stroke="#9aa5b1"/>'
    return f'<g transform="scale({pixels / side:g})">{inner}</g>{frame}'


# -- the page --------------------------------------------------------------------------------------------------------


def to_html(boards: list[dict[str, Any]], made: list[Translation], heading: str, texts: list[str]) -> str:
    """One page with both boards and the tables of weights. made: what the tables are of."""
    definitions = DEFINITIONS + "".join(whole(board, f"picture{i}") for i, board in enumerate(boards))
    sections = "\n".join(_section(*each) for each in zip(boards, made, texts, ("picture0", "picture1")))
    body = (
        f'<svg width="0" height="0" style="position: absolute" aria-hidden="true"><defs>{definitions}</defs></svg>\n'
        f"<article>\n<h2>{escape(heading)}</h2>\n{sections}\n</article>\n"
    )
    return offline_page("Attention Lens", body, f"<style>{STYLE}</style>", TAGS[language()])


def _section(board: dict[str, Any], made: Translation, said: str, key: str) -> str:
    figures = [_figure(f'<use xlink:href="#{key}"/>', board["side"], board["caption"] or said, "")]
    legends = ""
    if board["weights"]:
        for word, name in enumerate(board["words"]):
            figures.append(_figure(panel(board, key, word), board["side"], told(board, word), name))
        drawn = legend(16, 2, scale_of(board), language())
        legends = f'<svg width="{drawn.width:.0f}" height="{drawn.height:.0f}">{drawn.body}</svg>'
    summary = Said("Weights: of each word (row) on the places of the picture (columns)")
    if board["paints"]:
        summary = Said("Weights: of each cell (row) on the words of the description (columns)")
    notes = "".join(f'<p class="note">{escape(note)}</p>\n' for note in board["warnings"])
    notes += "".join(f"<p>{escape(note)}</p>\n" for note in (board["caption"], board["note"]) if note)
    return (
        f'<section>\n<h3>{escape(board["label"])}</h3>\n<p class="translation">{escape(said)}</p>\n{notes}'
        f'<div class="panels">{"".join(figures)}{legends}</div>\n{weight_table(made, summary, language())}</section>'
    )


def _figure(inner: str, side: int, said: str, word: str) -> str:
    return (
        f'<figure><svg viewBox="0 0 {side} {side}" role="img" aria-label="{escape(said)}">{inner}</svg>'
        f"<figcaption>{escape(word)}</figcaption></figure>"
    )
