"""Take it with you: buttons that make a file of what the tab shows, at the moment it is asked for.

A file is asked for by one click in a hundred translations, so none is made before. It is sent to the browser as text, and the
browser saves it: nothing is written on the server, so nothing has to be cleaned up and nobody can ask for another's file
(`gr.DownloadButton` needs a file on the disk that is there before the click). The offline page travels without Plotly's
five megabytes, which the browser has already and puts in itself; the PNG is the SVG, drawn by the browser.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import gradio as gr

from seq2seq.comparison import Comparison
from seq2seq.demo import models
from seq2seq.demo.component import PageComponent
from seq2seq.demo.links import PIECES
from seq2seq.demo.visitor import say
from seq2seq.explain import evidence
from seq2seq.picture import to_svg
from seq2seq.report import PLOTLY_HERE, to_csv, to_html
from seq2seq.sheet import Sheet, comparison_sheet, file_name, sheet
from seq2seq.slides import to_pptx
from seq2seq.translation import Translation

KINDS = {
    "html": "Web page (HTML)",
    "pptx": "PowerPoint",
    "png": "Picture (PNG)",
    "svg": "Picture (SVG)",
    "csv": "Weights (CSV)",
    "json": "Everything (JSON)",
}
MEDIA = {
    "html": "text/html",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "svg": "image/svg+xml",
    "csv": "text/csv",
    "json": "application/json",
}
NOTHING = "There is nothing to take yet. Enter a sentence first."
Taken = Translation | Comparison


class TakeAway(PageComponent):
    """The buttons. A click is the event `take`, with the kind of file and a number; the answer is the new value."""

    SCRIPT = "take_away.js"


def value(file: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the browser shows: the buttons, and the file to save. The buttons are named each time, because a component that is
    mounted anew has only its latest value."""
    return {"kinds": [list(kind) for kind in KINDS.items()], "file": file}


def answer(result: Taken | None, drawn: Callable[[str], Sheet], event: gr.EventData) -> dict[str, Any]:
    """The file that a click asks for, for `take_away.js`; `drawn` makes the sheet of the result for a kind of file."""
    kind, asked = getattr(event, "kind", None), getattr(event, "asked", None)
    if kind not in tuple(KINDS):  # whatever a program sends, hashable or not
        return {"asked": asked, "error": say("There is no such file.")}
    if result is None:
        return {"asked": asked, "error": say(NOTHING)}
    made: dict[str, Any] = {"asked": asked, "kind": kind, "media": MEDIA.get(kind, MEDIA["svg"])}
    sides = (result.left, result.right) if isinstance(result, Comparison) else (result,)
    made["name"] = file_name(sides[0].text, kind, len(sides))
    if kind == "csv":
        # With a byte order mark, without which Excel takes "é" for two letters.
        made["text"] = "\ufeff" + to_csv(sides, texts=False)
    elif kind == "json":
        made["text"] = json.dumps(result.to_dict(), ensure_ascii=False) + "\n"
    elif kind == "html":
        made |= {"text": to_html([drawn(kind)], plotly=False), "plotly": PLOTLY_HERE}
    elif kind == "pptx":
        made["base64"] = base64.b64encode(to_pptx([drawn(kind)])).decode()
    else:
        made["text"] = to_svg(drawn(kind))
    return made


def of_translation(translation: Translation | None, unit: str, eos: bool, event: gr.EventData) -> dict[str, Any]:
    """A file of the tab Translate, with words or pieces as its switches say."""

    def drawn(_: str) -> Sheet:
        return sheet(translation, title=models.label(translation.checkpoint), pieces=unit == PIECES, show_eos=bool(eos))

    return value(answer(translation, drawn, event))


def of_comparison(comparison: Comparison | None, event: gr.EventData) -> dict[str, Any]:
    """A file of the tab Compare; in the web page also what each model was given, and what it needed."""

    def drawn(kind: str) -> Sheet:
        labels = models.labels(comparison.left.checkpoint, comparison.right.checkpoint)
        sides = {"left": comparison.left, "right": comparison.right} if kind == "html" else {}
        seen = {name: evidence(models.translator(made.checkpoint), made) for name, made in sides.items()}
        return comparison_sheet(comparison, labels, seen, show_eos=False)

    return value(answer(comparison, drawn, event))


def take_away(make: Callable[..., dict[str, Any]], inputs: list[gr.components.Component], elem_id: str) -> None:
    """Lays the buttons out; `make` is one of the two functions above and `inputs` what it gets before the event."""
    with gr.Accordion("Take it with you", open=False, elem_id=f"{elem_id}-menu"):
        buttons = TakeAway(value(), elem_id=elem_id)
    options = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": 4}
    buttons.take(make, inputs, buttons, **options)
