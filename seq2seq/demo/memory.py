"""Memory that was computed with goes back to the system, where the allocator is glibc's. Elsewhere there is nothing to do.

By itself glibc keeps what is freed, in up to eight heaps for each core: the process stays as large as a crowd has made it.
"""

from __future__ import annotations

import ctypes
import time

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


def keep_giving_back() -> None:
    """For a thread of its own, as long as the process lives; on systems with another allocator it ends at once."""
    while _glibc():
        time.sleep(SECONDS)
        give_back()
