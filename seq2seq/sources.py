"""What stands in a `tokenizer.json`: how the source is read and the target written.

A source need not be text: a picture is cut into places, of which each is a piece and a word of its own, and everything
behind the encoder takes it from there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from seq2seq.grammar import END, check_words
from seq2seq.scenes import PIXELS, SIDE, parse_code
from seq2seq.tokenizer import Pieces, Tokenizer

STEP = PIXELS // SIDE
"""Pixels of a side of one place."""


class Reader(Protocol):
    """What a translator needs to know of its source; a `Tokenizer` is one. Its length is how many ids there are."""

    unknown_id: int

    def __len__(self) -> int: ...
    def encode_batch(self, texts: Sequence[str]) -> list[Pieces]: ...
    def to_json(self) -> str: ...


class SceneReader:
    """Draws the scene that a code describes (`seq2seq.scenes.parse_code`) and reads the picture. Its length is how many
    numbers a place has: three for each pixel."""

    unknown_id = -1

    def __len__(self) -> int:
        return 3 * STEP * STEP

    def encode_batch(self, texts: Sequence[str]) -> list[Pieces]:
        """Raises SceneError."""
        return [cut(np.asarray(parse_code(text).draw())) for text in texts]

    def to_json(self) -> str:
        return json.dumps({"reader": "scene"})


PLACES = tuple(f"{chr(ord('a') + column)}{row}" for row in range(1, SIDE + 1) for column in range(SIDE))
"""What the places of a picture are called, row by row: "a1" is top left."""


WHITE = b"\xff" * (3 * STEP * STEP)
"""A place where nothing is drawn."""


def cut(pixels: np.ndarray) -> Pieces:
    """(PIXELS, PIXELS, 3) numbers from 0 to 255 -> one piece a place, row by row, whose id are the bytes of its pixels."""
    blocks = pixels.astype(np.uint8).reshape(SIDE, STEP, SIDE, STEP, 3).swapaxes(1, 2).reshape(SIDE * SIDE, -1)
    seen: dict[bytes, bytes] = {}  # most places are blank: one object stands for all of them
    raw = (block.tobytes() for block in blocks)
    ids: Any = tuple(seen.setdefault(place, place) for place in raw)
    return Pieces(ids, PLACES, PLACES, tuple(range(SIDE * SIDE)), blank=WHITE)


class DescriptionReader:
    """Reads descriptions of scenes as its tokenizer does, in lower case and without a full stop. Words that are in no grammar
    are refused: in pieces, the tokenizer could read them, and a painter would guess."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.unknown_id = tokenizer.unknown_id

    def __len__(self) -> int:
        return len(self.tokenizer)

    def encode_batch(self, texts: Sequence[str]) -> list[Pieces]:
        """Raises SceneError."""
        for text in texts:
            check_words(text)
        return self.tokenizer.encode_batch([text.lower().rstrip(END) for text in texts])

    def to_json(self) -> str:
        return json.dumps({"reader": "description", "tokenizer": json.loads(self.tokenizer.to_json())})


def load_tokenizers(path: str | Path) -> tuple[Reader, Tokenizer]:
    """The reader of the source and the tokenizer of the target in a `tokenizer.json`; a joint one is both. Errors as of
    `Tokenizer.load`."""
    text = Path(path).read_text(encoding="utf-8")
    try:
        both = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a tokenizer file: {error}") from error
    if not (isinstance(both, dict) and both.keys() == {"source", "target"}):
        joint = Tokenizer.from_json(text, str(path))
        return joint, joint
    source = both["source"]
    where = f"{path}, source,"
    reader: Reader
    if source == {"reader": "scene"}:
        reader = SceneReader()
    elif isinstance(source, dict) and source.keys() == {"reader", "tokenizer"} and source["reader"] == "description":
        reader = DescriptionReader(Tokenizer.from_json(json.dumps(source["tokenizer"]), where))
    else:
        reader = Tokenizer.from_json(json.dumps(source), where)
    return reader, Tokenizer.from_json(json.dumps(both["target"]), f"{path}, target,")


def save_tokenizers(source: Reader, target: Tokenizer) -> str:
    """What `load_tokenizers` reads."""
    if source is target:
        return target.to_json()
    return json.dumps({side: json.loads(one.to_json()) for side, one in (("source", source), ("target", target))})
