"""Scenes: a caption says all of one, in both languages; everything follows from the seed; the truth about boxes and cells."""

from __future__ import annotations

import hashlib
import random
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.scenes import (
    CELLS,
    HELD_OUT,
    LETTERS,
    MOST,
    PIXELS,
    SIDE,
    SPLITS,
    Scene,
    SceneError,
    Thing,
    cell_names,
    cell_words,
    cells_of_place,
    painted,
    painting,
    parse_code,
    random_scene,
    scenes,
)

SEEDS = st.integers(0, 10**9)
FIVE = (
    "large yellow circle 11 11, small red star 32 10, small blue square 53 30, large green triangle 11 53, "
    "small black star 50 50"
)


def scene_of(seed: int, held_out: bool = False) -> Scene:
    return random_scene(random.Random(seed), held_out)


@given(SEEDS)
def test_a_code_says_all(seed: int) -> None:
    assert parse_code(scene_of(seed).code) == scene_of(seed)


def test_objects_are_told_in_reading_order_whatever_order_they_come_in() -> None:
    things = parse_code(FIVE).things
    for seed in range(5):
        assert Scene(tuple(random.Random(seed).sample(things, 5))).things == things


@pytest.mark.parametrize("split", SPLITS)
def test_splits_are_endless_and_the_same_for_the_same_seed(split: str) -> None:
    some = list(islice(scenes(split), 200))
    assert some == list(islice(scenes(split), 200)) != list(islice(scenes(split, seed=2), 200))
    assert {len(scene.things) for scene in some} == set(range(1, MOST + 1))
    for scene in some:
        new = [thing for thing in scene.things if (thing.size, thing.colour, thing.shape) in HELD_OUT]
        assert bool(new) == (split == "heldout")


def test_of_what_is_held_out_every_two_are_seen_together() -> None:
    seen = {
        (thing.size, thing.colour, thing.shape) for scene in islice(scenes("train"), 2000) for thing in scene.things
    }
    for size, colour, shape in HELD_OUT:
        assert any((s, c) == (size, colour) for s, c, _ in seen)
        assert any((c, h) == (colour, shape) for _, c, h in seen)
        assert any((s, h) == (size, shape) for s, _, h in seen)


def test_no_split_repeats_another() -> None:
    drawn = [scene.code for split in SPLITS for scene in islice(scenes(split), 300) if len(scene.things) > 2]
    assert len(drawn) == len(set(drawn))


def test_the_picture_is_the_same_for_the_same_scene() -> None:
    scene = parse_code(FIVE)
    digests = {hashlib.sha256(scene.draw().tobytes()).hexdigest() for _ in range(3)}
    assert (
        len(digests) == 1 and scene.draw().size == (PIXELS, PIXELS) and scene.draw(4).size == (4 * PIXELS, 4 * PIXELS)
    )


@given(SEEDS)
def test_nothing_is_drawn_outside_of_the_boxes_and_each_box_is_filled_to_its_edges(seed: int) -> None:
    scene = scene_of(seed)
    marked = (np.asarray(scene.draw()) < 250).any(axis=2)
    for thing in scene.things:
        left, top, right, bottom = thing.box
        inside = marked[top:bottom, left:right]
        assert inside.any(axis=0).all() and inside.any(axis=1).sum() >= len(inside) - 1
        marked[top:bottom, left:right] = False
    assert not marked.any()


@given(SEEDS)
def test_every_object_has_a_place_to_look_at_and_none_is_another_s(seed: int) -> None:
    seen = [thing.looked_at for thing in scene_of(seed).things]
    assert all(seen) and all(0 <= place < SIDE * SIDE for places in seen for place in places)
    assert sum(map(len, seen)) == len(frozenset().union(*seen))


@given(SEEDS)
def test_a_painting_is_read_back(seed: int) -> None:
    scene = scene_of(seed)
    words = painting(scene).split()
    assert len(words) == CELLS * CELLS and set(words) <= set(cell_words())
    assert painted(words) == scene.cells() == scene.centred().cells()
    for thing in scene.things:
        block = [scene.cells()[i] for i in cells_of_place(thing.place)]
        assert set(block) <= {LETTERS[thing.colour], "w"} and block.count("w") == 25 - len(thing.cells)


def test_a_painting_that_ended_early_is_background_from_there() -> None:
    assert painted(["a1r", "bTg"]) == ("r", "g", *"w" * 254)
    assert painted(["⁇"] * 300) == tuple("w" * 256)


def test_shapes_can_be_told_apart_in_cells() -> None:
    for size in ("small", "large"):
        drawn = [
            frozenset(Thing(size, "red", shape, 32, 32).cells) for shape in ("circle", "square", "triangle", "star")
        ]
        assert len(set(drawn)) == 4


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("large red dog 10 10", "“large red dog 10 10” is no object"),
        ("large red circle 10", "is no object"),
        ("large red circle -1 10", "no position"),
        ("large red circle 2 30", "partly outside"),
        ("small red circle 10 10, small red star 12 12", "same place"),
        (", ".join(f"small red star {x} {y}" for x in (10, 32, 53) for y in (10, 32)), "1 to 5 objects, not 6"),
        ("", "is no object"),
    ],
)
def test_a_code_that_is_none_says_why(code: str, says: str) -> None:
    with pytest.raises(SceneError, match=says):
        parse_code(code)


def test_cells_have_names() -> None:
    assert cell_names()[:2] == ["a1", "b1"] and cell_names()[-1] == "p16" and len(set(cell_names())) == 256
