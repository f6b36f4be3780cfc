"""Memory that was computed with goes back to the system: idle threads end, and glibc's allocator gives up what is free.

By itself glibc keeps what is freed, in up to eight heaps for each core: the process stays as large as a crowd has made it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
from collections.abc import AsyncIterator

import anyio.to_thread

ARENA_MAX, HEAPS = -8, 2
"""The number of glibc's M_ARENA_MAX, and how many heaps all threads share."""
SECONDS = 20
"""How often free memory is given back: it takes some milliseconds."""


def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "gnu_get_libc_version") else None
    except (OSError, TypeError):  # Windows has no library of the program itself
        return None


def few_heaps() -> bool:
    """Lets the threads to come share their heaps, as the environment variable MALLOC_ARENA_MAX does -> whether it could."""
    library = _glibc()
    return library is not None and library.mallopt(ARENA_MAX, HEAPS) == 1


def give_back() -> bool:
    """Gives free memory back, of all heaps -> whether there was some."""
    library = _glibc()
    return library is not None and library.malloc_trim(0) == 1


@contextlib.asynccontextmanager
async def giving_back(_: object = None) -> AsyncIterator[None]:
    """As long as it is entered, what is not needed goes back every now and then: the server's lifespan.

    It is asked for in a worker thread, as visitors' requests are answered in one, for anyio ends idle workers only when another
    one begins something; and the library under torch, MKL, keeps five megabytes for each thread that computed until it ends.
    """

    async def keep_on() -> None:
        while True:
            await asyncio.sleep(SECONDS)
            await anyio.to_thread.run_sync(give_back)

    task = asyncio.create_task(keep_on())
    try:
        yield
    finally:
        task.cancel()
