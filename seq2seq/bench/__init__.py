"""`python -m seq2seq bench`: what this machine could do at best, and what decoding, training and the app reach of that.

Floors come first: matrix products, reading weights, asking torch for anything at all. Whatever is compared, with a floor or
with the same weights run as the PyTorch tutorial does it, is measured in turn in the same minute, so that ratios hold on a
machine that has other things to do.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from typing import Any

import torch

from seq2seq.bench.app import AppError, measure_app
from seq2seq.bench.clock import FULL, QUICK, Effort, seconds
from seq2seq.bench.decoding import measure_latency, measure_throughput
from seq2seq.bench.floors import measure_floors, memory
from seq2seq.bench.flops import COUNTED, Needed
from seq2seq.bench.growth import measure_growth
from seq2seq.bench.tables import table
from seq2seq.bench.training import measure_training
from seq2seq.bench.tutorial_way import TutorialWay
from seq2seq.translator import Translator

PARTS = ("floors", "latency", "throughput", "growth", "training", "app")
"""What can be asked for. Floors are always measured: the others are compared with them."""
NO_CUDA = "no CUDA device on this machine: nothing was measured on a GPU"
__all__ = ["FULL", "PARTS", "QUICK", "AppError", "Effort", "bench", "check_parts", "table"]


def check_parts(only: Collection[str]) -> tuple[str, ...]:
    """The parts to measure, in their order; all if none is named. Raises ValueError for one that there is not."""
    for part in only:
        if part not in PARTS:
            raise ValueError(f"there is no part {part!r}; choose from {', '.join(PARTS)}")
    return tuple(part for part in PARTS if not only or part in only)


def bench(
    translators: Translator | Collection[Translator],
    effort: Effort = FULL,
    only: Collection[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """The object of `bench --json`. translators: the same model on each device that is to be measured.

    say: is told what is being measured. A part that was not asked for is None, and so is one that could not be measured; then
    `app_error` says why.
    """
    parts = check_parts(only)
    if isinstance(translators, Translator):
        translators = [translators]
    began = time.perf_counter()
    result: dict[str, Any] = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "quick": effort == QUICK,
        "parts": list(parts),
        "cuda": NO_CUDA if not torch.cuda.is_available() else torch.cuda.get_device_name(),
        "devices": [on_device(translator, effort, parts, say) for translator in translators],
        "app": None,
        "app_error": None,
        "counted": COUNTED,
    }
    if "app" in parts:
        say("app")
        try:
            result["app"] = measure_app(effort)
        except AppError as error:
            result["app_error"] = str(error)
    return result | {"seconds": seconds(time.perf_counter() - began)}


def on_device(
    translator: Translator, effort: Effort, parts: Collection[str], say: Callable[[str], None]
) -> dict[str, Any]:
    """Everything that one device computes."""
    device, config = translator.device, translator.model.config
    needed, way = Needed(config), TutorialWay(translator.model)

    def measured(part: str, measure: Callable[[], Any]) -> Any:
        if part not in parts:
            return None
        say(f"{part}, {device.type}")
        return measure()

    say(f"floors, {device.type}")
    best = measure_floors(device, config, needed.step_bytes(1), effort)
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "type": device.type,
        "checkpoint": translator.name,
        "kind": config.kind,
        "floors": best,
        "latency": measured("latency", lambda: measure_latency(translator, way, needed, effort)),
        "throughput": measured(
            "throughput", lambda: measure_throughput(translator, way, needed, best["matrix"], effort)
        ),
        "growth": measured("growth", lambda: measure_growth(translator, effort)),
        "training": measured("training", lambda: measure_training(device, config, best["matrix"], effort)),
        "memory": memory(device),
    }
