"""The app, from outside: how long imports and the start take, and what 1 to 64 clients at once get of it.

Knows the page as a process and over HTTP on loopback only, as any client would.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from seq2seq.bench.captions import TWELVE, captions
from seq2seq.bench.clock import Effort, seconds, significant, spread

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
START_LIMIT, ANSWER_LIMIT = 180.0, 120.0
"""Seconds after which the app or an answer is given up."""
POLL = 0.02
IMPORTS = {"nothing": "pass", "torch": "import torch", "gradio": "import gradio", "app": "import app"}
"""What is imported in a fresh interpreter; "app" builds the page too."""
SOURCE_BOX = "source-text"
"""The page's id of the box for the sentence: its event `submit` streams the heatmap."""


class AppError(RuntimeError):
    """The app did not start or did not answer. The message is one line."""


def measure_app(effort: Effort, folder: Path = ROOT) -> dict[str, Any]:
    """The part `app` of the JSON. folder: where app.py lies. Raises AppError."""
    if not (folder / "app.py").is_file():
        raise AppError(f"there is no app.py in {folder}: the app is measured in a copy of the repository")
    found: dict[str, Any] = {"imports": imports(folder, effort.imports)}
    with started(folder) as (process, url, began):
        first_page = wait_for_page(process, url, began)
        translated = finished(ask(url, [[TWELVE]], 1, ANSWER_LIMIT))
        first_translation = time.perf_counter() - began
        if translated["failures"]:
            raise AppError("the app did not answer the first request to /translate")
        ours = found["imports"]
        found |= {
            "first_page_seconds": seconds(first_page),
            "first_translation_seconds": seconds(first_translation),
            "first_page_beyond_imports_seconds": seconds(first_page - ours["gradio_seconds"] - ours["torch_seconds"]),
            "peak_memory_at_start_bytes": peak(process.pid),
            "heatmap": finished(heatmap(url)),
            "clients": [],
        }
        texts = captions(200)
        for count in effort.clients:
            calls = [[texts[(i + j * count) % len(texts)] for j in range(effort.client_calls)] for i in range(count)]
            found["clients"].append(finished(ask(url, calls, count, effort.client_seconds)))
        alone = found["clients"][0]["p50_seconds"]
        for row in found["clients"]:
            row["p95_over_one_client_p50"] = significant(row["p95_seconds"] / alone) if alone else None
        found["peak_memory_bytes"] = peak(process.pid)
    return found


def finished(work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns, run in a thread of its own: where this one has a loop already, as in a notebook, asyncio
    refuses another."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def imports(folder: Path, rounds: int) -> dict[str, float]:
    """Seconds of each of IMPORTS from the start of its interpreter to its end, medians of fresh processes in turn; what the
    interpreter alone takes is in all of them."""
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(rounds):
        for name, statement in IMPORTS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], cwd=folder, check=True, capture_output=True)
            times[name].append(time.perf_counter() - began)
    return {f"{name}_seconds": seconds(statistics.median(taken)) for name, taken in times.items()}


@contextlib.contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen, str, float]]:
    """`python app.py` on a free port of loopback -> the process, its address, when it was started. Ends with the block."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    where = {"GRADIO_SERVER_NAME": HOST, "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=folder,
        env=os.environ | where,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process, f"http://{HOST}:{port}", began
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_page(process: subprocess.Popen, url: str, began: float) -> float:
    """Seconds from `began` until / answers with 200. Raises AppError."""
    import httpx

    with httpx.Client(trust_env=False, timeout=5) as client:
        while time.perf_counter() - began < START_LIMIT:
            if process.poll() is not None:
                raise AppError(f"the app ended with code {process.returncode}; see: python app.py")
            with contextlib.suppress(httpx.HTTPError):
                if client.get(url).status_code == 200:
                    return time.perf_counter() - began
            time.sleep(POLL)
    raise AppError(f"the app had no page after {START_LIMIT:.0f} seconds")


def peak(pid: int) -> int | None:
    """The most bytes that a process held; None where there is no /proc."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return None


async def ask(url: str, texts: list[list[str]], clients: int, limit: float) -> dict[str, Any]:
    """Clients at once, each with its list of texts one after the other, as long as `limit` seconds have not passed."""
    import httpx

    taken: list[float] = []
    failures = 0

    async def client(own: list[str], http: httpx.AsyncClient) -> None:
        nonlocal failures
        for text in own:
            if time.perf_counter() - began > limit:
                return
            asked = time.perf_counter()
            try:
                translated = await translation(http, url, [text, *others])
            except (httpx.HTTPError, KeyError, ValueError):
                translated = None
            if translated:
                taken.append(time.perf_counter() - asked)
            else:
                failures += 1

    connections = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_LIMIT, limits=connections) as http:
        # Gradio wants a value for every parameter, also for those that have one.
        known = (await http.get(f"{url}/gradio_api/info")).json()["named_endpoints"]["/translate"]["parameters"]
        others = [parameter["parameter_default"] for parameter in known[1:]]
        began = time.perf_counter()
        await asyncio.gather(*(client(own, http) for own in texts))
        whole = time.perf_counter() - began
    times: dict[str, Any] = spread(taken) if taken else {"p50_seconds": None, "p95_seconds": None, "runs": 0}
    runs = times.pop("runs")
    return {
        "clients": clients,
        "sentences": runs,
        "failures": failures,
        **times,
        "sentences_per_second": significant(runs / whole),
    }


async def translation(http: Any, url: str, data: list[Any]) -> str | None:
    """One call of /translate, as Gradio wants it: a ticket, then a stream of events that ends with the answer."""
    ticket = await http.post(f"{url}/gradio_api/call/translate", json={"data": data})
    ticket.raise_for_status()
    event = ""
    async with http.stream("GET", f"{url}/gradio_api/call/translate/{ticket.json()['event_id']}") as lines:
        lines.raise_for_status()
        async for line in lines.aiter_lines():
            if line.startswith("event:"):
                event = line.removeprefix("event:").strip()
            elif line.startswith("data:") and event in ("complete", "error"):
                return json.loads(line.removeprefix("data:"))[0]["translation"] if event == "complete" else None
    return None


async def heatmap(url: str) -> dict[str, Any] | None:
    """Bytes of what the page is sent while one sentence is translated, as they come over the wire: the first picture whole,
    then what changes in it word by word, and the finished one with its tables. None if the page has no such event."""
    import httpx

    async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_LIMIT) as http:
        config = (await http.get(f"{url}/config")).json()
        boxes = [part["id"] for part in config["components"] if part["props"].get("elem_id") == SOURCE_BOX]
        events = [e for e in config["dependencies"] if boxes and [boxes[0], "submit"] in e["targets"]]
        if not events:
            return None
        event = events[0]
        values = {part["id"]: part["props"].get("value") for part in config["components"]}
        data = [TWELVE if id == boxes[0] else values[id] for id in event["inputs"]]
        session = {"session_hash": "bench"}
        await http.post(f"{url}/gradio_api/queue/join", json={"data": data, "fn_index": event["id"], **session})
        sizes: dict[str, list[int]] = {"process_generating": [], "process_completed": []}
        began, first = time.perf_counter(), None
        async with http.stream("GET", f"{url}/gradio_api/queue/data", params=session) as lines:
            async for line in lines.aiter_lines():
                message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                kind = message.get("msg")
                if kind in sizes:
                    first = first or time.perf_counter() - began
                    sizes[kind].append(len(line.encode()))
                if kind in ("process_completed", "close_stream"):
                    break
    updates = sizes["process_generating"]
    return {
        "updates": len(updates),
        "first_update_bytes": updates[0] if updates else None,
        "update_bytes": int(statistics.median(updates[1:])) if updates[1:] else None,
        "largest_update_bytes": max(updates, default=None),
        "all_bytes": sum(map(sum, sizes.values())),
        "first_update_seconds": None if first is None else seconds(first),
    }
