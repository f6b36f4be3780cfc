"""Scenes in words: a caption says all of a scene, in both languages, and is read back; other texts say what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.grammar import GRAMMARS, caption_of, check_words, content_words, read_caption
from seq2seq.scenes import SceneError, parse_code
from tests.test_scenes import SEEDS, scene_of


@given(SEEDS, st.sampled_from(list(GRAMMARS)))
def test_a_caption_says_all_but_a_few_pixels(seed: int, language: str) -> None:
    scene = scene_of(seed)
    assert read_caption(caption_of(scene, language)) == scene.centred()
    assert caption_of(scene.centred(), language) == caption_of(scene, language)


def test_a_caption_as_people_read_it() -> None:
    scene = parse_code("small red circle 10 10, large blue square 53 10, small green star 32 54")
    assert caption_of(scene) == (
        "a small red circle at the top left, far right of it a large blue square, far below and left of it a small green star"
    )
    assert caption_of(scene, "fr") == (
        "un petit cercle rouge en haut à gauche, loin à droite un grand carré bleu, "
        "loin en dessous et à gauche une petite étoile verte"
    )


def test_sizes_are_content_only_where_asked_for() -> None:
    assert content_words("a small red circle at the top, below it a large blue star") == {
        1: 0,
        2: 0,
        3: 0,
        11: 1,
        12: 1,
        13: 1,
    }
    assert content_words("a small red circle at the top", sizes=False) == {2: 0, 3: 0}


def test_words_outside_of_the_grammar_are_named() -> None:
    with pytest.raises(SceneError, match="not in the grammar of the scenes: pink, elephant"):
        read_caption("a small pink elephant at the top")
    with pytest.raises(SceneError) as refused:
        check_words(" ".join(f"{n}{'x' * 500}" for n in range(50)))
    assert len(str(refused.value)) < 500
    check_words("A Small RED circle, une étoile. ")


def test_case_and_a_full_stop_mean_nothing() -> None:
    assert read_caption("A small RED circle at the top!") == read_caption("a small red circle at the top")


@pytest.mark.parametrize(
    ("caption", "says"),
    [
        ("a red small circle at the top", "“a red small circle at the top” does not fit here"),
        ("a small red circle at the top, left of it a small red circle, left of it a small red circle", "does not fit"),
        ("un petit étoile rouge en haut", "“un petit étoile rouge en haut” does not fit"),
        ("a small red circle at the top,", "“” does not fit"),
        ("a large red circle at the top left, à droite un petit carré bleu", "some are French"),
        ("", "no words"),
        (" ...", "no words"),
    ],
)
def test_a_sentence_that_is_none_says_where(caption: str, says: str) -> None:
    with pytest.raises(SceneError, match=says):
        read_caption(caption)
