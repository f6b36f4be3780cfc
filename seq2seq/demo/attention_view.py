"""The picture on the page: two rows of word chips, the heatmap, its caption; drawn by `attention_view.js`.

`gr.Plot` would mount the chart anew at every streamed word, ignores the dark theme and reports no clicks. This component
hands the browser one small JSON value, and Plotly updates the chart in place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import plotly

from seq2seq.figures import THEMES, caption, grid, heatmap_spec, no_attention
from seq2seq.translation import Translation

HERE = Path(__file__).parent
PLOTLY_JS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


class AttentionView(gr.HTML):
    """Shows what `view` made. The text in it is only ever set as text, never as markup."""

    def __init__(self, value: dict[str, Any] | None = None, **options: Any) -> None:
        # The browser's Plotly is the one inside the plotly package, so that the page needs no network.
        gr.set_static_paths([PLOTLY_JS])
        super().__init__(
            value=value,
            html_template='<div class="lens"></div>',
            js_on_load=(HERE / "attention_view.js").read_text(encoding="utf-8"),
            head=f'<script src="gradio_api/file={PLOTLY_JS.as_posix()}"></script>',
            themes=THEMES,
            **options,
        )

    def postprocess(self, value: dict[str, Any] | None) -> dict[str, Any] | None:
        return value

    def api_info(self) -> dict[str, Any]:
        return {"type": "object"}


def message(text: str) -> dict[str, Any]:
    """A view that only says something: bad input, inline and in plain words."""
    return {"message": text}


def view(
    translation: Translation, *, pieces: bool = False, show_eos: bool = False, growing: bool = False
) -> dict[str, Any]:
    """Everything the browser draws of one translation; `growing` while further words are to come."""
    shown = grid(translation, pieces=pieces, show_eos=show_eos)
    figure = None if shown.weights is None else heatmap_spec(translation, pieces=pieces, show_eos=show_eos)
    unknown = set(translation.unknown_words)
    if pieces:
        unknown = {i for i, word in enumerate(translation.source_word_of) if word in unknown}
    return {
        "rows": list(shown.rows),
        "columns": list(shown.columns),
        "unknown": sorted(unknown),
        "figure": figure,
        "note": no_attention(translation) if figure is None else "",
        "caption": "" if growing or figure is None else caption(translation, show_eos=show_eos),
        "warnings": list(translation.warnings),
        "growing": growing,
    }
