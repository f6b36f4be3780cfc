"""Occlusion against one masked sentence at a time; agreement, summary and probabilities against their definitions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from seq2seq import translator as translator_module
from seq2seq.attention import unnoted
from seq2seq.classic import CLASSIC
from seq2seq.config import BOS, PAD, UNK
from seq2seq.explain import POSTERIOR, agreement, moved, occlusion, posterior, read_from, summary, word_probabilities
from seq2seq.model import Seq2Seq
from seq2seq.tokenizer import Tokenizer
from seq2seq.translator import SearchError, TextError, Translator
from tests.conftest import ENGLISH, FRENCH, UNSEEN, tiny_model

TEXT, TARGET = ENGLISH[2], FRENCH[2]
CHANGED = ("attention", "attention_pieces", "padding_weight", "warnings", "posterior")


class Blind(nn.Module):
    """An encoder that is told how long the source is and nothing else."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, src, src_lengths):
        return self.encoder(torch.full_like(src, UNK), src_lengths)


@pytest.fixture
def model(model: Seq2Seq) -> Seq2Seq:
    """As everywhere, but the classic kinds have the zero vector for `<pad>`, as every trained model of theirs has."""
    if model.config.classic:
        with torch.no_grad():
            model.encoder.embedding.weight[PAD] = 0
    return model


@pytest.fixture(params=["own", "given", "cut off"])
def translation(request, translator, monkeypatch):
    if request.param == "given":
        return translator.translate(TEXT, target=TARGET)
    if request.param == "cut off":
        monkeypatch.setattr(translator, "_limit", lambda source: 4)
    return translator.translate(UNSEEN[1])


@torch.inference_mode()
def forced_by_hand(
    model: Seq2Seq, source: list[int], target: list[int], hidden: list[bool] | None = None
) -> list[float]:
    """Log-probability of each target piece, one sentence and one step at a time; the embeddings of `hidden` pieces zeroed."""
    gaps = torch.tensor([hidden or [False] * len(source)])
    hook = model.encoder.embedding.register_forward_hook(lambda _, __, found: found.masked_fill(gaps.unsqueeze(-1), 0))
    encoded = model.encoder(torch.tensor([source]), torch.tensor([len(source)]))
    hook.remove()
    state = model.decoder.init_state(encoded)
    found, prev = [], BOS
    for id in target:
        step = model.decoder.step(torch.tensor([prev]), state)
        found.append(torch.log_softmax(step.logits[0], -1)[id].item())
        state, prev = step.state, id
    return found


def test_occlusion_is_one_masked_sentence_at_a_time(translator, translation):
    source = translator.tokenizer.encode(translation.text)
    vocabulary = translator.tokenizer.backend.get_vocab() | {"⁇": UNK}
    target = [vocabulary[piece] for piece in translation.target_pieces]
    base = forced_by_hand(translator.model, list(source.ids), target)
    expected = np.zeros((len(translation.target_words), len(translation.source_words)))
    for s in range(len(translation.source_words)):
        hidden = [of == s for of in source.word_of]
        masked = forced_by_hand(translator.model, list(source.ids), target, hidden)
        for t, piece_base, piece_masked in zip(translation.target_word_of, base, masked):
            expected[t, s] += piece_base - piece_masked
    made = occlusion(translator, translation)
    assert made.shape == expected.shape
    np.testing.assert_allclose(made, expected, atol=2e-4)
    assert np.abs(made).max() > 0.01, "the model reads its source, so masking must change something"


def test_batches_of_any_size_give_the_same(translator, translation, monkeypatch):
    whole = occlusion(translator, translation)
    monkeypatch.setattr(translator_module, "FORCED_LOGITS", 1)
    np.testing.assert_allclose(occlusion(translator, translation), whole, atol=2e-4)


def test_a_model_that_ignores_its_source_has_no_occlusion(translator):
    translator.model.encoder = Blind(translator.model.encoder)
    made = occlusion(translator, translator.translate(TEXT))
    np.testing.assert_allclose(made, 0, atol=1e-4)


def test_the_end_of_the_source_is_masked_too(translator):
    made = occlusion(translator, translator.translate(TEXT, target=TARGET))
    assert np.abs(made[:, -1]).max() > 1e-3


def test_rows_add_up_to_the_whole_log_probability(translator):
    translation = translator.translate(TEXT, target=TARGET)
    made = occlusion(translator, translation)
    source = translator.tokenizer.encode(TEXT)
    hidden = [of == 0 for of in source.word_of]
    target = translator.tokenizer.encode(TARGET).ids
    lost = translation.log_prob - sum(forced_by_hand(translator.model, list(source.ids), list(target), hidden))
    assert made[:, 0].sum() == pytest.approx(lost, abs=1e-3)


@pytest.mark.parametrize("kind", sorted(CLASSIC))
def test_a_cut_source_is_masked_as_far_as_it_was_read(translator):
    """One column for each word that was read, and none for those behind the cut."""
    translation = translator.translate(" ".join(ENGLISH), target=TARGET)
    [source] = translator.read([translation.text])
    made = occlusion(translator, translation)
    assert source.cut and made.shape == (len(translation.target_words), len(source.words))
    target = translator.tokenizer.encode(TARGET).ids
    last = [of == len(source.words) - 1 for of in source.word_of]
    lost = translation.log_prob - sum(forced_by_hand(translator.model, list(source.ids), list(target), last))
    assert made[:, -1].sum() == pytest.approx(lost, abs=1e-3) and abs(lost) > 0.01
    assert agreement(translation.attention, made) is None or 0 <= agreement(translation.attention, made) <= 1


def test_a_translation_of_other_words_is_refused(translator):
    translation = translator.translate(TEXT)
    with pytest.raises(ValueError, match="other words"):
        occlusion(translator, replace(translation, text=ENGLISH[0]))
    other = Tokenizer.train(ENGLISH * 3, vocab_size=60)
    stranger = Translator(tiny_model("plain", len(other)), other)
    with pytest.raises(ValueError, match="no piece"):
        occlusion(stranger, translator.translate(TEXT, target=TARGET))


def test_ids_of_pieces_are_those_they_were_made_of(tokenizer):
    for text in (*ENGLISH, *FRENCH, "unknown: 象 ☃"):
        ids = tokenizer.encode(text).ids
        assert tokenizer.ids(tokenizer.decode(ids).pieces) == ids


def test_agreement_counts_words_without_the_end():
    attention = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4], [0, 0, 1]])
    lost = np.array([[3.0, 0.1, -2.0], [0.5, 0.2, 0.0], [-1.0, 0.0, 0.1], [5, 0, 0]])
    assert agreement(attention, lost) == pytest.approx(2 / 3)
    assert agreement(attention, lost, finished=False) == pytest.approx(2 / 4)
    assert agreement(attention, attention) == 1
    assert agreement(attention[:, ::-1], attention[:, :]) < 1


def test_agreement_of_nothing():
    assert agreement(np.ones((1, 3)), np.ones((1, 3))) is None
    assert agreement(np.ones((0, 3)), np.ones((0, 3)), finished=False) is None
    assert agreement(None, np.ones((4, 3))) is None
    assert agreement(np.eye(4), np.zeros((4, 4))) == 0, "where nothing is needed, attention found nothing"
    with pytest.raises(ValueError, match="same words"):
        agreement(np.eye(4), np.eye(3))


def test_agreement_of_a_real_map(translator):
    translation = translator.translate(UNSEEN[1])
    finished = translation.target_words[-1] == "<eos>"
    made = agreement(translation.attention, occlusion(translator, translation), finished)
    assert (made is None) == (translation.attention is None or len(translation.target_words) == finished)
    assert made is None or 0 <= made <= 1


def test_summary_is_what_a_plain_decoder_reads(tokenizer):
    model = tiny_model("plain", len(tokenizer))
    made = summary(Translator(model, tokenizer), "  " + TEXT)
    ids = tokenizer.encode(TEXT).ids
    with torch.inference_mode():
        state = model.decoder.init_state(model.encoder(torch.tensor([ids]), torch.tensor([len(ids)])))
        context, _ = model.decoder.look(torch.zeros(1, model.config.embedding_size), state, unnoted)
    assert made.shape == (model.config.hidden_size,)
    np.testing.assert_allclose(made, context[0].numpy(), atol=1e-6)


def test_summary_of_a_classic_model_is_its_first_state(tokenizer):
    model = tiny_model("classic-plain", len(tokenizer))
    long = " ".join(ENGLISH)
    made = summary(Translator(model, tokenizer), long)
    ids = tokenizer.encode(long).first(model.config.max_length).ids
    with torch.inference_mode():
        state = model.decoder.init_state(model.encoder(torch.tensor([ids]), torch.tensor([len(ids)])))
    np.testing.assert_allclose(made, state.hidden[0].numpy(), atol=1e-6)


def test_every_kind_has_a_summary(translator):
    assert summary(translator, TEXT).shape == (translator.model.config.hidden_size,)
    with pytest.raises(TextError):
        summary(translator, " ")


def test_word_probabilities_are_products_over_pieces(translator, translation):
    expected = [1.0] * len(translation.target_words)
    for word, log_prob in zip(translation.target_word_of, translation.token_log_probs):
        expected[word] *= np.exp(log_prob)
    made = word_probabilities(translation)
    assert made == pytest.approx(expected) and all(type(p) is float and 0 <= p <= 1 for p in made)
    assert np.prod(made) == pytest.approx(np.exp(translation.log_prob))


# -- where a word was read from, once it is known ------------------------------------------------------------------


@torch.inference_mode()
def posterior_by_hand(translator: Translator, source: list[int], target: list[int]) -> np.ndarray:
    """(T, places): Bayes' rule, one place and one step at a time. A place is read alone by hiding all others from a step whose
    memory is that place in every slot: then no weights can matter."""
    model = translator.model
    state = model.decoder.init_state(model.encoder(torch.tensor([source]), torch.tensor([len(source)])))
    rows, prev = [], BOS
    for id in target:
        step = model.decoder.step(torch.tensor([prev]), state)
        weights = step.weights[0].tolist()
        likely = []
        for s in range(len(weights)):
            only = state._replace(memory=state.memory[:, s : s + 1].expand_as(state.memory))
            likely.append(torch.softmax(model.decoder.step(torch.tensor([prev]), only).logits[0], -1)[id].item())
        joint = np.array(weights) * np.array(likely)
        rows.append(joint / joint.sum())
        state, prev = step.state, id
    return np.stack(rows)


def test_posterior_is_bayes_rule(translator, translation):
    if not translator.model.decoder.looks_back:
        with pytest.raises(SearchError, match="has no attention"):
            posterior(translator, translation)
        return
    made = posterior(translator, translation)
    source = list(translator.read([translation.text])[0].ids)
    target = translator.target_tokenizer.ids(translation.target_pieces)
    expected = posterior_by_hand(translator, source, target)
    np.testing.assert_allclose(made.attention_pieces, expected[:, : len(source)], atol=1e-5)
    assert np.abs(made.attention_pieces - translation.attention_pieces).max() > 1e-4, "the piece says something"
    rows = made.attention.sum(axis=1) + (0 if made.padding_weight is None else made.padding_weight)
    np.testing.assert_allclose(rows, 1, atol=1e-5)
    assert made.posterior and made.warnings == (*translation.warnings, POSTERIOR) and made.to_dict()["posterior"]
    unchanged = replace(made, **{name: getattr(translation, name) for name in CHANGED})
    assert unchanged.to_dict() == translation.to_dict()


def test_where_every_place_says_the_same_the_posterior_is_attention(translator, translation):
    """A likelihood that is equal everywhere is no evidence."""
    if not translator.model.decoder.looks_back:
        return

    class Uniform(nn.Module):
        def __init__(self, encoder: nn.Module) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, src, src_lengths):
            encoded = self.encoder(src, src_lengths)
            return encoded._replace(memory=encoded.memory[:, :1].expand_as(encoded.memory).contiguous())

    translator.model.encoder = Uniform(translator.model.encoder)
    again = translator.translate(translation.text, target=TARGET)
    made = posterior(translator, again)
    np.testing.assert_allclose(made.attention_pieces, again.attention_pieces, atol=1e-5)


def test_places_read_in_parts_give_the_same(translator, translation, monkeypatch):
    if translator.model.decoder.looks_back:
        whole = posterior(translator, translation)
        monkeypatch.setattr("seq2seq.explain.READ_AT_ONCE", 3)
        np.testing.assert_allclose(posterior(translator, translation).attention, whole.attention, atol=1e-6)


def test_a_translation_of_other_words_has_no_posterior_here(translator, translation):
    if translator.model.decoder.looks_back:
        with pytest.raises(ValueError, match="reads other words"):
            posterior(translator, replace(translation, source_words=("other",)))


def test_words_that_were_read_elsewhere_are_told(tokenizer, monkeypatch):
    translator = Translator(tiny_model("additive", len(tokenizer)), tokenizer)
    made = translator.translate(TEXT, target=TARGET)
    before = replace(made, attention=np.eye(*made.attention.shape, dtype=np.float32))
    other = before.attention.copy()
    other[1] = np.roll(other[1], 1)
    after = replace(before, attention=other, posterior=True)
    assert moved(before, after) == [(1, 1, 2)] and moved(after, after) == []
    monkeypatch.setattr("seq2seq.explain.posterior", lambda _, one: after)
    found, said = read_from(translator, before)
    source, target = made.source_words, made.target_words
    assert found is after and f"“{target[1]}” from “{source[2]}”, not from “{source[1]}”" in said
    assert "Every word" in read_from(translator, after)[1]
    with pytest.raises(TextError, match="^Reading each word .* too long"):
        read_from(translator, translator.translate("dog " * 240))
