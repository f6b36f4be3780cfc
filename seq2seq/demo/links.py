"""Links: `/?text=…&checkpoint=…&beam=…&tab=…` opens a tab with what it names."""

from __future__ import annotations

from typing import Any

import gradio as gr

TABS = TRANSLATE, COMPARE, INSIDE, BATCH = ("translate", "compare", "inside", "batch")
BEAMS = 10
"""The widest beam the page offers."""


def asked(request: gr.Request, tab: str) -> dict[str, str]:
    """The query of a link that asks this tab for a text; empty if it does not. A link without a tab means Translate."""
    query = dict(request.query_params)
    wanted = query.get("tab") if query.get("tab") in TABS else TRANSLATE
    return query if query.get("text") and wanted == tab else {}


def beam_size(query: dict[str, str]) -> int:
    """The beam a link asks for; 1 if that is none the page offers."""
    beam = query.get("beam", "1")
    return int(beam) if beam in map(str, range(1, BEAMS + 1)) else 1


def tab(request: gr.Request) -> Any:
    """The tab that `/?tab=…` asks for."""
    wanted = request.query_params.get("tab")
    return gr.update(selected=wanted) if wanted in TABS else gr.skip()
