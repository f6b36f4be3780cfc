"""The HTTP API: plain JSON, the same objects as `python -m seq2seq … --json`."""

from __future__ import annotations

from typing import Any

import gradio as gr

from seq2seq.demo import models
from seq2seq.model import CheckpointError
from seq2seq.translator import TextError


def translate(text: str, checkpoint: str = models.DEFAULT, beam_size: int = 1) -> dict[str, Any]:
    """Translate English text to French, with the attention weights behind every word.

    Parameters:
        text: The English sentence.
        checkpoint: The model, by the name of its folder.
        beam_size: 1 for greedy search, more for beam search.
    """
    try:
        return models.translator(checkpoint).translate(text, beam_size=beam_size).to_dict()
    except (TextError, CheckpointError, ValueError) as error:
        raise gr.Error(str(error), print_exception=False) from error
