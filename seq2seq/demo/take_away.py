"""Take it with you: buttons that make a file of what the tab shows, at the moment it is asked for.

A file is asked for by one click in a hundred translations, so none is made before. It is sent to the browser as text, and the
browser saves it: nothing is written on the server, so nothing has to be cleaned up and nobody can ask for another's file
(`gr.DownloadButton` needs a file on the disk that is there before the click). The offline page travels without Plotly's
five megabytes, which the browser has already and puts in itself; the PNG is the SVG, drawn by the browser.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from seq2seq.comparison import Comparison
from seq2seq.demo import models
from seq2seq.demo.component import EVENT, PageComponent
from seq2seq.demo.links import PIECES
from seq2seq.demo.visitor import language, say
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
BYTE_ORDER_MARK = "\ufeff"
"""Without it at its start Excel takes "é" of a CSV file for two letters."""
NOTHING = "There is nothing to take yet. Enter a sentence first."
Taken = Translation | Comparison


class TakeAway(PageComponent):
    """The buttons. A click is the event `take`, with the kind of file and a number; the answer is the new value."""

    SCRIPT = "take_away.js"


def value(file: dict[str, Any] | None = None, kinds: Mapping[str, str] = KINDS) -> dict[str, Any]:
    """What the browser shows: the buttons, and the file to save. The buttons are named each time, because a component that is
    mounted anew has only its latest value."""
    return {"kinds": [list(kind) for kind in kinds.items()], "file": file}


def answer(
    make: Callable[[str], dict[str, Any]] | None,
    event: gr.EventData,
    kinds: Mapping[str, str] = KINDS,
    nothing: str = NOTHING,
) -> dict[str, Any]:
    """The file that a click asks for, for `take_away.js`. make: makes and names it, by kind; None if nothing is shown."""
    kind, asked = getattr(event, "kind", None), getattr(event, "asked", None)
    if kind not in tuple(kinds):  # whatever a program sends, hashable or not
        return {"asked": asked, "error": say("There is no such file.")}
    if make is None:
        return {"asked": asked, "error": say(nothing)}
    return {"asked": asked, "kind": kind, "media": MEDIA.get(kind, MEDIA["svg"]), **make(kind)}


def files(result: Taken | None, drawn: Callable[[Any, str], Sheet]) -> Callable[[str], dict[str, Any]] | None:
    """Makes the files of a result, if there is one; `drawn` makes its sheet for a kind of file."""
    if result is None:
        return None
    sides = (result.left, result.right) if isinstance(result, Comparison) else (result,)

    def make(kind: str) -> dict[str, Any]:
        named = {"name": file_name(sides[0].text, kind, len(sides))}
        if kind == "csv":
            return named | {"text": BYTE_ORDER_MARK + to_csv(sides, texts=False)}
        if kind == "json":
            return named | {"text": json.dumps(result.to_dict(), ensure_ascii=False) + "\n"}
        made = drawn(result, kind)
        if kind == "html":
            return named | {"text": to_html([made], plotly=False), "plotly": PLOTLY_HERE}
        if kind == "pptx":
            return named | {"base64": base64.b64encode(to_pptx([made])).decode()}
        return named | {"text": to_svg(made)}

    return make


def of_translation(translation: Translation | None, unit: str, eos: bool, event: gr.EventData) -> dict[str, Any]:
    """A file of the tab Translate, with words or pieces as its switches say."""

    def drawn(made: Translation, _: str) -> Sheet:
        shown: dict[str, Any] = {"pieces": unit == PIECES, "show_eos": bool(eos), "language": language()}
        return sheet(made, title=models.label(made.checkpoint), **shown)

    return value(answer(files(translation, drawn), event))


def of_comparison(comparison: Comparison | None, event: gr.EventData) -> dict[str, Any]:
    """A file of the tab Compare; in the web page also what each model was given, and what it needed."""

    def drawn(made: Comparison, kind: str) -> Sheet:
        labels = models.labels(made.left.checkpoint, made.right.checkpoint)
        sides = {"left": made.left, "right": made.right} if kind == "html" else {}
        seen = {name: evidence(models.translator(side.checkpoint), side) for name, side in sides.items()}
        return comparison_sheet(made, labels, seen, show_eos=False, language=language())

    return value(answer(files(comparison, drawn), event))


def take_away(
    make: Callable[..., dict[str, Any]],
    inputs: list[gr.components.Component],
    elem_id: str,
    kinds: Mapping[str, str] = KINDS,
) -> None:
    """Lays the buttons out; `make` is a function like the two above and `inputs` what it gets before the event."""
    with gr.Accordion("Take it with you", open=False, elem_id=f"{elem_id}-menu"):
        buttons = TakeAway(value(kinds=kinds), elem_id=elem_id)
    # The script asks for one file at a time; a question put off would come with the event of the one before.
    buttons.take(make, inputs, buttons, **EVENT | {"trigger_mode": "once"})
