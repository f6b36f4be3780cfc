"""Sentence pairs from files, and batches of ids from sentence pairs."""

from __future__ import annotations

import csv
import gzip
import io
import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.config import BOS, PAD


class DataError(ValueError):
    """A file that cannot be used. The message names file and line and says how to mend it."""


class Pair(NamedTuple):
    """A source sentence and one or more references; training uses the first."""

    source: str
    references: tuple[str, ...]


def read_pairs(path: str | Path) -> list[Pair]:
    """All pairs of a UTF-8 file: source, reference, further references.

    `.tsv` (and any other ending) is split on tabs, `.csv` is read as CSV; both may end in `.gz`.
    Raises DataError for a file that is missing, empty, not UTF-8, or has a line without two filled columns.
    """
    return [pair for _, pair in numbered_pairs(path)]


def numbered_pairs(path: str | Path) -> list[tuple[int, Pair]]:
    """As `read_pairs`, each pair behind its line number, for those who have more to say about a line."""
    path = Path(path)
    pairs = []
    for number, row in read_rows(path):
        cells = [cell.strip() for cell in row]
        if len(cells) < 2:
            split_by = "comma" if _is_csv(path) else "tab"
            raise DataError(f"{path}, line {number}: no {split_by} between source and reference; each line needs both")
        if not cells[0] or not cells[1]:
            raise DataError(f"{path}, line {number}: source or reference is empty; fill or remove the line")
        pairs.append((number, Pair(cells[0], tuple(cell for cell in cells[1:] if cell))))
    if not pairs:
        raise DataError(f"{path} has no lines; expected one pair a line, source and reference separated by a tab")
    return pairs


def _is_csv(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(".csv")


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells. The text is decoded line by line, so that a wrong byte is reported with its line."""
    try:
        raw = path.read_bytes()
        if path.name.endswith(".gz"):
            raw = gzip.decompress(raw)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    lines = raw.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    text = []
    for number, line in enumerate(lines, 1):
        try:
            text.append(line.removesuffix(b"\r").decode("utf-8"))
        except UnicodeDecodeError as error:
            raise DataError(f"{path}, line {number}: not UTF-8 ({error.reason}); save the file as UTF-8") from None
        if "\0" in text[-1]:
            raise DataError(f"{path}, line {number}: holds a NUL byte; save the file as UTF-8 text")
    if not _is_csv(path):
        yield from ((number, line.split("\t")) for number, line in enumerate(text, 1))
        return
    reader = csv.reader(io.StringIO("\n".join(text), newline=""), strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not CSV ({error})") from None


class Batch(NamedTuple):
    """Ids of B sentence pairs, padded.

    src (B, S) with `<eos>` last, src_lengths (B,), tgt (B, T+1) from `<bos>` to `<eos>`: its first T columns are what the
    decoder is given, its last T what it should say.
    """

    src: Tensor
    src_lengths: Tensor
    tgt: Tensor


def pad_ids(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """(B, longest) ids filled up with `<pad>`, and (B,) lengths."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.full((len(rows), int(lengths.max())), PAD)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    return ids, lengths


def make_batch(pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Batch:
    """Pairs of ids, each ending in `<eos>`, as one padded batch."""
    src, src_lengths = pad_ids([source for source, _ in pairs])
    tgt, _ = pad_ids([(BOS, *target) for _, target in pairs])
    return Batch(src, src_lengths, tgt)


@dataclass(frozen=True)
class Corpus:
    """Training pairs as ids, with how often each is seen in one epoch."""

    pairs: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    repeat: tuple[int, ...]

    def batches(self, batch_tokens: int, seed: int, epoch: int) -> list[list[int]]:
        """One epoch as lists of pair indexes, a pure function of its arguments so that a resumed run sees the same.

        Pairs of about equal length share a batch; a batch holds at most `batch_tokens` target pieces, padding counted, or
        one pair. Batches come in random order.
        """
        order = [i for i, times in enumerate(self.repeat) for _ in range(times)]
        shuffle = random.Random(f"{seed} {epoch}")
        shuffle.shuffle(order)
        # sort() is stable, so that the shuffle decides among pairs of equal length.
        order.sort(key=lambda i: (len(self.pairs[i][1]), len(self.pairs[i][0])))
        batches: list[list[int]] = [[]]
        for i in order:
            length = len(self.pairs[i][1])  # the longest so far: they come sorted
            if batches[-1] and length * (len(batches[-1]) + 1) > batch_tokens:
                batches.append([])
            batches[-1].append(i)
        shuffle.shuffle(batches)
        return batches
