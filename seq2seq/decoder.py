"""Decoders. Everything one does happens in `step`, a pure function of the last piece and a state that is handed on."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.attention import ATTENTIONS, Note, unnoted
from seq2seq.config import ModelConfig
from seq2seq.encoder import Embedding, Encoded


class DecoderState(NamedTuple):
    """What a decoder knows before it writes the next piece of B hypotheses.

    hidden (B, H): what it remembers. memory (B, S, H), keys (B, S, A), mask (B, S): what it may look at; the plain
    decoder has one vector there, S = 1.
    """

    hidden: Tensor
    memory: Tensor
    keys: Tensor
    mask: Tensor

    def select(self, index: Tensor) -> DecoderState:
        """The states of hypotheses `index` (N,), in that order; one may be taken more than once."""
        return DecoderState(*(part.index_select(0, index) for part in self))

    def follow(self, index: Tensor) -> DecoderState:
        """As `select`, for hypotheses that each stay with their sentence: what they may look at need not be copied."""
        return self._replace(hidden=self.hidden.index_select(0, index))


class Step(NamedTuple):
    """One step's outcome: logits (B, V), the state for the next step, and weights (B, S) or None without attention."""

    logits: Tensor
    state: DecoderState
    weights: Tensor | None


class Decoder(nn.Module):
    """What every decoder is: a state to begin with, and a step.

    looks_back: whether its steps have weights, and weights_name: under which name they are noted. about: what it is, in a
    clause for lists and model cards. may_end_at_once: whether a search may let it write nothing. A model that knows few
    texts of one word, such as "water", often would, and whoever asks for a translation wants its best guess.
    """

    looks_back = False
    weights_name = ""
    about = ""
    may_end_at_once = False

    @classmethod
    def describe(cls, kind: str) -> str:
        """The clause about a decoder of this class and `kind`."""
        return cls.about

    def init_state(self, encoded: Encoded, note: Note = unnoted) -> DecoderState:
        """The state before the first piece. `note` is told where "hidden" comes from."""
        raise NotImplementedError

    def step(self, prev: Tensor, state: DecoderState, note: Note = unnoted) -> Step:
        """prev (B,) ids of the pieces written last -> Step. Everything computed on the way is told to `note`."""
        raise NotImplementedError

    def forward(self, prev: Tensor, state: DecoderState) -> tuple[Tensor, Tensor | None]:
        """Forced decoding: prev (B, T) ids, whatever the model would have said -> logits (B, T, V), weights (B, T, S)"""
        logits, weights = [], []
        for column in prev.unbind(1):
            step = self.step(column, state)
            state = step.state
            logits.append(step.logits)
            weights.append(step.weights)
        return torch.stack(logits, 1), None if weights[0] is None else torch.stack(weights, 1)


class PlainDecoder(Decoder):
    """A GRU that is given the same summary of the source at every step (Cho et al. 2014). It cannot look back.

    hidden = GRU([embedded ; context], hidden); logits = Eᵀ tanh(W [hidden ; context ; embedded]) with tied embeddings E.
    Subclasses change only what the context is.
    """

    about = "a GRU decoder without attention: it is given one vector for the whole sentence (Cho et al. 2014)"

    def __init__(self, config: ModelConfig, embedding: Embedding) -> None:
        super().__init__()
        self.embedding = embedding
        E, H = config.embedding_size, config.hidden_size
        self.bridge = nn.Linear(H, H)
        self.rnn = nn.GRUCell(E + H, H)
        self.readout = nn.Linear(H + H + E, E)
        self.dropout = nn.Dropout(config.dropout)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def init_state(self, encoded: Encoded, note: Note = unnoted) -> DecoderState:
        """The state before the first piece: hidden = tanh(W summary), one memory vector to look at: the summary."""
        memory = encoded.summary.unsqueeze(1)
        return DecoderState(self.begin(encoded, note), memory, memory, encoded.mask[:, :1])

    def begin(self, encoded: Encoded, note: Note) -> Tensor:
        """The first hidden state (B, H), for all decoders that have a bridge."""
        return note("hidden", "tanh(W summary)", "(B, H)", torch.tanh(self.bridge(encoded.summary)))

    def look(self, embedded: Tensor, state: DecoderState, note: Note) -> tuple[Tensor, Tensor | None]:
        """embedded (B, E) -> context (B, H), weights (B, S) or None"""
        summary = note("summary", "where the encoder ended", "(B, H)", state.memory.squeeze(1))
        return note("context", "summary, the same at every step", "(B, H)", summary), None

    def step(self, prev: Tensor, state: DecoderState, note: Note = unnoted) -> Step:
        note("prev", "the piece written last", "(B)", prev)
        embedded = note("embedded", "√E · embedding[prev]", "(B, E)", self.embedding(prev))
        hidden, context, weights = self.advance(embedded, state, note)
        logits = self.write(hidden, context, embedded, note)
        return Step(logits, state._replace(hidden=hidden), weights)

    def advance(
        self, embedded: Tensor, state: DecoderState, note: Note = unnoted
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """The half of a step that the next one waits for: embedded (B, E) -> hidden and context (B, H), weights or None"""
        hidden = note("old hidden", "hidden, one step ago", "(B, H)", state.hidden)
        context, weights = self.look(embedded, state, note)
        combined = note("combined", "[embedded ; context]", "(B, E+H)", torch.cat([embedded, context], dim=-1))
        hidden = note("hidden", "GRU(combined, old hidden)", "(B, H)", self.rnn(combined, hidden))
        return hidden, context, weights

    def write(self, hidden: Tensor, context: Tensor, embedded: Tensor, note: Note = unnoted) -> Tensor:
        """The half that no other step waits for: hidden and context (..., H), embedded (..., E) -> logits (..., V)"""
        joined = torch.cat([self.dropout(hidden), context, embedded], dim=-1)
        readout = note("readout", "tanh(W [hidden ; context ; embedded])", "(B, E)", torch.tanh(self.readout(joined)))
        logits = F.linear(self.dropout(readout), self.embedding.weight, self.bias)
        return note("logits", "embeddingᵀ readout + b", "(B, V)", logits)

    def forward(self, prev: Tensor, state: DecoderState) -> tuple[Tensor, Tensor | None]:
        """As every decoder's, by the same two halves: all targets being known, what no step waits for is done for all at once.
        One large product for T small ones makes training a third faster."""
        embedded = self.embedding(prev)
        steps = []
        for column in embedded.unbind(1):
            steps.append(self.advance(column, state))
            state = state._replace(hidden=steps[-1][0])
        hidden, context, weights = zip(*steps)
        logits = self.write(torch.stack(hidden, 1), torch.stack(context, 1), embedded)
        return logits, None if weights[0] is None else torch.stack(weights, 1)


class AttentionDecoder(PlainDecoder):
    """A decoder that looks back at every source piece before each step (Bahdanau et al. 2015).

    It asks with its state, as in the paper; with `config.query_prev` also with the piece that it wrote last, of which the state
    does not know yet: query = hidden + P embedded. A conditional GRU (Sennrich et al. 2017, section 3) has the same end.
    """

    looks_back = True
    weights_name = "weights"

    @classmethod
    def describe(cls, kind: str) -> str:
        return f"a GRU decoder with {kind} attention ({ATTENTIONS[kind].paper})"

    def __init__(self, config: ModelConfig, embedding: Embedding) -> None:
        super().__init__(config, embedding)
        self.attention = ATTENTIONS[config.kind](config)
        self.query_prev = None
        if config.query_prev:
            self.query_prev = nn.Linear(config.embedding_size, config.hidden_size, bias=False)
            # So it begins as the paper's, and a model that was trained without it can go on with it.
            nn.init.zeros_(self.query_prev.weight)

    def init_state(self, encoded: Encoded, note: Note = unnoted) -> DecoderState:
        """As the plain one, but all memory stays in sight."""
        keys = self.attention.project(encoded.memory)
        return DecoderState(self.begin(encoded, note), encoded.memory, keys, encoded.mask)

    def look(self, embedded: Tensor, state: DecoderState, note: Note) -> tuple[Tensor, Tensor]:
        if self.query_prev is None:
            query = note("query", "old hidden", "(B, H)", state.hidden)
        else:
            query = note("query", "old hidden + P embedded", "(B, H)", state.hidden + self.query_prev(embedded))
        return self.attention(embedded, query, state.memory, state.keys, state.mask, note)
