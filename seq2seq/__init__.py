"""Attention Lens: recurrent encoder-decoders that show what they read.

A public name is loaded when it is first asked for, so that `python -m seq2seq --help` does not wait for torch;
importing this costs no gradio and no plotly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seq2seq.config import ModelConfig, TrainConfig
    from seq2seq.model import CheckpointError, Seq2Seq, kinds
    from seq2seq.tokenizer import Tokenizer
    from seq2seq.translation import Translation
    from seq2seq.translator import SearchError, TextError, Translator

__all__ = [
    "CheckpointError",
    "ModelConfig",
    "SearchError",
    "Seq2Seq",
    "TextError",
    "Tokenizer",
    "TrainConfig",
    "Translation",
    "Translator",
    "kinds",
]
_HOME = {
    "CheckpointError": "model",
    "ModelConfig": "config",
    "SearchError": "translator",
    "Seq2Seq": "model",
    "TextError": "translator",
    "Tokenizer": "tokenizer",
    "TrainConfig": "config",
    "Translation": "translation",
    "Translator": "translator",
    "kinds": "model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(globals() | _HOME.keys())
