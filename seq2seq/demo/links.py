"""Links: `/?text=…&checkpoint=…&beam=…&tab=…` opens a tab with what it names, on any host that runs the page."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import gradio as gr

TABS = TRANSLATE, COMPARE, INSIDE, PICTURES, BATCH = ("translate", "compare", "inside", "pictures", "batch")
BEAMS = 10
"""The widest beam the page offers."""
WORDS, PIECES = "words", "pieces"
"""What a picture may be of."""
LOOKED, NEEDED = "looked", "needed"
"""What the maps of Compare may show: what a model looked at, or what it needed."""
CAPTION, PAINT = "caption", "paint"
"""What Pictures may be asked to do with a text: it is a scene's code, or a description."""
DEFAULTS = {
    "beam": "1",
    "unit": WORDS,
    "eos": "0",
    "reference": "",
    "show": LOOKED,
    "way": CAPTION,
    "step": "1",
    "tab": TRANSLATE,
}
"""What a link need not say."""


def query(tab: str, **named: Any) -> str:
    """The link to what a tab shows, without the address of the page: the browser knows that. Read by the functions below."""
    said = {key: str(int(value) if isinstance(value, bool) else value) for key, value in (named | {"tab": tab}).items()}
    # A half of a character pair cannot be encoded; it must not cost the translation.
    return urlencode({key: value for key, value in said.items() if value != DEFAULTS.get(key)}, errors="replace")


def asked(request: gr.Request, tab: str) -> dict[str, str]:
    """The query of a link that asks this tab for a text; empty if it does not. A link without a tab means Translate."""
    query = dict(request.query_params)
    wanted = query.get("tab") if query.get("tab") in TABS else TRANSLATE
    return query if query.get("text") and wanted == tab else {}


def beam_size(query: dict[str, str]) -> int:
    """The beam a link asks for; 1 if that is none the page offers."""
    beam = query.get("beam", "1")
    return int(beam) if beam in map(str, range(1, BEAMS + 1)) else 1


def switches(query: dict[str, str]) -> tuple[str, bool]:
    """Words or pieces, and whether the row of `<eos>` is shown; the default for whatever else stands there."""
    return PIECES if query.get("unit") == PIECES else WORDS, query.get("eos") == "1"


def step(query: dict[str, str]) -> int:
    """The step of Inside that a link asks for, from 1; 1 if that is no number. The page stops at the last one."""
    wanted = query.get("step", "1")
    return int(wanted) if re.fullmatch("[0-9]{1,6}", wanted) else 1


def tab(request: gr.Request) -> Any:
    """The tab that `/?tab=…` asks for; with `present=1` only one that can be presented."""
    wanted = request.query_params.get("tab")
    offered = (TRANSLATE, COMPARE, PICTURES) if request.query_params.get("present") == "1" else TABS
    return gr.update(selected=wanted) if wanted in offered else gr.skip()
