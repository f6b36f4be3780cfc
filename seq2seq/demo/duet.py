"""Two translations of one sentence written side by side, word by word in step, with pause, replay and a scrubber."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seq2seq.comparison import Comparison, different_words
from seq2seq.demo.component import PageComponent
from seq2seq.demo.visitor import say
from seq2seq.explain import word_probabilities
from seq2seq.sheet import facts


class Duet(PageComponent):
    """Shows what `duet` made. All of the playing happens in the browser."""

    SCRIPT = "duet.js"


def duet(comparison: Comparison, labels: Mapping[str, str]) -> dict[str, Any]:
    """Everything the browser shows of a comparison; `labels`: what the left and the right model are called."""
    sides = {"left": comparison.left, "right": comparison.right}
    differ = dict(zip(sides, different_words(comparison.left.target_words, comparison.right.target_words)))
    return {
        "text": comparison.left.text,
        "source": comparison.left.source_language,
        "sides": [
            {
                "label": labels[side],
                "words": list(translation.target_words),
                "language": translation.target_language,
                "different": list(differ[side]),
                "probabilities": [round(p, 4) for p in word_probabilities(translation)],
                "facts": [[say(name), say(value)] for name, value in facts(comparison, side)],
            }
            for side, translation in sides.items()
        ],
        "parted_at": comparison.parted_at,
        "warnings": warnings(comparison, labels),
    }


def warnings(comparison: Comparison, labels: Mapping[str, str]) -> list[str]:
    """All warnings; one that is about one side only says which."""
    left, right = comparison.left.warnings, comparison.right.warnings
    both = [warning for warning in left if warning in right]
    named = [
        say("{model}: {text}", model=labels[side], text=warning)
        for side, own in (("left", left), ("right", right))
        for warning in own
        if warning not in both
    ]
    return [*(say(warning) for warning in (*comparison.warnings, *both)), *named]
