"""How long things take: measured in turn, so that what else the machine does falls on all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

Work = Callable[[], Any]
LONG = 2.0
"""Seconds of a call that counts although it is the first."""


@dataclass(frozen=True)
class Effort:
    """How thorough a bench is. A second is that of the wall clock.

    seconds, rounds: a measurement goes on until both are reached. sentences: of the throughput, and how many of them are given
    to the tutorial's way, greedy and with a beam. The other tuples are the points that are measured.
    clients: how many ask at once, each `client_calls` times but not for longer than `client_seconds` together.
    """

    seconds: float = 2.0
    rounds: int = 3
    sentences: int = 1000
    tutorial_sentences: tuple[int, int] = (20, 6)
    batch_sizes: tuple[int, ...] = (1, 4, 16, 64, 256)
    source_words: tuple[int, ...] = (5, 10, 25, 50, 100, 200, 400)
    beam_sizes: tuple[int, ...] = (1, 2, 5, 10, 20)
    batches: tuple[int, ...] = (1, 2, 8, 32, 128, 512)
    many_sentences: tuple[int, ...] = (64, 256, 1024)
    imports: int = 3
    clients: tuple[int, ...] = (1, 4, 16, 64)
    client_calls: int = 20
    client_seconds: float = 10.0


FULL = Effort()
QUICK = Effort(
    seconds=0.3,
    rounds=2,
    sentences=64,
    tutorial_sentences=(6, 2),
    batch_sizes=(1, 16, 64),
    source_words=(5, 50, 200),
    beam_sizes=(1, 5, 20),
    batches=(1, 16, 128),
    many_sentences=(64, 256),
    imports=1,
    clients=(1, 16, 64),
    client_calls=4,
    client_seconds=4.0,
)


def taken(work: Work, device: torch.device) -> float:
    """Seconds of one call, until the device has done all of it: on CUDA between two of its own events."""
    if device.type == "cuda":
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        work()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1000
    if device.type == "mps":
        torch.mps.synchronize()
    began = time.perf_counter()
    work()
    if device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter() - began


def in_turn(works: Mapping[Any, Work], device: torch.device, seconds: float, rounds: int = 3) -> dict[Any, list[float]]:
    """Seconds of each call of each of `works`: A B A B …, until there were `rounds` rounds and `seconds` have passed. The first
    call of each is left out, unless it took so long that it cannot have been spent on warming up."""
    times = {name: [first] if (first := taken(work, device)) > LONG else [] for name, work in works.items()}
    began = time.perf_counter()
    while left := [n for n in works if len(times[n]) < rounds or time.perf_counter() - began < seconds]:
        for name in left:
            times[name].append(taken(works[name], device))
    return times


def median(times: list[float]) -> float:
    return float(np.median(times))


def spread(times: list[float]) -> dict[str, float | int]:
    """Median and the time that 95 % of the calls keep."""
    p50, p95 = np.percentile(times, [50, 95])
    return {"p50_seconds": seconds(p50), "p95_seconds": seconds(p95), "runs": len(times)}


def seconds(value: float) -> float:
    """As it stands in the JSON: to the microsecond."""
    return round(float(value), 6)


def significant(value: float) -> float:
    """As it stands in the JSON: a rate or a ratio to four digits."""
    return float(f"{value:.4g}")


def launch_bound_share(work: Work, device: torch.device, median_seconds: float) -> float | None:
    """The share of the time in which a GPU waits for the next kernel to be launched; None where there is no CUDA.

    Its kernels' own time comes from one profiled call, the time they are compared with from calls that nobody watched.
    """
    if device.type != "cuda":
        return None
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as watched:
        work()
        torch.cuda.synchronize(device)
    # Annotations span kernels that are counted themselves.
    kernels = [e for e in watched.key_averages() if e.device_type == DeviceType.CUDA and not e.is_user_annotation]
    busy = sum(kernel.self_device_time_total for kernel in kernels) / 1e6
    return round(max(0.0, 1 - busy / median_seconds), 4)
