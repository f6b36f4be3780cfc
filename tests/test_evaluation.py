"""Scores against sacrebleu called directly, on outputs that no model had to make."""

from __future__ import annotations

import random

import numpy as np
import pytest
import sacrebleu
from sacremoses import MosesTokenizer

from seq2seq.data import Pair
from seq2seq.evaluation import (
    LENGTH_BINS,
    METRICS,
    bootstrap_difference,
    by_length,
    columns,
    corpus_score,
    evaluate,
    interval,
    joined,
    resampled,
    sentence_statistics,
    validation_bleu,
)
from seq2seq.translator import SearchError
from tests.conftest import tiny_model

PAIRS = [
    Pair("a man rides a red bike", ("Un homme fait du vélo rouge.", "Un homme roule sur un vélo rouge.")),
    Pair(
        "two girls don't eat the apples in the old garden", ("Deux filles ne mangent pas les pommes du vieux jardin.",)
    ),
    Pair("it is raining", ("Il pleut dehors aujourd'hui.", "Il pleut.", "La pluie tombe.")),
    Pair(" ".join(["a very long sentence"] * 6), ("Une phrase très longue " * 5 + ".",)),
]
OUTPUTS = [
    "Un Homme fait du vélo rouge.",
    "Deux filles mangent les pommes du vieux jardin .",
    "Il pleut aujourd'hui.",
    "Une phrase très longue, et longue, et très longue.",
]


class Fixed:
    """Stands in for a translator: gives OUTPUTS by source and remembers how it was asked."""

    def __init__(self, tokenizer):
        self.target_tokenizer, self.asked = tokenizer, []
        self.model = tiny_model("additive", 8)  # asked for its languages

    def texts(self, texts, **settings):
        self.asked.append(settings)
        known = {pair.source: output for pair, output in zip(PAIRS, OUTPUTS)}
        return [known[text] for text in texts]


@pytest.fixture
def fixed(tokenizer) -> Fixed:
    return Fixed(tokenizer)


def streams(pairs) -> list[list[str | None]]:
    most = max(len(pair.references) for pair in pairs)
    return [[pair.references[i] if len(pair.references) > i else None for pair in pairs] for i in range(most)]


def test_neighbours_are_joined_until_they_are_long():
    def pair(words: int, name: str) -> Pair:
        return Pair(" ".join([name] * words), (name.upper(), "not the first"))

    ten, five, thirty, fifty = (pair(n, name) for n, name in ((10, "a"), (5, "b"), (30, "c"), (50, "d")))
    made = joined([ten, five, ten, thirty, ten, fifty, thirty, ten])
    assert [one.source.split() for one in made] == [["a"] * 10 + ["b"] * 5 + ["a"] * 10, ["c"] * 30, ["c"] * 30]
    assert [one.references for one in made] == [("A B A",), ("C",), ("C",)]
    assert joined([ten]) == []


def test_columns_are_reference_streams():
    assert columns(PAIRS) == streams(PAIRS)
    assert [len(column) for column in columns(PAIRS)] == [4, 4, 4]
    assert columns(PAIRS)[2] == [None, None, "La pluie tombe.", None]


def test_bleu_and_chrf_are_sacrebleus(fixed):
    made = evaluate(fixed, PAIRS)
    assert made["bleu"] == pytest.approx(sacrebleu.corpus_bleu(OUTPUTS, streams(PAIRS)).score, abs=0.006)
    assert made["chrf"] == pytest.approx(sacrebleu.corpus_chrf(OUTPUTS, streams(PAIRS)).score, abs=0.006)
    assert 0 < made["bleu"] < 100 and made["sentences"] == len(PAIRS)
    assert "tok:13a" in made["signature"] and "case:mixed" in made["signature"]
    assert made["seconds"] >= 0 and made["tokens_per_second"] > 0
    assert validation_bleu(fixed, PAIRS) == pytest.approx(sacrebleu.corpus_bleu(OUTPUTS, streams(PAIRS)).score)


def test_papers_bleu_is_of_lower_cased_moses_tokens(fixed):
    moses = MosesTokenizer(lang="fr")

    def cut(text):
        return None if text is None else " ".join(moses.tokenize(text.lower(), escape=False))

    references = [[cut(r) for r in column] for column in streams(PAIRS)]
    expected = sacrebleu.corpus_bleu([cut(o) for o in OUTPUTS], references, tokenize="none", force=True).score
    made = evaluate(fixed, PAIRS)
    assert made["bleu_lower_tok"] == pytest.approx(expected, abs=0.006)
    assert made["bleu_lower_tok"] != made["bleu"]


def test_perfect_outputs_score_100():
    pairs = [Pair("x y z", (output + " Encore quatre mots ici.",)) for output in OUTPUTS]

    class Perfect(Fixed):
        def texts(self, texts, **settings):
            return [pair.references[0] for pair in pairs]

    made = Perfect(None).texts([])
    intervals = {"bleu_interval": [100.0, 100.0], "chrf_interval": [100.0, 100.0]}
    assert by_length(made, pairs) == [{"from": 1, "to": 7, "sentences": 4, "bleu": 100.0, "chrf": 100.0, **intervals}]


def test_length_bins_share_out_the_sentences():
    rows = by_length(OUTPUTS, PAIRS)
    lengths = [len(pair.source.split()) for pair in PAIRS]
    assert sum(row["sentences"] for row in rows) == len(PAIRS)
    assert [(row["from"], row["to"]) for row in rows] == [(1, 7), (8, 14), (22, max(lengths))], (
        "empty bins are left out"
    )
    for row in rows:
        chosen = [i for i, n in enumerate(lengths) if row["from"] <= n <= row["to"]]
        refs = streams([PAIRS[i] for i in chosen])
        assert row["bleu"] == pytest.approx(sacrebleu.corpus_bleu([OUTPUTS[i] for i in chosen], refs).score, abs=0.006)
        assert row["chrf"] == pytest.approx(sacrebleu.corpus_chrf([OUTPUTS[i] for i in chosen], refs).score, abs=0.006)


def test_bins_leave_no_gap():
    assert LENGTH_BINS[0][0] == 1 and LENGTH_BINS[-1][1] is None
    for (_, high), (low, _) in zip(LENGTH_BINS, LENGTH_BINS[1:]):
        assert low == high + 1


def test_the_beam_reaches_the_translator(fixed, translator):
    evaluate(fixed, PAIRS)
    evaluate(fixed, PAIRS, beam_size=7)
    assert [asked.get("beam_size", 1) for asked in fixed.asked] == [1, 7]
    with pytest.raises(SearchError):
        evaluate(translator, PAIRS, beam_size=0)


def test_a_model_is_scored_on_its_own_translations(translator):
    made = evaluate(translator, PAIRS, beam_size=3)
    outputs = [translator.translate(pair.source, beam_size=3).translation for pair in PAIRS]
    assert made["chrf"] == pytest.approx(sacrebleu.corpus_chrf(outputs, streams(PAIRS)).score, abs=0.006)
    assert np.isfinite(made["bleu"])


# -- bootstrap -----------------------------------------------------------------------------------------------------


def spoiled(count: int, share: float, seed: int = 0) -> tuple[list[str], list[Pair]]:
    """Outputs that lack about `share` of the words of their reference, and the pairs, some with a second reference."""
    chance = random.Random(seed)
    words = "le chat noir dort sous la table et un chien brun court dans le vieux jardin avec deux enfants".split()
    outputs, pairs = [], []
    for i in range(count):
        reference = [chance.choice(words) for _ in range(chance.randint(5, 12))]
        outputs.append(" ".join(word for word in reference if chance.random() > share))
        more = (" ".join(reversed(reference)),) * (i % 2)
        pairs.append(Pair("x " * (i % 30 + 1), (" ".join(reference), *more)))
    return outputs, pairs


@pytest.mark.parametrize("metric", METRICS)
def test_summed_statistics_give_sacrebleus_score(metric):
    for outputs, pairs in ((OUTPUTS, PAIRS), spoiled(50, 0.2)):
        made = corpus_score(metric, sentence_statistics(metric, outputs, pairs).sum(0))
        expected = METRICS[metric]().corpus_score(outputs, streams(pairs)).score
        assert made == pytest.approx(expected)


@pytest.mark.parametrize("metric", METRICS)
def test_a_resample_is_the_score_of_the_sentences_drawn(metric):
    outputs, pairs = spoiled(20, 0.2)
    counts = sentence_statistics(metric, outputs, pairs)
    drawn = [3, 3, 3, 7, 0, 19] + [11] * 14
    expected = METRICS[metric]().corpus_score([outputs[i] for i in drawn], streams([pairs[i] for i in drawn])).score
    assert corpus_score(metric, counts[drawn].sum(0)) == pytest.approx(expected)


@pytest.mark.parametrize("metric", METRICS)
def test_intervals_are_as_wide_as_sacrebleus(metric):
    outputs, pairs = spoiled(200, 0.2)
    low, high = interval(resampled(metric, sentence_statistics(metric, outputs, pairs)))
    theirs = METRICS[metric]().corpus_score(outputs, streams(pairs), n_bootstrap=1000)
    assert low < theirs.score < high
    assert (high - low) / 2 == pytest.approx(float(theirs._ci), rel=0.15)
    assert (high + low) / 2 == pytest.approx(float(theirs._mean), abs=0.3 * float(theirs._ci))


def test_intervals_stand_beside_every_score_and_hold_it(fixed, monkeypatch):
    outputs, pairs = spoiled(120, 0.3)
    monkeypatch.setattr(fixed, "texts", lambda texts, **settings: outputs)
    made = evaluate(fixed, pairs)
    for row in (made, *made["by_length"]):
        for metric in METRICS:
            low, high = row[f"{metric}_interval"]
            assert 0 <= low <= row[metric] <= high <= 100.01
    assert evaluate(fixed, pairs)["by_length"] == made["by_length"], "the draw is seeded"


def test_intervals_shrink_with_more_sentences():
    widths = []
    for count in (25, 100, 400, 1600):
        low, high = interval(resampled("bleu", sentence_statistics("bleu", *spoiled(count, 0.2))))
        widths.append(high - low)
    # With the square root of their number: each step halves them.
    for wide, narrow in zip(widths, widths[1:]):
        assert 0.3 * wide < narrow < 0.75 * wide


def test_one_sentence_has_an_interval_of_one_point():
    [row] = by_length(OUTPUTS[:1], PAIRS[:1])
    assert row["bleu_interval"] == [row["bleu"]] * 2 and row["chrf_interval"] == [row["chrf"]] * 2
    [empty] = by_length([""], PAIRS[:1])
    assert empty["bleu"] == 0 and empty["bleu_interval"] == [0, 0] and empty["chrf_interval"] == [0, 0]


@pytest.mark.parametrize("metric", METRICS)
def test_the_difference_is_right_minus_left(metric):
    good, pairs = spoiled(150, 0.1)
    bad = [" ".join(output.split()[::2]) for output in good]
    difference, low, high = bootstrap_difference(metric, bad, good, pairs)
    scores = [METRICS[metric]().corpus_score(outputs, streams(pairs)).score for outputs in (good, bad)]
    assert difference == pytest.approx(scores[0] - scores[1])
    assert 0 < low < difference < high
    turned = bootstrap_difference(metric, good, bad, pairs)
    assert turned == pytest.approx((-difference, -high, -low))
    assert bootstrap_difference(metric, good, good, pairs) == (0, 0, 0)


def test_the_difference_is_paired():
    """Both sides are the same but for one sentence in twenty: unpaired, the noise of the corpus would hide that."""
    left, pairs = spoiled(200, 0.3)
    right = [pair.references[0] if i % 20 == 0 else output for i, (output, pair) in enumerate(zip(left, pairs))]
    difference, low, high = bootstrap_difference("chrf", left, right, pairs)
    assert 0 < low < difference
    alone = interval(resampled("chrf", sentence_statistics("chrf", left, pairs)))
    assert high - low < alone[1] - alone[0]
