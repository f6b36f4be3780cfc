"""Attention overridden: spread out, sharpened, or pointed at a word by hand, to see what the decoder makes of it.

Done from outside: a `Note` gives the step other weights than it computed, and the decoder goes on with those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from seq2seq.attention import Note, unnoted

UNIFORM, LEARNED, ONE_HOT = -1.0, 0.0, 1.0


@dataclass(frozen=True)
class Dial:
    """How the weights are overridden.

    turn: from UNIFORM over LEARNED to ONE_HOT; between them the weights are raised to a power and made to sum to 1, which is a
    softmax of another temperature. pointed: for a step, counted from 0, the index of the source word that gets all weight
    there. Raises ValueError for a turn outside.
    """

    turn: float = LEARNED
    pointed: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not UNIFORM <= self.turn <= ONE_HOT:
            raise ValueError(f"turn is {self.turn}; choose one from {UNIFORM:g} (uniform) to {ONE_HOT:g} (one-hot)")

    def notes(self, weights_name: str, word_of: Sequence[int]) -> Callable[[int], Note]:
        """For each step the note that overrides the value `weights_name`. word_of: for each source piece its word."""

        def at(step: int) -> Note:
            if self.turn == LEARNED and step not in self.pointed:
                return unnoted

            word = self.pointed.get(step)
            if word is None:
                return overriding(weights_name, lambda weights: bent(weights, self.turn))
            return overriding(weights_name, lambda weights: all_on(weights, word_of, word))

        return at


def overriding(weights_name: str, change: Callable[[Tensor], Tensor]) -> Note:
    """The note that gives the step other weights than it computed, which it calls `weights_name`."""

    def note(name: str, formula: str, shape: str, value: Tensor) -> Tensor:
        return change(value) if name == weights_name else value

    return note


def bent(weights: Tensor, turn: float) -> Tensor:
    """weights (B, S) of whole sentences -> (B, S), each row with sum 1."""
    if turn == LEARNED:
        return weights
    if turn == ONE_HOT:
        return torch.nn.functional.one_hot(weights.argmax(dim=-1), weights.size(-1)).to(weights.dtype)
    power = 1 + turn if turn < LEARNED else 1 / (1 - turn)
    # By logarithms, so that a high power of small weights does not lose them all.
    return torch.softmax(power * weights.clamp_min(1e-30).log(), dim=-1)


def all_on(weights: Tensor, word_of: Sequence[int], word: int) -> Tensor:
    """All weight on the pieces of one word, in equal parts."""
    made = torch.zeros_like(weights)
    columns = [i for i, of in enumerate(word_of) if of == word]
    made[:, columns] = 1 / len(columns)
    return made
