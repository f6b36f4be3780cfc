"""The alignment error rate: its definition, and the way from our words to the tokens of people who aligned by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seq2seq.data import DataError
from seq2seq.evaluation import (
    Alignment,
    NoAttentionError,
    alignment_scores,
    evaluate_alignment,
    read_alignments,
    shared_characters,
    strongest_links,
)
from seq2seq.translator import Translator
from tests.conftest import ENGLISH, FRENCH, tiny_model


def links(text: str) -> frozenset[tuple[int, int]]:
    return frozenset((int(a), int(b)) for a, b in (pair.split("-") for pair in text.split()))


def test_scores_follow_their_definition():
    # A = 4 links, S = 3, P = S and 1 more. A and S = 2, A and P = 3.
    scores = alignment_scores([links("0-0 1-1 2-2 3-0")], [links("0-0 1-1 2-3")], [links("2-2")])
    assert scores == {"aer": pytest.approx(1 - (2 + 3) / (4 + 3)), "precision": 3 / 4, "recall": pytest.approx(2 / 3)}


def test_a_possible_link_is_neither_needed_nor_wrong():
    sure, possible = [links("0-0 1-1")], [links("2-2")]
    for found in (links("0-0 1-1"), links("0-0 1-1 2-2")):
        assert alignment_scores([found], sure, possible) == {"aer": 0, "precision": 1, "recall": 1}
    assert alignment_scores([links("5-5")], sure, possible) == {"aer": 1, "precision": 0, "recall": 0}


def test_sentences_count_by_their_links():
    one = alignment_scores([links("0-0"), links("0-0 1-0 2-0")], [links("0-0"), links("0-0")], [links(""), links("")])
    assert one == {"aer": pytest.approx(1 - 4 / 6), "precision": 0.5, "recall": 1}


def test_characters_are_shared_whatever_the_spaces():
    shared = shared_characters(["don't", "eat", "it", "."], ["do", "n't", "eatit", "."])
    assert shared.tolist() == [[2, 3, 0, 0], [0, 0, 3, 0], [0, 0, 2, 0], [0, 0, 0, 1]]


def test_links_on_other_tokens():
    # "l'herbe" is two words of ours and one token there; "lawn-grass" is one word of ours and three tokens there.
    attention = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]])
    found = strongest_links(
        attention, ["The", "lawn-grass"], ["L'", "herbe", "!"], ["The", "lawn", "-", "grass"], ["L'herbe", "!"]
    )
    # token 0: The = (2 * 0.9 + 5 * 0.2) = 2.8; lawn-grass = 2 * 0.1 + 5 * 0.8 = 4.2, of which "grass" has a half: 2.1
    assert found == links("0-0 3-1")


def test_a_link_may_have_to_be_over_a_threshold():
    attention = np.array([[0.6, 0.4], [0.5, 0.5]])
    words = ["a", "b"], ["c", "d"], ["a", "b"], ["c", "d"]
    assert strongest_links(attention, *words) == links("0-0 0-1")
    assert strongest_links(attention, *words, over=0.5) == links("0-0")
    # A token of two words has their mean, 0.55, and half a word has half of its weight.
    assert strongest_links(attention, words[0], words[1], words[2], ["cd"], over=0.54) == links("0-0")
    assert strongest_links(attention, words[0], words[1], words[2], ["cd"], over=0.56) == links("")


def test_the_posterior_is_scored_beside_attention(monkeypatch, tokenizer):
    """Of a model that looks anywhere, and knows afterwards."""
    translator = Translator(tiny_model("additive", len(tokenizer)), tokenizer)
    gold = [Alignment("The cat", ("The", "cat"), ("Le", "chat"), links("0-0 1-1"), links(""))]

    def knowing(_, made):
        S, T = made.lengths
        sure = np.zeros_like(made.attention)
        sure[np.arange(T), np.minimum(np.arange(T), S - 1)] = 1
        return replace(made, attention=sure)

    monkeypatch.setattr("seq2seq.explain.posterior", knowing)
    made = evaluate_alignment(translator, gold)
    assert made["posterior"]["aer"] == 0 and made["posterior"]["precision"] == made["posterior"]["recall"] == 1


def aligned(source: str, target: str, sure: str) -> Alignment:
    return Alignment(source, tuple(source.split()), tuple(target.split()), links(sure), links(""))


def test_every_kind_that_looks_back_can_be_aligned(translator):
    examples = [aligned(source, target, "0-0 1-1") for source, target in zip(ENGLISH, FRENCH)]
    if not translator.model.decoder.looks_back:
        with pytest.raises(NoAttentionError):
            evaluate_alignment(translator, examples)
        return
    made = evaluate_alignment(translator, examples)
    assert made["sentences"] == len(ENGLISH) and all(0 <= made[name] <= 1 for name in ("aer", "precision", "recall"))
    for scores in (made, made["posterior"]):
        assert scores["short"] == {"to": 15} | {k: v for k, v in scores.items() if k not in ("short", "posterior")}
    long = aligned(" ".join(ENGLISH), FRENCH[0], "20-0")
    both = evaluate_alignment(translator, [*examples, long])
    assert both["short"] == made["short"] and both["sentences"] == made["sentences"] + 1
    alone = evaluate_alignment(translator, [long])
    assert "short" not in alone and "short" not in alone["posterior"]


@pytest.mark.parametrize("kind", ["additive", "multiplicative", "classic-attention"])
def test_what_was_cut_off_is_aligned_with_nothing(kind, translator):
    """A classic model links only tokens that it read; the others read all of a source."""
    source = " ".join(ENGLISH)
    read = translator.read([source])[0].words
    count = len(source.split())
    behind = range(len(read), count) if kind == "classic-attention" else range(count)
    assert len(behind) > 3, "the source is longer than the memory of a classic model"
    every = " ".join(f"{i}-{j}" for i in behind for j in range(len(FRENCH[0].split())))
    made = evaluate_alignment(translator, [aligned(source, FRENCH[0], every)])
    assert made["precision"] == (0 if kind == "classic-attention" else 1)


def test_reading_names_the_line(tmp_path):
    path = tmp_path / "gold.tsv"
    path.write_text("a b\tc\t0-0\t1-0\nd\te\t0-0\n", encoding="utf-8")
    first, second = read_alignments(path)
    assert (first.source_tokens, first.target_tokens, first.sure, first.possible) == (
        ("a", "b"), ("c",), links("0-0"), links("1-0"),
    )  # fmt: skip
    assert second.possible == frozenset()
    for line, part in (("a\tb\tx-0", "not two numbers"), ("a\tb\t1-0", "not there"), ("a\tb", "expected")):
        path.write_text(f"a\tb\t0-0\t\n{line}\n", encoding="utf-8")
        with pytest.raises(DataError, match=f"line 2.*{part}"):
            read_alignments(path)
