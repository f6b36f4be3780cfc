"""Scores against sacrebleu called directly, on outputs that no model had to make."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu
from sacremoses import MosesTokenizer

from seq2seq.data import Pair
from seq2seq.evaluation import LENGTH_BINS, by_length, columns, evaluate, validation_bleu
from seq2seq.translator import SearchError

PAIRS = [
    Pair("a man rides a red bike", ("Un homme fait du vélo rouge.", "Un homme roule sur un vélo rouge.")),
    Pair("two girls don't eat the apples in the old garden", ("Deux filles ne mangent pas les pommes du vieux jardin.",)),
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
        self.tokenizer, self.asked = tokenizer, []

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
    assert by_length(made, pairs) == [{"from": 1, "to": 7, "sentences": 4, "bleu": 100.0, "chrf": 100.0}]


def test_length_bins_share_out_the_sentences():
    rows = by_length(OUTPUTS, PAIRS)
    lengths = [len(pair.source.split()) for pair in PAIRS]
    assert sum(row["sentences"] for row in rows) == len(PAIRS)
    assert [(row["from"], row["to"]) for row in rows] == [(1, 7), (8, 14), (22, max(lengths))], "empty bins are left out"
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
