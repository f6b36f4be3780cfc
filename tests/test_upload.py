"""Pictures that anybody may send: turned upright, shrunk whole, or refused with a reason, before much memory is taken."""

from __future__ import annotations

import io
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seq2seq.data import DataError
from seq2seq.upload import MAX_BYTES, MAX_PIXELS, read_picture

ROOT = Path(__file__).parents[1]
SIDE = 64


def saved(tmp_path: Path, name: str, image: Image.Image, **options) -> Path:
    path = tmp_path / name
    image.save(path, options.pop("format", None), **options)
    return path


def halves(left: str = "red", right: str = "blue", size: tuple[int, int] = (80, 80), mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, size, left)
    image.paste(Image.new(mode, (size[0] // 2, size[1]), right), (size[0] // 2, 0))
    return image


def colours(image: Image.Image) -> tuple:
    """What stands left, right, top and bottom."""
    return tuple(image.getpixel(at) for at in ((8, 32), (56, 32), (32, 8), (32, 56)))


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_picture_is_shrunk_to_the_side(tmp_path: Path, name: str) -> None:
    made = read_picture(saved(tmp_path, name, halves()), SIDE)
    assert made.size == (SIDE, SIDE) and made.mode == "RGB"
    left, right, *_ = colours(made)
    assert left[0] > 200 > 60 > left[2] and right[2] > 200 > 60 > right[0]


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "I;16", "CMYK"])
def test_every_kind_of_pixel_becomes_three_colours(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGB", (40, 40), "white")
    image = Image.fromarray(np.full((40, 40), 65535, np.uint16)) if mode == "I;16" else image.convert(mode)
    made = read_picture(saved(tmp_path, "a.jpg" if mode == "CMYK" else "a.png", image), SIDE)
    assert made.mode == "RGB" and min(made.getpixel((32, 32))) > 240


def test_a_long_picture_keeps_its_shape_on_white(tmp_path: Path) -> None:
    made = read_picture(saved(tmp_path, "a.png", Image.new("RGB", (100, 20), "black")), SIDE)
    *_, top, bottom = colours(made)
    assert top == bottom == (255, 255, 255) and made.getpixel((32, 32)) == (0, 0, 0)


def test_what_is_transparent_is_white_and_not_what_hides_there(tmp_path: Path) -> None:
    image = halves(mode="RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    assert read_picture(saved(tmp_path, "a.png", image), SIDE).getcolors() == [(SIDE * SIDE, (255, 255, 255))]
    paletted = Image.new("P", (8, 8), 0)
    paletted.putpalette([0, 0, 0] * 256)
    path = saved(tmp_path, "b.png", paletted, transparency=0)
    assert read_picture(path, SIDE).getcolors() == [(SIDE * SIDE, (255, 255, 255))]


def test_a_picture_that_lies_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # as a phone held upright writes it: turn a quarter to the right
    left, right, top, bottom = colours(read_picture(saved(tmp_path, "a.jpg", halves(), exif=exif.tobytes()), SIDE))
    assert top[0] > 200 > bottom[0] and bottom[2] > 200 > top[2] and abs(left[0] - right[0]) < 40


def test_the_content_counts_and_not_the_name(tmp_path: Path) -> None:
    assert read_picture(saved(tmp_path, "a.png", halves(), format="JPEG"), SIDE).size == (SIDE, SIDE)
    for name, format in (("b.png", "GIF"), ("c.jpg", "BMP"), ("d.png", "TIFF"), ("e.png", "ICO")):
        with pytest.raises(DataError, match=f"{name} is no PNG or JPEG picture"):
            read_picture(saved(tmp_path, name, halves(), format=format), SIDE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"GIF89a" + bytes(100),
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
    ],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png is (no PNG or JPEG picture|damaged)"):
        read_picture(path, SIDE)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_picture_that_is_cut_off_is_refused(tmp_path: Path, name: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 90, 3), dtype=np.uint8))
    path = saved(tmp_path, name, noise)
    whole = path.read_bytes()
    for share in (0.3, 0.6, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DataError, match="damaged or cut off|is no PNG or JPEG"):
            read_picture(path, SIDE)


@pytest.mark.parametrize("size", [(3000, 10), (10, 3000), (15_000, 1), (1, 1)])
def test_a_thin_picture_is_shown_whole(tmp_path: Path, size: tuple[int, int]) -> None:
    made = np.asarray(read_picture(saved(tmp_path, "a.png", Image.new("RGB", size, "red")), SIDE))
    assert made.shape == (SIDE, SIDE, 3)
    red = (made == (255, 0, 0)).all(axis=2)
    high, wide = (red.any(axis=axis).sum() for axis in (1, 0))
    assert (wide, high) == tuple(max(1, round(SIDE * pixels / max(size))) for pixels in size)


def test_sixteen_bits_of_grey_are_the_grey_they_are(tmp_path: Path) -> None:
    grey = np.full((80, 80), 257 * 130, np.uint16)
    assert (np.asarray(read_picture(saved(tmp_path, "a.png", Image.fromarray(grey)), SIDE)) == 130).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "1"])
def test_the_largest_picture_takes_no_more_than_is_said(tmp_path: Path, mode: str) -> None:
    path = saved(tmp_path, "a.png", Image.new(mode, (4000, 4000)))
    code = (
        f"import resource; from seq2seq.upload import read_picture; import numpy, PIL.PngImagePlugin; "
        f"before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; read_picture({str(path)!r}, {SIDE}); "
        f"print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    kilobytes = int(done.stdout)  # with transparency 128 MB, and one band more
    assert sys.platform != "linux" or kilobytes < 190_000


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    """A PNG file that says it has so many pixels, black and white."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [20_000, 5_000, 2**31 - 1])
def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png(side, side, bytes((side // 8 + 1) * side) if side < 2**31 - 1 else b""))
    assert path.stat().st_size < MAX_BYTES and side * side > MAX_PIXELS
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match="too many pixels|pixels; the limit is 16 million"):
        read_picture(path, SIDE)
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kilobytes


def test_text_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    """A compressed comment inside of a small picture."""
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "PNG")
    raw = buffer.getvalue()
    data = b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9)
    text = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    path = tmp_path / "a.png"
    path.write_bytes(raw[:33] + text + raw[33:])
    with pytest.raises(DataError, match="damaged or cut off"):
        read_picture(path, SIDE)


def test_a_large_file_and_a_missing_one(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(bytes(MAX_BYTES + 1))
    with pytest.raises(DataError, match=r"a\.png has 5\.1 MB; the limit is 5 MB"):
        read_picture(path, SIDE)
    for none in (tmp_path / "none.png", tmp_path):
        with pytest.raises(DataError, match="no such file"):
            read_picture(none, SIDE)
