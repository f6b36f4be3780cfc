"""Free memory goes back to the system, in processes of their own with the allocator's own calls; and idle threads end."""

from __future__ import annotations

import asyncio
import ctypes
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio.to_thread
import pytest
from anyio._backends._asyncio import WorkerThread

from seq2seq.demo import memory

ROOT = Path(__file__).parents[2]
glibc_only = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"),
    reason="only glibc keeps a heap for each thread",
)

# As torch's threads would, those here allocate at the same time, each in the heap that glibc gives it.
THREADS = """
import ctypes, re, sys, tempfile, threading
sys.path.insert(0, "seq2seq/demo")  # the module by itself, without gradio
from memory import few_heaps
if sys.argv[1] == "few":
    assert few_heaps()
c = ctypes.CDLL(None)
c.malloc.restype = c.fopen.restype = ctypes.c_void_p
barrier = threading.Barrier(16)
def work():
    barrier.wait()
    for _ in range(200):
        c.malloc(ctypes.c_size_t(5000))
    barrier.wait()
threads = [threading.Thread(target=work) for _ in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
with tempfile.NamedTemporaryFile() as file:
    out = c.fopen(file.name.encode(), b"w")
    assert c.malloc_info(0, ctypes.c_void_p(out)) == 0
    c.fclose(ctypes.c_void_p(out))
    print(len(re.findall("<heap nr=", open(file.name).read())))
"""

# Blocks with one in use above them: as the allocator sees it, what is free below is worth keeping.
BLOCKS = """
import ctypes, psutil, sys
sys.path.insert(0, "seq2seq/demo")
from memory import give_back
c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p
c.mallopt(-3, 1 << 28)  # M_MMAP_THRESHOLD: all of it in a heap
size = lambda: psutil.Process().memory_info().rss / 1e6
before = size()
blocks = [c.malloc(ctypes.c_size_t(50_000)) for _ in range(4000)]
for block in blocks:
    ctypes.memset(block, 1, 50_000)
last = c.malloc(ctypes.c_size_t(50_000))
for block in blocks:
    c.free(ctypes.c_void_p(block))
kept = size()
assert give_back()
print(kept - before, size() - before)
"""


def run(code: str, *arguments: str) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return [float(number) for number in done.stdout.split()]


@glibc_only
def test_threads_share_two_heaps() -> None:
    assert run(THREADS, "few") <= [2]
    assert run(THREADS, "many") > [2], "by itself glibc makes more, or this test would show nothing"


@glibc_only
def test_what_is_free_is_given_back() -> None:
    kept, left = run(BLOCKS)
    assert kept > 180, "by itself glibc keeps the 200 MB"
    assert left < 20


def test_threads_that_have_nothing_to_do_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each keeps what the library under torch computed with in it."""
    monkeypatch.setattr(memory, "SECONDS", 0.01)
    monkeypatch.setattr(WorkerThread, "MAX_IDLE_TIME", 0)
    barrier = threading.Barrier(16)
    others = set(threading.enumerate())  # of a page that another test left open in this process

    async def crowd() -> tuple[int, int]:
        def workers() -> int:
            return sum(isinstance(thread, WorkerThread) for thread in set(threading.enumerate()) - others)

        async with anyio.create_task_group() as group:
            for _ in range(16):
                group.start_soon(anyio.to_thread.run_sync, barrier.wait)
        most = workers()
        async with memory.giving_back():
            for _ in range(1000):
                if workers() <= 2:
                    break
                await asyncio.sleep(0.01)
        return most, workers()

    with ThreadPoolExecutor(1) as pool:  # in this thread playwright may have a loop of its own
        most, left = pool.submit(asyncio.run, crowd()).result()
    assert most == 16, "by itself anyio keeps them"
    assert left <= 2
