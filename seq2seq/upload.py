"""Files that anybody may send, within limits, and their texts cut into batches after which a run can be stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from math import ceil
from pathlib import Path
from typing import TypeVar

from seq2seq.data import DataError

MAX_BYTES = 5_000_000
ENDINGS = (".tsv", ".csv", ".txt")
"""Packed files are not among them: 5 MB of gzip may unpack to gigabytes."""
BATCH_CHARACTERS = 3000
T = TypeVar("T")


def read_upload(path: str | Path, read: Callable[[Path], Iterable[T]], max_rows: int) -> list[T]:
    """What `read` finds in a small UTF-8 file.

    Raises DataError, with a message that names the file (not the folder it lies in), the line, and what to do. The size
    is looked at before a byte is read.
    """
    path = Path(path)
    name = path.name
    if path.suffix.lower() not in ENDINGS:
        raise DataError(f"{name}: unknown kind of file; save it as UTF-8 text in a .txt, .tsv or .csv file")
    if not path.is_file():
        raise DataError(f"{name}: no such file; choose it again")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DataError(too_large(name, size))
    kept, count = [], 0
    try:
        for row in read(path):
            count += 1
            if count <= max_rows:  # 5 MB may hold millions
                kept.append(row)
    except DataError as error:
        # Where a server keeps uploads is nobody's business.
        raise DataError(str(error).replace(str(path), name)) from None
    check_count(name, count, max_rows)
    return kept


def too_large(name: str, size: int, limit: int = MAX_BYTES) -> str:
    """The refusal of so many bytes; rounded up, so that nothing seems to be as large as the limit."""
    return f"{name} has {ceil(size / 1e5) / 10:,.1f} MB; the limit is {limit / 1e6:.0f} MB. Send a part of it."


def check_count(name: str, count: int, max_rows: int) -> None:
    """Raises DataError for too many rows."""
    if count > max_rows:
        raise DataError(f"{name} has {count:,} rows; the limit is {max_rows:,}. Send the first {max_rows:,}.")


def next_batch(texts: Sequence[str], count: int, characters: int = BATCH_CHARACTERS) -> int:
    """How many of `texts` make the next batch: `count`, fewer if they are long, so that a cancel never has to wait long."""
    lengths = accumulate(map(len, texts[:count]))
    return max(1, sum(length <= characters for length in lengths))
