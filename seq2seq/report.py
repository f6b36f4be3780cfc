"""Translations as files: CSV for tables, JSON lines for programs, one offline HTML page for everybody else."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from html import escape
from typing import Any

from seq2seq.language import ENGLISH, TAGS, Said, translate
from seq2seq.sheet import HIDDEN_IN_TURN, Sheet, Side, sheet
from seq2seq.translation import DIGITS, PADDING, Translation

CSV_COLUMNS = (
    "sentence",
    "text",
    "translation",
    "target_position",
    "target_word",
    "source_position",
    "source_word",
    "weight",
    "checkpoint",
)
TEXT_COLUMNS = ("text", "translation")
FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r")
"""A spreadsheet computes what begins so, some also behind a full-width sign; an apostrophe before it makes it text."""
STYLE = """
:root { color-scheme: light dark; --text: #1f2933; --page: #fff; --line: #d5dce4; --pale: #52606d; --note: #8a4b00;
  --mark: #fde9c8 }
@media screen and (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --page: #0f141a; --line: #3a4450; --pale: #9fb0c0; --note: #ffb454; --mark: #57390e }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page) }
body { max-width: 75rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
article { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: 1rem }
h2 { font-size: 1.2rem; margin: 0 }
h3 { font-size: 1rem; margin: 1.5rem 0 0 }
.translation { font-size: 1.1rem; margin: .2rem 0 1rem }
.note { color: var(--note) }
small, figcaption, dl { color: var(--pale) }
mark { background: var(--mark); color: inherit; border-bottom: 2px solid #c2410c }
dl { font-size: .9rem; display: flex; flex-wrap: wrap; gap: 0 1.5rem; margin: .5rem 0 }
dd { display: inline; margin: 0 0 0 .4rem } dt { display: inline }
figure { margin: 1rem 0 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem; overflow-wrap: normal }
th, td { border: 1px solid var(--line); padding: .2rem .5rem; text-align: right }
th { text-align: left; font-weight: 600 }
"""
SCRIPT = """
// No bar of buttons: what is one image to a screen reader may hold nothing to press.
const config = { displayModeBar: false, displaylogo: false, showSendToCloud: false, plotlyServerURL: "", responsive: false };
const dark = matchMedia("(prefers-color-scheme: dark)");
function draw(printing) {
  const theme = THEMES[dark.matches && printing !== true ? "dark" : "light"];
  const named = (_, part) => (typeof part === "string" && part.startsWith("theme:") && theme[part.slice(6)]) || part;
  for (const plot of document.querySelectorAll(".plot")) {
    const { data, layout, cells, overhang } = JSON.parse(plot.nextElementSibling.textContent, named);
    const width = plot.parentElement.clientWidth;
    layout.width = width;
    if (cells) {
      // Cells shrink to fit, but never below what slanted labels need; then the picture scrolls.
      const narrow = width < 560;
      data[0].showscale = !narrow;
      layout.margin.r = Math.max(narrow ? 12 : 84, overhang);
      const least = narrow ? 20 : 26;
      const cell = Math.max(least, Math.min(44, (width - layout.margin.l - layout.margin.r) / cells));
      if (cell < 24) data.length = 1; // without the numbers
      layout.width = layout.margin.l + cell * cells + layout.margin.r;
    }
    Plotly.react(plot, data, layout, config);
  }
}
draw();
let width = innerWidth;
addEventListener("resize", () => innerWidth !== width && ((width = innerWidth), draw()));
dark.addEventListener("change", draw);
addEventListener("beforeprint", () => draw(true));
addEventListener("afterprint", draw);
"""
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
"""The page may run what stands in it, and may load nothing from anywhere."""


def to_json_line(translation: Translation) -> str:
    """One line of `translate --json`."""
    return json.dumps(translation.to_dict(), ensure_ascii=False)


def to_csv(translations: Iterable[Translation], *, texts: bool = True) -> str:
    """A row for each target word and each source word it could be read from, with the weight.

    A translation without attention has one row a target word, with no source word and no weight. Positions and
    sentences count from 1. Text cells that a spreadsheet would take for a formula begin with an apostrophe.
    texts: with both whole texts in each row, which for the longest sentences makes hundreds of megabytes.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS if texts else (column for column in CSV_COLUMNS if column not in TEXT_COLUMNS))
    for number, translation in enumerate(translations, 1):
        both = (safe_cell(translation.text), safe_cell(translation.translation)) if texts else ()
        checkpoint = safe_cell(translation.checkpoint)
        for t, target in enumerate(translation.target_words):
            head = (number, *both, t + 1, safe_cell(target))
            if translation.attention is None:
                writer.writerow((*head, "", "", "", checkpoint))
                continue
            for s, source in enumerate(translation.source_words):
                weight = round(float(translation.attention[t, s]), DIGITS)
                writer.writerow((*head, s + 1, safe_cell(source), weight, checkpoint))
            if translation.padding_weight is not None:
                # No position: it stands behind the sentence, so that no word of it is meant.
                weight = round(float(translation.padding_weight[t]), DIGITS)
                writer.writerow((*head, "", PADDING, weight, checkpoint))
    return out.getvalue()


def safe_cell(text: str) -> str:
    """The text as no spreadsheet takes it for a formula."""
    return "'" + text if text.startswith(FORMULA_STARTS) else text


TABLE = "Weights: of each target word (row) on the source words (columns)"
GIVEN = "All it was given of the sentence: {count} numbers, each between −1 and 1."
PLOTLY_HERE = "<!-- plotly.js -->"
"""Where a page without the library wants it. No text can say this: its "<" would be escaped."""


def to_html(made: Sequence[Translation | Sheet], title: str = "Attention Lens", *, plotly: bool = True) -> str:
    """One page that needs nothing else: pictures with Plotly inside, captions, and the tables behind the pictures.

    plotly: False leaves the library out, nearly all of the page's bytes; the caller puts it where PLOTLY_HERE stands.
    The page is in the language of the first sheet, English if it has none.
    """
    from seq2seq.figures import THEMES

    sheets = [each if isinstance(each, Sheet) else sheet(each) for each in made]
    articles = "\n".join(map(_article, sheets))
    library = script = ""
    if 'class="plot"' in articles:
        library = f"<script>{_plotly()}</script>" if plotly else PLOTLY_HERE
        script = f"<script>\nconst THEMES = {_json(THEMES)};{SCRIPT}</script>\n"
    return offline_page(title, f"{articles}\n{script}", library, TAGS[sheets[0].language if sheets else ENGLISH])


def offline_page(title: str, body: str, head: str = "", language: str = "en") -> str:
    """A page that may load nothing. body, head: HTML; language: of its own words, as HTML calls it."""
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style>\n'
        f"{head}\n</head>\n<body>\n<h1>{escape(title)}</h1>\n{body}</body>\n</html>\n"
    )


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def _json(value: Any) -> str:
    """JSON that may stand in a script: no text in it can end the script or begin a comment."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _article(each: Sheet) -> str:
    """A sentence and its translations."""
    notes = "".join(f"<p>{escape(translate(note, each.language))}</p>\n" for note in each.notes)
    sides = "\n".join(_side(side, each) for side in each.sides)
    language = each.sides[0].translation.source_language
    return f'<article>\n<h2 lang="{language}">{escape(each.text)}</h2>\n{notes}{sides}\n</article>'


def _side(side: Side, each: Sheet) -> str:
    """One translation: its text, what is known of it, pictures, table."""
    from seq2seq.figures import caption, grid

    made, language = side.translation, each.language
    warnings = "".join(f'<p class="note">{escape(translate(warning, language))}</p>\n' for warning in made.warnings)
    facts = "".join(
        f"<div><dt>{escape(translate('{name}:', language, name=name))}</dt><dd>{escape(translate(value, language))}</dd></div>"
        for name, value in side.facts
    )
    said = caption(made, show_eos=each.show_eos, language=language)
    figures = _figures(side, each, said) if grid(made, show_eos=each.show_eos).rows else ()
    pictures = "".join(_figure(*figure, language) for figure in figures)
    if made.attention is None or not pictures:
        pictures = f"<p>{escape(said)}</p>\n{pictures}"
    return (
        f"<section>\n<h3>{escape(side.title)}</h3>\n"
        f'<p class="translation" lang="{made.target_language}">{_marked(side)}</p>\n{warnings}'
        f"<dl>{facts}</dl>\n{pictures}{weight_table(made, language=language)}</section>"
    )


def _marked(side: Side) -> str:
    """The translation; beside another one, with the words marked that the other does not have."""
    made = side.translation
    if not any(side.differs):
        return escape(made.translation)
    parts, at = [], 0
    for word, differs in zip(made.target_words, side.differs):
        found = made.translation.find(word, at)
        if found < 0:
            continue  # `<eos>`, which is not written out
        shown = f"<mark>{escape(word)}</mark>" if differs else escape(word)
        parts.append(escape(made.translation[at:found]) + shown)
        at = found + len(word)
    return "".join(parts) + escape(made.translation[at:])


def _figures(side: Side, each: Sheet, said: str) -> Iterator[tuple[dict[str, Any], str]]:
    """What can be drawn of a translation, each with its caption."""
    from seq2seq.charts import NEED_TOP, occlusion_map, strip
    from seq2seq.figures import Grid, grid, heatmap_spec

    made, language = side.translation, each.language
    if made.attention is not None:
        settings: dict[str, Any] = {"pieces": each.pieces, "show_eos": each.show_eos, "language": language}
        yield _fitted(heatmap_spec(made, **settings), grid(made, **settings)), said
    elif side.vector is not None:
        yield strip(side.vector, language), translate(GIVEN, language, count=len(side.vector))
    if side.lost is not None:
        rows = grid(made, show_eos=False).rows
        shown = Grid(rows, made.source_words, side.lost[: len(rows)])
        needed, how = Said("What it needed"), Said(HIDDEN_IN_TURN, most=NEED_TOP)
        text = translate("{name}: {value}", language, name=needed, value=how)
        yield _fitted(occlusion_map(shown, language), shown), text


def _fitted(spec: dict[str, Any], shown: Any) -> dict[str, Any]:
    """The figure with room for its own words; how wide it is, the page decides."""
    from seq2seq.figures import LABEL_LENGTH
    from seq2seq.picture import SLANT, text_width

    rows, columns = ([text_width(word[:LABEL_LENGTH], 13) for word in words] for words in (shown.rows, shown.columns))
    T, S = len(rows), len(columns)
    top = 24 + SLANT * max(columns)
    # How far the slanted labels of the last columns lean over the edge, with columns of the least width.
    overhang = max(SLANT * (width + 13) - 20 * (S - s - 0.5) for s, width in enumerate(columns))
    margin = {"l": 16 + max(rows), "t": top, "b": 12, "r": 84}
    layout = spec["layout"] | {"margin": margin, "height": top + 12 + (32 if T <= 12 else 26) * T}
    return {"data": spec["data"], "layout": layout, "cells": S, "overhang": round(overhang, 1)}


def _figure(spec: dict[str, Any], said: str, language: str) -> str:
    scrolls = translate("Picture; scrolls if it is wide", language)
    follows = translate("Heatmap; its caption follows", language)
    return (
        f'<figure><div class="scroll" tabindex="0" role="region" aria-label="{scrolls}">'
        f'<div class="plot" role="img" aria-label="{follows}"></div>'
        f'<script type="application/json">{_json(spec)}</script></div>\n<figcaption>{escape(said)}</figcaption></figure>\n'
    )


def weight_table(translation: Translation, summary: str = TABLE, language: str = ENGLISH) -> str:
    """The weights as an HTML table that unfolds; empty without attention."""
    columns, table = translation.columns()
    if table is None:
        return ""
    if translation.padding_weight is not None:  # the last column is no word
        columns = (*columns[:-1], translate(PADDING, language))
    header = "".join(f'<th scope="col">{escape(word)}</th>' for word in columns)
    rows = "\n".join(
        f'<tr><th scope="row">{escape(word)}</th>' + "".join(_weight_cell(w, language) for w in weights) + "</tr>"
        for word, weights in zip(translation.target_words, table)
    )
    return (
        f"<details><summary>{escape(translate(summary, language))}</summary>\n"
        f'<div class="scroll"><table>\n<tr><td></td>{header}</tr>\n{rows}\n</table></div></details>\n'
    )


def _weight_cell(weight: float, language: str) -> str:
    return _percent_cell(round(100 * float(weight), 1), language)


@cache  # there are a thousand and one of them, and a long sentence has a hundred thousand cells
def _percent_cell(percent: float, language: str) -> str:
    return f"<td>{translate('{percent:.1f} %', language, percent=percent)}</td>"
