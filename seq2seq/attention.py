"""Attention mechanisms: how well does each memory vector fit what the decoder is about to write?

A new mechanism is one subclass of `Attention` that writes `score` (and `project`, if its keys are not the memory itself),
and one entry in `ATTENTIONS`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seq2seq.config import ModelConfig


class Attention(nn.Module):
    """Scores to weights to context: what all mechanisms share."""

    def project(self, memory: Tensor) -> Tensor:
        """memory (B, S, H) -> keys (B, S, A): whatever of the score depends on the source alone, once a sentence."""
        return memory

    def score(self, embedded: Tensor, hidden: Tensor, keys: Tensor) -> Tensor:
        """embedded (B, E) last target piece, hidden (B, H) decoder state, keys (B, S, A) -> scores (B, S)"""
        raise NotImplementedError

    def forward(
        self, embedded: Tensor, hidden: Tensor, memory: Tensor, keys: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """-> context (B, H), the weighted mean of memory, and weights (B, S): each row sums to 1, padding gets 0."""
        scores = self.score(embedded, hidden, keys).masked_fill(~mask, float("-inf"))
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32)
        context = torch.bmm(weights.unsqueeze(1).to(memory.dtype), memory).squeeze(1)
        return context, weights


class AdditiveAttention(Attention):
    """score = vᵀ tanh(W s + U h)  (Bahdanau et al. 2015, appendix A.1.2)"""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.key = nn.Linear(config.hidden_size, config.attention_size, bias=False)
        self.query = nn.Linear(config.hidden_size, config.attention_size)
        self.energy = nn.Linear(config.attention_size, 1, bias=False)

    def project(self, memory: Tensor) -> Tensor:
        return self.key(memory)

    def score(self, embedded: Tensor, hidden: Tensor, keys: Tensor) -> Tensor:
        return self.energy(torch.tanh(keys + self.query(hidden).unsqueeze(1))).squeeze(-1)


ATTENTIONS: dict[str, type[Attention]] = {"additive": AdditiveAttention}
