"""The whole page: header, tabs, API, links."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from seq2seq.demo import api, models
from seq2seq.demo.translate_tab import translate_tab

TITLE = "Attention Lens"
HEADER = """<div id="lens-header"><span class="lens-device">running on {device}</span><h1>Attention Lens</h1>
<p>See which English words a translator looks back at while it writes each French word.</p></div>"""


def build() -> gr.Blocks:
    """The page as Gradio blocks; `launch_options` says how it wants to be launched."""
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        # First, so that no event of the page takes its name.
        gr.api(api.translate, api_name="translate", concurrency_limit=4)
        gr.HTML(HEADER.format(device=escape(models.device_name())))
        with gr.Tabs():
            with gr.Tab("Translate", id="translate"):
                translate_tab(page)
    return page


def launch_options() -> dict[str, Any]:
    """Options of `launch()`. Fonts are the system's and nothing is counted: a page load asks no other host."""
    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    return {
        "theme": gr.themes.Default(primary_hue="blue", **fonts),
        "css": (Path(__file__).parent / "style.css").read_text(encoding="utf-8"),
        "footer_links": ["api"],
        "run_history": False,
        "ssr_mode": False,
        "enable_monitoring": False,
        "show_error": False,
    }
