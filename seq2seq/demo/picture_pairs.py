"""What the models without and with attention make of one picture, or of one description: for the boards of the tab Pictures,
and for what is taken away of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from seq2seq.data import DataError
from seq2seq.demo import links, models
from seq2seq.demo.picture_board import SHOWN_PIXELS, caption_board, painting_board
from seq2seq.demo.visitor import say
from seq2seq.grammar import check_words, read_caption
from seq2seq.language import Said
from seq2seq.scenes import PIXELS, Scene, SceneError, parse_code
from seq2seq.sources import cut
from seq2seq.translation import Translation
from seq2seq.translator import clean

CAPTIONERS = ("scenes-caption-plain", "scenes-caption-additive")
PAINTERS = ("scenes-draw-plain", "scenes-draw-additive")
"""Left and right."""
NOT_A_SENTENCE = "This is not a sentence of the grammar, so what is right is not known: {reason}"
NO_TEXT = "Type a description first."


class Asked(NamedTuple):
    """What is to be put into words: the code of a scene, or else (PIXELS, PIXELS, 3) bytes and what is to be said of them."""

    code: str
    pixels: np.ndarray | None = None
    warning: str = ""


class Description(NamedTuple):
    """What is to be painted: the text, `clean`, the scene that it is of, and, if none is known, why."""

    text: str
    scene: Scene | None
    warnings: tuple[str, ...] = ()


class Pair(NamedTuple):
    """What both made, and their boards; left and right."""

    made: list[Translation]
    boards: list[dict[str, Any]]


def label(name: str) -> str:
    """What the page calls one of the four."""
    return say(models.described(name))


def caption(name: str, scene: Scene) -> Translation:
    """What one of CAPTIONERS says of a scene. Errors are among `models.REFUSALS`."""
    models.check_name(name, CAPTIONERS)
    return models.picture_model(name).translate(scene.code)


def painting(name: str, asked: Description) -> Translation:
    """What one of PAINTERS makes of a description. Errors are among `models.REFUSALS`."""
    models.check_name(name, PAINTERS)
    made = models.picture_model(name).translate(asked.text)
    return replace(made, warnings=(*made.warnings, *asked.warnings))


def captions(asked: Asked, play: bool = False) -> Pair:
    """Both captions of a picture. Errors are among `models.REFUSALS`."""
    code, pixels, warning = asked
    if pixels is None:
        scene = parse_code(code)
        image = scene.draw(SHOWN_PIXELS // PIXELS)
        made = [caption(name, scene) for name in CAPTIONERS]
    else:
        scene, image, source = None, Image.fromarray(pixels), cut(pixels)
        made = [models.picture_model(name).answer("", source) for name in CAPTIONERS]
    boards = [caption_board(one, image, label(one.checkpoint), scene, play) for one in made]
    for board in boards:
        board["warnings"] += [warning] if warning else []
    boards[0]["link"] = links.query(links.PICTURES, text=scene.code) if scene else ""
    return Pair(made, boards)


def paintings(text: str, play: bool = False) -> Pair:
    """Both paintings of a description. Errors are among `models.REFUSALS`."""
    asked = described(text)
    made = [painting(name, asked) for name in PAINTERS]
    boards = [painting_board(one, label(one.checkpoint), asked.scene, play) for one in made]
    boards[0]["link"] = links.query(links.PICTURES, text=asked.text, way=links.PAINT)
    return Pair(made, boards)


def described(text: str) -> Description:
    """What somebody has typed. Errors are among `models.REFUSALS`; words that no model has ever seen are one."""
    if not text.strip():
        raise DataError(NO_TEXT)
    text = clean(text)
    check_words(text)
    try:
        return Description(text, read_caption(text).centred())
    except SceneError as error:
        return Description(text, None, (Said(NOT_A_SENTENCE, reason=error.args[0]),))
