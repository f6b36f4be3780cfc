"""The HTTP API: plain JSON, the same objects as `python -m seq2seq … --json`."""

from __future__ import annotations

from typing import Any

import gradio as gr

from seq2seq import comparison
from seq2seq.demo import models
from seq2seq.inside import open_up


def check_strings(**arguments: Any) -> None:
    """Gradio does not hold callers to the type hints: a list of texts would pass by every limit."""
    for name, value in arguments.items():
        if not isinstance(value, str):
            raise gr.Error(f"{name} must be a string.", print_exception=False)


def whole(number: Any) -> Any:
    """3.0 is 3: JSON does not tell them apart. Anything else is left for the search to judge."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def translate(text: str, checkpoint: str = models.DEFAULT, beam_size: int = 1) -> dict[str, Any]:
    """Translate English text to French, with the attention weights behind every word.

    Parameters:
        text: The English sentence.
        checkpoint: The model, by the name of its folder.
        beam_size: 1 for greedy search, more for beam search.
    """
    check_strings(text=text, checkpoint=checkpoint)
    try:
        return models.translator(checkpoint).translate(text, beam_size=whole(beam_size)).to_dict()
    except models.REFUSALS as error:
        raise gr.Error(str(error), print_exception=False) from error


def inside(text: str, checkpoint: str = models.DEFAULT) -> dict[str, Any]:
    """Translate English text to French and give every value of every decoding step, with its formula and shape.

    Parameters:
        text: The English sentence.
        checkpoint: The model, by the name of its folder.
    """
    check_strings(text=text, checkpoint=checkpoint)
    try:
        return open_up(models.translator(checkpoint), text).to_dict()
    except models.REFUSALS as error:
        raise gr.Error(str(error), print_exception=False) from error


def compare(text: str, left: str = "en-fr-plain", right: str = models.DEFAULT, reference: str = "") -> dict[str, Any]:
    """Translate one text with two models under equal settings, and score both against a reference if one is given.

    Parameters:
        text: The English sentence.
        left: The first model, by the name of its folder.
        right: The second model, by the name of its folder.
        reference: A French translation to score both against; may be empty.
    """
    check_strings(text=text, left=left, right=right, reference=reference)
    try:
        sides = models.translator(left), models.translator(right)
        return comparison.compare(*sides, text, reference).to_dict()
    except models.REFUSALS as error:
        raise gr.Error(str(error), print_exception=False) from error
