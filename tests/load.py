"""Many users at once, good and bad, on the page as a user starts it; who got what, how fast, and what memory it took.

    python -m tests.load [--users 64] [--seconds 180] [--pause 1] [--rounds N] [--soak]

Everything stays on this machine. Half of the users are behind one address, as a class is. Each request either is answered, or
refused because it had to be, or its client went away on purpose; a good one that is refused, a bad one that is answered and
anything else than one clear line have failed, and what got no end at all is lost. Exits with 1 if there are any of these two.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from seq2seq.demo.memory import SECONDS
from tests.hosting import ROOT, free_ports, wait_for

CALL = "/gradio_api/call"
PATIENCE = 120
"""Seconds after which an answer is lost."""
HELD = 2
"""Seconds for which an endless connection is held open."""
SETTLED = 2 * SECONDS + 15
"""Seconds after which no connection is kept open any more, idle threads have ended and free memory has been given back."""
PROXY = "198.18.{}.{}"
"""Addresses of clients, as a proxy names them."""
TEXTS = (
    "A dog sleeps.",
    "A man in a blue shirt is riding a bicycle.",
    "Two girls in red coats are eating ice cream on a bench in the park.",
    "I do not know where he lives, but she told me that they would come back tomorrow.",
    "The weather was so bad that the children had to stay at home, and they played cards until their mother came.",
)
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)> ${alert(1)} {{7*7}}"
MODELS = ("en-fr-additive", "en-fr-multiplicative", "en-fr-plain", "en-fr-classic-attention", "en-fr-classic-plain")
JSON = {"Content-Type": "application/json"}


_senders = itertools.count()


def elsewhere() -> dict[str, str]:
    """The header of who sends a file: another address each time, since one address may send 6 a minute and no more."""
    third, last = divmod(next(_senders), 250)
    return {"X-Forwarded-For": PROXY.format(100 + third % 150, last)}


class Failed(Exception):
    """An answer that should have been another."""


@dataclass
class Counts:
    """What became of the requests of each kind."""

    sent: Counter[str] = field(default_factory=Counter)
    ended: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    why: list[str] = field(default_factory=list)

    def total(self, how: str) -> int:
        return sum(counted[how] for counted in self.ended.values())

    @property
    def lost(self) -> int:
        return sum(self.sent.values()) - sum(sum(counted.values()) for counted in self.ended.values())


class User:
    """One client of the page, with an address and a connection of its own."""

    def __init__(self, base: str, address: str, seed: int) -> None:
        self.port = int(base.rpartition(":")[2])
        self.address, self.random = address, random.Random(seed)
        # The server closes a connection that was idle for 5 s, just when a client that waits as long might use it again.
        limits = httpx.Limits(keepalive_expiry=1)
        self.http = httpx.AsyncClient(
            base_url=base, headers={"X-Forwarded-For": address}, timeout=PATIENCE, limits=limits
        )

    async def ask(self, name: str, *data: object) -> tuple[str, str]:
        """-> the last event of an endpoint's stream, and its data; ("refused", …) if the guard said no."""
        asked = await self.http.post(f"{CALL}/{name}", json={"data": data})
        if asked.status_code != 200:
            return "refused", f"{asked.status_code} {asked.text}"
        answer = await self.http.get(f"{CALL}/{name}/{asked.json()['event_id']}")
        events = re.findall(r"^event: (\w+)\ndata: (.*)$", answer.text, re.MULTILINE)
        if not events or events[-1][0] not in ("complete", "error"):
            raise httpx.RemoteProtocolError(f"the stream ended with {answer.text[-200:]!r}")
        return events[-1]

    async def right(self, name: str, *data: object) -> object:
        """The value of an endpoint that has to answer."""
        event, said = await self.ask(name, *data)
        if event != "complete":
            raise Failed(f"{name} {data}: {event} {said[:200]}")
        return json.loads(said)[0]

    async def wrong(self, wanted: str, name: str, *data: object) -> None:
        """An endpoint that has to refuse, with those words."""
        event, said = await self.ask(name, *data)
        if event != "error" or wanted not in said or "Traceback" in said:
            raise Failed(f"{name}: {event} {said[:200]}, and not {wanted!r}")

    async def refused(self, status: tuple[int, ...], method: str, path: str, **what: object) -> None:
        """A request that has to be refused at once, with one line of JSON."""
        answer = await self.http.request(method, path, **what)
        if (
            answer.status_code not in status
            or not (detail := answer.json().get("detail"))
            or "Traceback" in str(detail)
        ):
            raise Failed(f"{method} {path}: {answer.status_code} {answer.text[:200]}, and not {status}")

    async def send(self, name: str, content: bytes) -> str:
        """Uploads a file -> its path on the server."""
        sent = await self.http.post("/gradio_api/upload", files={"files": (name, content)}, headers=elsewhere())
        if sent.status_code != 200:
            raise Failed(f"upload: {sent.status_code} {sent.text[:200]}")
        return sent.json()[0]

    @contextlib.asynccontextmanager
    async def socket(self, head: str) -> AsyncIterator[asyncio.StreamReader]:
        """A bare connection, on which that has been sent; closed at the end, whatever else was to come."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(head.replace("\n", "\r\n").encode())
            await writer.drain()
            yield reader
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


# -- what users do -------------------------------------------------------------------------------------------------


async def page(user: User) -> None:
    for path in ("/", "/config", "/theme.css"):
        answer = await user.http.get(path)
        if answer.status_code != 200:
            raise Failed(f"{path}: {answer.status_code} {answer.text[:200]}")


async def translate(user: User) -> None:
    text, beam_size = user.random.choice(TEXTS), user.random.choice((1, 1, 1, 5))
    made = await user.right("translate", text, user.random.choice(MODELS), beam_size, 1)
    if made["text"] != text or not made["translation"]:
        raise Failed(f"somebody else's answer: {made['text']!r} for {text!r}")


async def markup(user: User) -> None:
    made = await user.right("translate", f"A dog {user.address} {MARKUP}", MODELS[0], 1, 1)
    if not made["text"].startswith(f"A dog {user.address}") or MARKUP.split()[-1] not in made["text"]:
        raise Failed(f"somebody else's answer: {made['text']!r}")


async def compare(user: User) -> None:
    await user.right("compare", user.random.choice(TEXTS), MODELS[2], MODELS[0], "Un chien dort.")


async def inside(user: User) -> None:
    await user.right("inside", user.random.choice(TEXTS[:2]), user.random.choice(MODELS))


async def highlight(user: User) -> None:
    await user.right("highlight", user.random.choice(TEXTS[:2]), MODELS[0])


async def batch(user: User) -> None:
    path = await user.send("lines.txt", "\n".join((*TEXTS, user.address)).encode())
    await user.right("batch", {"path": path, "meta": {"_type": "gradio.FileData"}}, MODELS[0], 1)


GOOD = (page, translate, markup, compare, inside, highlight, batch)


async def large_body(user: User) -> None:
    await user.refused((413,), "POST", f"{CALL}/translate", content=b"x" * 2_500_000, headers=JSON)


async def large_body_in_chunks(user: User) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 100_000

    await user.refused((413,), "POST", "/gradio_api/queue/join", content=chunks(), headers=JSON)


async def large_file(user: User) -> None:
    file = {"files": ("a.txt", b"x" * 5_200_000)}
    await user.refused((413,), "POST", "/gradio_api/upload", files=file, headers=elsewhere())


async def long_text(user: User) -> None:
    await user.wrong("the limit is 1,000", "translate", "dog " * 400, MODELS[0], 1, 1)


async def path_for_a_model(user: User) -> None:
    for name in ("../../etc/passwd", "/etc", MARKUP):
        await user.wrong("There is no model", "translate", TEXTS[0], name, 1, 1)


async def wide_beam(user: User) -> None:
    await user.wrong("beam_size is", "translate", TEXTS[0], MODELS[0], 10**9, 1)


async def wrong_types(user: User) -> None:
    await user.wrong("text must be a string", "translate", [TEXTS[0]] * 100, {"a": 1}, None, "1")


async def not_json(user: User) -> None:
    await user.refused((422,), "POST", f"{CALL}/translate", content=b'{"data": [', headers=JSON)


async def other_file(user: User) -> None:
    path = await user.send("a.exe", b"MZ" + user.address.encode())
    await user.wrong("Invalid file type", "batch", {"path": path, "meta": {"_type": "gradio.FileData"}}, MODELS[0], 1)


async def file_of_the_server(user: User) -> None:
    await user.wrong(
        "These are not the values", "batch", {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, MODELS[0], 1
    )
    for path in ("/etc/passwd", f"{ROOT}/app.py", "http://127.0.0.1:1/", "..%2f..%2fetc%2fpasswd"):
        await user.refused((403, 404), "GET", f"/gradio_api/file={path}")


async def unknown_endpoint(user: User) -> None:
    await user.refused((404,), "POST", f"{CALL}/shutdown", json={"data": []})


async def unknown_address(user: User) -> None:
    for path in ("/monitoring", "/.git/config", "/docs", "/gradio_api/proxy=https://a.hf.space/x"):
        await user.refused((404,), "GET", path)


async def past_the_queue(user: User) -> None:
    await user.refused((404,), "POST", "/gradio_api/run/translate", json={"data": [TEXTS[0]]})


async def flood(user: User) -> None:
    """From one address, for all users that do it."""
    many = (
        user.refused((404, 429), "POST", f"{CALL}/x", json={"data": []}, headers={"X-Forwarded-For": "198.19.0.1"})
        for _ in range(20)
    )
    await asyncio.gather(*many)


BAD = (
    *(large_body, large_body_in_chunks, large_file, long_text, path_for_a_model, wide_beam, wrong_types, not_json),
    *(other_file, file_of_the_server, unknown_endpoint, unknown_address, past_the_queue, flood),
)


async def endless_head(user: User) -> None:
    async with user.socket("GET / HTTP/1.1\nHost: x\nX-Endless: "):
        await asyncio.sleep(HELD)


async def endless_body(user: User) -> None:
    head = f"POST {CALL}/translate HTTP/1.1\nHost: x\nX-Forwarded-For: {user.address}\nContent-Length: 1000\n\n"
    async with user.socket(head + '{"data": ['):
        await asyncio.sleep(HELD)


async def endless_stream(user: User) -> None:
    path = f"/gradio_api/heartbeat/{user.random.random()}"
    async with user.socket(f"GET {path} HTTP/1.1\nHost: x\nX-Forwarded-For: {user.address}\n\n") as reader:
        await reader.readline()
        await asyncio.sleep(HELD)


async def gone_at_once(user: User) -> None:
    asked = await user.http.post(f"{CALL}/translate", json={"data": [" ".join(TEXTS), MODELS[0], 5, 1]})
    if asked.status_code != 200:
        raise Failed(f"{asked.status_code} {asked.text}")
    path = f"{CALL}/translate/{asked.json()['event_id']}"
    async with user.socket(f"GET {path} HTTP/1.1\nHost: x\nX-Forwarded-For: {user.address}\n\n") as reader:
        await reader.readline()


async def never_fetched(user: User) -> None:
    asked = await user.http.post(f"{CALL}/translate", json={"data": [user.random.choice(TEXTS), MODELS[0], 1, 1]})
    if asked.status_code != 200:
        raise Failed(f"{asked.status_code} {asked.text}")


LEFT = (endless_head, endless_body, endless_stream, gone_at_once, never_fetched)
"""These want no answer."""
Kind = Callable[[User], Awaitable[None]]
KINDS: dict[Kind, str] = {
    **dict.fromkeys(GOOD, "answered"),
    **dict.fromkeys(BAD, "refused"),
    **dict.fromkeys(LEFT, "left"),
}
OFTEN = (translate,) * 12
"""What half of all that users do is."""


# -- the run -------------------------------------------------------------------------------------------------------


async def do(user: User, kind: Kind, counts: Counts) -> None:
    """Does it, and counts what became of it."""
    name, began = kind.__name__, time.perf_counter()
    counts.sent[name] += 1
    try:
        async with asyncio.timeout(PATIENCE):
            await kind(user)
    except (httpx.HTTPError, OSError, TimeoutError) as error:
        counts.why.append(f"{name} lost: {error!r}")
        return
    except Exception as error:
        counts.why.append(f"{name} failed: {error!r}")
        counts.ended[name]["failed"] += 1
        return
    counts.ended[name][KINDS[kind]] += 1
    counts.seconds[name].append(time.perf_counter() - began)


async def crowd(base: str, users: int, rounds: int | None, seconds: float, pause: float) -> Counts:
    """`users` at once, each doing every kind of thing in an order of its own: `rounds` times, or for so many seconds."""
    counts, end = Counts(), time.monotonic() + seconds

    async def one(number: int) -> None:
        # Half of them are a class behind one address.
        user = User(base, PROXY.format(0, 1) if number % 2 else PROXY.format(1 + number // 250, number % 250), number)
        async with user.http:
            for _ in itertools.count() if rounds is None else range(rounds):
                kinds = [*KINDS, *OFTEN]
                user.random.shuffle(kinds)
                for kind in kinds:
                    if rounds is None and time.monotonic() > end:
                        return
                    await do(user, kind, counts)
                    await asyncio.sleep(user.random.uniform(0, 2 * pause))

    await asyncio.gather(*(one(number) for number in range(users)))
    return counts


class Watch:
    """Memory (MB) and open files of a process, looked at every half second while it is entered."""

    def __init__(self, process: psutil.Process, every: float | None = None) -> None:
        self.process, self.every = process, every
        self.memory: list[float] = []
        self.files: list[int] = []

    def look(self) -> tuple[float, int]:
        now = self.process.memory_info().rss / 1e6, self.process.num_fds()
        self.memory.append(now[0])
        self.files.append(now[1])
        return now

    async def __aenter__(self) -> Watch:
        self._task = asyncio.create_task(self._look_on())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _look_on(self) -> None:
        told = began = time.monotonic()
        while True:
            memory, files = self.look()
            if self.every and time.monotonic() >= told + self.every:
                told = time.monotonic()
                print(f"{told - began:6.0f} s  {memory:6.0f} MB  {files:4} files", flush=True)
            await asyncio.sleep(0.5)


@contextlib.contextmanager
def app() -> Iterator[tuple[str, psutil.Process]]:
    """The page in a process of its own -> its address and the process. At the end it may not have said anything wrong."""
    [port] = free_ports(1)
    where = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "app.log"
        with log.open("w") as output:
            command = [sys.executable, "app.py"]
            process = subprocess.Popen(command, cwd=ROOT, env=os.environ | where, stdout=output, stderr=output)
        try:
            wait_for(f"http://127.0.0.1:{port}/", process, log)
            yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(timeout=60)
        assert "Traceback" not in log.read_text(), log.read_text()[-3000:]


def slowness(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return ""
    return f"p50 {statistics.median(seconds):.2f} s, p95 {statistics.quantiles(seconds, n=20)[-1]:.2f} s"


def report(counts: Counts) -> str:
    """The counts as a table, one kind a line."""
    lines = [f"{'':24}{'sent':>7}{'answered':>10}{'refused':>9}{'left':>7}{'failed':>8}"]
    for kind in KINDS:
        name = kind.__name__
        ended = "".join(f"{counts.ended[name][how]:{width}}" for how, width in HOWS.items())
        times = f"   {slowness(counts.seconds[name])}" if kind in GOOD else ""
        lines.append(f"{name.replace('_', ' '):24}{counts.sent[name]:7}{ended}{times}")
    ended = "".join(f"{counts.total(how):{width}}" for how, width in HOWS.items())
    lines.append(f"{'in all':24}{sum(counts.sent.values()):7}{ended}   lost: {counts.lost}")
    return "\n".join((*lines, *counts.why[:20]))


HOWS = {"answered": 10, "refused": 9, "left": 7, "failed": 8}


async def main(users: int, seconds: float, pause: float, rounds: int | None, soak: bool) -> bool:
    """Runs it all and prints it -> whether nothing failed and nothing was lost."""
    with app() as (base, process):
        await crowd(base, 1, 1, 0, 0)  # so that all is loaded
        idle = await crowd(base, 1, 3, 0, 0)
        await asyncio.sleep(HELD)
        memory, files = Watch(process).look()
        print(f"one user alone: translate {slowness(idle.seconds['translate'])}", flush=True)
        watch = Watch(process, every=30 if soak else None)
        async with watch:
            began = time.monotonic()
            counts = await crowd(base, users, rounds, seconds, pause)
            took = time.monotonic() - began
        await asyncio.sleep(SETTLED)
        after, files_after = Watch(process).look()
        print(f"{users} users for {took:.0f} s, {pause:g} s between an answer and the next request:\n{report(counts)}")
        print(f"memory: {memory:.0f} MB before, at most {max(watch.memory):.0f}, {after:.0f} after")
        print(f"open files: {files} before, at most {max(watch.files)}, {files_after} after", flush=True)
    return not counts.lost and not counts.total("failed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument(
        "--pause", type=float, default=1.0, help="seconds on average between an answer and the next request"
    )
    parser.add_argument("--rounds", type=int, help="of everything that a user does, in the place of seconds")
    parser.add_argument(
        "--soak", action="store_true", help="fewer users for ten minutes, with a line every half minute"
    )
    given = parser.parse_args()
    usual = (16, 600.0) if given.soak else (64, 180.0)
    users, seconds = given.users or usual[0], given.seconds or usual[1]
    sys.exit(not asyncio.run(main(users, seconds, given.pause, given.rounds, given.soak)))
