"""The picture on the page: two rows of word chips, the heatmap, its caption; drawn by `attention_view.js`.

`gr.Plot` would mount the chart anew at every streamed word, ignores the dark theme and reports no clicks. This component
hands the browser one small JSON value, and Plotly updates the chart in place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seq2seq.charts import NEED_TOP, occlusion_map, strip
from seq2seq.demo.component import PageComponent
from seq2seq.demo.models import language_name
from seq2seq.demo.visitor import language, say
from seq2seq.figures import Grid, caption, grid, heatmap_spec, no_attention
from seq2seq.sheet import HIDDEN_IN_TURN
from seq2seq.translation import Translation


class AttentionView(PageComponent):
    """Shows what `view` made. A click on a target word is the event `pick`, with its place in the row."""

    SCRIPT = "attention_view.js"


TOO_LARGE = (
    "This sentence is too long for a picture. Its weights are in the JSON that the API and the command line give."
)


def message(text: str) -> dict[str, Any]:
    """A view that only says something: bad input, inline and in plain words."""
    return {"message": text}


MAX_CELLS, GROWING_CELLS = 10_000, 1_500
"""Cells of the largest picture, and of the largest one that is drawn anew for each word: what a phone can draw."""


def view(
    translation: Translation, *, pieces: bool = False, show_eos: bool = False, growing: bool = False
) -> dict[str, Any]:
    """Everything the browser draws of one translation; `growing` while further words are to come."""
    settings: dict[str, Any] = {"show_eos": show_eos, "language": language()}
    shown = grid(translation, pieces=pieces, **settings)
    cells = len(shown.rows) * len(shown.columns)
    too_large = cells > MAX_CELLS
    drawn = shown.weights is not None and not too_large and not (growing and cells > GROWING_CELLS)
    note = no_attention(translation) if shown.weights is None else TOO_LARGE if too_large else ""
    unknown = set(translation.unknown_words)
    copied = set(translation.copied_words)
    if pieces:
        unknown = {i for i, word in enumerate(translation.source_word_of) if word in unknown}
        copied = {i for i, word in enumerate(translation.target_word_of) if word in copied}
    return {
        "rows": list(shown.rows),
        "columns": list(shown.columns),
        "padding": shown.padding,  # whether the last column is no word
        "unknown": sorted(unknown),
        "copied": sorted(i for i in copied if i < len(shown.rows)),
        "struck": [],  # source words that were taken away
        "figure": heatmap_spec(translation, pieces=pieces, **settings) if drawn else None,
        "grid": drawn,  # whether the figure's cells are rows x columns, so that chips can be shaded by them
        "note": say(note),
        "caption": "" if growing or not drawn else caption(translation, **settings),
        "warnings": [say(warning) for warning in translation.warnings],
        "growing": growing,
        "languages": [
            [code, language_name(code)] for code in (translation.source_language, translation.target_language)
        ],
    }


def strip_view(translation: Translation, vector: np.ndarray) -> dict[str, Any]:
    """What a model without attention was given: `vector` (H,)."""
    return view(translation) | {
        "figure": strip(vector, language()),
        "caption": say("The {count} numbers, each between −1 and 1.", count=len(vector)),
    }


def occlusion_view(translation: Translation, lost: np.ndarray) -> dict[str, Any]:
    """What each word needed: `lost` (target words, source words) as `explain.occlusion` gives it."""
    rows = grid(translation, show_eos=False).rows
    shown = Grid(rows, translation.source_words, lost[: len(rows)])
    return view(translation) | {
        "figure": occlusion_map(shown, language()),
        "columns": list(shown.columns),
        "padding": False,
        "grid": True,
        "note": "",
        "caption": say(HIDDEN_IN_TURN, most=NEED_TOP),
    }
