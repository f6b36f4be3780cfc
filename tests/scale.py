"""The page on Ray Serve, under load, with a replica killed in the middle: is every request answered, and rightly?

    python -m tests.scale [--replicas 2] [--callers 8] [--calls 12]

Starts `python -m seq2seq serve` on a free port of this machine, calls `/translate` from many threads, ends one replica with
SIGKILL when a third of the answers are there, and compares each answer with that of a Translator here. Needs the extra `scale`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import psutil

from seq2seq.bench.captions import captions
from seq2seq.translator import Translator
from tests.hosting import ROOT, free_ports, wait_for

RAY_IS_HERE = find_spec("ray") is not None
NO_RAY = "Ray is not installed; install the extra `scale`"
CHECKPOINTS, BEAM = ("en-fr-additive", "en-fr-plain"), 8
SECONDS = 300
"""For a start, for an answer, and for a replica in the place of the dead one."""


@dataclass
class Found:
    """What a trial saw. answers: each with its seconds, in the order of the requests. wrong: texts whose answer is not that of
    a Translator here. before, after: process ids of the replicas. lines: of the page's log, about searches that were lost."""

    answers: list[tuple[dict[str, Any], float]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    took: float = 0.0
    before: set[int] = field(default_factory=set)
    killed: int = 0
    after: set[int] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)


def replicas(page: psutil.Process) -> set[int]:
    """The process ids of the replicas that a page started; Ray writes what a process is into its title."""
    found = set()
    for child in page.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.status() != psutil.STATUS_ZOMBIE and " ".join(child.cmdline()).startswith("ray::ServeReplica:"):
                found.add(child.pid)
    return found


@contextlib.contextmanager
def serving(count: int, log: Path) -> Iterator[tuple[str, psutil.Process]]:
    """`serve` with so many replicas -> its address and process. At the end nothing of it may be left."""
    [port] = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "seq2seq", "serve", "--replicas", str(count), "--port", str(port)]
    with log.open("w") as output:
        page = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"HF_HUB_OFFLINE": "1"}, stdout=output, stderr=output
        )
    children: list[psutil.Process] = []
    try:
        wait_for(f"{address}/", page, log, SECONDS)
        process = psutil.Process(page.pid)
        yield address, process
        children = process.children(recursive=True)
    finally:
        page.terminate()
        code = page.wait(timeout=60)
    _, left = psutil.wait_procs(children, timeout=30)
    assert not left, f"still running after the page has ended: {left}"
    assert code == 0, f"it was asked to end and did so with {code}:\n{log.read_text()}"


def translate(address: str, text: str, checkpoint: str) -> dict[str, Any]:
    """One call of the API, as curl would make it. Raises AssertionError if it is not answered."""
    body = json.dumps({"data": [text, checkpoint, BEAM, 1]}).encode()
    call = f"{address}/gradio_api/call/translate"
    request = urllib.request.Request(call, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{call}/{event}", timeout=SECONDS) as answer:
        said = answer.read().decode()
    assert "event: complete" in said, said
    return json.loads(said.rpartition("data: ")[2])[0]


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """All that a search finds, up to the last digits, which depend on what else was in the batch."""
    pieces = one["target_pieces"] == other["target_pieces"] and one["translation"] == other["translation"]
    return pieces and math.isclose(one["log_prob"], other["log_prob"], abs_tol=1e-3)


def trial(folder: Path, count: int = 2, callers: int = 8, calls: int = 12) -> Found:
    """Does it all; see above. Raises AssertionError if a request is not answered, or a dead replica not replaced."""
    log = folder / "serve.log"
    asked = [(text, CHECKPOINTS[i % len(CHECKPOINTS)]) for i, text in enumerate(captions(callers * calls))]
    found = Found()
    with serving(count, log) as (address, page):
        found.before = replicas(page)
        assert len(found.before) == count, f"{len(found.before)} replicas run, not {count}"
        found.killed = min(found.before)

        def ask(text: str, checkpoint: str) -> tuple[dict[str, Any], float]:
            began = time.perf_counter()
            return translate(address, text, checkpoint), time.perf_counter() - began

        began = time.perf_counter()
        with ThreadPoolExecutor(callers) as pool:
            jobs = [pool.submit(ask, *one) for one in asked]
            for _ in islice(as_completed(jobs), len(jobs) // 3):
                pass
            psutil.Process(found.killed).kill()
            found.answers = [job.result() for job in jobs]
        found.took = time.perf_counter() - began
        end = time.monotonic() + SECONDS
        while len(found.after) < count and time.monotonic() < end:
            time.sleep(0.5)
            found.after = replicas(page) - {found.killed}
    models = {name: Translator.from_checkpoint(ROOT / "checkpoints" / name) for name in CHECKPOINTS}
    for (text, name), (answer, _) in zip(asked, found.answers):
        if not same(answer, models[name].translate(text, beam_size=BEAM).to_dict()):
            found.wrong.append(text)
    found.lines = [line for line in log.read_text().splitlines() if "search is" in line]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scale", description=__doc__.partition("\n")[0])
    for name, number in (("replicas", 2), ("callers", 8), ("calls", 12)):
        parser.add_argument(f"--{name}", type=int, default=number)
    given = parser.parse_args()
    if not RAY_IS_HERE:
        print(f"tests/scale.py: {NO_RAY}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="attention-lens-scale-") as folder:
        try:
            found = trial(Path(folder), given.replicas, given.callers, given.calls)
        except (AssertionError, OSError, psutil.Error) as error:
            print(f"tests/scale.py: {error}", file=sys.stderr)
            return 1
    times = sorted(seconds for _, seconds in found.answers)
    print(
        f"{len(times)} of {given.callers * given.calls} requests answered in {found.took:.1f} s, {len(found.wrong)} wrong"
    )
    print(f"seconds for one: median {times[len(times) // 2]:.2f}, longest {times[-1]:.2f}")
    print(f"replicas {sorted(found.before)}, {found.killed} killed, then {sorted(found.after)}")
    print(f"lines in the log about searches that were lost: {len(found.lines)}", *found.lines[:5], sep="\n  ")
    whole = len(found.after) == given.replicas and not found.wrong
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
