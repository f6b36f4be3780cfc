"""Which checkpoints the page offers, each loaded once, when it is first asked for."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch

from seq2seq.batching import Batcher
from seq2seq.data import DataError
from seq2seq.demo import runs, zero_gpu
from seq2seq.model import CONFIG_FILE, CheckpointError, decoder_class
from seq2seq.results import METRICS_FILE
from seq2seq.translator import SearchError, TextError, Translator, choose_device

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
DEFAULT = "en-fr-additive"
REFUSALS = (TextError, SearchError, CheckpointError, DataError)
"""Errors whose message is for the visitor."""
_LOADING = threading.Lock()


@contextmanager
def _without_folders() -> Iterator[None]:
    """Where this server keeps its checkpoints is no visitor's business."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(str(error).replace(f"{CHECKPOINTS.parent}{os.sep}", "")) from error


@cache
def names() -> tuple[str, ...]:
    """The checkpoints in the folder `checkpoints`, the default one first and the classic ones last. Raises CheckpointError if
    there is none."""
    found = sorted(path.parent.name for path in CHECKPOINTS.glob(f"*/{CONFIG_FILE}"))
    if not found:
        raise CheckpointError(
            f"no checkpoint in the folder {CHECKPOINTS.name}; train one with: python -m seq2seq train --help"
        )
    return tuple(sorted(found, key=lambda name: (name != DEFAULT, "classic" in name, name)))


@cache
def load(name: str) -> Batcher:
    """Reads one of `names()` from its folder. Raises CheckpointError for any other name: a visitor must not open a path."""
    if name not in names():
        raise CheckpointError(f"There is no model “{name[:40]}” here. Choose one of: {', '.join(names())}.")
    # One sentence is too small for threads to share, and many callers keep the cores busy by themselves: on two busy cores
    # two threads of torch, which wait for each other without sleeping, took 5 times the processor time of one.
    torch.set_num_threads(1)
    with _without_folders():
        loaded = zero_gpu.load(CHECKPOINTS / name)
    loaded.new_deadline = runs.deadline
    return Batcher(loaded)


def batcher(name: str) -> Batcher:
    """The translator of one of `names()` for callers that come in crowds. Errors as of `load`."""
    with _LOADING:  # or all who come first would load it, each for itself
        return load(name)


def translator(name: str) -> Translator:
    """The translator of one of `names()`. Errors as of `load`."""
    return batcher(name).translator


@cache
def kind(name: str) -> str:
    """Which decoder a checkpoint has, without a look at its weights. Raises CheckpointError if it does not say."""
    path = CHECKPOINTS / name / CONFIG_FILE
    try:
        return json.loads(path.read_text(encoding="utf-8"))["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path.relative_to(CHECKPOINTS.parent)} does not describe a model: {error!r}") from error


def choices() -> list[tuple[str, str]]:
    """(what the page says, checkpoint name) of each model."""
    kinds = [kind(name) for name in names()]
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
    """Where the models run, for the page: "CPU", "Apple GPU (MPS)", "ZeroGPU", or the CUDA card by name."""
    if zero_gpu.HERE:
        return "ZeroGPU"
    device = choose_device()
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return {"cpu": "CPU", "mps": "Apple GPU (MPS)"}[device.type]


if zero_gpu.HERE:  # the process that is lent the GPU is forked off this one, and has what was loaded before
    for _name in names():
        load(_name)
