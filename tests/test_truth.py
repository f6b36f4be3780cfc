"""The truth about scenes, on captions and paintings whose mistakes are known because they were put there."""

from __future__ import annotations

import numpy as np
import pytest

from seq2seq.data import DataError, Pair
from seq2seq.grammar import caption_of, content_words, read_caption
from seq2seq.scenes import CELLS, SIDE, painting, parse_code
from seq2seq.translation import Translation
from seq2seq.truth import judge_caption, judge_painting, shares

SCENE = parse_code("small red circle 10 10, large blue square 53 32, small green star 11 53")
CAPTION = caption_of(SCENE)
WORDS = CAPTION.replace(",", " ,").split()


def made(text: str, translation: str, attention: np.ndarray | None, source_words: tuple[str, ...] = ()) -> Translation:
    words = (*translation.replace(",", " ,").split(), "<eos>")
    return Translation(
        text=text, translation=translation, source_words=source_words, target_words=words, source_pieces=(),
        target_pieces=words, source_word_of=(), target_word_of=(), unknown_words=(), attention=attention,
        attention_pieces=attention, token_log_probs=(), candidates=(), checkpoint="", beam_size=1, seconds=0, hidden_size=8,
    )  # fmt: skip


def looking(right: bool) -> np.ndarray:
    """Each word of an object looks into its box, or at the corner bottom right, where nothing is."""
    weights = np.zeros((len(WORDS) + 1, SIDE * SIDE))
    weights[:, -1] = 0.4
    for word, number in content_words(CAPTION).items():
        weights[word, min(SCENE.things[number].looked_at) if right else -1] = 0.6
    return weights


def test_a_right_caption() -> None:
    judged = judge_caption(SCENE, made("", CAPTION, looking(True)))
    assert judged == {
        "exact": (1, 1), "size": (3, 3), "colour": (3, 3), "shape": (3, 3), "where": (3, 3), "pointing": (6, 6),
    }  # fmt: skip
    assert judge_caption(SCENE, made("", CAPTION, looking(False)))["pointing"] == (0, 6)
    assert "pointing" not in judge_caption(SCENE, made("", CAPTION, None))


@pytest.mark.parametrize(
    ("before", "after", "wrong"),
    [
        ("blue", "black", {"colour": 2}),
        ("square", "star", {"shape": 2}),
        ("small red", "large red", {"size": 2}),
        ("at the top left", "at the top", {"where": 2}),
        ("below and far right", "below and right", {"where": 2}),
        ("below and far right of it a large blue square, ", "", {"size": 1, "colour": 1, "shape": 1, "where": 1}),
    ],
)
def test_each_mistake_is_counted_where_it_is(before: str, after: str, wrong: dict[str, int]) -> None:
    assert before in CAPTION
    judged = judge_caption(SCENE, made("", CAPTION.replace(before, after), None))
    expected = dict.fromkeys(("size", "colour", "shape", "where"), 3) | wrong
    assert judged == {"exact": (0, 1)} | {name: (count, 3) for name, count in expected.items()}


def test_new_objects_are_counted_by_themselves() -> None:
    scene = parse_code("small yellow circle 10 10, large blue square 53 10").centred()
    said = caption_of(scene)
    for other, right in ((said, 1), (said.replace("blue", "red"), 1), (said.replace("yellow", "red"), 0)):
        assert judge_caption(scene, made("", other, None))["new"] == (right, 1)
    cells = painting(scene).split()
    assert judge_painting(scene, made(said, " ".join(cells), None))["new"] == (1, 1)
    first = next(i for i, cell in enumerate(cells) if cell.endswith("y"))
    wrong = [*cells[:first], cells[first][:-1] + "r", *cells[first + 1 :]]
    assert judge_painting(scene, made(said, " ".join(wrong), None))["new"] == (0, 1)


def test_an_attribute_that_is_told_twice_is_not_right() -> None:
    judged = judge_caption(SCENE, made("", CAPTION.replace("blue", "red blue"), None))
    assert judged["colour"] == (2, 3)


def test_a_caption_of_too_many_objects_points_at_nothing_for_them() -> None:
    longer = f"{CAPTION}, right of it a small red star"
    weights = np.vstack([looking(True), np.zeros((9, SIDE * SIDE))])
    assert judge_caption(SCENE, made("", longer, weights))["pointing"] == (6, 8)


def test_a_right_painting_and_one_wrong_cell() -> None:
    words = tuple(WORDS)
    weights = np.zeros((CELLS * CELLS + 1, len(words) + 1))
    naming = content_words(CAPTION)
    for number, thing in enumerate(SCENE.things):
        for row, column in thing.cells:
            weights[row * CELLS + column, max(word for word, n in naming.items() if n == number)] = 1
    count = sum(len(thing.cells) for thing in SCENE.things)
    right = painting(SCENE)
    judged = judge_painting(SCENE, made(CAPTION, right, weights, words))
    assert judged == {
        "exact": (1, 1), "cells": (256, 256), "painted": (count, count), "whole": (3, 3), "pointing": (count, count),
    }  # fmt: skip
    row, column = next(iter(SCENE.things[1].cells))
    cells = right.split()
    cells[row * CELLS + column] = cells[row * CELLS + column][:-1] + "r"
    judged = judge_painting(SCENE, made(CAPTION, " ".join(cells), None, words))
    assert judged == {"exact": (0, 1), "cells": (255, 256), "painted": (count - 1, count), "whole": (2, 3)}


def test_shares_are_over_everything_and_leave_out_what_nothing_has() -> None:
    assert shares([{"a": (1, 2), "b": (0, 0)}, {"a": (2, 2)}]) == {"a": 0.75}


def test_what_is_no_scene_is_refused() -> None:
    from seq2seq.translator import Translator
    from seq2seq.truth import evaluate_truth
    from tests.toy import tiny_scenes

    for paints, source in ((False, CAPTION), (True, SCENE.code)):
        translator = tiny_scenes(paints)
        assert isinstance(translator, Translator)
        with pytest.raises(DataError, match="no scenes of that kind"):
            evaluate_truth(translator, [Pair(source, ("x",))])
        right = SCENE.code if not paints else CAPTION
        found = evaluate_truth(translator, [Pair(right, ("x",))] * 2)
        assert found["scenes"] == 2 and [row["objects"] for row in found["by_objects"]] == [3]
        assert read_caption(CAPTION) == SCENE.centred()
