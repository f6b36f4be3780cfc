"""Where a training run stands, on disk: all that `--resume` needs, and the log that pandas reads."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.optim import Optimizer

from seq2seq.checkpoint import write_beside
from seq2seq.model import Seq2Seq

FOLDER, STATE_FILE, LOG_FILE = "training", "state.safetensors", "log.csv"
"""The folder of a checkpoint in which the two files stand; a checkpoint that ships does not need it."""
FREE = ("max_steps", "patience")
"""Settings with which a run may be resumed although they changed: they make it longer or shorter, not another run."""
OLD_METADATA = {"progress", "config"}
"""What a state tells beside its tensors; since there is a checksum, that too."""
ANEW = "train anew with another --out"
Log = list[dict[str, float]]


class TrainingError(RuntimeError):
    """A run that cannot start or go on. The message says why and what can be done."""


@dataclass
class Progress:
    """Where a run stands, next to its tensors. `position` counts the batches of this epoch that are done."""

    step: int = 0
    epoch: int = 0
    position: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best_bleu: float = -1.0
    best_step: int = 0
    best_loss: float = math.inf
    bad_steps: int = 0


def begin_run(out: Path) -> None:
    """Marks `out` as a run's, before any weights are there: those of a finished checkpoint are not a run's to replace."""
    (out / FOLDER).mkdir(parents=True, exist_ok=True)


def has_run(out: Path) -> bool:
    """Whether a run has begun in `out`; it may have saved nothing yet."""
    return (out / FOLDER).is_dir()


def has_state(out: Path) -> bool:
    """Whether there is a run in `out` to resume."""
    return (out / FOLDER / STATE_FILE).exists()


def save_state(
    out: Path,
    model: Seq2Seq,
    average: Mapping[str, Tensor],
    optimizer: Optimizer,
    progress: Progress,
    settings: Mapping[str, Any],
    log: Log,
) -> None:
    """Writes everything into one file that is renamed into place, so that a kill leaves the old state or the new."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        tensors[f"model/{name}"] = parameter.detach()
        tensors[f"average/{name}"] = average[name]
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"adam/{name}/{key}"] = value
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"progress": json.dumps(asdict(progress)), "config": json.dumps(settings)}
    metadata["sha256"] = _checksum(tensors, metadata)
    path = out / FOLDER / STATE_FILE
    write_beside(path.with_name(LOG_FILE), pd.DataFrame(log).to_csv(index=False))
    write_beside(path, save(tensors, metadata))


def load_state(
    out: Path, model: Seq2Seq, average: Mapping[str, Tensor], optimizer: Optimizer, settings: Mapping[str, Any]
) -> tuple[Progress, Log]:
    """Undoes `save_state` into a fresh model, average and optimizer. Raises TrainingError if the settings differ or a file is
    damaged."""
    path = out / FOLDER / STATE_FILE
    tensors, metadata = _read_state(path)
    _check_settings(out, json.loads(metadata["config"]), settings)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"model/{name}"])
            average[name].copy_(tensors[f"average/{name}"])
            prefix = f"adam/{name}/"
            state = {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
            if state:
                # Adam keeps its step count on the CPU.
                moved = {key: tensor.to(model.device) for key, tensor in state.items()}
                optimizer.state[parameter] = moved | {"step": state["step"]}
    progress = Progress(**json.loads(metadata["progress"]))
    try:
        log = pd.read_csv(path.with_name(LOG_FILE))
        return progress, log[log["step"] <= progress.step].to_dict("records")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path.with_name(LOG_FILE)} cannot be read: {error}; {ANEW}") from error


def _read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a state that is what was written. Raises TrainingError."""
    try:
        with safe_open(path, "pt") as file:
            tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise TrainingError(f"{path} cannot be read: {error}; {ANEW}") from error
    # A state of an older version has no checksum.
    sums = {"sha256": _checksum(tensors, metadata)} if metadata and metadata.keys() != OLD_METADATA else {}
    if not metadata or metadata != {name: metadata.get(name) for name in OLD_METADATA} | sums:
        raise TrainingError(f"{path} is damaged: its checksum differs; {ANEW}")
    return tensors, metadata


def _checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Of everything in a state but the checksum itself."""
    found = hashlib.sha256()
    for name in sorted(OLD_METADATA):
        found.update(f"{name}\n{metadata.get(name)}\n".encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name}\n{tensor.dtype}\n{tuple(tensor.shape)}\n".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def _check_settings(out: Path, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuses a run with other settings, or with other text in files of the same names. Settings that are newer than the
    run had their defaults in it."""
    now = json.loads(json.dumps(now))
    if unknown := sorted(then.keys() - now.keys()):
        raise TrainingError(f"{out} was begun by a newer version: it knows {', '.join(unknown)}; update, or {ANEW}")
    # A cosine comes down to 0 at max_steps: with another one it would be another schedule.
    free = set(FREE) - ({"max_steps"} if now["schedule"] == "cosine" else set())
    changed = [
        f"{name} was {then[name]}, is {now[name]}"
        for name in now
        if name in then and name not in free and now[name] != then[name]
    ]
    if changed:
        raise TrainingError(f"cannot resume {out} with other settings: {'; '.join(changed)}")
