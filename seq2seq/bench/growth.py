"""How time and memory grow with source length, beam, batch, and the number of sentences.

Each axis has a fresh process to itself. Its points come in growing order, so that the most memory the process ever held is
that of the point it is at. The model writes as many pieces as it reads: its `<eos>` is made impossible.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seq2seq.bench.captions import THIRTY, TWELVE
from seq2seq.bench.clock import Effort, in_turn, median, seconds
from seq2seq.bench.floors import memory
from seq2seq.checkpoint import TOKENIZER_FILE
from seq2seq.config import EOS
from seq2seq.sources import save_tokenizers
from seq2seq.tokenizer import Pieces
from seq2seq.translator import Translator

IMPOSSIBLE = -1e4
"""Bias of `<eos>`: finite, so that a log-probability stays a number."""
SEARCHED_AT_ONCE = 64
SEEN = 2_000_000
"""Bytes of growth below which a process's memory says nothing: pages, pools and what was freed and taken again."""
ROOT = Path(__file__).parents[2]


class AsLong(Translator):
    """Writes exactly as many pieces as it reads."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        decoder: Any = self.model.decoder  # whose bias has another name in each kind
        with torch.no_grad():
            (decoder.out.bias if self.model.config.classic else decoder.bias)[EOS] = IMPOSSIBLE

    @staticmethod
    def _limit(source: Pieces) -> int:
        return len(source.ids)


def axes(effort: Effort) -> dict[str, tuple[int, ...]]:
    """What grows, and its values."""
    return {
        "source_words": effort.source_words,
        "beam_size": effort.beam_sizes,
        "batch_size": effort.batches,
        "sentences": effort.many_sentences,
    }


def search_arguments(translator: Translator, axis: str, value: int) -> dict[str, Any]:
    """The arguments of `Translator.search` at one point of an axis; everything else stays as small as it can."""
    if axis == "source_words":
        words = (THIRTY.split() * (value // 30 + 1))[:value]
        return {"sources": translator.tokenizer.encode_batch([" ".join(words)])}
    [source] = translator.tokenizer.encode_batch([TWELVE])
    if axis == "beam_size":
        return {"sources": [source], "beam_size": value, "batch_size": value}
    return {"sources": [source] * value, "batch_size": value if axis == "batch_size" else SEARCHED_AT_ONCE}


def measure_growth(translator: Translator, effort: Effort) -> dict[str, Any]:
    """For each axis its points, and the exponents k of time ~ valueᵏ and memory ~ valueᵏ."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        translator.model.save_pretrained(folder, dtype=torch.float32)
        tokenizers = save_tokenizers(translator.tokenizer, translator.target_tokenizer)
        (Path(folder) / TOKENIZER_FILE).write_text(tokenizers, encoding="utf-8")
        for axis, values in axes(effort).items():
            points = measured_apart(folder, axis, values, translator.device, effort)
            found[axis] = {"points": points} | exponents(points)
    return found


def measured_apart(
    folder: str, axis: str, values: Sequence[int], device: torch.device, effort: Effort
) -> list[dict[str, Any]]:
    """`points` in a process of their own. Raises RuntimeError with its last words if it fails."""
    asked = [folder, axis, list(values), device.type, effort.seconds, effort.rounds, torch.get_num_threads()]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    code = "from seq2seq.bench.growth import work; work()"
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(asked), capture_output=True, text=True, env=environment
    )
    if done.returncode:
        raise RuntimeError(f"measuring the growth with {axis} failed: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def work() -> None:
    """The process of one axis: what to do on standard input, points on standard output."""
    folder, axis, values, device, length, rounds, threads = json.load(sys.stdin)
    torch.set_num_threads(threads)
    translator = AsLong.from_checkpoint(folder, device)
    print(json.dumps(list(points(translator, axis, values, length, rounds))))


def points(
    translator: Translator, axis: str, values: Sequence[int], length: float, rounds: int
) -> Iterator[dict[str, Any]]:
    """Once through all in growing order, looking at memory; then in turn, looking at the clock for `length` seconds."""
    device = translator.device
    asked = {value: search_arguments(translator, axis, value) for value in sorted(values)}
    translator.search(
        **search_arguments(translator, "batch_size", 1)
    )  # what every process needs, whatever is asked of it
    forget_peak(device)
    before = peak(device)
    most, written = {}, {}
    for value, arguments in asked.items():
        found = translator.search(**arguments)
        written[value] = sum(len(best[0].ids) for best in found)
        most[value] = peak(device)
        del found
    works = {value: lambda a=arguments: translator.search(**a) for value, arguments in asked.items()}
    times = in_turn(works, device, length, rounds)
    for value in asked:
        taken = median(times[value])
        yield {
            "value": value,
            "source_pieces": len(asked[value]["sources"][0].ids),
            "target_pieces": written[value],
            "seconds": seconds(taken),
            "seconds_per_target_piece": round(taken / written[value], 9),
            "peak_memory_bytes": most[value],
            "extra_memory_bytes": None if most[value] is None or before is None else most[value] - before,
        }


def peak(device: torch.device) -> int | None:
    """The most bytes that the process held so far, on its device, or since `forget_peak` where that works."""
    if device.type == "cpu":
        try:
            status = Path("/proc/self/status").read_text(encoding="utf-8")
            return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
        except (OSError, StopIteration):
            pass
    return memory(device)["peak_bytes"]


def forget_peak(device: torch.device) -> None:
    """Begins the high-water mark anew: loading a model takes more than holding it. Only Linux and CUDA can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif Path("/proc/self/clear_refs").exists():
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            pass  # not allowed in every container; then the mark of loading stands


def exponent(values: Sequence[float], measured: Sequence[float]) -> float | None:
    """k of measured ~ valueᵏ: the slope of the straight line that fits their logarithms best. None for less than two points."""
    if len(values) < 2:
        return None
    return round(float(np.polyfit(np.log(values), np.log(measured), 1)[0]), 3)


def exponents(points: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Of all points and, where fixed costs weigh less, of the upper half. Memory: of points that took a noticeable amount."""
    upper = points[len(points) // 2 :] if len(points) > 3 else points[-2:]

    def of(some: Sequence[dict[str, Any]], name: str) -> float | None:
        return exponent([p["value"] for p in some], [p[name] for p in some])

    grown = [p for p in points if (p["extra_memory_bytes"] or 0) >= SEEN]
    return {
        "seconds_exponent": of(points, "seconds"),
        "seconds_exponent_of_large": of(upper, "seconds"),
        "seconds_per_target_piece_exponent": of(points, "seconds_per_target_piece"),
        "seconds_per_target_piece_exponent_of_large": of(upper, "seconds_per_target_piece"),
        "extra_memory_exponent": of(grown, "extra_memory_bytes"),
    }
