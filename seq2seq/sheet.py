"""What is taken away: one sentence with one translation of it or two, and what is known of each. Plain values only.

The offline page, the picture and the slides are all made of these, so that they say the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seq2seq.language import ENGLISH, Said
from seq2seq.translation import Translation

if TYPE_CHECKING:
    from seq2seq.comparison import Comparison

NAME_LENGTH = 60
"""Characters of the sentence that a file name keeps."""
HIDDEN_IN_TURN = (
    "Each word was hidden in turn; the stronger the cell, the less likely the word of the translation became (full strength: "
    "{most:g} of its log-probability lost, or more)."
)
"""What an occlusion map is."""
PARTING = "They part at word {place}: {left} on the left, {right} on the right."


@dataclass(frozen=True, eq=False)
class Side:
    """One translation. title: what its model is called, in the language of the sheet. facts: names and values, in English
    until they are drawn.

    differs: for each target word whether the other side does not have it. vector (H,): all that a model without attention
    was given. lost (target words, source words): what hiding a word costs, as `explain.occlusion` gives it.
    """

    translation: Translation
    title: str
    facts: tuple[tuple[str, str], ...]
    differs: tuple[bool, ...] = ()
    vector: np.ndarray | None = None
    lost: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Sheet:
    """A sentence and its sides. notes: what is to be said of all of it, in English until it is drawn. pieces, show_eos: as in
    `figures.heatmap`. language: in which page, picture and slides say what is theirs to say; one of `language.LANGUAGES`."""

    text: str
    sides: tuple[Side, ...]
    notes: tuple[str, ...] = ()
    pieces: bool = False
    show_eos: bool = True
    language: str = ENGLISH


def sheet(
    translation: Translation, *, title: str = "", pieces: bool = False, show_eos: bool = True, language: str = ENGLISH
) -> Sheet:
    """One translation; without a title it has the name of its checkpoint."""
    facts = (
        (Said("beam"), str(translation.beam_size)),
        (Said("log-probability"), Said("{value:.2f}", value=translation.log_prob)),
        (Said("time"), Said("{value:.0f} ms", value=1000 * translation.seconds)),
    )
    side = Side(translation, title or translation.checkpoint, facts)
    return Sheet(translation.text, (side,), pieces=pieces, show_eos=show_eos, language=language)


def comparison_sheet(
    comparison: Comparison,
    labels: Mapping[str, str] | None = None,
    evidence: Mapping[str, tuple[np.ndarray | None, np.ndarray | None]] | None = None,
    *,
    show_eos: bool = True,
    language: str = ENGLISH,
) -> Sheet:
    """Two translations. labels: what each model is called, if not by its checkpoint; evidence: its `vector` and `lost`."""
    from seq2seq.comparison import different_words

    made = {"left": comparison.left, "right": comparison.right}
    differs = dict(zip(made, different_words(comparison.left.target_words, comparison.right.target_words)))
    sides = []
    for name, translation in made.items():
        vector, lost = (evidence or {}).get(name, (None, None))
        title = labels[name] if labels else translation.checkpoint
        known = tuple((key, value) for key, value in facts(comparison, name))
        sides.append(Side(translation, title, known, tuple(differs[name]), vector, lost))
    notes = [Said("Reference: {reference}", reference=comparison.reference)] if comparison.reference else []
    notes.append(parting(comparison))
    notes = (*notes, *comparison.warnings)
    return Sheet(comparison.left.text, tuple(sides), notes, show_eos=show_eos, language=language)


def facts(comparison: Comparison, side: str) -> list[list[str]]:
    """Names and values of one side, "left" or "right"."""
    translation: Translation = getattr(comparison, side)
    rows: list[list[str]] = [
        [Said("log-probability per word"), Said("{value:.2f}", value=comparison.log_prob_per_word[side])],
        [Said("time"), Said("{value:.0f} ms", value=1000 * translation.seconds)],
        [Said("parameters"), Said("{value:.2f} million", value=comparison.parameters[side] / 1e6)],
    ]
    for name, scores in (("chrF", comparison.chrf), ("BLEU", comparison.bleu)):
        if scores:
            rows.append([name, Said("{value:.1f}", value=scores[side])])
    return rows


def parting(comparison: Comparison) -> Said:
    """Where the two translations part, in words."""
    at = comparison.parted_at
    if at is None:
        return Said("Both wrote the same.")
    left, right = (
        Said("“{word}”", word=words[at]) if at < len(words) else Said("nothing more")
        for words in (comparison.left.target_words, comparison.right.target_words)
    )
    return Said(PARTING, place=at + 1, left=left, right=right)


def file_name(text: str, ending: str, sides: int = 1) -> str:
    """A name after the sentence that every system takes: lower-case letters a to z, digits and hyphens, so never a path."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain.lower())[:NAME_LENGTH].strip("-")
    return "-".join(filter(None, ("attention-lens", "compare" if sides > 1 else "", words))) + f".{ending}"
