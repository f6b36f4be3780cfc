"""Two small buttons above the tabs, Share and Present, and the mode for a room full of people that the second one starts.

All of it happens in the browser, in `present.js`: every view carries the link to itself, which the address bar follows and
Share copies; the mode is a class on the page's body, under which `style.css` lets the view of the open tab fill the screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seq2seq.demo.component import PageComponent


class Presenter(PageComponent):
    """Shows what `presenter` made."""

    SCRIPT = "present.js"


def presenter(sentences: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The sentences of each language, and what there is of "pictures", that are prepared as long as the visitor has not written
    others."""
    return {"sentences": {language: list(prepared) for language, prepared in sentences.items()}}
