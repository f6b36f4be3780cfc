"""The base of the page's own components: a JSON value in Python, a script in the browser that draws it with Plotly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr
import plotly

from seq2seq.figures import THEMES

HERE = Path(__file__).parent
PLOTLY_JS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
EVENT: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "concurrency_limit": 4,
    "trigger_mode": "always_last",
}
"""Options of an event of the page. always_last: what is asked while an answer is made is asked after it; Gradio would forget
it. Where two events write the same component, the one asked first may still answer last: better one event for both."""


class PageComponent(gr.HTML):
    """A subclass names its SCRIPT, which runs after `plot.js`. The value is plain JSON; text in it stays text."""

    SCRIPT: ClassVar[str]

    def __init__(self, value: dict[str, Any] | None = None, **options: Any) -> None:
        # The browser's Plotly is the one inside the plotly package, so that the page needs no network.
        gr.set_static_paths([PLOTLY_JS])
        scripts = [(HERE / name).read_text(encoding="utf-8") for name in ("plot.js", self.SCRIPT)]
        super().__init__(
            value=value,
            html_template='<div class="lens"></div>',
            js_on_load="\n".join((f"const THEMES = {json.dumps(THEMES)};", *scripts)),
            head=f'<script src="gradio_api/file={PLOTLY_JS.as_posix()}"></script>',
            **options,
        )

    def postprocess(  # ty: ignore[incompatible-method-override]: this HTML takes an object, not a text
        self, value: dict[str, Any] | None
    ) -> dict[str, Any] | None:
        return value

    def api_info(self) -> dict[str, Any]:
        return {"type": "object"}
