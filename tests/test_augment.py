"""Copies of pairs: what is put in the place of names, and how people in a hurry type."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.augment import RARE, casual, excerpt, made_up_name, made_up_number, renamed, slipped
from seq2seq.data import Pair
from seq2seq.tokenizer import Tokenizer

PAIR = Pair("Tom met Anna on May 12, and Anna left.", ("Tom a vu Anna le 12 mai, puis Anna est partie.",))


@pytest.fixture
def draw() -> random.Random:
    return random.Random(7)


def words(text: str) -> tuple[str, ...]:
    return Tokenizer.train([text] * 3, 100).encode(text).words


def test_names_and_numbers_of_both_sides_are_replaced_alike(draw: random.Random) -> None:
    made = renamed(PAIR, draw)
    assert made is not None
    source, target = made.source.split(), made.references[0].split()
    tom, anna, number = source[0], source[2], source[5].rstrip(",")
    assert {tom, anna, number}.isdisjoint({"Tom", "Anna", "12"}) and len({tom, anna}) == 2
    assert source == f"{tom} met {anna} on May {number}, and {anna} left.".split(), "May stands on one side only"
    assert target == f"{tom} a vu {anna} le {number} mai, puis {anna} est partie.".split()
    assert len(words(made.source)) == len(words(PAIR.source)), "so that links still hold"


@pytest.mark.parametrize(
    "pair",
    [
        Pair("the table is on time", ("la table est on time",)),
        Pair("Tom sleeps.", ("Thomas dort.",)),
        Pair("Jean-Luc sleeps.", ("Jean-Luc dort.",)),  # one word with a hyphen is left alone
        Pair("I see.", ("I vois.",)),
    ],
)
def test_what_is_no_name_of_both_sides_stays(pair: Pair, draw: random.Random) -> None:
    assert renamed(pair, draw) is None


def test_names_are_one_capitalised_word_and_seldom_have_letters_from_elsewhere(draw: random.Random) -> None:
    names = [made_up_name(draw) for _ in range(2000)]
    assert all(name.isalpha() and len(name) >= 2 for name in names) and len(set(names)) > 1500
    rare = sum(any(letter.lower() in RARE for letter in name[0] + name[1:]) for name in names) / len(names)
    assert 0.05 < rare < 0.25
    assert all(name[0] == name[0].upper() for name in names)


@given(st.from_regex(r"[0-9]{1,12}", fullmatch=True), st.integers())
def test_a_number_keeps_its_length_and_begins_with_no_zero(number: str, seed: int) -> None:
    made = made_up_number(number, random.Random(seed))
    assert made.isdigit() and len(made) == len(number) and made[0] != "0"


@given(st.integers())
def test_a_copy_is_a_pure_function_of_its_draw(seed: int) -> None:
    assert renamed(PAIR, random.Random(seed)) == renamed(PAIR, random.Random(seed))
    assert casual(PAIR, random.Random(seed)) == casual(PAIR, random.Random(seed))


def test_a_hurried_source_is_still_the_same_sentence(draw: random.Random) -> None:
    """Small letters, capitals, a missing full stop, a slip: each comes, the target stays, and at most the full stop is gone."""
    found = [casual(PAIR, draw) for _ in range(200)]
    assert all(made.references == PAIR.references for made in found)
    sources = {made.source for made in found}
    assert {
        PAIR.source.lower(),
        PAIR.source.upper(),
        PAIR.source.rstrip("."),
        PAIR.source.lower().rstrip("."),
    } < sources
    assert {len(words(source)) for source in sources} == {len(words(PAIR.source)), len(words(PAIR.source)) - 1}


@given(st.text(alphabet="abcdé ,.'-3", max_size=30), st.integers())
def test_a_slip_moves_leaves_out_or_doubles_one_letter(text: str, seed: int) -> None:
    made = slipped(text, random.Random(seed))
    assert abs(len(made) - len(text)) <= 1
    same = [a == b for a, b in zip(text, made)]
    first = same.index(False) if False in same else min(len(text), len(made))
    rest = len(text) - first
    assert text[-(rest - 2) :] == made[-(rest - 2) :] or rest <= 2 or made == text


LONG = Pair("A black dog sleeps, I think.", ("Un chien noir dort, je crois.",))
LINKS = frozenset({(0, 0), (1, 2), (2, 1), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7)})


def excerpts(pair: Pair, links: frozenset[tuple[int, int]]) -> dict[str, tuple[str, frozenset[tuple[int, int]]]]:
    source, target = (words(text)[:-1] for text in (pair.source, pair.references[0]))
    drawn = (excerpt(pair, source, target, links, random.Random(seed)) for seed in range(400))
    return {one[0].source: (one[0].references[0], one[1]) for one in drawn if one}


def test_an_excerpt_is_words_in_a_row_and_all_that_they_are_linked_to() -> None:
    found = excerpts(LONG, LINKS)
    assert found["dog"] == ("chien", {(0, 0)})
    assert found["black dog"] == ("chien noir", {(0, 1), (1, 0)})
    assert "dog sleeps" not in found, "the words that it is linked to do not stand in a row"
    assert found["sleeps, I think"][0] == "dort, je crois", "what stands between the words comes with them"
    assert "A black" not in found, "between its words stands that of another"
    assert "," not in found and "." not in found, "no letter"


def test_an_excerpt_has_no_loose_end() -> None:
    found = excerpts(LONG, LINKS - {(2, 1)})
    assert "dog" not in found and "black dog" not in found and "dog sleeps" not in found
    assert found["A black dog sleeps"][0] == "Un chien noir dort", "inside, a word may be linked to nothing"
    assert excerpts(LONG, frozenset()) == {}


def test_a_few_words_are_not_taken_for_many() -> None:
    assert not excerpts(Pair("Dogs", ("Les chiens qui sont là",)), frozenset({(0, 0), (0, 4)}))


@given(
    st.text(max_size=30),
    st.text(max_size=30),
    st.frozensets(st.tuples(st.integers(0, 9), st.integers(0, 9))),
    st.integers(),
)
def test_an_excerpt_stands_in_both_texts(source: str, target: str, links: frozenset, seed: int) -> None:
    pair = Pair(source, (target,))
    one = excerpt(pair, source.split(), target.split(), links, random.Random(seed))
    if one:
        (made, inside) = one
        assert made.source in source and made.references[0] in target
        assert len(made.source.split()) <= 4 and inside
        assert {i for i, _ in inside} <= set(range(len(made.source.split())))
