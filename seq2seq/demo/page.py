"""The whole page: header, tabs, API, links."""

from __future__ import annotations

import logging
import math
import sys
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send

from seq2seq.demo import api, compare_tab, links, models, tools, translate_tab
from seq2seq.demo.batch_tab import batch_tab
from seq2seq.demo.guard import FULL, MADE, Guard, is_full, route, trust_proxies
from seq2seq.demo.inside_tab import inside_tab
from seq2seq.demo.memory import few_heaps, giving_back
from seq2seq.demo.pictures_tab import PREPARED, TO_PAINTING, pictures_tab
from seq2seq.demo.present import Presenter, presenter
from seq2seq.demo.sessions import Messages, light_sessions, own_folder
from seq2seq.demo.visitor import InVisitorsLanguage, laid, say

TITLE = "Attention Lens"
QUEUE, SESSIONS, ANSWERS, CACHE_SECONDS = 256, 250, 512, 3600
"""Events that may wait, sessions whose last result is kept (that of a long sentence with all of its beam has megabytes), and
those whose unread answers are, and how long an uploaded file is (ten minutes more at most): bounds for a public page."""
TOGETHER = 32
"""Calls of `/translate` that run at once: they are computed in batches (`seq2seq.batching`), so many cost little more than one.
Gradio has 40 threads; the rest are for the page."""
STATUS_SECONDS = 1
"""How often those who wait are told their place, which the page does not show; by default Gradio tells all of them at every
start and end."""
MESSAGE = 300
"""Characters of what Gradio says that are passed on."""
WRONG = "These are not the values that this endpoint takes; /gradio_api/info describes them."
HEADER = """<div id="lens-header"><span class="lens-device">running on {device}</span><h1>Attention Lens</h1>
<p>See which words of a sentence a translator looks back at while it writes each word of its translation.</p></div>"""


class Page(gr.Blocks):
    """Blocks that say of wrong arguments that they are wrong, and of a full disk that it is full. Gradio's own say nothing, and
    write a trace into the log."""

    async def preprocess_data(self, *args: Any, **options: Any) -> list[Any]:
        try:
            values = await super().preprocess_data(*args, **options)
        except gr.Error as error:
            # Gradio says what it was sent, at any length.
            raise gr.Error(str(error.message)[:MESSAGE], print_exception=False) from error
        except Exception as error:
            raise gr.Error(say(WRONG), print_exception=False) from error
        # JSON as Python reads it has numbers that are none, and a slider's limits let NaN by.
        if any(isinstance(value, float) and not math.isfinite(value) for value in values):
            raise gr.Error(say(WRONG), print_exception=False)
        return values

    async def process_api(self, *args: Any, **options: Any) -> dict[str, Any]:
        try:
            return await super().process_api(*args, **options)
        except OSError as error:
            if not is_full(error):
                raise
            logging.getLogger(__name__).error("%s", error)
            raise gr.Error(say(FULL), print_exception=False) from error


def build() -> gr.Blocks:
    """The page as Gradio blocks; `launch_options` says how it wants to be launched."""
    few_heaps()
    light_sessions()
    own_folder()
    tools.offer_tools()
    with Page(title=TITLE, analytics_enabled=False, delete_cache=(CACHE_SECONDS // 6, CACHE_SECONDS)) as page:
        # On a Space's own address the browser would fetch a header from the Hub, and fonts for it; it asks no other host.
        page.space_id = None
        # First, so that no event of the page takes its name.
        gr.api(api.translate, api_name="translate", concurrency_limit=TOGETHER)
        gr.api(api.compare, api_name="compare", concurrency_limit=4)
        gr.api(api.inside, api_name="inside", concurrency_limit=4)
        gr.api(api.ask, api_name="ask", concurrency_limit=4)
        gr.api(api.highlight, api_name="highlight", concurrency_limit=4)
        gr.api(api.caption, api_name="caption", concurrency_limit=4)
        gr.api(api.paint, api_name="paint", concurrency_limit=4)
        api.batch_endpoint()
        gr.HTML(laid(HEADER, device=escape(models.device_name())))
        Presenter(presenter(translate_tab.EXAMPLES_OF | {"pictures": PREPARED}), elem_id="presenter")
        with gr.Tabs() as tabs:
            with gr.Tab("Translate", id=links.TRANSLATE):
                sentence, model = translate_tab.translate_tab(page)
            with gr.Tab("Compare", id=links.COMPARE):
                compare_tab.compare_tab(page)
            with gr.Tab("Inside", id=links.INSIDE) as inside:
                filled = inside_tab(page, inside, sentence, model)
            with gr.Tab("Pictures", id=links.PICTURES) as pictures:
                filled = pictures_tab(pictures, filled)
            with gr.Tab("Batch", id=links.BATCH):
                batch_tab()
        shown = filled.then(links.tab, None, tabs, api_visibility="private", show_progress="hidden")
        shown.then(None, js=TO_PAINTING, api_visibility="private")
    # api_open: nothing that waits in the queue may be called past it.
    page.queue(status_update_rate=STATUS_SECONDS, max_size=QUEUE, api_open=False)
    page._queue.pending_messages_per_session = Messages(page._queue, ANSWERS)
    return page


class Compressed(GZipMiddleware):
    """The page itself at an eighth of its size, for slow lines. Gradio compresses only what has the ending of a file."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and route(scope) in MADE:
            return await super().__call__(scope, receive, send)
        await self.app(scope, receive, send)


def warm_up() -> None:
    """Loads the models with which the page opens and translates its examples, which all visitors are then given."""
    for tab in (translate_tab, compare_tab):
        try:
            tab.example()
        except models.REFUSALS as error:
            print(f"no example: {error}", file=sys.stderr)  # visitors are told in the place of the example


def launch_options() -> dict[str, Any]:
    """Options of `launch()`. Fonts are the system's and nothing is counted: a page load asks no other host."""
    trust_proxies()
    fonts: dict[str, Any] = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    return {
        # White on the default blue would have a contrast of 3.7 to 1.
        "theme": gr.themes.Default(primary_hue="blue", **fonts).set(
            button_primary_background_fill="*primary_700",
            button_primary_background_fill_dark="*primary_700",
            button_primary_background_fill_hover="*primary_800",
            button_primary_background_fill_hover_dark="*primary_800",
        ),
        "css": (Path(__file__).parent / "style.css").read_text(encoding="utf-8"),
        "footer_links": ["api"],
        "run_history": False,
        "ssr_mode": False,
        "enable_monitoring": False,
        "pwa": False,  # Gradio would make a Space one to install, under its own icons
        "show_error": False,
        # No max_file_size: Gradio would refuse a file before the guard does, in words that name another limit.
        "state_session_capacity": SESSIONS,
        **({"mcp_server": True} if tools.wanted() else {}),
        # The guard comes before all that costs, and gives its nonce to the script that the last one adds, too.
        "app_kwargs": {
            "middleware": [Middleware(Compressed, compresslevel=6), Middleware(Guard), Middleware(InVisitorsLanguage)],
            "lifespan": giving_back,
        },
    }
