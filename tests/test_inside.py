"""What Inside shows is what the decoder computed, for every kind, with the formulas and shapes the decoder itself tells."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import Tensor

from seq2seq import inside
from seq2seq.attention import ATTENTIONS, Attention
from seq2seq.inside import MAX_STEPS, Inside, open_up, sources
from seq2seq.translator import TextError, Translator
from tests.conftest import UNSEEN, tiny_model
from tests.test_encoder import gru

EXPECTED = {
    "plain": "prev embedded old_hidden summary context combined hidden readout logits",
    "additive": "prev embedded old_hidden query memory scores weights context combined hidden readout logits",
    "multiplicative": "prev embedded old_hidden query memory scores weights context combined hidden readout logits",
    "classic-plain": "prev embedded old_hidden combined hidden log_probs",
    "classic-attention": "prev embedded old_hidden memory attn_scores attn_weights attn_applied concatenated combined hidden "
    "log_probs",
}
"""The path through each decoder, as the study note and the papers name its stations."""


@pytest.fixture
def opened(translator: Translator) -> Inside:
    return open_up(translator, UNSEEN[1])


def test_every_station_is_on_the_path(kind: str, opened: Inside) -> None:
    assert [value.name.replace(" ", "_") for value in opened.values] == EXPECTED[kind].split()


def test_the_steps_are_those_of_the_translation(opened: Inside) -> None:
    """The likeliest pieces, their probabilities and the attention rows: computed again, they are what was translated."""
    made = opened.translation
    assert len(opened.numbers) == min(MAX_STEPS, len(made.target_pieces)) == opened.all_steps
    last = opened.values[-1].name
    for t, numbers in enumerate(opened.numbers):
        log_probs = torch.log_softmax(torch.from_numpy(numbers[last])[0], dim=-1)
        assert float(log_probs.max()) >= made.token_log_probs[t] - 1e-5
        assert (log_probs - made.token_log_probs[t]).abs().min() < 1e-5
        if opened.weights:
            row = numbers[opened.weights][0]
            assert row.sum() == pytest.approx(1, abs=1e-5)
            np.testing.assert_allclose(row[: len(made.source_pieces)], made.attention_pieces[t], atol=1e-6)
    assert (opened.weights is None) == (made.attention is None)


def test_each_state_is_the_old_one_of_the_next_step(opened: Inside) -> None:
    for now, then in zip(opened.numbers, opened.numbers[1:]):
        np.testing.assert_array_equal(now["hidden"], then["old hidden"])


def test_shapes_in_letters_are_the_shapes_in_numbers(kind: str, translator: Translator, opened: Inside) -> None:
    config = translator.model.config
    sizes = {"B": 1, "1": 1, "V": config.vocab_size, "H": config.hidden_size, "2H": 2 * config.hidden_size}
    sizes |= {"E": config.embedding_size, "E+H": config.embedding_size + config.hidden_size}
    sizes |= {"S": len(opened.translation.source_pieces), "max_length": config.max_length}
    for value in opened.values:
        assert value.sizes == tuple(sizes[letter] for letter in value.letters), value.name
        assert value.shape == f"({', '.join(value.letters)}) = ({', '.join(map(str, value.sizes))})"
        assert all(numbers[value.name].shape == value.sizes for numbers in opened.numbers)


def test_the_classic_shapes_are_those_of_the_note(tokenizer) -> None:
    model = tiny_model("classic-attention", len(tokenizer), max_length=10)
    shown = {value.name: value.sizes for value in open_up(Translator(model, tokenizer), "A dog.").values}
    H = model.config.hidden_size
    assert shown["embedded"] == (1, 1, H) and shown["attn_weights"] == (1, 10)
    assert shown["attn_applied"] == (1, 1, H) and shown["concatenated"] == (1, 2 * H)


def evaluate(opened: Inside, translator: Translator, name: str, t: int) -> np.ndarray | None:
    """The value by its formula's text, where that is plain enough to be read by a program; None for the others."""
    values = {v.name: v for v in opened.values}
    numbers, formula = opened.numbers[t], values[name].formula
    named = [numbers[source].astype(float) for source in values[name].sources]
    if formula.startswith("softmax("):
        e = np.exp(named[0] - named[0].max())
        return e / e.sum()
    if formula == "old hidden":
        return named[0]
    if formula.startswith("[") and ";" in formula:
        return np.concatenate([part.reshape(1, -1) for part in named], axis=1)
    if formula.startswith("relu(") and len(named) == 1 and formula == f"relu({values[name].sources[0]})":
        return np.maximum(named[0], 0)
    if "· memory" in formula:
        return (named[0].reshape(-1)[:, None] * named[1][0]).sum(0)
    decoder = translator.model.decoder
    weight = {n: p.detach().double().numpy() for n, p in decoder.named_parameters()}
    if formula == "queryᵀ W memory / H":
        return named[1][0] @ weight["attention.key.weight"].T @ named[0][0] / named[0].size
    if formula == "vᵀ tanh(W query + U memory)":
        query = weight["attention.query.weight"] @ named[0][0] + weight["attention.query.bias"]
        return np.tanh(named[1][0] @ weight["attention.key.weight"].T + query) @ weight["attention.energy.weight"][0]
    if formula == "tanh(W [hidden ; context ; embedded])":
        return np.tanh(weight["readout.weight"] @ np.concatenate(named, axis=1)[0] + weight["readout.bias"])
    if formula == "GRU(combined, old hidden)":
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        gates = [weight.get(f"rnn.{n}", weight.get(f"gru.{n}_l0")) for n in names]
        return gru(named[0].ravel(), named[1].ravel(), *gates)
    if formula.startswith("summary,"):
        return named[0]
    return None


def test_a_formula_says_what_is_computed(kind: str, translator: Translator, opened: Inside) -> None:
    """Each formula that a program can read gives the numbers that stand under it, from the numbers it names."""
    checked = set()
    for t in range(len(opened.numbers)):
        for value in opened.values:
            expected = evaluate(opened, translator, value.name, t)
            if expected is not None:
                checked.add(value.name)
                np.testing.assert_allclose(opened.numbers[t][value.name].ravel(), expected.ravel(), atol=1e-5)
    least = {"plain": 4, "additive": 6, "multiplicative": 6, "classic-plain": 2, "classic-attention": 4}
    assert len(checked) >= least[kind], checked


def test_everything_leads_somewhere(opened: Inside) -> None:
    """Every value but the last is named by a later formula: nothing is shown that plays no part."""
    named = {name for value in opened.values for name in value.sources}
    assert {value.name for value in opened.values[:-1]} == named


def test_sources_are_whole_names() -> None:
    names = ["hidden", "old hidden", "attn_weights", "weights"]
    assert sources("GRU(combined, old hidden)", names) == ("old hidden",)
    assert sources("old hiddenᵀ W memory", names) == ("old hidden",)
    assert sources("attn_weights · memory", names) == ("attn_weights",)
    assert sources("[hidden ; weights ; hidden]", names) == ("hidden", "weights")
    assert sources("anything", []) == ()


def test_json_has_all_but_the_vocabulary(opened: Inside) -> None:
    made = json.loads(json.dumps(opened.to_dict(), allow_nan=False))
    for value, told in zip(opened.values, made["values"]):
        for t, step in enumerate(made["steps"]):
            if value.over_vocabulary:
                assert value.name not in step["numbers"]
                continue
            numbers = told["constant"] or step["numbers"][value.name]
            np.testing.assert_allclose(numbers, opened.numbers[t][value.name].ravel(), atol=0.00051)
    assert [step["written"] for step in made["steps"]] == list(opened.translation.target_pieces)
    assert [step["prev"] for step in made["steps"]] == ["<bos>", *opened.translation.target_pieces[:-1]]


def test_memory_is_told_once(kind: str, opened: Inside) -> None:
    constant = {value.name for value in opened.values if value.constant}
    expected = {"plain": {"summary", "context"}, "classic-plain": set()}
    assert constant == expected.get(kind, {"memory"})


def test_places_are_pieces_then_padding(kind: str, translator: Translator, opened: Inside) -> None:
    pieces = opened.translation.source_pieces
    if kind == "plain":
        assert opened.places == ("the whole sentence",)
    elif kind.startswith("classic"):
        room = translator.model.config.max_length
        assert opened.places == (*pieces, *["padding"] * (room - len(pieces)))
    else:
        assert opened.places == pieces


def test_long_translations_are_cut(monkeypatch: pytest.MonkeyPatch, translator: Translator) -> None:
    monkeypatch.setattr(inside, "MAX_STEPS", 1)
    opened = open_up(translator, UNSEEN[1])
    assert len(opened.numbers) == len(opened.to_dict()["steps"]) == 1 < opened.all_steps


def test_bad_text_is_refused(translator: Translator) -> None:
    with pytest.raises(TextError):
        open_up(translator, "   ")


class Distance(Attention):
    """A sixth mechanism, written as a newcomer would: how near are state and memory?"""

    formula = "−|old hidden − memory|²"
    paper = "Nobody 2026"

    def __init__(self, config) -> None:
        super().__init__()

    def score(self, embedded: Tensor, hidden: Tensor, keys: Tensor) -> Tensor:
        return -(keys - hidden.unsqueeze(1)).pow(2).sum(-1)


def test_a_sixth_mechanism_is_one_class_and_one_entry(monkeypatch: pytest.MonkeyPatch, tokenizer, tmp_path) -> None:
    """Training, checkpoint, search, the page's picture and Inside take it from the registry."""
    from seq2seq.config import ModelConfig, TrainConfig
    from seq2seq.demo import inside_view, models
    from seq2seq.demo.attention_view import view
    from seq2seq.training import train
    from tests import toy

    monkeypatch.setitem(ATTENTIONS, "distance", Distance)
    pairs = str(toy.write(tmp_path / "toy.tsv", toy.corpus(40)))
    out = tmp_path / "checkpoints" / "toy-distance"
    sizes = {"vocab_size": 80, "embedding_size": 8, "hidden_size": 8, "attention_size": 4}
    settings = TrainConfig(data=(pairs,), valid=(pairs,), max_steps=3, validate_every=3, batch_tokens=100)
    train(ModelConfig(kind="distance", **sizes), settings, out)

    monkeypatch.setattr(models, "CHECKPOINTS", tmp_path / "checkpoints")
    for cached in (models.names, models.load):
        cached.cache_clear()
    try:
        translator = models.translator("toy-distance")
        assert models.label("toy-distance") == "With attention (distance)"
        made = translator.translate("the dog sees the cat .", beam_size=3, n_best=2)
        np.testing.assert_allclose(made.attention.sum(1), 1, atol=1e-5)
        assert view(made)["figure"]["data"][0]["type"] == "heatmap"
        opened = open_up(translator, "the dog sees the cat .")
        shown = inside_view.inside_view(opened, "ours")
        scores = next(box for box in shown["boxes"] if box["name"] == "scores")
        assert scores["formula"] == Distance.formula and scores["sources"] == ["old hidden", "memory"]
        memory, old = opened.numbers[0]["memory"][0], opened.numbers[0]["old hidden"]
        np.testing.assert_allclose(opened.numbers[0]["scores"][0], -((memory - old) ** 2).sum(1), atol=1e-4)
    finally:
        for cached in (models.names, models.load):
            cached.cache_clear()
