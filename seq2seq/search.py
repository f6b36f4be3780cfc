"""Loops over `Decoder.step`: greedy search, beam search and forced decoding. They know nothing of what is inside a decoder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seq2seq.attention import Note, unnoted
from seq2seq.config import BOS, EOS, PAD
from seq2seq.data import pad_ids
from seq2seq.decoder import Decoder, DecoderState, Step

NEVER_WRITTEN = (PAD, BOS)
"""Pieces that no search may choose: they mean nothing in a translation."""
LENGTH_PENALTY = 0.6
"""Default exponent of `penalty`; a usual value, not tuned on our data."""


@dataclass
class Hypothesis:
    """One target as a search or a forced decoding left it, T pieces long.

    ids: `<eos>` last unless the length limit cut it off. log_probs: of each piece, natural log.
    candidates: for each piece the likeliest ids with their log-probabilities, best first.
    rows: for each piece its attention row (S,), without padding; empty without attention.
    warning: what the reader should know of how it was found; mostly nothing.
    """

    ids: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    candidates: list[list[tuple[int, float]]] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    warning: str = ""

    @property
    def finished(self) -> bool:
        return bool(self.ids) and self.ids[-1] == EOS

    @property
    def log_prob(self) -> float:
        """Of the whole target, without any penalty."""
        return sum(self.log_probs)

    @property
    def weights(self) -> np.ndarray | None:
        """(T, S), or None without attention."""
        return np.stack(self.rows) if self.rows else None

    def first(self, count: int) -> Hypothesis:
        """Only its first `count` pieces."""
        return Hypothesis(self.ids[:count], self.log_probs[:count], self.candidates[:count], self.rows[:count])


def likeliest(logits: Tensor, count: int, never: tuple[int, ...] = NEVER_WRITTEN) -> tuple[Tensor, Tensor]:
    """logits (..., V) -> log-probabilities and ids, both (..., count), of the best pieces but those that are `never` written.

    They are chosen among the allowed, but scored among all, so that forced decoding gives the same log-probabilities.
    """
    log_probs = torch.log_softmax(logits.float(), dim=-1)
    log_probs[..., never] = float("-inf")
    return log_probs.topk(min(count, log_probs.size(-1) - len(never)), dim=-1)


def never_first(decoder: Decoder) -> tuple[int, ...]:
    """What its first piece may not be."""
    return NEVER_WRITTEN if decoder.may_end_at_once else (*NEVER_WRITTEN, EOS)


# -- time ----------------------------------------------------------------------------------------------------------


def never() -> bool:
    """Nobody has gone away."""
    return False


@dataclass(frozen=True)
class Deadline:
    """When a search has to stop with what it has: `seconds` after it was set, which is `at` of `time.monotonic`, or as soon as
    the one who asked has `gone`. Looked at after every step."""

    seconds: float
    at: float
    gone: Callable[[], bool] = never

    @classmethod
    def after(cls, seconds: float, gone: Callable[[], bool] = never) -> Deadline:
        return cls(seconds, time.monotonic() + seconds, gone)

    def again(self) -> Deadline:
        """The same time from now on: for whoever takes over a search that was waited for in vain."""
        return self.after(self.seconds, self.gone)

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self.at or self.gone()


# -- greedy search -------------------------------------------------------------------------------------------------


class GreedyStep(NamedTuple):
    """What greedy search found at one step for B sentences: the likeliest ids (B, K), best first, with their log_probs
    (B, K); the chosen ids (B,), which are the first of them unless they were given, with theirs; weights (B, S) or None."""

    ids: Tensor
    log_probs: Tensor
    chosen: Tensor
    chosen_log_probs: Tensor
    weights: Tensor | None


@torch.inference_mode()
def greedy_steps(
    decoder: Decoder,
    state: DecoderState,
    max_length: int,
    top_k: int,
    start: Sequence[int] = (),
    notes: Callable[[int], Note] = lambda step: unnoted,
) -> Iterator[GreedyStep]:
    """Takes the likeliest piece each time, for at most `max_length` steps; the caller stops when it has seen enough.

    start: ids with which every target begins, whatever is likeliest. notes: who watches a step, counted from 0.
    """
    chosen = torch.full((state.hidden.size(0),), BOS, device=state.hidden.device)
    for t in range(max_length):
        step = decoder.step(chosen, state, notes(t))
        log_probs, ids = likeliest(step.logits, top_k, NEVER_WRITTEN if t else never_first(decoder))
        chosen, chosen_log_probs, state = ids[:, 0], log_probs[:, 0], step.state
        if t < len(start):
            chosen = torch.full_like(chosen, start[t])
            chosen_log_probs = torch.log_softmax(step.logits.float(), dim=-1)[:, start[t]]
        yield GreedyStep(ids, log_probs, chosen, chosen_log_probs, step.weights)


def grow(
    steps: Iterator[GreedyStep],
    src_lengths: Sequence[int],
    max_lengths: Sequence[int],
    deadline: Deadline | None = None,
) -> Iterator[list[Hypothesis]]:
    """Adds each of `steps` to one hypothesis a sentence and yields them, until all have `<eos>` or reached their limit, or
    until the deadline.

    It is the same list each time, grown by a step.
    """
    found = [Hypothesis() for _ in src_lengths]
    going = list(range(len(found)))
    for step in steps:
        ids, log_probs = step.ids.tolist(), step.log_probs.tolist()
        chosen, chosen_log_probs = step.chosen.tolist(), step.chosen_log_probs.tolist()
        weights = None if step.weights is None else step.weights.cpu().numpy()
        for b in going:
            found[b].ids.append(chosen[b])
            found[b].log_probs.append(chosen_log_probs[b])
            found[b].candidates.append(list(zip(ids[b], log_probs[b])))
            if weights is not None:
                found[b].rows.append(weights[b, : src_lengths[b]])
        going = [b for b in going if not found[b].finished and len(found[b].ids) < max_lengths[b]]
        yield found
        if not going or (deadline and deadline.passed):
            return


def greedy(
    decoder: Decoder,
    state: DecoderState,
    src_lengths: Sequence[int],
    max_lengths: Sequence[int],
    top_k: int = 1,
    deadline: Deadline | None = None,
) -> list[Hypothesis]:
    """Greedy search: one hypothesis for each of the B sentences, each at most `max_lengths[b]` long. For one sentence; of many,
    those that are over are computed on, and a beam of 1 (`beam`) finds the same sooner."""
    *_, found = grow(greedy_steps(decoder, state, max(max_lengths), top_k), src_lengths, max_lengths, deadline)
    return found


# -- beam search ---------------------------------------------------------------------------------------------------


def penalty(length: int, alpha: float) -> float:
    """((5 + length) / 6) ** alpha, by which the log-probability of a target of `length` pieces is divided to compare it
    with longer and shorter ones (Wu et al. 2016, equation 14). An alpha of 0 compares bare log-probabilities."""
    return ((5 + length) / 6) ** alpha


class Layer(NamedTuple):
    """One step of N beams with K places each, and the C candidates that their decoder named for every place.

    row (B,): which row each sentence of the batch has here; -1 if its beam was over. candidate_ids, candidate_log_probs
    (N, K, C) and weights (N, K, S) or None are what the decoder said of the hypotheses that stood there before. The others tell
    of those that stand there now, (N, K): whose place before they continue, their last ids with its log_probs, their totals,
    and whether there is any: kept. Best first.
    """

    row: np.ndarray
    candidate_ids: np.ndarray
    candidate_log_probs: np.ndarray
    weights: np.ndarray | None
    before: np.ndarray
    ids: np.ndarray
    log_probs: np.ndarray
    totals: np.ndarray
    kept: np.ndarray


class End(NamedTuple):
    """A hypothesis that has its `<eos>`: its score, and the layer and place where it stands."""

    score: float
    layer: int
    place: int


class Beams:
    """Beam search over a batch of B sentences, all as one tensor: each has `size` places for hypotheses.

    Those of a sentence that grow are equally long and stand likeliest first; one that ended keeps its place for good, so that a
    beam of 1 is greedy search. Its row is computed on with the others until the whole sentence is over and leaves the batch.
    """

    def __init__(
        self, size: int, n_best: int, alpha: float, src_lengths: Sequence[int], limits: Sequence[int], top_k: int = 1
    ) -> None:
        """src_lengths, limits (B,): pieces of each source, and of its targets at most. The others are those of `beam`."""
        self.size, self.n_best, self.alpha, self.top_k = size, n_best, alpha, top_k
        self.src_lengths, self.limits = src_lengths, limits
        self.layers: list[Layer] = []
        self.ends: list[list[End]] = [[] for _ in limits]
        """Of each sentence, best score first."""
        self.going = np.arange(len(limits))
        self.totals = np.full((len(limits), size), -np.inf)
        """(N, K) log-probabilities of what grows, -inf where nothing does; at first one of which nothing is written."""
        self.totals[:, 0] = 0.0

    @torch.inference_mode()
    def fill(self, decoder: Decoder, state: DecoderState, deadline: Deadline | None = None) -> Beams:
        """Searches until all are over or the deadline has passed. state: of B sentences."""
        K, device = self.size, state.hidden.device
        state = state.select(torch.arange(len(self.going), device=device).repeat_interleave(K))
        prev = torch.full((len(self.going) * K,), BOS, device=device)
        while len(self.going):
            step = decoder.step(prev, state)
            row = self.extend(step, NEVER_WRITTEN if self.layers else never_first(decoder))
            layer = self.layers[-1]
            # A hypothesis goes on from the state of the one that it continues, in the same sentence.
            index = torch.from_numpy((row[:, None] * K + layer.before[row]).ravel()).to(device)
            prev = torch.from_numpy(layer.ids[row].ravel()).to(device)
            state = step.state.follow(index) if len(row) == len(layer.ids) else step.state.select(index)
            if deadline and deadline.passed:
                break
        return self

    def extend(self, step: Step, never: tuple[int, ...] = NEVER_WRITTEN) -> np.ndarray:
        """Adds the layer that `step` (N * K rows) leads to; afterwards `going` and `totals` are of those that go on.

        Returns (N',) the rows that they have in that layer.
        """
        K, N = self.size, len(self.going)
        log_probs, ids = (part.cpu().numpy() for part in likeliest(step.logits, max(self.top_k, K), never))
        ids, log_probs = ids.reshape(N, K, -1), log_probs.reshape(N, K, -1)
        C = min(K, ids.shape[2])
        totals = (self.totals[:, :, None] + log_probs[:, :, :C]).reshape(N, K * C)
        # Stable, so that of equals the one from the better hypothesis comes first, as it would one by one.
        order = np.argsort(-totals, axis=1, kind="stable")[:, :K]
        totals = np.take_along_axis(totals, order, 1)
        before = order // C
        rows = np.arange(N)[:, None]
        written, said = ids[rows, before, order % C], log_probs[rows, before, order % C]
        free = K - np.array([len(self.ends[b]) for b in self.going])
        kept = (np.arange(K) < free[:, None]) & (totals != -np.inf)
        row = np.full(len(self.limits), -1)
        row[self.going] = np.arange(N)
        weights = None if step.weights is None else step.weights.cpu().numpy().reshape(N, K, -1)
        self.layers.append(Layer(row, ids, log_probs, weights, before, written, said, totals, kept))
        ended = kept & (written == EOS)
        for n, place in zip(*np.nonzero(ended)):
            end = End(totals[n, place] / penalty(len(self.layers), self.alpha), len(self.layers) - 1, int(place))
            self.ends[self.going[n]].append(end)
        self.totals = np.where(kept & ~ended, totals, -np.inf)
        for n in np.flatnonzero(ended.any(axis=1)):
            self.ends[self.going[n]].sort(key=lambda end: -end.score)
        row = np.array([n for n in range(N) if not self.over(n)], dtype=int)
        self.going, self.totals = self.going[row], self.totals[row]
        return row

    def over(self, n: int) -> bool:
        """Whether in row `n` nothing can grow any more, or nothing that grows could still come among the `n_best`."""
        sentence, best = self.going[n], self.totals[n].max()
        if best == -np.inf or len(self.layers) >= self.limits[sentence]:
            return True
        if len(self.ends[sentence]) < self.n_best:
            return False
        # A log-probability only falls and its penalty is largest at the limit: no score can rise above this.
        bound = best / penalty(self.limits[sentence], self.alpha)
        return self.ends[sentence][self.n_best - 1].score >= bound

    def found(self, sentence: int) -> list[tuple[int, int]]:
        """Layer and place of the last piece of the `n_best`, best score first; those that the length limit cut off come after
        all that ended by themselves."""
        last = sum(layer.row[sentence] >= 0 for layer in self.layers) - 1
        layer = self.layers[last]
        n = layer.row[sentence]
        growing = np.flatnonzero(layer.kept[n] & (layer.ids[n] != EOS))
        return [(end.layer, end.place) for end in self.ends[sentence]][: self.n_best] + [
            (last, int(place)) for place in growing[: max(0, self.n_best - len(self.ends[sentence]))]
        ]

    def best(self, sentence: int) -> list[Hypothesis]:
        """The `n_best` of one sentence, in the order of `found`."""
        return [self._unwound(sentence, *last) for last in self.found(sentence)]

    def _unwound(self, sentence: int, last: int, place: int) -> Hypothesis:
        made = Hypothesis()
        for layer in reversed(self.layers[: last + 1]):
            n = layer.row[sentence]
            made.ids.append(int(layer.ids[n, place]))
            made.log_probs.append(float(layer.log_probs[n, place]))
            place = layer.before[n, place]
            named = layer.candidate_ids[n, place].tolist(), layer.candidate_log_probs[n, place].tolist()
            made.candidates.append(list(zip(*named))[: self.top_k])
            if layer.weights is not None:
                # A copy, so that one row does not keep those of the whole batch.
                made.rows.append(layer.weights[n, place, : self.src_lengths[sentence]].copy())
        for part in (made.ids, made.log_probs, made.candidates, made.rows):
            part.reverse()
        return made


@dataclass
class Node:
    """A piece that stood in the beam, and what was kept of what came after it.

    total: log-probability up to here. rank: 0 for the last piece of the best hypothesis, 1 for that of the second, …, or None.
    """

    id: int
    log_prob: float
    total: float
    rank: int | None = None
    children: list[Node] = field(default_factory=list)


def tree(beams: Beams, sentence: int = 0) -> Node:
    """All hypotheses that the beam of a sentence ever kept, from the root; last pieces are ranked as by `Beams.found`."""
    root = Node(BOS, 0.0, 0.0)
    nodes = {}
    for number, layer in enumerate(beams.layers):
        n = layer.row[sentence]
        if n < 0:
            break
        for place in map(int, np.flatnonzero(layer.kept[n])):
            named = layer.ids[n, place], layer.log_probs[n, place], layer.totals[n, place]
            node = nodes[number, place] = Node(*(value.item() for value in named))
            nodes.get((number - 1, int(layer.before[n, place])), root).children.append(node)
    for rank, last in enumerate(beams.found(sentence)):
        nodes[last].rank = rank
    return root


def beam(
    decoder: Decoder,
    state: DecoderState,
    src_lengths: Sequence[int],
    max_lengths: Sequence[int],
    beam_size: int,
    n_best: int = 1,
    length_penalty: float = LENGTH_PENALTY,
    top_k: int = 1,
    deadline: Deadline | None = None,
) -> list[list[Hypothesis]]:
    """Beam search on a whole batch: for each of the B sentences its `n_best` hypotheses, best first, with `top_k` candidates a
    piece. A beam of 1 is greedy search.

    They are ranked by log-probability / `penalty`, with `length_penalty` (0 or more) as its alpha. A list is shorter than
    `n_best` (at most `beam_size`) only if fewer targets exist within `max_lengths[b]`. After the deadline some are unfinished.
    """
    beams = Beams(beam_size, n_best, length_penalty, src_lengths, max_lengths, top_k).fill(decoder, state, deadline)
    return [beams.best(b) for b in range(len(src_lengths))]


# -- forced decoding -----------------------------------------------------------------------------------------------


@torch.inference_mode()
def forced(
    decoder: Decoder, state: DecoderState, src_lengths: Sequence[int], targets: Sequence[Sequence[int]], top_k: int = 1
) -> list[Hypothesis]:
    """What the model thinks of given targets, each a list of ids ending in `<eos>`: their scores and attention."""
    device = state.hidden.device
    prev, _ = pad_ids([(BOS, *target[:-1]) for target in targets])
    logits, weights = decoder(prev.to(device), state)
    log_probs = torch.log_softmax(logits.float(), dim=-1)
    likely = likeliest(logits[:, :1], top_k, never_first(decoder)), likeliest(logits[:, 1:], top_k)
    found = []
    for b, target in enumerate(targets):
        T = len(target)
        chosen = log_probs[b, :T].gather(1, torch.tensor(target, device=device).unsqueeze(1)).squeeze(1)
        candidates = [list(zip(*pair)) for scores, ids in likely for pair in zip(ids[b].tolist(), scores[b].tolist())][
            :T
        ]
        rows = [] if weights is None else list(weights[b, :T, : src_lengths[b]].cpu().numpy())
        found.append(Hypothesis(list(target), chosen.tolist(), candidates, rows))
    return found
