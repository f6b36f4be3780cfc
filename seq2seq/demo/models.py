"""Which checkpoints the page offers, each loaded once."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch

from seq2seq.data import DataError
from seq2seq.model import CONFIG_FILE, CheckpointError, decoder_class
from seq2seq.results import METRICS_FILE
from seq2seq.translator import SearchError, TextError, Translator, choose_device

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
DEFAULT = "en-fr-additive"
REFUSALS = (TextError, SearchError, CheckpointError, DataError)
"""Errors whose message is for the visitor."""


@cache
def names() -> tuple[str, ...]:
    """The checkpoints in the folder `checkpoints`, the default one first and the classic ones last. Raises CheckpointError if
    there is none."""
    found = sorted(path.parent.name for path in CHECKPOINTS.glob(f"*/{CONFIG_FILE}"))
    if not found:
        raise CheckpointError(f"no checkpoint in {CHECKPOINTS}; train one with: python -m seq2seq train --help")
    return tuple(sorted(found, key=lambda name: (name != DEFAULT, "classic" in name, name)))


@cache
def translator(name: str) -> Translator:
    """The translator of one of `names()`. Raises CheckpointError for any other name: a visitor must not open a path."""
    if name not in names():
        raise CheckpointError(f"There is no model “{name[:40]}” here. Choose one of: {', '.join(names())}.")
    return Translator.from_checkpoint(CHECKPOINTS / name)


def choices() -> list[tuple[str, str]]:
    """(what the page says, checkpoint name) of each model."""
    kinds = [translator(name).model.config.kind for name in names()]
    labels = [f"{'With' if decoder_class(kind).looks_back else 'Without'} attention ({kind})" for kind in kinds]
    # Two checkpoints of one kind are told apart by their names.
    return [(label if labels.count(label) == 1 else f"{label}: {name}", name) for label, name in zip(labels, names())]


def label(name: str) -> str:
    """What the page calls a checkpoint."""
    return {value: text for text, value in choices()}[name]


def labels(left: str, right: str) -> dict[str, str]:
    """What the page calls the two models of a comparison; the same one twice is told apart by side."""
    if left == right:
        return {"left": f"{label(left)}, left", "right": f"{label(right)}, right"}
    return {"left": label(left), "right": label(right)}


def default_pair() -> tuple[str, str]:
    """Plain on the left and the default on the right; the default twice if nothing else is there."""
    return ("en-fr-plain" if "en-fr-plain" in names() else names()[0]), names()[0]


@cache
def metrics() -> dict[str, dict[str, Any]]:
    """Each checkpoint's `metrics.json`; those that have none are left out."""
    files = {name: CHECKPOINTS / name / METRICS_FILE for name in names()}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in files.items() if path.is_file()}


def device_name() -> str:
    """Where the models run, for the page: "CPU", "Apple GPU (MPS)", or the CUDA card by name."""
    device = choose_device()
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return {"cpu": "CPU", "mps": "Apple GPU (MPS)"}[device.type]
