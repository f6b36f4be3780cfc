"""What happens inside a decoder: every value of every step of one translation, as the decoder itself tells it.

Names, formulas and shapes are not written here: they stand where the value is computed, in the decoder's `step`, which
hands them to a `Note`. What is computed from what is read off the formulas.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seq2seq.config import BOS
from seq2seq.data import pad_ids
from seq2seq.translation import PADDING, Translation
from seq2seq.translator import Translator

MAX_STEPS = 60
"""Steps that are kept of one translation: about 20 kB of numbers each; the memory of a long text is a few megabytes more."""
DECIMALS = 3
FIRST_PIECE = "<bos>"
PLACES = ("S", "max_length")
"""The letters that stand for the places of the memory in a shape."""


@dataclass(frozen=True)
class Value:
    """One value on the way through a step, without its numbers.

    name, formula: as the decoder says them. letters, sizes: its shape, ("B", "S") and (1, 8). sources: the names of the
    values that the formula names, which were computed before it. constant: the same numbers at every step.
    first_formula: what it is at the first step, if that is something else.
    """

    name: str
    formula: str
    letters: tuple[str, ...]
    sizes: tuple[int, ...]
    sources: tuple[str, ...]
    constant: bool
    first_formula: str

    @property
    def over_vocabulary(self) -> bool:
        return "V" in self.letters

    @property
    def shape(self) -> str:
        """The shape in letters and in numbers: "(B, S) = (1, 8)"."""
        return f"({', '.join(self.letters)}) = ({', '.join(map(str, self.sizes))})"


@dataclass(frozen=True, eq=False)
class Inside:
    """The steps of one translation, opened up.

    translation: whose steps these are. kind: of its decoder. values: what each step computes, in that order.
    numbers: for each step and each name the array, shaped as the decoder had it. weights: the name of the value that is
    the attention, None without. places: what stands at each place of the memory, source pieces and then padding.
    all_steps: how many pieces the translation has; `numbers` has the first MAX_STEPS.
    """

    translation: Translation
    kind: str
    values: tuple[Value, ...]
    numbers: tuple[dict[str, np.ndarray], ...]
    weights: str | None
    places: tuple[str, ...]
    all_steps: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, numbers rounded and flat; those of a constant value stand with the value.

        Of a value with one number for each piece of the vocabulary there are only the likeliest, under "candidates".
        """

        def flat(array: np.ndarray) -> list[float]:
            return np.round(array.astype(float).ravel(), DECIMALS).tolist()

        target, candidates = self.translation.target_pieces, self.translation.candidates
        return {
            "text": self.translation.text,
            "translation": self.translation.translation,
            "checkpoint": self.translation.checkpoint,
            "kind": self.kind,
            "values": [
                {
                    "name": value.name,
                    "formula": value.formula,
                    "letters": list(value.letters),
                    "sizes": list(value.sizes),
                    "shape": value.shape,
                    "sources": list(value.sources),
                    "first_formula": value.first_formula,
                    "constant": flat(self.numbers[0][value.name]) if value.constant else None,
                }
                for value in self.values
            ],
            "steps": [
                {
                    "prev": target[i - 1] if i else FIRST_PIECE,
                    "written": target[i],
                    "candidates": [[piece, round(float(np.exp(log_prob)), 5)] for piece, log_prob in candidates[i]],
                    "numbers": {
                        v.name: flat(numbers[v.name]) for v in self.values if not (v.constant or v.over_vocabulary)
                    },
                }
                for i, numbers in enumerate(self.numbers)
            ],
            "weights": self.weights,
            "places": list(self.places),
            "all_steps": self.all_steps,
            "warnings": list(self.translation.warnings),
        }


class _Recorder:
    """A `Note` that keeps what it is told."""

    def __init__(self) -> None:
        self.told: dict[str, tuple[str, str, Tensor]] = {}

    def __call__(self, name: str, formula: str, shape: str, value: Tensor) -> Tensor:
        if name in self.told:
            raise ValueError(f"a step tells of two values called {name!r}")
        self.told[name] = (formula, shape, value)
        return value


@torch.inference_mode()
def open_up(translator: Translator, text: str, beam_size: int = 1) -> Inside:
    """Translates `text` and goes through the steps again, one sentence at a time, watching. Raises TextError, SearchError."""
    translation = translator.translate(text, beam_size=beam_size)
    [source] = translator.read([translation.text])
    ids = translator.target_tokenizer.ids(translation.target_pieces)
    model, device = translator.model, translator.device
    src, lengths = pad_ids([source.ids])
    begun = _Recorder()
    state = model.decoder.init_state(model.encoder(src.to(device), lengths), begun)
    recorded: list[dict[str, tuple[str, str, Tensor]]] = []
    for prev in (BOS, *ids[:-1])[:MAX_STEPS]:
        note = _Recorder()
        step = model.decoder.step(torch.tensor([prev], device=device), state, note)
        state = step.state
        recorded.append(note.told)
    numbers = tuple({name: value.cpu().numpy() for name, (_, _, value) in told.items()} for told in recorded)
    return Inside(
        translation=translation,
        kind=model.config.kind,
        values=_values(recorded[0], numbers, begun.told),
        numbers=numbers,
        weights=model.decoder.weights_name or None,
        places=_places(source.pieces, state.memory.size(1)),
        all_steps=len(ids),
    )


def _values(
    told: dict[str, tuple[str, str, Tensor]],
    numbers: tuple[dict[str, np.ndarray], ...],
    begun: dict[str, tuple[str, str, Tensor]],
) -> tuple[Value, ...]:
    made: list[Value] = []
    for name, (formula, shape, value) in told.items():
        first = numbers[0][name]
        constant = len(numbers) > 1 and all(np.array_equal(first, other[name]) for other in numbers[1:])
        made.append(
            Value(
                name=name,
                formula=formula,
                letters=tuple(shape.strip("()").split(", ")),
                sizes=tuple(value.shape),
                sources=sources(formula, [one.name for one in made]),
                constant=constant,
                first_formula=begun[name.removeprefix("old ")][0] if name == "old hidden" and begun else formula,
            )
        )
    return tuple(made)


def sources(formula: str, names: list[str]) -> tuple[str, ...]:
    """Which of `names` a formula names; "old hidden" is not "hidden"."""
    either = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    found = re.findall(rf"(?<![A-Za-z_])(?:{either})(?![A-Za-z_])", formula) if names else []
    return tuple(dict.fromkeys(found))


def _places(pieces: tuple[str, ...], count: int) -> tuple[str, ...]:
    """A plain decoder has one place, in which the whole sentence stands."""
    if count == 1 < len(pieces):
        return ("the whole sentence",)
    return (*pieces, *[PADDING] * (count - len(pieces)))
