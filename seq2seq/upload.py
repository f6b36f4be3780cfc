"""Files that anybody may send, within limits: texts, cut into batches after which a run can be stopped, and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from seq2seq.data import DataError
from seq2seq.language import Said

if TYPE_CHECKING:
    from PIL import Image

MAX_BYTES = 5_000_000
ENDINGS = (".tsv", ".csv", ".txt")
"""Packed files are not among them: 5 MB of gzip may unpack to gigabytes."""
BATCH_CHARACTERS = 3000
T = TypeVar("T")
PICTURE_FORMATS = ("PNG", "JPEG")
"""By what stands in the file, whatever its name says. Others are refused: an SVG is a program, a GIF may be a film."""
MAX_PIXELS = 16_000_000
"""Of a picture; decoded they take 64 MB, and with transparency twice that for a moment. Its header tells before anything is
decoded."""


def read_upload(path: str | Path, read: Callable[[Path], Iterable[T]], max_rows: int) -> list[T]:
    """What `read` finds in a small UTF-8 file.

    Raises DataError, with a message that names the file (not the folder it lies in), the line, and what to do. The size
    is looked at before a byte is read.
    """
    path = Path(path)
    name = path.name
    if path.suffix.lower() not in ENDINGS:
        raise DataError(
            Said("{path}: unknown kind of file; save it as UTF-8 text in a .txt, .tsv or .csv file", path=name)
        )
    if not path.is_file():
        raise DataError(Said("{path}: no such file; choose it again", path=name))
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
        said = error.args[0]
        raise DataError(Said(said.template, **said.values | {"path": name})) from None
    check_count(name, count, max_rows)
    return kept


def too_large(name: str, size: int, limit: int = MAX_BYTES) -> Said:
    """The refusal of so many bytes; rounded up, so that nothing seems to be as large as the limit."""
    if limit < 1e6:
        return Said(
            "{path} has {size:,} kB; the limit is {limit:.0f} kB. Send less.",
            path=name,
            size=ceil(size / 1e3),
            limit=limit / 1e3,
        )
    return Said(
        "{path} has {size:,.1f} MB; the limit is {limit:.0f} MB. Send a part of it, or save it smaller.",
        path=name,
        size=ceil(size / 1e5) / 10,
        limit=limit / 1e6,
    )


def check_count(name: str, count: int, max_rows: int) -> None:
    """Raises DataError for too many rows."""
    if count > max_rows:
        raise DataError(
            Said(
                "{path} has {count:,} rows; the limit is {limit:,}. Send the first {limit:,}.",
                path=name,
                count=count,
                limit=max_rows,
            )
        )


def next_batch(texts: Sequence[str], count: int, characters: int = BATCH_CHARACTERS) -> int:
    """How many of `texts` make the next batch: `count`, fewer if they are long, so that a cancel never has to wait long."""
    lengths = accumulate(map(len, texts[:count]))
    return max(1, sum(length <= characters for length in lengths))


def read_picture(path: str | Path, side: int) -> Image.Image:
    """A picture of `side` × `side` pixels on white, from a PNG or JPEG file: turned upright, whole, its transparency gone.

    Raises DataError, with a message that names the file and says what to do. Size and kind are looked at before it is decoded.
    """
    import numpy as np
    from PIL import Image, ImageOps, UnidentifiedImageError

    path = Path(path)
    name = path.name
    if not path.is_file():
        raise DataError(Said("{path}: no such file; choose it again", path=name))
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DataError(too_large(name, size))
    try:
        with Image.open(path, formats=PICTURE_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(
                    Said(
                        "{path} has {width:,} × {height:,} pixels; the limit is {limit:.0f} million. Save it smaller.",
                        path=name,
                        width=image.width,
                        height=image.height,
                        limit=MAX_PIXELS / 1e6,
                    )
                )
            image.draft("RGB", (4 * side, 4 * side))  # a JPEG need not be decoded larger than this
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I"):  # 16 bits of grey, of which a conversion would keep what is below 256
                image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
            elif image.mode not in ("L", "LA", "RGB", "RGBA"):
                image = image.convert("RGBA")
            # Before it is copied for its transparency; still four times as fine as what is shown.
            upright = image.reduce(max(1, max(image.size) // (4 * side))).convert("RGBA")
    except UnidentifiedImageError:
        raise DataError(Said("{path} is no PNG or JPEG picture; save it as one of these", path=name)) from None
    except Image.DecompressionBombError:  # it knows the header too, and is asked first
        raise DataError(Said("{path} has too many pixels; save it smaller", path=name)) from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(Said("{path} is damaged or cut off; save it again", path=name)) from None
    white = Image.new("RGBA", upright.size, "white")
    white.alpha_composite(upright)
    # As ImageOps.pad, which fails where the shorter side would round to nothing.
    longest = max(white.size)
    small = white.convert("RGB").resize([max(1, round(side * pixels / longest)) for pixels in white.size])
    made = Image.new("RGB", (side, side), "white")
    made.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return made
