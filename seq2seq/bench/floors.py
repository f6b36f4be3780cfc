"""What this machine can do at best: matrix products, reading memory, and the cost of asking torch for anything at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.functional import linear

from seq2seq.bench.clock import Effort, Work, in_turn, median, significant
from seq2seq.bench.flops import PIECES
from seq2seq.config import ModelConfig, TrainConfig

PRECISIONS = {"float32": "no", "bfloat16": "bf16"}
"""Each with the name that training knows it by."""
SMALL_CALLS = 500
LARGE = 256_000_000
"""Bytes that fit into no processor's cache."""


def precisions(device: torch.device) -> list[str]:
    """float32, and bfloat16 where the device computes in it."""
    has_bfloat16 = device.type == "cpu" or (device.type == "cuda" and torch.cuda.is_bf16_supported())
    return ["float32", "bfloat16"] if has_bfloat16 else ["float32"]


def products(config: ModelConfig) -> dict[str, tuple[int, int, int]]:
    """(rows, inner, columns) of the large products of training and of decoding 64 sentences at once."""
    V, E, H = config.vocab_size, config.embedding_size, config.hidden_size
    tokens = TrainConfig(data=(), valid=()).batch_tokens
    return {
        "GRU, training": (tokens // PIECES, E + H, 3 * H),
        "output layer, training": (tokens, E, V),
        "GRU, 64 sentences": (64, E + H, 3 * H),
        "output layer, 64 sentences": (64, E, V),
    }


SQUARE = {"square": (1024, 1024, 1024)}
"""Beside them: a product that fills most machines."""


def product(size: tuple[int, int, int], precision: str, device: torch.device) -> Work:
    """One matrix product (rows, inner) x (inner, columns) on random numbers."""
    rows, inner, columns = size
    left = torch.randn(rows, inner, device=device, dtype=getattr(torch, precision))
    right = torch.randn(columns, inner, device=device, dtype=left.dtype)
    return torch.inference_mode()(lambda: linear(left, right))


class Yardstick:
    """The fastest of the model's products, long enough to be timed beside the work that is compared with it.

    work: so many of them that they take some 20 ms. flops: of all of these.
    """

    def __init__(self, rows: list[dict[str, Any]], precision: str, device: torch.device) -> None:
        fitting = [row for row in rows if row["precision"] == precision and row["product"] not in SQUARE]
        most = max(row["threads"] for row in fitting)
        best = max((row for row in fitting if row["threads"] == most), key=lambda row: row["gflops"])
        once = product(tuple(best["size"]), precision, device)
        flops = flops_of(best["size"])
        times = max(1, round(0.02 * 1e9 * best["gflops"] / flops))  # some 20 ms
        self.flops = times * flops
        self.work = repeated(once, times)


def repeated(work: Work, times: int) -> Work:
    """`work` so many times, as one."""

    def all_of_it() -> None:
        for _ in range(times):
            work()

    return all_of_it


def flops_of(size: tuple[int, int, int]) -> int:
    rows, inner, columns = size
    return 2 * rows * inner * columns


def reading(size: int, device: torch.device) -> Work:
    """Reads `size` bytes of float32 weights once, by a product with one vector: as a decoding step does."""
    weights = torch.randn(max(1, size // 4 // 1024), 1024, device=device)
    vector = torch.randn(1024, device=device)
    return torch.inference_mode()(lambda: weights @ vector)


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """torch with so many threads, as long as it lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def matrix_rates(device: torch.device, config: ModelConfig, effort: Effort) -> list[dict[str, Any]]:
    """GFLOP/s of `products` and the square, in each precision, with all threads and with one; the fastest of several runs."""
    counts = dict.fromkeys((torch.get_num_threads(), 1)) if device.type == "cpu" else [torch.get_num_threads()]
    often = 1 if device.type == "cpu" else 50  # a GPU works on one while the next is launched
    rows = []
    for precision in precisions(device):
        for count in counts:
            sizes = products(config) | SQUARE
            works = {name: repeated(product(size, precision, device), often) for name, size in sizes.items()}
            with threads(count):
                times = in_turn(works, device, effort.seconds / 2, effort.rounds)
            for name, size in sizes.items():
                rate = significant(often * flops_of(size) / min(times[name]) / 1e9)
                row = {"product": name, "size": list(size), "precision": precision, "threads": count, "gflops": rate}
                rows.append(row)
    return rows


def measure_floors(device: torch.device, config: ModelConfig, step_bytes: int, effort: Effort) -> dict[str, Any]:
    """The part `floors` of the JSON. step_bytes: weights that a decoding step reads; read again and again they may stay in the
    processor's cache."""
    small = torch.zeros(1, device=device)

    @torch.inference_mode()
    def call() -> None:
        for _ in range(SMALL_CALLS):
            small + small

    works = {"weights": reading(step_bytes, device), "memory": reading(LARGE, device), "call": call}
    times = in_turn(works, device, effort.seconds / 2, effort.rounds)
    return {
        "matrix": matrix_rates(device, config, effort),
        "weights_bytes": step_bytes,
        "weights_gb_s": significant(step_bytes / min(times["weights"]) / 1e9),
        "memory_gb_s": significant(LARGE / min(times["memory"]) / 1e9),
        "small_call_seconds": round(median(times["call"]) / SMALL_CALLS, 9),
    }


def memory(device: torch.device) -> dict[str, int | None]:
    """Bytes the device has, and the most that this process held of them until now; None where that is not known."""
    if device.type == "cuda":
        return {
            "total_bytes": torch.cuda.get_device_properties(device).total_memory,
            "peak_bytes": torch.cuda.max_memory_allocated(device),
        }
    try:
        import resource

        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        unit = 1 if os.uname().sysname == "Darwin" else 1024
        return {"total_bytes": total, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}
    except (ImportError, ValueError, OSError):
        return {"total_bytes": None, "peak_bytes": None}
