"""Loops over `Decoder.step`: greedy search and forced decoding. They know nothing of what is inside a decoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seq2seq.config import BOS, EOS, PAD
from seq2seq.data import pad_ids
from seq2seq.decoder import Decoder, DecoderState

NEVER_WRITTEN = (PAD, BOS)
"""Pieces that no search may choose: they mean nothing in a translation."""


@dataclass
class Hypothesis:
    """One target as a search or a forced decoding left it, T pieces long.

    ids: `<eos>` last unless the length limit cut it off. log_probs: of each piece, natural log.
    candidates: for each piece the likeliest ids with their log-probabilities, best first.
    weights (T, S): the attention row of each piece, without padding; None without attention.
    """

    ids: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    candidates: list[list[tuple[int, float]]] = field(default_factory=list)
    weights: np.ndarray | None = None

    @property
    def finished(self) -> bool:
        return bool(self.ids) and self.ids[-1] == EOS

    def first(self, count: int) -> Hypothesis:
        """Only its first `count` pieces."""
        weights = None if self.weights is None else self.weights[:count]
        return Hypothesis(self.ids[:count], self.log_probs[:count], self.candidates[:count], weights)


class GreedyStep(NamedTuple):
    """What greedy search chose at one step for B sentences: ids (B,), their log_probs (B,), top candidates (B, K) each,
    and weights (B, S) or None."""

    ids: Tensor
    log_probs: Tensor
    top_ids: Tensor
    top_log_probs: Tensor
    weights: Tensor | None


@torch.inference_mode()
def greedy_steps(decoder: Decoder, state: DecoderState, max_length: int, top_k: int) -> Iterator[GreedyStep]:
    """Takes the likeliest piece each time, for at most `max_length` steps; the caller stops when it has seen enough."""
    prev = torch.full((state.hidden.size(0),), BOS, device=state.hidden.device)
    for _ in range(max_length):
        step = decoder.step(prev, state)
        log_probs = torch.log_softmax(step.logits.float(), dim=-1)
        # Chosen among the allowed, but scored among all, so that forced decoding gives the same log-probability.
        log_probs[:, NEVER_WRITTEN] = float("-inf")
        top_log_probs, top_ids = log_probs.topk(min(top_k, log_probs.size(-1)), dim=-1)
        prev, state = top_ids[:, 0], step.state
        yield GreedyStep(prev, top_log_probs[:, 0], top_ids, top_log_probs, step.weights)


def greedy(
    decoder: Decoder, state: DecoderState, src_lengths: Sequence[int], max_lengths: Sequence[int], top_k: int = 1
) -> list[Hypothesis]:
    """Greedy search on a whole batch: one hypothesis for each of the B sentences, each at most `max_lengths[b]` long."""
    return collect(greedy_steps(decoder, state, max(max_lengths), top_k), src_lengths, max_lengths)


def collect(steps: Iterator[GreedyStep], src_lengths: Sequence[int], max_lengths: Sequence[int]) -> list[Hypothesis]:
    """Gathers `steps` until every sentence has its `<eos>` or reached its limit."""
    found = [Hypothesis() for _ in src_lengths]
    rows: list[list[np.ndarray]] = [[] for _ in src_lengths]
    for step in steps:
        ids, log_probs = step.ids.tolist(), step.log_probs.tolist()
        top_ids, top_log_probs = step.top_ids.tolist(), step.top_log_probs.tolist()
        weights = None if step.weights is None else step.weights.cpu().numpy()
        going = False
        for b, hypothesis in enumerate(found):
            if hypothesis.finished or len(hypothesis.ids) >= max_lengths[b]:
                continue
            hypothesis.ids.append(ids[b])
            hypothesis.log_probs.append(log_probs[b])
            hypothesis.candidates.append(list(zip(top_ids[b], top_log_probs[b])))
            if weights is not None:
                rows[b].append(weights[b, : src_lengths[b]])
            going = going or not (hypothesis.finished or len(hypothesis.ids) >= max_lengths[b])
        if not going:
            break
    for hypothesis, stacked in zip(found, rows):
        hypothesis.weights = np.stack(stacked) if stacked else None
    return found


@torch.inference_mode()
def forced(
    decoder: Decoder, state: DecoderState, src_lengths: Sequence[int], targets: Sequence[Sequence[int]], top_k: int = 1
) -> list[Hypothesis]:
    """What the model thinks of given targets, each a list of ids ending in `<eos>`: their scores and attention."""
    device = state.hidden.device
    prev, _ = pad_ids([(BOS, *target[:-1]) for target in targets])
    logits, weights = decoder(prev.to(device), state)
    log_probs = torch.log_softmax(logits.float(), dim=-1)
    shown = log_probs.clone()
    shown[..., NEVER_WRITTEN] = float("-inf")
    top_log_probs, top_ids = shown.topk(min(top_k, shown.size(-1)), dim=-1)
    found = []
    for b, target in enumerate(targets):
        T = len(target)
        chosen = log_probs[b, :T].gather(1, torch.tensor(target, device=device).unsqueeze(1)).squeeze(1)
        candidates = [list(zip(*pair)) for pair in zip(top_ids[b, :T].tolist(), top_log_probs[b, :T].tolist())]
        rows = None if weights is None else weights[b, :T, : src_lengths[b]].cpu().numpy()
        found.append(Hypothesis(list(target), chosen.tolist(), candidates, rows))
    return found
