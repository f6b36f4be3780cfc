"""The same weights, run as the PyTorch tutorial runs its own: one sentence, one piece and one hypothesis at a time.

Source pieces go through the GRU one by one; keys are projected anew at every step; every piece that is written is fetched
with `.item()`; a beam computes its hypotheses one after the other. Its translations are those of `Translator`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.config import BOS, EOS
from seq2seq.model import Seq2Seq
from seq2seq.search import LENGTH_PENALTY, NEVER_WRITTEN, never_first, penalty
from seq2seq.translator import Translator


class Read(NamedTuple):
    """A source sentence: memory (1, S, H), summary (1, H)."""

    memory: Tensor
    summary: Tensor


class Grown(NamedTuple):
    """A hypothesis: what it wrote, its log-probability, and the decoder's state (1, H) before its last piece is read."""

    ids: list[int]
    log_prob: float
    hidden: Tensor


def one_way(rnn: nn.GRU) -> nn.ModuleList:
    """A GRU as one that runs in a single direction, for each direction that it has; with its weights."""
    found = nn.ModuleList()
    for direction in ("", "_reverse")[: 1 + rnn.bidirectional]:
        gru = nn.GRU(rnn.input_size, rnn.hidden_size)
        with torch.no_grad():
            for name, parameter in gru.named_parameters():
                parameter.copy_(getattr(rnn, name + direction))
        found.append(gru)
    return found


class TutorialWay(nn.Module):
    """A copy of a model, run the tutorial's way. `steps` counts the decoder's steps."""

    decoder: Any
    """Of any kind: what it has inside is asked for here by name."""

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__()
        model = copy.deepcopy(model)  # one copy, so that a tied embedding stays tied
        self.config, self.decoder = model.config, model.decoder
        encoder: Any = model.encoder
        self.embedding: nn.Embedding = encoder.embedding
        self.grus = one_way(encoder.gru if self.config.classic else encoder.rnn).to(model.device)
        self.dropout = nn.Identity() if self.config.classic else encoder.dropout
        self.steps = 0
        self.train(model.training)

    def tensor(self, id: int) -> Tensor:
        return torch.tensor([id], device=self.embedding.weight.device)

    # -- the model ---------------------------------------------------------------------------------------------------

    def read(self, source: Sequence[int]) -> Read:
        """Source ids, one after the other through the GRU, and for a bidirectional one again from the end."""
        room = self.config.max_length
        if self.config.classic:
            source = source[:room]
        embedded = [self.embedding(self.tensor(id)) for id in source]
        directions, ends = [], []
        for gru, backward in zip(self.grus, (False, True)):
            hidden = embedded[0].new_zeros(1, 1, gru.hidden_size)
            outputs = []
            for vector in reversed(embedded) if backward else embedded:
                output, hidden = gru(vector.unsqueeze(0), hidden)
                outputs.append(output[0])
            directions.append(torch.stack(outputs[::-1] if backward else outputs, dim=1))
            ends.append(hidden[0])
        memory, summary = torch.cat(directions, dim=-1), torch.cat(ends, dim=-1)
        if self.config.classic:  # the tutorial's memory has a fixed number of places
            memory = F.pad(memory, (0, 0, 0, room - len(source)))
        return Read(self.dropout(memory), self.dropout(summary))

    def first(self, read: Read) -> Tensor:
        """The decoder's first state (1, H)."""
        return read.summary if self.config.classic else torch.tanh(self.decoder.bridge(read.summary))

    def step(self, prev: int, hidden: Tensor, read: Read) -> tuple[Tensor, Tensor]:
        """One piece of one hypothesis -> log-probabilities (1, V) and the next state (1, H)."""
        self.steps += 1
        embedded = self.decoder.embedding(self.tensor(prev))
        return (self.classic_step if self.config.classic else self.own_step)(embedded, hidden, read)

    def classic_step(self, embedded: Tensor, hidden: Tensor, read: Read) -> tuple[Tensor, Tensor]:
        decoder = self.decoder
        if decoder.looks_back:
            embedded = decoder.dropout(embedded)
            weights = torch.softmax(decoder.attn(torch.cat([embedded, hidden], dim=1)), dim=1)
            applied = torch.bmm(weights.unsqueeze(1), read.memory).squeeze(1)
            embedded = decoder.attn_combine(torch.cat([embedded, applied], dim=1))
        _, hidden = decoder.gru(torch.relu(embedded).unsqueeze(0), hidden.unsqueeze(0))
        return torch.log_softmax(decoder.out(hidden[0]), dim=1), hidden[0]

    def own_step(self, embedded: Tensor, hidden: Tensor, read: Read) -> tuple[Tensor, Tensor]:
        decoder = self.decoder
        context = read.summary
        if decoder.looks_back:
            keys = decoder.attention.project(read.memory)  # what depends on the source alone, computed anew
            weights = torch.softmax(decoder.attention.score(embedded, hidden, keys), dim=1)
            context = torch.bmm(weights.unsqueeze(1), read.memory).squeeze(1)
        hidden = decoder.rnn(torch.cat([embedded, context], dim=1), hidden)
        joined = torch.cat([decoder.dropout(hidden), context, embedded], dim=1)
        readout = decoder.dropout(torch.tanh(decoder.readout(joined)))
        logits = F.linear(readout, decoder.embedding.weight, decoder.bias)
        return torch.log_softmax(logits, dim=1), hidden

    # -- its loops ---------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def greedy(self, source: Sequence[int], limit: int) -> list[int]:
        """Source ids -> at most `limit` target ids."""
        read = self.read(source)
        hidden, written = self.first(read), [BOS]
        while len(written) <= limit and written[-1] != EOS:
            log_probs, hidden = self.step(written[-1], hidden, read)
            log_probs[0, list(NEVER_WRITTEN if written[1:] else never_first(self.decoder))] = float("-inf")
            written.append(int(log_probs.topk(1).indices))
        return written[1:]

    @torch.no_grad()
    def beam(self, source: Sequence[int], limit: int, size: int) -> list[int]:
        """The same with `size` hypotheses, of which each is computed by itself."""

        def score(one: Grown) -> float:
            return one.log_prob / penalty(len(one.ids), LENGTH_PENALTY)

        read = self.read(source)
        growing, done = [Grown([], 0.0, self.first(read))], []
        while growing and len(growing[0].ids) < limit:
            longer = []
            for one in growing:
                log_probs, hidden = self.step(one.ids[-1] if one.ids else BOS, one.hidden, read)
                never = NEVER_WRITTEN if one.ids else never_first(self.decoder)
                log_probs[0, list(never)] = float("-inf")
                best = log_probs.topk(min(size, log_probs.size(1) - len(never)))
                for value, id in zip(best.values[0], best.indices[0]):
                    longer.append(Grown([*one.ids, id.item()], one.log_prob + value.item(), hidden))
            longer.sort(key=lambda one: -one.log_prob)
            kept = longer[: size - len(done)]  # who is finished keeps its place
            done += [one for one in kept if one.ids[-1] == EOS]
            growing = [one for one in kept if one.ids[-1] != EOS]
            # Nothing that still grows could come to a better score.
            if done and growing and max(map(score, done)) >= growing[0].log_prob / penalty(limit, LENGTH_PENALTY):
                break
        return (max(done, key=score) if done else growing[0]).ids

    def search(self, source: Sequence[int], limit: int, beam_size: int) -> list[int]:
        return self.greedy(source, limit) if beam_size == 1 else self.beam(source, limit, beam_size)

    def loss(self, source: Sequence[int], target: Sequence[int]) -> Tensor:
        """Teacher forcing, a piece at a time -> negative log-likelihood of the target ids, summed."""
        read = self.read(source)
        hidden, total = self.first(read), torch.zeros((), device=self.embedding.weight.device)
        for prev, wanted in zip((BOS, *target), target):
            log_probs, hidden = self.step(prev, hidden, read)
            total = total + F.nll_loss(log_probs, self.tensor(wanted))
        return total


def translate(way: TutorialWay, translator: Translator, text: str, beam_size: int = 1) -> str:
    """Text to text, with the limits of `translator`, whose weights `way` has."""
    [source] = translator.read([text])
    ids = way.search(source.ids, translator._limit(source), beam_size)
    return translator.target_tokenizer.text(ids)
