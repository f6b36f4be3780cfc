"""Loops over `Decoder.step`: greedy search, beam search and forced decoding. They know nothing of what is inside a decoder."""

from __future__ import annotations

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
    """

    ids: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    candidates: list[list[tuple[int, float]]] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)

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


def likeliest(logits: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """logits (..., V) -> log-probabilities and ids, both (..., count), of the best pieces that may be written.

    They are chosen among the allowed, but scored among all, so that forced decoding gives the same log-probabilities.
    """
    log_probs = torch.log_softmax(logits.float(), dim=-1)
    log_probs[..., NEVER_WRITTEN] = float("-inf")
    return log_probs.topk(min(count, log_probs.size(-1) - len(NEVER_WRITTEN)), dim=-1)


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
        log_probs, ids = likeliest(step.logits, top_k)
        chosen, chosen_log_probs, state = ids[:, 0], log_probs[:, 0], step.state
        if t < len(start):
            chosen = torch.full_like(chosen, start[t])
            chosen_log_probs = torch.log_softmax(step.logits.float(), dim=-1)[:, start[t]]
        yield GreedyStep(ids, log_probs, chosen, chosen_log_probs, step.weights)


def grow(
    steps: Iterator[GreedyStep], src_lengths: Sequence[int], max_lengths: Sequence[int]
) -> Iterator[list[Hypothesis]]:
    """Adds each of `steps` to one hypothesis a sentence and yields them, until all have `<eos>` or reached their limit.

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
        if not going:
            return


def greedy(
    decoder: Decoder, state: DecoderState, src_lengths: Sequence[int], max_lengths: Sequence[int], top_k: int = 1
) -> list[Hypothesis]:
    """Greedy search on a whole batch: one hypothesis for each of the B sentences, each at most `max_lengths[b]` long."""
    grown = list(grow(greedy_steps(decoder, state, max(max_lengths), top_k), src_lengths, max_lengths))
    return grown[-1]  # all are the same list


# -- beam search ---------------------------------------------------------------------------------------------------


def penalty(length: int, alpha: float) -> float:
    """((5 + length) / 6) ** alpha, by which the log-probability of a target of `length` pieces is divided to compare it
    with longer and shorter ones (Wu et al. 2016, equation 14). An alpha of 0 compares bare log-probabilities."""
    return ((5 + length) / 6) ** alpha


class Row(NamedTuple):
    """What one step said of one hypothesis: at which row of the batch, its likeliest next pieces with their
    log-probabilities, and its attention row (S,) or None."""

    index: int
    candidates: list[tuple[int, float]]
    weights: np.ndarray | None


class Link(NamedTuple):
    """A hypothesis as its last piece and what stood before it; hypotheses that begin alike share their beginning.

    total: log-probability of all its pieces. row: the outcome of the step that wrote the last piece.
    """

    before: Link | None
    id: int
    log_prob: float
    total: float
    length: int
    row: Row | None


ROOT = Link(None, BOS, 0.0, 0.0, 0, None)
"""The hypothesis of which nothing is written yet."""


@dataclass
class Beam:
    """The hypotheses of one sentence. `growing`: those of equal length that go on, likeliest first; `done`: those with
    `<eos>`, best score first. Together they are never more than `size`. `kept`: all that ever were among them."""

    size: int
    n_best: int
    alpha: float
    src_length: int
    limit: int
    growing: list[Link] = field(default_factory=lambda: [ROOT])
    done: list[Link] = field(default_factory=list)
    kept: list[Link] = field(default_factory=list)

    def score(self, link: Link) -> float:
        return link.total / penalty(link.length, self.alpha)

    def extend(self, rows: Sequence[Row]) -> None:
        """One step; `rows` fit `growing`. The best continuations take the places that finished hypotheses left free.

        A finished hypothesis keeps its place for good, so that a beam of 1 is greedy search.
        """
        longer = [
            Link(link, id, log_prob, link.total + log_prob, link.length + 1, row)
            for link, row in zip(self.growing, rows)
            for id, log_prob in row.candidates[: self.size]
        ]
        longer.sort(key=lambda link: -link.total)
        kept = longer[: self.size - len(self.done)]
        self.kept += kept
        self.growing = [link for link in kept if link.id != EOS]
        self.done = sorted(self.done + [link for link in kept if link.id == EOS], key=self.score, reverse=True)

    @property
    def over(self) -> bool:
        """Whether nothing can grow any more, or nothing that grows could still come among the `n_best`."""
        if not self.growing or self.growing[0].length >= self.limit:
            return True
        if len(self.done) < self.n_best:
            return False
        # A log-probability only falls and its penalty is largest at the limit: no score can rise above this.
        bound = self.growing[0].total / penalty(self.limit, self.alpha)
        return self.score(self.done[self.n_best - 1]) >= bound

    def best(self, top_k: int) -> list[Hypothesis]:
        """The `n_best`, best score first; those that the length limit cut off come after all that ended by themselves."""
        return [self._unwound(link, top_k) for link in (self.done + self.growing)[: self.n_best]]

    def _unwound(self, link: Link, top_k: int) -> Hypothesis:
        links = []
        while link.before is not None:
            links.append(link)
            link = link.before
        links.reverse()
        return Hypothesis(
            [link.id for link in links],
            [link.log_prob for link in links],
            [link.row.candidates[:top_k] for link in links],
            [link.row.weights[: self.src_length] for link in links if link.row.weights is not None],
        )


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


def tree(one: Beam) -> Node:
    """All hypotheses a beam ever kept, from the root; the finished ones and, at the end, those that the limit cut off are
    ranked as `Beam.best` ranks them."""
    root = Node(BOS, 0.0, 0.0)
    nodes = {id(ROOT): root}
    for link in one.kept:
        node = nodes[id(link)] = Node(link.id, link.log_prob, link.total)
        nodes[id(link.before)].children.append(node)
    for rank, link in enumerate((one.done + one.growing)[: one.n_best]):
        nodes[id(link)].rank = rank
    return root


def rows_of(step: Step, count: int) -> list[Row]:
    """A step's outcome for N hypotheses as N rows of plain values, with `count` candidates each."""
    log_probs, ids = likeliest(step.logits, count)
    weights = [None] * len(ids) if step.weights is None else step.weights.cpu().numpy()
    candidates = (list(zip(*pair)) for pair in zip(ids.tolist(), log_probs.tolist()))
    return [Row(*row) for row in zip(range(len(ids)), candidates, weights)]


def beam(
    decoder: Decoder,
    state: DecoderState,
    src_lengths: Sequence[int],
    max_lengths: Sequence[int],
    beam_size: int,
    n_best: int = 1,
    length_penalty: float = LENGTH_PENALTY,
    top_k: int = 1,
) -> list[list[Hypothesis]]:
    """Beam search on a whole batch: for each of the B sentences its `n_best` hypotheses, best first.

    They are ranked by log-probability / `penalty`, with `length_penalty` (0 or more) as its alpha. A list is shorter than
    `n_best` (at most `beam_size`) only if fewer targets exist within `max_lengths[b]`.
    """
    beams = [Beam(beam_size, n_best, length_penalty, *lengths) for lengths in zip(src_lengths, max_lengths)]
    fill(beams, decoder, state, max(top_k, beam_size))
    return [one.best(top_k) for one in beams]


@torch.inference_mode()
def fill(beams: Sequence[Beam], decoder: Decoder, state: DecoderState, count: int) -> None:
    """Searches until all beams, one a row of `state`, are over, with `count` candidates for each hypothesis at each step."""
    device = state.hidden.device
    going = beams
    prev = torch.full((len(beams),), BOS, device=device)
    while True:
        step = decoder.step(prev, state)
        rows = iter(rows_of(step, count))
        for one in going:
            one.extend([next(rows) for _ in one.growing])
        going = [one for one in going if not one.over]
        links = [link for one in going for link in one.growing]
        if not links:
            return
        # Only hypotheses that grow are computed on; the states follow those they continue.
        prev = torch.tensor([link.id for link in links], device=device)
        state = step.state.select(torch.tensor([link.row.index for link in links], device=device))


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
    top_log_probs, top_ids = likeliest(logits, top_k)
    found = []
    for b, target in enumerate(targets):
        T = len(target)
        chosen = log_probs[b, :T].gather(1, torch.tensor(target, device=device).unsqueeze(1)).squeeze(1)
        candidates = [list(zip(*pair)) for pair in zip(top_ids[b, :T].tolist(), top_log_probs[b, :T].tolist())]
        rows = [] if weights is None else list(weights[b, :T, : src_lengths[b]].cpu().numpy())
        found.append(Hypothesis(list(target), chosen.tolist(), candidates, rows))
    return found
