"""Drawn scenes of one to five objects, whose truth is known: boxes, and cells of a palette; `grammar` has their captions.

These are drawings, not photographs. All is a function of the scene, and a scene of its seed. Each object has a place on a
3 × 3 grid of its own. So a scene has one caption a language, and a caption gives back the scene, up to a few pixels within a
place.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from seq2seq.language import Said

if TYPE_CHECKING:
    from PIL import Image

PIXELS, SIDE, CELLS = 64, 8, 16
"""A picture has PIXELS in each direction; an encoder looks at SIDE × SIDE places of it; a painting has CELLS × CELLS cells."""
GRID, MOST = 3, 5
"""Places for objects in each direction, and most objects in a scene."""
COLOURS = {
    "red": "#d62728",
    "green": "#2ca02c",
    "blue": "#1f5fd0",
    "yellow": "#f2c40f",
    "purple": "#8e44ad",
    "black": "#222222",
}
SHAPES = ("circle", "square", "triangle", "star")
SIZES = {"small": 10, "large": 18}
"""Pixels of a side of the box."""
HELD_OUT = frozenset(
    {
        ("small", "yellow", "circle"),
        ("large", "purple", "square"),
        ("small", "red", "triangle"),
        ("large", "blue", "star"),
    }
)
"""Sizes, colours and shapes that no training scene has together; of each two it has them."""
BACKGROUND, LETTERS = "w", {"red": "r", "green": "g", "blue": "b", "yellow": "y", "purple": "p", "black": "k"}
"""How the cells of a painting are written."""
SPLITS = {"train": 1, "valid": 2, "test": 3, "heldout": 4}
"""The random streams. "heldout" has in each scene an object of HELD_OUT, the others have none."""
MASKS = {
    ("circle", "large"): (".XXX.", "XXXXX", "XXXXX", "XXXXX", ".XXX."),
    ("square", "large"): ("XXXXX",) * 5,
    ("triangle", "large"): ("..X..", "..X..", ".XXX.", ".XXX.", "XXXXX"),
    ("star", "large"): ("..X..", "XXXXX", ".XXX.", ".X.X.", "X...X"),
    ("circle", "small"): (".X.", "XXX", ".X."),
    ("square", "small"): ("XXX",) * 3,
    ("triangle", "small"): (".X.", ".X.", "XXX"),
    ("star", "small"): ("X.X", ".X.", "X.X"),
}
"""Shapes in cells; a place has 5 × 5 of them."""


class SceneError(ValueError):
    """A text that describes no scene. The message is one line that says what is wrong with it."""


class Thing(NamedTuple):
    """One object; x and y are the pixel in the middle of its box."""

    size: str
    colour: str
    shape: str
    x: int
    y: int

    @property
    def place(self) -> tuple[int, int]:
        """Row and column on the grid."""
        return self.y * GRID // PIXELS, self.x * GRID // PIXELS

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in pixels; the last two are outside."""
        half = SIZES[self.size] // 2
        return self.x - half, self.y - half, self.x + half, self.y + half

    @property
    def cells(self) -> dict[tuple[int, int], str]:
        """(row, column) of each painted cell -> colour."""
        mask = MASKS[self.shape, self.size]
        row, column = (5 * at + (5 - len(mask)) // 2 for at in self.place)
        return {
            (row + i, column + j): self.colour
            for i, line in enumerate(mask)
            for j, mark in enumerate(line)
            if mark == "X"
        }

    @property
    def looked_at(self) -> frozenset[int]:
        """The places of the encoder, counted row by row, whose middle lies in the box."""
        left, top, right, bottom = self.box
        step = PIXELS // SIDE
        middles = range(step // 2, PIXELS, step)
        return frozenset(
            SIDE * row + column
            for row, y in enumerate(middles)
            for column, x in enumerate(middles)
            if left <= x < right and top <= y < bottom
        )


def middle(place: int) -> int:
    """The pixel in the middle of a row or column of the grid."""
    return (2 * place + 1) * PIXELS // (2 * GRID)


@dataclass(frozen=True)
class Scene:
    """Objects in the order in which they are told: by rows, and from left to right."""

    things: tuple[Thing, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.things) <= MOST:
            raise SceneError(Said("A scene has 1 to {most} objects, not {count}.", most=MOST, count=len(self.things)))
        places = [thing.place for thing in self.things]
        if len(set(places)) < len(places):
            raise SceneError("Two objects stand at the same place; move one of them.")
        for thing in self.things:
            if min(thing.box) < 0 or max(thing.box) > PIXELS:
                raise SceneError("An object stands partly outside of the picture; move it.")
            left, top, right, bottom = thing.box
            corners = {(y * GRID // PIXELS, x * GRID // PIXELS) for x in (left, right - 1) for y in (top, bottom - 1)}
            if corners != {thing.place}:
                raise SceneError("An object stands across the edge of its place of the 3 × 3; move it.")
        object.__setattr__(self, "things", tuple(sorted(self.things, key=lambda thing: thing.place)))

    @property
    def code(self) -> str:
        """The scene as text that `parse_code` reads: "large red circle 32 10, …"."""
        return ", ".join(f"{t.size} {t.colour} {t.shape} {t.x} {t.y}" for t in self.things)

    def centred(self) -> Scene:
        """Each object in the middle of its place: all that a caption tells."""
        return Scene(tuple(t._replace(y=middle(t.place[0]), x=middle(t.place[1])) for t in self.things))

    def draw(self, scale: int = 1) -> Image.Image:
        """The picture, PIXELS * scale in each direction."""
        from PIL import Image, ImageDraw

        fine = 4 * scale  # drawn larger and shrunk, so that edges are smooth
        image = Image.new("RGB", (PIXELS * fine, PIXELS * fine), "white")
        pen = ImageDraw.Draw(image)
        for thing in self.things:
            left, top, right, bottom = (fine * side for side in thing.box)
            width = right - left
            ink = COLOURS[thing.colour]
            if thing.shape == "circle":
                pen.ellipse((left, top, right - 1, bottom - 1), ink)
            elif thing.shape == "square":
                pen.rectangle((left, top, right - 1, bottom - 1), ink)
            else:
                pen.polygon([(left + x * (width - 1), top + y * (width - 1)) for x, y in CORNERS[thing.shape]], ink)
        return image.reduce(4)

    def cells(self) -> tuple[str, ...]:
        """The painting, row by row: the letter of each cell's colour."""
        painted = {at: LETTERS[colour] for thing in self.things for at, colour in thing.cells.items()}
        return tuple(painted.get(divmod(i, CELLS), BACKGROUND) for i in range(CELLS * CELLS))


CORNERS = {
    "triangle": ((0.5, 0), (1, 1), (0, 1)),
    "star": (
        (0.5, 0), (0.63, 0.36), (1, 0.38), (0.71, 0.6), (0.81, 0.97), (0.5, 0.76), (0.19, 0.97), (0.29, 0.6), (0, 0.38),
        (0.37, 0.36),
    ),
}  # fmt: skip


KINDS = [(size, colour, shape) for size in SIZES for colour in COLOURS for shape in SHAPES]
PLACES = [divmod(i, GRID) for i in range(GRID * GRID)]


def parse_code(code: str) -> Scene:
    """The counterpart of `Scene.code`. Raises SceneError."""
    things = []
    for part in code.split(","):
        words = part.split()
        if len(words) != 5 or words[0] not in SIZES or words[1] not in COLOURS or words[2] not in SHAPES:
            raise SceneError(
                Said("“{part}” is no object; write it as “large red circle 32 10”.", part=part.strip()[:60])
            )
        if not all(re.fullmatch("[0-9]{1,2}", number) for number in words[3:]):
            raise SceneError(Said("“{part}” has no position in pixels.", part=part.strip()[:60]))
        things.append(Thing(*words[:3], int(words[3]), int(words[4])))
    return Scene(tuple(things))


# -- endless scenes ------------------------------------------------------------------------------------------------


def scenes(split: str, seed: int = 1) -> Iterator[Scene]:
    """Endless scenes of one of SPLITS, the same for the same seed; 1 to MOST objects, all counts equally often."""
    draw = random.Random(f"{split} {seed}")
    while True:
        yield random_scene(draw, split == "heldout")


def random_scene(draw: random.Random, held_out: bool = False, count: int = 0) -> Scene:
    """held_out: whether one of the objects is a combination of HELD_OUT; else none is. count: of objects; 0 for any."""
    things = []
    places = draw.sample(PLACES, count or draw.randint(1, MOST))
    for number, (row, column) in enumerate(places):
        kinds = [kind for kind in KINDS if (kind in HELD_OUT) == (held_out and number == 0)]
        size, colour, shape = draw.choice(kinds)
        loose = 10 - SIZES[size] // 2  # what is free around the box within its place
        x, y = (middle(at) + draw.randint(-loose, loose) for at in (column, row))
        things.append(Thing(size, colour, shape, x, y))
    return Scene(tuple(things))


# -- paintings -------------------------------------------------------------------------------------------------------


def cells_of_place(place: tuple[int, int]) -> list[int]:
    """The 5 × 5 cells of a place of the grid, counted row by row."""
    return [(5 * place[0] + i) * CELLS + 5 * place[1] + j for i in range(5) for j in range(5)]


def cell_words() -> list[str]:
    """Every word of a painting. "a3r" is red in the first column, row 3; "bTr" is red in the second column, somewhere in
    the Top third (then come Middle, Bottom and Edge): a decoder has no clock, and knows from what it wrote where its
    brush is."""
    return [f"{name}{letter}" for name in dict.fromkeys(_NAMED) for letter in (BACKGROUND, *LETTERS.values())]


def cell_names() -> list[str]:
    """ "a1" to "p16", row by row."""
    return [f"{chr(ord('a') + column)}{row}" for row in range(1, CELLS + 1) for column in range(CELLS)]


_NAMED = [name if name[0] == "a" else name[0] + "TMBE"[i // CELLS // 5] for i, name in enumerate(cell_names())]
"""How the cells are named in a painting, row by row."""


def painting(scene: Scene) -> str:
    """The cells of a scene as the text that a painter writes."""
    return " ".join(name + letter for name, letter in zip(_NAMED, scene.cells()))


def painted(words: Sequence[str]) -> tuple[str, ...]:
    """The letters of a painting from its words, in their order; what is missing is background."""
    letters = [word[-1] if word[-1] in LETTERS.values() else BACKGROUND for word in words[: CELLS * CELLS]]
    return tuple(letters + [BACKGROUND] * (CELLS * CELLS - len(letters)))
