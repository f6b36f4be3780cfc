"""Which checkpoints the page offers, each loaded once, when it is first asked for."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch

from seq2seq import scale
from seq2seq.batching import Batcher
from seq2seq.checkpoint import CONFIG_FILE, WEIGHTS_FILE, CheckpointError
from seq2seq.config import ModelConfig
from seq2seq.data import DataError
from seq2seq.demo import runs, zero_gpu
from seq2seq.demo.visitor import laid, say
from seq2seq.language import Said
from seq2seq.model import decoder_class, read_known_config
from seq2seq.results import read_metrics
from seq2seq.scenes import SceneError
from seq2seq.translator import SearchError, TextError, Translator, choose_device

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
DEFAULT = "en-fr-additive"
REFUSALS = (TextError, SearchError, CheckpointError, DataError, SceneError, torch.OutOfMemoryError)
"""Errors of which the visitor is `told`."""
WITH, WITHOUT = "With attention ({kind})", "Without attention ({kind})"
UNREADABLE = "Cannot be read ({name})"
LANGUAGE_NAMES = {"en": "English", "fr": "French"}
"""What the page calls the languages; any other has its code."""
Direction = tuple[str, str]
"""Codes of the language that a model reads, and of the one it writes."""
_LOADING = threading.Lock()


@contextmanager
def _without_folders() -> Iterator[None]:
    """Where this server keeps its checkpoints is no visitor's business."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(str(error).replace(f"{CHECKPOINTS.parent}{os.sep}", "")) from error


def _opened(read: Callable[[Path], Translator], name: str) -> Translator:
    """A checkpoint as the page uses it: what is wrong with it names no folder, and a search has the page's time."""
    with _without_folders():
        opened = read(CHECKPOINTS / name)
    opened.new_deadline = runs.deadline
    return opened


@cache
def names() -> tuple[str, ...]:
    """The translators in the folder `checkpoints`, the default one first, then those of its direction, of each direction the
    classic ones last. Raises CheckpointError if there is none; one with a broken config is among them, and the log says what
    is wrong with it."""
    found = {path.parent.name for file in (CONFIG_FILE, WEIGHTS_FILE) for path in CHECKPOINTS.glob(f"*/{file}")}
    for name in sorted(found):
        try:
            if not read_known_config(CHECKPOINTS / name / CONFIG_FILE).translates:
                found.remove(name)
        except CheckpointError as error:
            print(error, file=sys.stderr)
    if not found:
        raise CheckpointError(
            f"no checkpoint in the folder {CHECKPOINTS.name}; train one with: python -m seq2seq train --help"
        )
    ways = {name: _direction(name) for name in found}
    first = ways.get(DEFAULT) or min(ways.values())
    return tuple(sorted(found, key=lambda n: (n != DEFAULT, ways[n] != first, ways[n], "classic" in n, n)))


_batching = cache(Batcher)


def check_name(name: str, known: tuple[str, ...]) -> None:
    """Raises CheckpointError for a name that is none of those: a visitor must not open a path."""
    if name not in known:
        raise CheckpointError(
            Said("There is no model “{name}” here. Choose one of: {known}.", name=name[:40], known=", ".join(known))
        )


@cache
def load(name: str) -> Translator:
    """Reads one of `names()` from its folder. Raises CheckpointError, as `check_name` does for any other name."""
    check_name(name, names())
    # One sentence is too small for threads to share, and many callers keep the cores busy by themselves: on two busy cores
    # two threads of torch, which wait for each other without sleeping, took 5 times the processor time of one.
    torch.set_num_threads(1)
    return _opened((scale if scale.running() else zero_gpu).load, name)


def translator(name: str) -> Translator:
    """The translator of one of `names()`. Errors as of `load`."""
    with _LOADING:  # or all who come first would load it, each for itself
        return load(name)


def batcher(name: str) -> Batcher | scale.Away:
    """The translator of one of `names()` for callers that come in crowds. Errors as of `load`."""
    made = translator(name)
    # Replicas make their batches themselves, so each call goes to them as it comes.
    if isinstance(made, scale.Away):
        return made
    with _LOADING:
        return _batching(made)


@cache
def kind(name: str) -> str:
    """Which decoder a checkpoint has, without a look at its weights. Raises CheckpointError if it does not say."""
    with _without_folders():
        return read_known_config(CHECKPOINTS / name / CONFIG_FILE).kind


@cache
def _direction(name: str) -> Direction:
    try:
        config = read_known_config(CHECKPOINTS / name / CONFIG_FILE)
    except CheckpointError:
        config = ModelConfig()
    return config.source_language, config.target_language


def direction(name: str) -> Direction:
    """From which language to which one of `names()` translates; for what is none, or cannot be read, as most do."""
    return _direction(name if name in names() else names()[0])


def turns() -> bool:
    """Whether there is more than one direction."""
    return len(set(map(direction, names()))) > 1


def of_direction(wanted: Direction) -> list[str]:
    """All models of one direction."""
    return [name for name in names() if direction(name) == wanted]


def counterpart(name: str) -> str:
    """The model of the opposite direction that is most like this one: of its kind, if there is one; the same one if there is
    none at all."""
    there = of_direction((direction(name)[1], direction(name)[0]))
    alike = [other for other in there if described(other).values.get("kind") == kind(name)]
    return (*alike, *there, name)[0]


def language_name(code: str) -> str:
    """What the page calls a language."""
    return say(LANGUAGE_NAMES.get(code, code))


def described(name: str) -> Said:
    """What a checkpoint is, without a look at its weights."""
    try:
        return laid(WITH if decoder_class(kind(name)).looks_back else WITHOUT, kind=kind(name))
    except CheckpointError:
        return laid(UNREADABLE, name=name)


def _headed(name: str) -> Said:
    """What it is, with its direction if that is not the one that the page begins with."""
    if direction(name) == direction(names()[0]):
        return described(name)
    source, target = (Said(LANGUAGE_NAMES.get(code, code)) for code in direction(name))
    return laid("{source} → {target}: {model}", source=source, target=target, model=described(name))


def choices() -> list[tuple[str, str]]:
    """(what the page says, checkpoint name) of each model."""
    labels = [_headed(name) for name in names()]
    # Two checkpoints of one kind are told apart by their names.
    return [
        (label if labels.count(label) == 1 else laid("{label}: {name}", label=label, name=name), name)
        for label, name in zip(labels, names())
    ]


def label(name: str) -> str:
    """What the page calls a checkpoint."""
    return say({value: text for text, value in choices()}[name])


def labels(left: str, right: str) -> dict[str, str]:
    """What the page calls the two models of a comparison; the same one twice is told apart by side."""
    if left == right:
        return {
            "left": say("{model}, left", model=label(left)),
            "right": say("{model}, right", model=label(right)),
        }
    return {"left": label(left), "right": label(right)}


def default_pair() -> tuple[str, str]:
    """Plain on the left and the default on the right; the default twice if nothing else is there."""
    return ("en-fr-plain" if "en-fr-plain" in names() else names()[0]), names()[0]


@cache
def metrics() -> dict[str, dict[str, Any]]:
    """Each checkpoint's `metrics.json`; those that have none are left out, and so are broken ones, of which the log tells."""
    found = {}
    for name in names():
        if described(name).template == UNREADABLE:  # the log has told of it
            continue
        try:
            found[name] = read_metrics(CHECKPOINTS / name)
        except ValueError as error:
            print(error, file=sys.stderr)
    return {name: told for name, told in found.items() if told and all(isinstance(x, dict) for x in told.values())}


@cache
def picture_model(name: str) -> Translator:
    """One of the models of scenes, always on the CPU: they are small. Raises CheckpointError."""
    return _opened(lambda folder: Translator.from_checkpoint(folder, "cpu"), name)


def picture_metrics(name: str) -> dict[str, Any]:
    """What was measured of it; empty if that cannot be read."""
    try:
        return read_metrics(CHECKPOINTS / name)
    except ValueError as error:
        print(error, file=sys.stderr)
        return {}


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
        try:
            load(_name)
        except CheckpointError as error:  # the others can be shown; whoever chooses this one is told again
            print(error, file=sys.stderr)
