"""Decoders. Everything one does happens in `step`, a pure function of the last piece and a state that is handed on."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.attention import ATTENTIONS
from seq2seq.config import ModelConfig
from seq2seq.encoder import Embedding, Encoded


class DecoderState(NamedTuple):
    """What a decoder knows before it writes the next piece of B hypotheses.

    hidden (B, H): what it remembers. memory (B, S, H), keys (B, S, A), mask (B, S): what it may look at; a decoder
    without attention has one vector there, S = 1.
    """

    hidden: Tensor
    memory: Tensor
    keys: Tensor
    mask: Tensor

    def select(self, index: Tensor) -> DecoderState:
        """The states of hypotheses `index` (N,), in that order; one may be taken more than once."""
        return DecoderState(*(part.index_select(0, index) for part in self))


class Step(NamedTuple):
    """One step's outcome: logits (B, V), the state for the next step, and weights (B, S) or None without attention."""

    logits: Tensor
    state: DecoderState
    weights: Tensor | None


class Decoder(nn.Module):
    """The plain decoder: a GRU that is given the same summary of the source at every step (Cho et al. 2014).

    hidden = GRU([embedded ; context], hidden); logits = Eᵀ tanh(W [hidden ; context ; embedded]) with tied embeddings E.
    Subclasses change only what the context is.
    """

    def __init__(self, config: ModelConfig, embedding: Embedding) -> None:
        super().__init__()
        self.embedding = embedding
        E, H = config.embedding_size, config.hidden_size
        self.bridge = nn.Linear(H, H)
        self.rnn = nn.GRUCell(E + H, H)
        self.readout = nn.Linear(H + H + E, E)
        self.dropout = nn.Dropout(config.dropout)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def init_state(self, encoded: Encoded) -> DecoderState:
        """The state before the first piece: hidden = tanh(W summary), one memory vector to look at: the summary."""
        memory = encoded.summary.unsqueeze(1)
        return DecoderState(torch.tanh(self.bridge(encoded.summary)), memory, memory, encoded.mask[:, :1])

    def look(self, embedded: Tensor, state: DecoderState) -> tuple[Tensor, Tensor | None]:
        """embedded (B, E) -> context (B, H), weights (B, S) or None"""
        return state.memory.squeeze(1), None

    def step(self, prev: Tensor, state: DecoderState) -> Step:
        """prev (B,) ids of the pieces written last -> Step"""
        embedded = self.embedding(prev)
        context, weights = self.look(embedded, state)
        hidden = self.rnn(torch.cat([embedded, context], dim=-1), state.hidden)
        readout = torch.tanh(self.readout(torch.cat([self.dropout(hidden), context, embedded], dim=-1)))
        logits = F.linear(self.dropout(readout), self.embedding.weight, self.bias)
        return Step(logits, state._replace(hidden=hidden), weights)

    def forward(self, prev: Tensor, state: DecoderState) -> tuple[Tensor, Tensor | None]:
        """Forced decoding: prev (B, T) ids, whatever the model would have said -> logits (B, T, V), weights (B, T, S)"""
        logits, weights = [], []
        for column in prev.unbind(1):
            step = self.step(column, state)
            state = step.state
            logits.append(step.logits)
            weights.append(step.weights)
        return torch.stack(logits, 1), None if weights[0] is None else torch.stack(weights, 1)


class AttentionDecoder(Decoder):
    """A decoder that looks back at every source piece before each step (Bahdanau et al. 2015)."""

    def __init__(self, config: ModelConfig, embedding: Embedding) -> None:
        super().__init__(config, embedding)
        self.attention = ATTENTIONS[config.kind](config)

    def init_state(self, encoded: Encoded) -> DecoderState:
        """As the plain one, but all memory stays in sight."""
        hidden = torch.tanh(self.bridge(encoded.summary))
        return DecoderState(hidden, encoded.memory, self.attention.project(encoded.memory), encoded.mask)

    def look(self, embedded: Tensor, state: DecoderState) -> tuple[Tensor, Tensor]:
        return self.attention(embedded, state.hidden, state.memory, state.keys, state.mask)


DECODERS: dict[str, type[Decoder]] = {"plain": Decoder} | dict.fromkeys(ATTENTIONS, AttentionDecoder)
