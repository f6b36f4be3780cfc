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
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seq2seq.config import BOS, PAD
from seq2seq.language import Said

NO_COMMA = "{path}, line {number}: no comma between source and reference; each line needs both"
NO_TAB = "{path}, line {number}: no tab between source and reference; each line needs both"


class DataError(ValueError):
    """A file that cannot be used. The message names file and line and says how to mend it."""


class Pair(NamedTuple):
    """A source sentence and one or more references; training uses the first."""

    source: str
    references: tuple[str, ...]

    def turned(self) -> Pair:
        """The pair for the other direction; of several references the first is the source."""
        return Pair(self.references[0], (self.source,))


def read_pairs(path: str | Path, reverse: bool = False) -> list[Pair]:
    """All pairs of a UTF-8 file: source, reference, further references; `reverse`: for the other direction.

    `.tsv` (and any other ending) is split on tabs, `.csv` is read as CSV; both may end in `.gz`.
    Raises DataError for a file that is missing, empty, not UTF-8, or has a line without two filled columns.
    """
    return [pair.turned() if reverse else pair for _, pair in numbered_pairs(path)]


def numbered_pairs(path: str | Path) -> list[tuple[int, Pair]]:
    """As `read_pairs`, each pair behind its line number, for those who have more to say about a line."""
    path = Path(path)
    pairs = []
    for number, row in read_rows(path):
        cells = [cell.strip() for cell in row]
        if len(cells) < 2:
            raise DataError(Said(NO_COMMA if _is_csv(path) else NO_TAB, path=path, number=number))
        if not cells[0] or not cells[1]:
            raise DataError(
                Said(
                    "{path}, line {number}: source or reference is empty; fill or remove the line",
                    path=path,
                    number=number,
                )
            )
        pairs.append((number, Pair(cells[0], tuple(cell for cell in cells[1:] if cell))))
    if not pairs:
        raise DataError(
            Said("{path} has no lines; expected one pair a line, source and reference separated by a tab", path=path)
        )
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
        raise DataError(Said("{path}: no such file", path=path)) from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(Said("{path} cannot be read: {error}", path=path, error=str(error))) from error
    lines = raw.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    text = []
    for number, line in enumerate(lines, 1):
        try:
            text.append(line.removesuffix(b"\r").decode("utf-8"))
        except UnicodeDecodeError as error:
            raise DataError(
                Said(
                    "{path}, line {number}: not UTF-8 ({error}); save the file as UTF-8",
                    path=path,
                    number=number,
                    error=error.reason,
                )
            ) from None
        if "\0" in text[-1]:
            raise DataError(
                Said("{path}, line {number}: holds a NUL byte; save the file as UTF-8 text", path=path, number=number)
            )
    if not _is_csv(path):
        yield from ((number, line.split("\t")) for number, line in enumerate(text, 1))
        return
    reader = csv.reader(io.StringIO("\n".join(text), newline=""), strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise DataError(
            Said("{path}, line {number}: not CSV ({error})", path=path, number=reader.line_num, error=str(error))
        ) from None


Links = frozenset[tuple[int, int]]
"""(source word, target word) that mean the same, counted from 0."""


def parse_links(line: str) -> Links:
    """ "0-0 1-2" -> links, as aligners write them (the Pharaoh format). Raises ValueError."""
    return frozenset((int(i), int(j)) for i, j in (link.split("-") for link in line.split()))


def turned(links: Links) -> Links:
    """For the other direction."""
    return frozenset((j, i) for i, j in links)


def read_links(path: str | Path, reverse: bool = False) -> list[Links]:
    """The links of sentence pairs, one pair a line; `reverse`: for the other direction. Raises DataError."""
    found = []
    for number, row in read_rows(Path(path)):
        try:
            links = parse_links(" ".join(row))
            found.append(turned(links) if reverse else links)
        except ValueError:
            raise DataError(f"{path}, line {number}: a link is not two numbers such as 0-0") from None
    return found


class Batch(NamedTuple):
    """Ids of B sentence pairs, padded.

    src (B, S) with `<eos>` last, src_lengths (B,), tgt (B, T+1) from `<bos>` to `<eos>`: its first T columns are what the
    decoder is given, its last T what it should say. guide (B, T, S): where it should look while it says it, each row summing
    to 1 or, where nothing is known, to 0; or None.
    """

    src: Tensor
    src_lengths: Tensor
    tgt: Tensor
    guide: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        guide = None if self.guide is None else self.guide.to(device)
        return Batch(self.src.to(device), self.src_lengths.to(device), self.tgt.to(device), guide)


def pad_ids(rows: Sequence[Sequence[Any]]) -> tuple[Tensor, Tensor]:
    """(B, longest) ids filled up with `<pad>`, and (B,) lengths. Pieces that are bytes, as of a picture, give (B, S, N)
    numbers; all sources have equally many of them."""
    lengths = torch.tensor([len(row) for row in rows])
    if isinstance(rows[0][0], bytes):
        raw = bytearray(b"".join(piece for row in rows for piece in row))
        return torch.frombuffer(raw, dtype=torch.uint8).view(len(rows), len(rows[0]), -1), lengths
    ids = torch.full((len(rows), int(lengths.max())), PAD)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    return ids, lengths


def make_batch(
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]], links: Sequence[np.ndarray] | None = None
) -> Batch:
    """Pairs of ids, each ending in `<eos>`, as one padded batch.

    links: for each pair (N, 2) indexes, target piece and source piece, from which the guide is made.
    """
    src, src_lengths = pad_ids([source for source, _ in pairs])
    tgt, _ = pad_ids([(BOS, *target) for _, target in pairs])
    if links is None:
        return Batch(src, src_lengths, tgt)
    guide = np.zeros((len(pairs), tgt.size(1) - 1, src.size(1)), np.float32)
    for rows, found in zip(guide, links):
        rows[found[:, 0], found[:, 1]] = 1
    guide /= np.maximum(guide.sum(-1, keepdims=True), 1)
    return Batch(src, src_lengths, tgt, torch.from_numpy(guide))


Item = tuple[int, ...]
"""Indexes of the pairs that are read as one text; mostly a single one."""
JOINED_PIECES, JOINED_PAIRS = 80, 4
"""Joined texts get no longer than either: target pieces, and pairs."""


@dataclass(frozen=True)
class Corpus:
    """Training pairs as ids, with how often each is seen in one epoch.

    links: for each pair (N, 2) indexes of a target and a source piece that mean the same; empty if nothing is known of any.
    """

    pairs: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    repeat: tuple[int, ...]
    links: tuple[np.ndarray, ...] = ()

    def batches(self, batch_tokens: int, seed: int, epoch: int, join: float = 0.0) -> list[list[Item]]:
        """One epoch as lists of items, a pure function of its arguments so that a resumed run sees the same.

        Items of about equal length share a batch; a batch holds at most `batch_tokens` target pieces, padding counted, or
        one item. Batches come in random order. join: share of items that are several pairs one after the other, so that
        long texts are seen too.
        """
        order = [i for i, times in enumerate(self.repeat) for _ in range(times)]
        shuffle = random.Random(f"{seed} {epoch}")
        shuffle.shuffle(order)
        items = self._joined(order, join, shuffle) if join else [(i,) for i in order]
        # sort() is stable, so that the shuffle decides among items of equal length.
        items.sort(key=lambda item: (self._length(item, 1), self._length(item, 0)))
        batches: list[list[Item]] = [[]]
        for item in items:
            length = self._length(item, 1)  # the longest so far: they come sorted
            if batches[-1] and length * (len(batches[-1]) + 1) > batch_tokens:
                batches.append([])
            batches[-1].append(item)
        shuffle.shuffle(batches)
        return batches

    def _length(self, item: Item, side: int) -> int:
        """Pieces of an item, one `<eos>` included."""
        return sum(len(self.pairs[i][side]) - 1 for i in item) + 1

    def _joined(self, order: Sequence[int], join: float, shuffle: random.Random) -> list[Item]:
        items: list[Item] = []
        wanted = 1
        for i in order:
            if wanted > 1 and self._length((*items[-1], i), 1) <= JOINED_PIECES:
                items[-1] += (i,)
                wanted -= 1
            else:
                items.append((i,))
                wanted = shuffle.randint(2, JOINED_PAIRS) if shuffle.random() < join else 1
        return items

    def checksum(self) -> str:
        """Tells a corpus from another, in eight hexadecimal digits."""
        found = 0
        for pair in self.pairs:
            for ids in pair:
                found = zlib.crc32(repr(ids).encode(), found)  # ids, or the bytes of places of a picture
        for links in self.links:
            found = zlib.crc32(links.tobytes(), found)
        return f"{found:08x}"

    def target_pieces(self, items: Sequence[Item]) -> int:
        """What is to be written of these items, `<eos>` included."""
        return sum(self._length(item, 1) for item in items)

    def batch(self, items: Sequence[Item]) -> Batch:
        """Items as ids, with a guide where links are known."""
        pairs = []
        for item in items:
            *before, last = (self.pairs[i] for i in item)
            source, target = ([*(id for pair in before for id in pair[side][:-1]), *last[side]] for side in (0, 1))
            pairs.append((source, target))
        return make_batch(pairs, [self._item_links(item) for item in items] if self.links else None)

    def _item_links(self, item: Item) -> np.ndarray:
        found, target, source = [], 0, 0
        for place, i in enumerate(item, 1):
            # The `<eos>` of all but the last pair is not in the item, nor is its link, which stands last.
            links = self.links[i] if place == len(item) else self.links[i][:-1]
            found.append(links + np.array([target, source]))
            target, source = target + len(self.pairs[i][1]) - 1, source + len(self.pairs[i][0]) - 1
        return np.concatenate(found)
