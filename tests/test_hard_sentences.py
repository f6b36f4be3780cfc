"""What people type and no test set holds: 200 sentences of ten kinds, in `hard_sentences.tsv`. Nothing here says that a
translation is good, which takes a reader; what can be told by rule is."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from seq2seq.translation import Translation
from seq2seq.translator import CAPITALS, COPIED, Translator

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
UNKNOWN_LETTERS = {"ó"}
"""Those of the sentences for which the model has no piece."""


@pytest.fixture(scope="module")
def translator() -> Translator:
    return Translator.from_checkpoint(CHECKPOINTS / "en-fr-additive", "cpu")


@pytest.fixture(scope="module")
def made(translator: Translator) -> dict[str, list[Translation]]:
    """The translations of each kind, in the order of the file."""
    with Path(__file__).with_name("hard_sentences.tsv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    found = defaultdict(list)
    for (kind, _), one in zip(rows, translator.translate([text for _, text in rows], beam_size=5), strict=True):
        found[kind].append(one)
    return found


def test_there_are_twenty_of_each_kind_and_no_answer_is_empty(made) -> None:
    assert len(made) == 10 and {len(of) for of in made.values()} == {20}
    for one in (one for of in made.values() for one in of):
        assert one.translation.strip() and one.lengths[1] >= 1
        assert "⁇" not in one.translation, one.text


def test_what_has_no_piece_is_copied_and_marked(made) -> None:
    for one in (one for of in made.values() for one in of):
        copied = any(warning.template == COPIED for warning in one.warnings if hasattr(warning, "template"))
        assert copied == bool(one.copied_words)
        assert not copied or UNKNOWN_LETTERS & set(one.text)


def test_capitals_are_read_as_small_letters(translator, made) -> None:
    assert all(CAPITALS in one.warnings for one in made["upper case"])
    small = translator.translate([one.text.capitalize() for one in made["upper case"]], beam_size=5)
    assert [one.translation for one in small] == [one.translation for one in made["upper case"]]


def test_a_question_stays_one(made) -> None:
    assert sum(one.translation.endswith("?") for one in made["questions"]) >= 18


def test_a_contraction_says_what_its_long_form_says(made) -> None:
    """Mostly word for word the same: the pairs stand one after the other."""
    pairs = zip(made["contractions"][:16:2], made["contractions"][1:16:2])
    assert sum(short.translation == long.translation for short, long in pairs) >= 5


def test_a_long_sentence_comes_to_an_end(made) -> None:
    assert sum(one.target_words[-1] == "<eos>" for one in made["long"]) >= 18
