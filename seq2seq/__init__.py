"""Attention Lens: recurrent encoder-decoders that show what they read. Importing this costs no gradio and no plotly."""

from seq2seq.config import ModelConfig, TrainConfig
from seq2seq.model import CheckpointError, Seq2Seq
from seq2seq.tokenizer import Tokenizer
from seq2seq.translation import Translation
from seq2seq.translator import TextError, Translator

__all__ = [
    "CheckpointError",
    "ModelConfig",
    "Seq2Seq",
    "TextError",
    "Tokenizer",
    "TrainConfig",
    "Translation",
    "Translator",
]
