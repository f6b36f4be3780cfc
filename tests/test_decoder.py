"""One decoding step against its equations in plain numpy, and the laws that every decoder obeys."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import Tensor

from seq2seq.attention import ATTENTIONS
from seq2seq.classic import CLASSIC
from seq2seq.config import BOS, EOS
from seq2seq.data import pad_ids
from seq2seq.decoder import DecoderState
from seq2seq.encoder import Encoded
from seq2seq.model import decoder_class
from tests.conftest import tiny_model
from tests.test_attention import EQUATIONS
from tests.test_encoder import gru

SOURCES = [[4, 5, 6, EOS], [7, EOS], [8, 9, 4, 4, 5, EOS]]
V = 12


@pytest.fixture
def model(kind):
    return tiny_model(kind, V, sharp=1.0)


def begin(model, sources=SOURCES) -> tuple[DecoderState, Encoded]:
    src, lengths = pad_ids(sources)
    with torch.no_grad():
        encoded = model.encoder(src, lengths)
        return model.decoder.init_state(encoded), encoded


def step(model, prev, state):
    with torch.no_grad():
        return model.decoder.step(torch.as_tensor(prev), state)


def values(module) -> dict[str, np.ndarray]:
    return {name: p.detach().double().numpy() for name, p in module.named_parameters()}


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max())
    return e / e.sum()


@pytest.mark.parametrize(
    ("kind", "query_prev"), [("plain", False), *((kind, prev) for kind in EQUATIONS for prev in (False, True))]
)
def test_three_steps_are_the_equations(kind, query_prev):
    """hidden = GRU([e ; c], hidden); logits = E tanh(W [hidden ; c ; e]) + b, with c by Bahdanau, by Luong, or the fixed
    summary; asked with hidden, or with hidden + P e."""
    model = tiny_model(kind, V, sharp=1.0, query_prev=query_prev)
    w = values(model.decoder)
    table = w["embedding.weight"]
    state, encoded = begin(model)
    targets = [[BOS, BOS, BOS], [4, 7, EOS], [9, 9, 5]]
    hidden = [np.tanh(w["bridge.weight"] @ row + w["bridge.bias"]) for row in encoded.summary.double().numpy()]
    for prev in targets:
        made = step(model, prev, state)
        state = made.state
        for b, source in enumerate(SOURCES):
            embedded = table[prev[b]] * table.shape[1] ** 0.5
            if kind == "plain":
                context = encoded.summary[b].double().numpy()
                assert made.weights is None
            else:
                memory = encoded.memory[b, : len(source)].double().numpy()
                own = {name.removeprefix("attention."): value for name, value in w.items()}
                query = hidden[b] + w["query_prev.weight"] @ embedded if query_prev else hidden[b]
                weights = softmax(np.array([EQUATIONS[kind](own, query, h) for h in memory]))
                np.testing.assert_allclose(made.weights[b, : len(source)], weights, atol=1e-5)
                context = weights @ memory
            names = ("rnn.weight_ih", "rnn.weight_hh", "rnn.bias_ih", "rnn.bias_hh")
            hidden[b] = gru(np.concatenate([embedded, context]), hidden[b], *(w[name] for name in names))
            readout = np.tanh(w["readout.weight"] @ np.concatenate([hidden[b], context, embedded]) + w["readout.bias"])
            np.testing.assert_allclose(made.state.hidden[b], hidden[b], atol=1e-5)
            np.testing.assert_allclose(made.logits[b], table @ readout + w["bias"], atol=1e-4)


def test_a_step_changes_nothing_but_what_it_returns(model):
    """Pure: the state handed in, the weights and the module stay, and the same call gives the same answer."""
    state, _ = begin(model)
    before = [part.clone() for part in state]
    parameters = {name: p.clone() for name, p in model.named_parameters()}
    attributes = {name: set(vars(module)) for name, module in model.named_modules()}
    prev = torch.tensor([4, 5, 6])
    first, other, again = step(model, prev, state), step(model, [7, 8, 9], state), step(model, prev, state)
    assert all(torch.equal(part, kept) for part, kept in zip(state, before, strict=True))
    assert prev.tolist() == [4, 5, 6]
    assert all(torch.equal(p, parameters[name]) for name, p in model.named_parameters())
    assert {name: set(vars(module)) for name, module in model.named_modules()} == attributes, (
        "nothing was kept on a module"
    )
    assert torch.equal(first.logits, again.logits) and torch.equal(first.state.hidden, again.state.hidden)
    assert first.weights is None or torch.equal(first.weights, again.weights)
    assert not torch.equal(first.state.hidden, other.state.hidden), "the piece before matters"
    assert not torch.equal(first.state.hidden, state.hidden)


def test_forced_decoding_is_its_steps(model):
    state, _ = begin(model)
    prev = torch.tensor([[BOS, 4, 5, 6], [BOS, 7, 8, 9], [BOS, 4, 4, 4]])
    with torch.no_grad():
        logits, weights = model.decoder(prev, state)
    for t in range(prev.size(1)):
        made = step(model, prev[:, t], state)
        state = made.state
        torch.testing.assert_close(logits[:, t], made.logits)
        if weights is None:
            assert made.weights is None
        else:
            torch.testing.assert_close(weights[:, t], made.weights)


def test_a_selected_state_goes_on_as_its_hypothesis(model):
    state, _ = begin(model)
    state = step(model, [BOS] * 3, state).state
    picked = step(model, [5, 6, 5, 4], state.select(torch.tensor([2, 0, 2, 1])))
    rows = step(model, [6, 4, 5], state)
    for row, source in enumerate([2, 0, 2, 1]):
        torch.testing.assert_close(picked.logits[row], rows.logits[source])
        torch.testing.assert_close(picked.state.hidden[row], rows.state.hidden[source])


def test_padding_and_batch_order_change_nothing(model):
    prev = torch.tensor([[BOS, 4], [BOS, 7], [BOS, 9]])
    with torch.no_grad():
        together, weights = model.decoder(prev, begin(model)[0])
        backwards, _ = model.decoder(prev.flip(0), begin(model, SOURCES[::-1])[0])
        torch.testing.assert_close(backwards.flip(0), together)
        for b, source in enumerate(SOURCES):
            logits, rows = model.decoder(prev[b : b + 1], begin(model, [source])[0])
            torch.testing.assert_close(logits[0], together[b])
            if weights is not None:
                torch.testing.assert_close(rows[0][:, : len(source)], weights[b][:, : len(source)])


@pytest.mark.parametrize("kind", sorted(ATTENTIONS))
def test_each_step_has_one_weight_a_source_piece(kind):
    model = tiny_model(kind, V)
    made = step(model, [BOS] * 3, begin(model)[0])
    torch.testing.assert_close(made.weights.sum(-1), torch.ones(3))
    for b, source in enumerate(SOURCES):
        assert not made.weights[b, len(source) :].any()


def test_classic_weights_see_positions_and_not_what_stands_there():
    model = tiny_model("classic-attention", V, max_length=9)
    state, _ = begin(model)
    other = state._replace(memory=torch.randn_like(state.memory))
    mine, theirs = step(model, [4, 5, 6], state), step(model, [4, 5, 6], other)
    assert torch.equal(mine.weights, theirs.weights)
    assert not torch.allclose(mine.logits, theirs.logits), "what was read there does matter"


def test_every_source_piece_reaches_the_logits(model):
    """Even the plain decoder's one vector depends on all of the source."""
    state, _ = begin(model, [[4, 5, 6, 7, EOS]])
    base = step(model, [BOS], state).logits
    for position in range(4):
        source = [4, 5, 6, 7, EOS]
        source[position] = 10
        changed = step(model, [BOS], begin(model, [source])[0]).logits
        assert (changed - base).abs().max() > 1e-4


def test_kinds_are_classes_of_decoders(kind, model):
    assert type(model.decoder) is decoder_class(kind)
    assert (step(model, [BOS] * 3, begin(model)[0]).weights is None) == (kind == "plain" or kind.endswith("-plain"))
    assert model.decoder.looks_back == (not kind.endswith("plain"))
    with pytest.raises(ValueError, match=kind):
        decoder_class("nonsense")


# -- what a step tells of itself -----------------------------------------------------------------------------------


class Watched:
    """A note that keeps what it is told: name, formula, shape and a copy of the value as it was then."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str, Tensor]] = []

    def __call__(self, name: str, formula: str, shape: str, value: Tensor) -> Tensor:
        self.told.append((name, formula, shape, value.clone()))
        return value

    @property
    def values(self) -> dict[str, Tensor]:
        return {name: value for name, _, _, value in self.told}


def measured(shape: str, sizes: dict[str, int]) -> tuple[int, ...]:
    """A shape in letters, such as (1, B, E+2H), in numbers."""

    def term(text: str) -> int:
        count, letter = re.fullmatch(r"(\d*)([A-Za-z_]*)", text).groups()
        return int(count or 1) * (sizes[letter] if letter else 1)

    assert re.fullmatch(r"\(.+\)", shape)
    return tuple(sum(map(term, side.split("+"))) for side in shape[1:-1].split(", "))


SIZES = {"B": 3, "S": 6, "E": 7, "H": 10, "V": 13, "max_length": 11}
"""All different, also E + H and 2 H, so that no letter can stand for another; S is the longest of SOURCES."""


@pytest.fixture
def watched(kind):
    """A model of SIZES, two steps watched, and the same two steps unwatched."""
    names = {"E": "embedding_size", "H": "hidden_size", "max_length": "max_length"}
    sizes = {name: SIZES[letter] for letter, name in names.items()}
    if kind in CLASSIC:
        sizes["embedding_size"] = sizes["hidden_size"]
    model = tiny_model(kind, SIZES["V"], sharp=1.0, **sizes)
    state, _ = begin(model)
    steps = []
    for prev in ([BOS, 4, 5], [6, 7, 8]):
        note = Watched()
        with torch.no_grad():
            seen = model.decoder.step(torch.tensor(prev), state, note)
        steps.append((note, seen, step(model, prev, state), state))
        state = seen.state
    return steps


def test_watching_a_step_changes_no_bit_of_it(watched):
    for _, seen, unseen, _ in watched:
        assert torch.equal(seen.logits, unseen.logits)
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(seen.state, unseen.state, strict=True))
        assert (seen.weights is None) == (unseen.weights is None)
        assert seen.weights is None or torch.equal(seen.weights, unseen.weights)


def test_every_value_of_a_step_has_a_name_a_formula_and_its_real_shape(kind, watched):
    # A classic memory has `max_length` places, whichever letter says so.
    sizes = SIZES | ({"S": SIZES["max_length"]} if kind in CLASSIC else {})
    for note, *_ in watched:
        names = [name for name, *_ in note.told]
        assert len(set(names)) == len(names) >= 5
        for name, formula, shape, value in note.told:
            assert name.strip() and formula.strip()
            assert measured(shape, sizes) == tuple(value.shape), f"{name} is {tuple(value.shape)} and not {shape}"
    assert [told[:3] for told in watched[0][0].told] == [told[:3] for told in watched[1][0].told], (
        "each step tells of the same values"
    )


def test_what_a_step_tells_is_what_it_does(watched):
    """The values that come out are among those told, the state that went in too, and nothing was altered afterwards."""
    for note, seen, _, state in watched:
        told = note.values
        assert torch.equal(note.told[-1][-1], seen.logits), "the last value is the outcome"
        assert torch.equal(told["hidden"].reshape_as(seen.state.hidden), seen.state.hidden)
        assert torch.equal(told["old hidden"].reshape_as(state.hidden), state.hidden)
        if seen.weights is None:
            assert not any("weights" in name for name in told)
        else:
            assert any(
                value.shape == seen.weights.shape and torch.equal(value, seen.weights) for value in told.values()
            )
            assert torch.equal(told["memory"], state.memory)


def test_the_first_state_is_told_as_well(model):
    _, encoded = begin(model)
    note = Watched()
    with torch.no_grad():
        watched, unwatched = model.decoder.init_state(encoded, note), model.decoder.init_state(encoded)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(watched, unwatched, strict=True))
    [(name, formula, shape, value)] = note.told
    assert name == "hidden" and formula.strip()
    assert measured(shape, {"B": 3, "H": model.config.hidden_size}) == tuple(value.shape)
    assert torch.equal(value.reshape_as(watched.hidden), watched.hidden)
