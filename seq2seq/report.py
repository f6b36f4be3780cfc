"""Translations as files: CSV for tables, JSON lines for programs, one offline HTML page for everybody else."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from html import escape

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
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet computes what begins so; an apostrophe before it makes it text."""
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2933; background: #fff }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
article { border-top: 1px solid #d5dce4; margin-top: 2rem; padding-top: 1rem }
h2 { font-size: 1.1rem; margin: 0 }
.translation { font-size: 1.1rem; margin: .2rem 0 1rem }
.note { color: #8a4b00 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem }
th, td { border: 1px solid #d5dce4; padding: .2rem .5rem; text-align: right }
th { text-align: left; font-weight: 600 }
"""
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
"""The page may run what stands in it, and may load nothing from anywhere."""


def to_json_line(translation: Translation) -> str:
    """One line of `translate --json`."""
    return json.dumps(translation.to_dict(), ensure_ascii=False)


def to_csv(translations: Iterable[Translation]) -> str:
    """A row for each target word and each source word it could be read from, with the weight.

    A translation without attention has one row a target word, with no source word and no weight. Positions and
    sentences count from 1. Text cells that a spreadsheet would take for a formula begin with an apostrophe.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for number, translation in enumerate(translations, 1):
        head = (number, safe_cell(translation.text), safe_cell(translation.translation))
        for t, target in enumerate(translation.target_words):
            if translation.attention is None:
                writer.writerow((*head, t + 1, safe_cell(target), "", "", ""))
                continue
            for s, source in enumerate(translation.source_words):
                weight = round(float(translation.attention[t, s]), DIGITS)
                writer.writerow((*head, t + 1, safe_cell(target), s + 1, safe_cell(source), weight))
            if translation.padding_weight is not None:
                # No position: it stands behind the sentence, so that no word of it is meant.
                weight = round(float(translation.padding_weight[t]), DIGITS)
                writer.writerow((*head, t + 1, safe_cell(target), "", PADDING, weight))
    return out.getvalue()


def safe_cell(text: str) -> str:
    """The text as no spreadsheet takes it for a formula."""
    return "'" + text if text.startswith(FORMULA_STARTS) else text


def to_html(translations: Sequence[Translation], title: str = "Attention Lens") -> str:
    """One page that needs nothing else: pictures with Plotly inside, captions, and the tables behind the pictures."""
    from plotly.offline import get_plotlyjs

    script = f"<script>{get_plotlyjs()}</script>" if any(t.attention is not None for t in translations) else ""
    articles = "\n".join(_article(number, translation) for number, translation in enumerate(translations, 1))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style>\n'
        f"{script}\n</head>\n<body>\n<h1>{escape(title)}</h1>\n{articles}\n</body>\n</html>\n"
    )


def _article(number: int, translation: Translation) -> str:
    """One translation: sentences, picture, caption, table."""
    from seq2seq.figures import caption

    notes = "".join(f'<p class="note">{escape(warning)}</p>\n' for warning in translation.warnings)
    made_by = f"{translation.checkpoint}, beam {translation.beam_size}, log-probability {translation.log_prob:.2f}"
    return (
        f'<article>\n<h2 lang="en">{escape(translation.text)}</h2>\n'
        f'<p class="translation" lang="fr">{escape(translation.translation)}</p>\n{notes}'
        f"{_picture(number, translation)}<p>{escape(caption(translation, show_eos=True))}</p>\n{_table(translation)}"
        f"<p><small>{escape(made_by)}</small></p>\n</article>"
    )


def _picture(number: int, translation: Translation) -> str:
    """The heatmap; nothing for a model without attention, about which the caption says all there is."""
    from seq2seq.figures import heatmap

    if translation.attention is None:
        return ""
    config = {"displaylogo": False, "showSendToCloud": False, "plotlyServerURL": "", "responsive": False}
    picture = heatmap(translation).to_html(
        config=config, include_plotlyjs=False, full_html=False, div_id=f"attention-{number}"
    )
    return f'<div class="scroll">{picture}</div>\n'


def _table(translation: Translation) -> str:
    columns, table = translation.columns()
    if table is None:
        return ""
    header = "".join(f'<th scope="col">{escape(word)}</th>' for word in columns)
    rows = "\n".join(
        f'<tr><th scope="row">{escape(word)}</th>' + "".join(f"<td>{100 * w:.1f} %</td>" for w in weights) + "</tr>"
        for word, weights in zip(translation.target_words, table)
    )
    return (
        "<details><summary>Weights: of each target word (row) on the source words (columns)</summary>\n"
        f'<div class="scroll"><table>\n<tr><td></td>{header}</tr>\n{rows}\n</table></div></details>\n'
    )
