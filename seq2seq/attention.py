"""Attention mechanisms: how well does each memory vector fit what the decoder is about to write?

A new mechanism is one subclass of `Attention` that writes `score` (and `project`, if its keys are not the memory itself),
and one entry in `ATTENTIONS`: training, search, the page and its tab Inside take it from there.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from seq2seq.config import ModelConfig


class Note(Protocol):
    """Whoever wants to watch a step hands one in: it is told each value on the way, with its formula, where it is computed.

    shape: in letters, "(B, S)". A formula names the values that it is computed from, so that it also says which lead to
    which. Returns the value with which the step goes on: the same, or another one of its shape in its place.
    """

    def __call__(self, name: str, formula: str, shape: str, value: Tensor) -> Tensor: ...


def unnoted(name: str, formula: str, shape: str, value: Tensor) -> Tensor:
    """The note of every loop that only wants the outcome."""
    return value


class Attention(nn.Module):
    """Scores to weights to context: what all mechanisms share.

    formula: how `score` is computed from "embedded", "query" and "memory". paper: where that comes from.
    """

    formula = ""
    paper = ""

    def project(self, memory: Tensor) -> Tensor:
        """memory (B, S, H) -> keys (B, S, A): whatever of the score depends on the source alone, once a sentence."""
        return memory

    def score(self, embedded: Tensor, query: Tensor, keys: Tensor) -> Tensor:
        """embedded (B, E) last target piece, query (B, H) decoder state, keys (B, S, A) -> scores (B, S)"""
        raise NotImplementedError

    def forward(
        self, embedded: Tensor, query: Tensor, memory: Tensor, keys: Tensor, mask: Tensor, note: Note = unnoted
    ) -> tuple[Tensor, Tensor]:
        """-> context (B, H), the weighted mean of memory, and weights (B, S): each row sums to 1, padding gets 0."""
        note("memory", "encoder(source)", "(B, S, H)", memory)
        scores = note("scores", self.formula, "(B, S)", self.score(embedded, query, keys))
        scores = scores.masked_fill(~mask, float("-inf"))
        weights = note("weights", "softmax(scores)", "(B, S)", torch.softmax(scores, dim=-1, dtype=torch.float32))
        context = torch.bmm(weights.unsqueeze(1).to(memory.dtype), memory).squeeze(1)
        return note("context", "Σ weights · memory", "(B, H)", context), weights


class AdditiveAttention(Attention):
    """score = vᵀ tanh(W s + U h)  (Bahdanau et al. 2015, appendix A.1.2)"""

    formula = "vᵀ tanh(W query + U memory)"
    paper = "Bahdanau et al. 2015"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.key = nn.Linear(config.hidden_size, config.attention_size, bias=False)
        self.query = nn.Linear(config.hidden_size, config.attention_size)
        self.energy = nn.Linear(config.attention_size, 1, bias=False)

    def project(self, memory: Tensor) -> Tensor:
        return self.key(memory)

    def score(self, embedded: Tensor, query: Tensor, keys: Tensor) -> Tensor:
        return self.energy(torch.tanh(keys + self.query(query).unsqueeze(1))).squeeze(-1)


class MultiplicativeAttention(Attention):
    """score = sᵀ W h / H  (Luong et al. 2015, section 3.1, "general"); W h is the key, so A = H

    Divided by H, which a W could hold as well: without it one update moves all scores by dozens, softmax is one-hot from then
    on and nothing more is learned (we tried). Why H and not its root: s and W h come to be aligned (Yang et al. 2022).
    """

    formula = "queryᵀ W memory / H"
    paper = "Luong et al. 2015"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.key = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def project(self, memory: Tensor) -> Tensor:
        return self.key(memory) / memory.size(-1)

    def score(self, embedded: Tensor, query: Tensor, keys: Tensor) -> Tensor:
        return torch.bmm(keys, query.unsqueeze(2)).squeeze(2)


ATTENTIONS: dict[str, type[Attention]] = {"additive": AdditiveAttention, "multiplicative": MultiplicativeAttention}
