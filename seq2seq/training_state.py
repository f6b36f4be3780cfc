"""Where a training run stands, on disk: all that `--resume` needs, and the log that pandas reads."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from seq2seq.config import TrainConfig
from seq2seq.model import Seq2Seq, write_beside

FOLDER, STATE_FILE, LOG_FILE = "training", "state.safetensors", "log.csv"
"""The folder of a checkpoint in which the two files stand; a checkpoint that ships does not need it."""
FREE = ("max_steps", "patience")
"""Settings with which a run may be resumed although they changed: they make it longer or shorter, not another run."""
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


def has_state(out: Path) -> bool:
    """Whether there is a run in `out` to resume."""
    return (out / FOLDER / STATE_FILE).exists()


def save_state(
    out: Path,
    model: Seq2Seq,
    average: Mapping[str, Tensor],
    optimizer: Optimizer,
    progress: Progress,
    config: TrainConfig,
    log: Log,
) -> None:
    """Writes everything into one file that is renamed into place, so that a kill leaves the old state or the new."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        tensors[f"model/{name}"] = parameter.detach()
        tensors[f"average/{name}"] = average[name]
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"adam/{name}/{key}"] = value
    settings = asdict(config) | asdict(model.config)
    metadata = {"progress": json.dumps(asdict(progress)), "config": json.dumps(settings)}
    path = out / FOLDER / STATE_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".tmp")
    save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, beside, metadata)
    write_beside(path.with_name(LOG_FILE), pd.DataFrame(log).to_csv(index=False))
    os.replace(beside, path)


def load_state(
    out: Path, model: Seq2Seq, average: Mapping[str, Tensor], optimizer: Optimizer, config: TrainConfig
) -> tuple[Progress, Log]:
    """Undoes `save_state` into a fresh model, average and optimizer. Raises TrainingError if the settings differ."""
    path = out / FOLDER / STATE_FILE
    try:
        file = safe_open(path, "pt", device=str(model.device))
    except (SafetensorError, OSError) as error:
        raise TrainingError(f"{path} cannot be read: {error}; train anew with another --out") from error
    with file:
        metadata = file.metadata()
        _check_settings(out, json.loads(metadata["config"]), asdict(config) | asdict(model.config))
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(file.get_tensor(f"model/{name}"))
                average[name].copy_(file.get_tensor(f"average/{name}"))
                prefix = f"adam/{name}/"
                keys = [key for key in file.keys() if key.startswith(prefix)]
                state = {key.removeprefix(prefix): file.get_tensor(key) for key in keys}
                if state:
                    # Adam keeps its step count on the CPU.
                    optimizer.state[parameter] = state | {"step": state["step"].cpu()}
    progress = Progress(**json.loads(metadata["progress"]))
    log = pd.read_csv(path.with_name(LOG_FILE))
    return progress, log[log["step"] <= progress.step].to_dict("records")


def _check_settings(out: Path, then: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuses a run with other settings. Those that are newer than the run had their defaults in it."""
    now = json.loads(json.dumps(now))
    # A cosine comes down to 0 at max_steps: with another one it would be another schedule.
    free = set(FREE) - ({"max_steps"} if now["schedule"] == "cosine" else set())
    changed = [
        f"{name} was {then[name]}, is {now[name]}"
        for name in now
        if name in then and name not in free and now[name] != then[name]
    ]
    if changed:
        raise TrainingError(f"cannot resume {out} with other settings: {'; '.join(changed)}")
