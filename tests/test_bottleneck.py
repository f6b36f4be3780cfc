"""The growing sentence: what it is composed of, what users may write, and each point against the translator itself."""

from __future__ import annotations

import copy
import inspect
from dataclasses import replace

import pytest
from sacrebleu import sentence_chrf

from seq2seq.bottleneck import CLAUSES, MAX_CLAUSES, Clause, compose, grow, own_clauses, parse_clauses
from seq2seq.translator import MAX_CHARACTERS, SearchError, TextError, Translator
from tests.conftest import tiny_model

OWN = (Clause("a dog sleeps", "un chien dort"), Clause("and a cat eats", "et un chat mange"), Clause(", too", ", oui"))


@pytest.fixture(scope="module")
def sides(tokenizer) -> tuple[Translator, Translator]:
    return tuple(Translator(tiny_model(kind, len(tokenizer)), tokenizer, kind) for kind in ("plain", "additive"))


def test_the_clauses_reach_from_short_to_long():
    words = [len(compose(CLAUSES[:count]).source.split()) for count in range(1, len(CLAUSES) + 1)]
    assert words[0] <= 8 and words[-1] >= 60 and len(words) >= 8
    assert all(after - before <= 12 for before, after in zip(words, words[1:])), "the curve has no hole"
    assert max(map(len, compose(CLAUSES))) < MAX_CHARACTERS


@pytest.mark.parametrize("count", range(1, len(CLAUSES) + 1))
def test_a_composed_sentence_is_a_sentence_that_begins_as_the_shorter_one(count):
    for language in (0, 1):
        text = compose(CLAUSES[:count])[language]
        assert text[0].isupper() and text.endswith(".") and text.count(".") == 1
        assert text == " ".join(text.split()) and "'" + " " not in text
        assert text.startswith(compose(CLAUSES[: max(1, count - 1)])[language][:-1])
        for clause in CLAUSES[:count]:
            assert clause[language][1:] in text


def test_the_other_direction_has_the_same_clauses(sides):
    model = copy.copy(sides[0].model)
    model.config = replace(model.config, source_language="fr", target_language="en")
    back = Translator(model, sides[0].tokenizer, "back")
    assert [(c.target, c.source) for c in own_clauses(back)] == list(map(tuple, own_clauses(sides[0])))
    assert next(grow(back, back)).source == compose(CLAUSES[:1]).target


def test_composing_keeps_what_the_user_wrote():
    assert compose(OWN) == ("A dog sleeps and a cat eats, too.", "Un chien dort et un chat mange, oui.")
    assert compose([Clause("Who sleeps?", "Qui dort ?")]) == ("Who sleeps?", "Qui dort ?")
    assert compose([Clause("It rains.", "Il pleut."), Clause("I sleep", "Je dors")]).source == "It rains. I sleep."
    with pytest.raises(ValueError, match="no clause"):
        compose(())


@pytest.mark.parametrize(
    "text",
    [
        "a dog sleeps = un chien dort\nand a cat eats = et un chat mange",
        "a dog sleeps\tun chien dort\r\n\r\n  and a cat eats\tet un chat mange \r\n",
        "a dog sleeps=un chien dort\n\n\nand a cat eats  =  et un chat mange",
    ],
)
def test_lines_are_clauses(text):
    assert parse_clauses(text) == OWN[:2]


def test_a_tab_lets_an_equals_sign_stand():
    assert parse_clauses("1 + 1 = 2\t1 + 1 = 2") == (Clause("1 + 1 = 2", "1 + 1 = 2"),)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["no lines", "="]),
        (" \n\t\n", ["no lines"]),
        ("a dog sleeps", ["Line 1", "no “=”", "A dog sleeps = Un chien dort"]),
        ("a dog = un chien\n\nand a cat", ["Line 3", "no “=”"]),
        ("a = b = c", ["Line 1", "more than one “=”"]),
        ("a\tb\tc", ["Line 1", "more than one tab"]),
        ("a dog =", ["Line 1", "missing"]),
        ("= un chien", ["Line 1", "missing"]),
        ("a dog = \u200b", ["Line 1", "missing"]),
        ("a = b\n" * (MAX_CLAUSES + 1), [f"Line {MAX_CLAUSES + 1}", str(MAX_CLAUSES)]),
        ("a = " + "b" * MAX_CHARACTERS, ["1,004", "1,000"]),
    ],
)
def test_errors_name_the_line(text, parts):
    with pytest.raises(TextError) as caught:
        parse_clauses(text)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_twelve_lines_are_not_too_many():
    assert len(parse_clauses("\n\n".join(["a = b"] * MAX_CLAUSES))) == MAX_CLAUSES


@pytest.mark.parametrize("beam_size", [1, 2])
def test_points_are_the_translators_own(sides, beam_size):
    points = list(grow(*sides, OWN, beam_size))
    assert [(p.source, p.reference) for p in points] == [compose(OWN[:count]) for count in (1, 2, 3)]
    for point in points:
        assert point.words == len(point.source.split())
        for name, translator in zip(("left", "right"), sides):
            made = getattr(point, name)
            alone = translator.translate(point.source, beam_size=beam_size)
            assert made.target_pieces == alone.target_pieces
            assert (made.checkpoint, made.beam_size) == (translator.name, beam_size)
            assert point.chrf[name] == pytest.approx(sentence_chrf(made.translation, [point.reference]).score)
            forced = translator.translate(point.source, target=point.reference)
            assert "".join(forced.target_words[:-1]) == point.reference.replace(" ", "")
            assert point.reference_log_prob[name] == pytest.approx(forced.log_prob / len(forced.target_words))


def test_points_are_computed_as_they_are_asked_for(sides, monkeypatch):
    calls = []
    original = Translator.translate

    def translate(self, text, **settings):
        calls.append((text, settings))
        return original(self, text, **settings)

    monkeypatch.setattr(Translator, "translate", translate)
    points = grow(*sides, OWN)
    assert inspect.isgenerator(points) and not calls
    next(points)
    assert {text for text, _ in calls} == {compose(OWN[:1]).source}
    settings = [[kw for _, kw in calls[side::2]] for side in (0, 1)]
    assert settings[0] == settings[1], "both sides are asked the same"


def test_growing_ends_before_a_sentence_is_too_long(sides):
    long = [Clause("x " * 100 + "y", "z")] * 6
    assert all(len(point.source) <= MAX_CHARACTERS for point in grow(*sides, long))
    assert len(list(grow(*sides, long))) == 4
    assert len(list(grow(*sides, [Clause("a", "b" * 600)] * 3))) == 1, "a reference may be too long as well"
    assert list(grow(*sides, [Clause("x" * MAX_CHARACTERS, "y")])) == []
    assert list(grow(*sides, ())) == []


def test_a_wrong_beam_is_refused_at_once(sides):
    with pytest.raises(SearchError):
        grow(*sides, OWN, 0)
