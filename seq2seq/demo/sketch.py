"""A picture drawn by hand, pixel by pixel in the colours of the scenes; drawn by `sketch.js`."""

from __future__ import annotations

from typing import Any

import numpy as np

from seq2seq.data import DataError
from seq2seq.demo.component import PageComponent
from seq2seq.language import Said
from seq2seq.scenes import BACKGROUND, COLOURS, LETTERS, PIXELS

INKS = {LETTERS[name]: colour for name, colour in COLOURS.items()} | {BACKGROUND: "#ffffff"}
"""By the letters that the browser sends: nothing has to be decoded."""
NO_SKETCH = "This is no drawing of {side} × {side} pixels."


class Sketch(PageComponent):
    """Shows what `sketch` made. A stroke that ends is the event `draw`, with a letter for each pixel, row by row."""

    SCRIPT = "sketch.js"


def sketch() -> dict[str, Any]:
    """An empty sheet, and what to draw with."""
    names = [*COLOURS, "white"]
    return {"pixels": PIXELS, "inks": [[name, *ink] for name, ink in zip(names, INKS.items())]}


def drawn(event: Any) -> np.ndarray:
    """(PIXELS, PIXELS, 3) bytes of what was drawn. Raises DataError for anything else that a program sends."""
    letters = getattr(event, "letters", None)
    if not isinstance(letters, str) or len(letters) != PIXELS * PIXELS or set(letters) - set(INKS):
        raise DataError(Said(NO_SKETCH, side=PIXELS))
    colours = {letter: bytes.fromhex(ink[1:]) for letter, ink in INKS.items()}
    return np.frombuffer(b"".join(map(colours.__getitem__, letters)), np.uint8).reshape(PIXELS, PIXELS, 3)
