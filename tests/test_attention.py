"""Attention against its papers' equations in float64, and the laws every mechanism obeys."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from seq2seq.attention import ATTENTIONS, AdditiveAttention, Attention
from seq2seq.model import kinds
from tests.conftest import tiny_config

B, S = 3, 5
MASK = torch.tensor([[True] * 5, [True] * 2 + [False] * 3, [True] + [False] * 4])
EQUATIONS = {
    "additive": lambda w, s, h: (
        w["energy.weight"][0] @ np.tanh(w["query.weight"] @ s + w["query.bias"] + w["key.weight"] @ h)
    ),
    "multiplicative": lambda w, s, h: s @ w["key.weight"] @ h / h.size,
}
"""Weights, decoder state s (H,) and one memory vector h (H,) -> the score, as the paper writes it."""


def inputs(config, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """embedded (B, E), hidden (B, H), memory (B, S, H)"""
    torch.manual_seed(seed)
    E, H = config.embedding_size, config.hidden_size
    return torch.randn(B, E), torch.randn(B, H), torch.randn(B, S, H)


def look(attention: Attention, embedded: Tensor, hidden: Tensor, memory: Tensor, mask: Tensor = MASK):
    with torch.no_grad():
        return attention(embedded, hidden, memory, attention.project(memory), mask)


@pytest.fixture(params=sorted(ATTENTIONS))
def mechanism(request) -> Attention:
    torch.manual_seed(3)
    return ATTENTIONS[request.param](tiny_config(request.param, 12))


def test_additive_is_bahdanaus_in_plain_loops():
    """e_j = v . tanh(W s + U h_j), alpha = softmax(e), c = sum_j alpha_j h_j, number by number."""
    config = tiny_config("additive", 12)
    torch.manual_seed(4)
    attention = AdditiveAttention(config)
    embedded, hidden, memory = inputs(config)
    context, weights = look(attention, embedded, hidden, memory)
    U = attention.key.weight.tolist()
    W, bias = attention.query.weight.tolist(), attention.query.bias.tolist()
    v = attention.energy.weight.tolist()[0]
    A, H = config.attention_size, config.hidden_size
    for b in range(B):
        h, s = memory[b].tolist(), hidden[b].tolist()
        length = int(MASK[b].sum())
        scores = []
        for j in range(length):
            score = 0.0
            for a in range(A):
                inner = bias[a]
                for i in range(H):
                    inner += W[a][i] * s[i] + U[a][i] * h[j][i]
                score += v[a] * math.tanh(inner)
            scores.append(score)
        total = sum(math.exp(score) for score in scores)
        alpha = [math.exp(score) / total for score in scores] + [0.0] * (S - length)
        np.testing.assert_allclose(weights[b], alpha, atol=1e-5)
        expected = [sum(alpha[j] * h[j][i] for j in range(S)) for i in range(H)]
        np.testing.assert_allclose(context[b], expected, atol=1e-5)


@pytest.mark.parametrize("kind", sorted(ATTENTIONS))
@pytest.mark.parametrize("sizes", [{}, {"hidden_size": 48, "attention_size": 33}], ids=["tiny", "wide"])
def test_a_mechanism_is_its_equation_in_float64(kind, sizes):
    """The score of each memory vector by the paper, their softmax, and the mean of memory by those weights."""
    config = tiny_config(kind, 12, **sizes)
    torch.manual_seed(5)
    attention = ATTENTIONS[kind](config)
    embedded, hidden, memory = inputs(config, seed=6)
    context, weights = look(attention, embedded, hidden, memory)
    w = {name: parameter.detach().double().numpy() for name, parameter in attention.named_parameters()}
    s, h = hidden.double().numpy(), memory.double().numpy()
    for b in range(B):
        length = int(MASK[b].sum())
        with torch.no_grad():
            scored = attention.score(embedded, hidden, attention.project(memory))[b, :length]
        scores = np.array([EQUATIONS[kind](w, s[b], h[b, j]) for j in range(length)])
        np.testing.assert_allclose(scored, scores, atol=1e-5)
        alpha = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        np.testing.assert_allclose(weights[b], np.append(alpha, np.zeros(S - length)), atol=1e-5)
        np.testing.assert_allclose(context[b], alpha @ h[b, :length], atol=1e-5)


def test_rows_sum_to_one_and_padding_gets_nothing(mechanism):
    config = tiny_config("additive", 12)
    context, weights = look(mechanism, *inputs(config))
    assert weights.shape == (B, S) and weights.dtype == torch.float32
    torch.testing.assert_close(weights.sum(-1), torch.ones(B))
    assert (weights >= 0).all() and not weights[~MASK].any()
    torch.testing.assert_close(weights[2], torch.tensor([1.0, 0, 0, 0, 0])), "one word gets all"


def test_context_is_the_weighted_mean_of_memory(mechanism):
    embedded, hidden, memory = inputs(tiny_config("additive", 12))
    context, weights = look(mechanism, embedded, hidden, memory)
    torch.testing.assert_close(context, (weights.unsqueeze(-1) * memory).sum(1))


def test_what_stands_on_padding_changes_nothing(mechanism):
    embedded, hidden, memory = inputs(tiny_config("additive", 12))
    poisoned = torch.where(MASK.unsqueeze(-1), memory, torch.tensor(1e3))
    for clean, dirty in zip(look(mechanism, embedded, hidden, memory), look(mechanism, embedded, hidden, poisoned)):
        torch.testing.assert_close(clean, dirty)


def test_weights_move_with_the_words(mechanism):
    """Content decides, not position: memory in another order gives the same weights in that order."""
    embedded, hidden, memory = inputs(tiny_config("additive", 12))
    everything = torch.ones(B, S, dtype=torch.bool)
    order = torch.tensor([3, 0, 4, 2, 1])
    context, weights = look(mechanism, embedded, hidden, memory, everything)
    moved_context, moved = look(mechanism, embedded, hidden, memory[:, order], everything)
    torch.testing.assert_close(moved, weights[:, order])
    torch.testing.assert_close(moved_context, context)


def test_a_mechanism_says_how_it_scores():
    with pytest.raises(NotImplementedError):
        Attention().score(torch.zeros(1, 2), torch.zeros(1, 2), torch.zeros(1, 1, 2))


def test_every_mechanism_can_be_chosen_and_has_its_equation_here():
    assert ATTENTIONS.keys() <= set(kinds())
    assert ATTENTIONS.keys() == EQUATIONS.keys()


def test_every_mechanism_has_a_formula_and_a_paper(mechanism):
    assert mechanism.formula.strip() and mechanism.paper.strip()
