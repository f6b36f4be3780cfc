"""A board of the tab Pictures: the words and the places of one picture, and which were read for which; drawn by
`picture_board.js`."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from seq2seq.demo.component import PageComponent
from seq2seq.demo.visitor import say
from seq2seq.grammar import caption_of
from seq2seq.scenes import BACKGROUND, CELLS, COLOURS, LETTERS, SIDE, Scene, cell_names, painted
from seq2seq.sources import PLACES
from seq2seq.translation import Translation
from seq2seq.truth import judge_caption, judge_painting

SHOWN_PIXELS = 448
"""Of a side of a picture on the page."""
NO_ATTENTION = "No attention exists here: all that the decoder was given is one vector of {count} numbers."
CAPTION_RIGHT, CAPTION_WRONG = "The caption is right.", "The caption is wrong; right is: “{caption}”."
POINTED = "{right} of {count} words for a shape or a colour were written while looking at the object that they name."
PAINTED = "{right} of {count} objects are painted right, and {cells} of {all} cells."
READ = "For {right} of {count} cells of objects the strongest weight lay on a word that names this object."


class PictureBoard(PageComponent):
    """Shows what `caption_board` or `painting_board` made."""

    SCRIPT = "picture_board.js"


def data_uri(image: Image.Image) -> str:
    """The picture as an address that holds it, large enough for the page."""
    buffer = io.BytesIO()
    image.resize((SHOWN_PIXELS, SHOWN_PIXELS), Image.Resampling.NEAREST).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def caption_board(
    made: Translation, image: Image.Image, label: str, scene: Scene | None = None, play: bool = False
) -> dict[str, Any]:
    """A caption over its picture. scene: what is in it, if that is known."""
    words = made.target_words[: made.lengths[1]]
    sentences = []
    if scene:
        judged = judge_caption(scene, made)
        sentences.append(say(CAPTION_RIGHT) if judged["exact"][0] else say(CAPTION_WRONG, caption=caption_of(scene)))
        if "pointing" in judged:
            sentences.append(say(POINTED, right=judged["pointing"][0], count=judged["pointing"][1]))
    weights = None if made.attention is None else made.attention[: len(words)]
    return board(made, label, list(words), list(PLACES), weights, sentences, play) | {
        "side": SIDE,
        "picture": data_uri(image),
        "said": made.translation,
    }


def painting_board(made: Translation, label: str, scene: Scene | None = None, play: bool = False) -> dict[str, Any]:
    """A painting beside its words. scene: what the words describe, if they do."""
    letters = painted(made.translation.split())
    palette = {BACKGROUND: "#ffffff"} | {LETTERS[name]: colour for name, colour in COLOURS.items()}
    sentences = []
    if scene:
        judged = judge_painting(scene, made)
        (right, count), (cells, every) = judged["whole"], judged["cells"]
        sentences.append(say(PAINTED, right=right, count=count, cells=cells, all=every))
        if "pointing" in judged:
            sentences.append(say(READ, right=judged["pointing"][0], count=judged["pointing"][1]))
    words = list(made.source_words[: made.lengths[0]])
    weights = None
    if made.attention is not None:  # cells x words; a painting that ended early has no weights for the rest
        weights = np.zeros((len(words), CELLS * CELLS))
        rows = made.attention[: CELLS * CELLS, : len(words)].T
        weights[:, : rows.shape[1]] = rows
    return board(made, label, words, cell_names(), weights, sentences, play) | {
        "side": CELLS,
        "cells": [list(palette).index(letter) for letter in letters],
        "palette": list(palette.values()),
        "paints": True,
        "said": "",
    }


def board(
    made: Translation,
    label: str,
    words: list[str],
    places: list[str],
    weights: np.ndarray | None,
    sentences: list[str],
    play: bool,
) -> dict[str, Any]:
    """What both kinds share. weights: words x places. play: whether it is shown being written."""
    return {
        "label": label,
        "words": words,
        "places": places,
        "weights": None if weights is None else weights.astype(float).round(4).tolist(),
        "note": say(NO_ATTENTION, count=made.hidden_size) if weights is None else "",
        "caption": " ".join(sentences),
        "warnings": [say(warning) for warning in made.warnings],
        "picture": "",
        "cells": None,
        "palette": [],
        "paints": False,
        "play": play,
    }
