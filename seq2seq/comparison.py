"""Two translators on one sentence under the same settings: where they part, and how each stands against a reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from sacrebleu.metrics import BLEU, CHRF

from seq2seq.language import Said
from seq2seq.translation import DIGITS, Translation
from seq2seq.translator import MAX_CHARACTERS, TextError, Translator, clean

COMMON = {
    "en": frozenset("the is are was were of and with this that his her they he she it to at from has not".split()),
    "fr": frozenset(
        "le la les un une des du de et est sont dans sur avec il elle ils ne pas je que qui au à en".split()
    ),
}
"""Commonest words of each language that are no word of the other."""
UNTRANSLATED = "The reference does not look translated; the scores mean something only for one that is."
OTHER_LANGUAGE = "“{left}” and “{right}” do not translate between the same languages; choose two that do."
SOURCE_SHARE, OUTPUT_SHARE = 0.6, 0.4
"""A reference of which the source has at least so much, and neither output more than so much, looks untranslated."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two translations of one text, made with the same settings.

    reference: what the scores are against, or None. parted_at: index of the first target word that differs, `<eos>`
    counted; None if they are the same. chrf, bleu: sentence scores of sacrebleu from 0 to 100, or None without a
    reference. parameters: trained numbers of each model. log_prob_per_word: natural log of the probability of the
    target, divided by its words, `<eos>` counted. These four have the keys "left" and "right".
    warnings: sentences for the reader; those about one translation stand in that.
    """

    left: Translation
    right: Translation
    reference: str | None
    parted_at: int | None
    chrf: dict[str, float] | None
    bleu: dict[str, float] | None
    parameters: dict[str, int]
    log_prob_per_word: dict[str, float]
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of `compare --json` and of the API."""

        def rounded(scores: dict[str, float] | None, digits: int) -> dict[str, float] | None:
            return None if scores is None else {side: round(score, digits) for side, score in scores.items()}

        return {
            "left": self.left.to_dict(),
            "right": self.right.to_dict(),
            "chrf": rounded(self.chrf, 2),
            "bleu": rounded(self.bleu, 2),
            "reference": self.reference,
            "parted_at": self.parted_at,
            "parameters": dict(self.parameters),
            "log_prob_per_word": rounded(self.log_prob_per_word, DIGITS),
            "warnings": list(self.warnings),
        }


def check_languages(left: Translator, right: Translator) -> None:
    """Raises TextError if the two do not translate in the same direction: one sentence cannot be for both."""
    pairs = {(side.model.config.source_language, side.model.config.target_language) for side in (left, right)}
    if len(pairs) > 1:
        raise TextError(Said(OTHER_LANGUAGE, left=left.name, right=right.name))


def compare(left: Translator, right: Translator, text: str, reference: str = "", beam_size: int = 1) -> Comparison:
    """The same text through both, by one set of settings; a blank reference is none.

    Raises TextError for a text or reference that is too long, a blank text, or two directions, and SearchError.
    """
    check_languages(left, right)
    wanted = clean_reference(reference)
    made = {side: one.translate(text, beam_size=beam_size) for side, one in (("left", left), ("right", right))}
    outputs = [translation.translation for translation in made.values()]
    return Comparison(
        **made,
        reference=wanted,
        parted_at=parted_at(made["left"].target_words, made["right"].target_words),
        chrf=None if wanted is None else {side: chrf(t.translation, wanted) for side, t in made.items()},
        bleu=None if wanted is None else {side: bleu(t.translation, wanted) for side, t in made.items()},
        parameters={"left": left.model.parameter_count(), "right": right.model.parameter_count()},
        log_prob_per_word={side: log_prob_per_word(translation) for side, translation in made.items()},
        warnings=() if reference is None else reference_warnings(reference, made["left"], outputs),
    )


def clean_reference(reference: str) -> str | None:
    """The reference on one line, None if it is blank. Raises TextError if it is too long."""
    if len(reference) > MAX_CHARACTERS:
        raise TextError(
            Said(
                "The reference has {count:,} characters; the limit is {limit:,}. Please shorten it.",
                count=len(reference),
                limit=MAX_CHARACTERS,
            )
        )
    try:
        return clean(reference)
    except TextError:
        return None


def chrf(output: str, reference: str) -> float:
    """Sentence chrF (Popović 2015), 0 to 100."""
    return CHRF().sentence_score(output, [reference]).score


def bleu(output: str, reference: str) -> float:
    """Sentence BLEU, 0 to 100; of a sentence of under four words only the n-grams count that it can have."""
    return BLEU(effective_order=True).sentence_score(output, [reference]).score


def parted_at(left: Sequence[str], right: Sequence[str]) -> int | None:
    """The index of the first word that differs, None if there is none; a shorter list differs where it ends."""
    return next((i for i, (a, b) in enumerate(zip_longest(left, right)) if a != b), None)


def log_prob_per_word(translation: Translation) -> float:
    """Natural log of the target's probability divided by its words, `<eos>` counted; 0 for a target of no words."""
    return translation.log_prob / max(1, len(translation.target_words))


def different_words(left: Sequence[str], right: Sequence[str]) -> tuple[list[bool], list[bool]]:
    """For each word of either side whether it differs, after the longest common parts are laid beside each other."""
    differs = [True] * len(left), [True] * len(right)
    # autojunk would call words that are frequent in long sentences different everywhere.
    for i, j, size in SequenceMatcher(None, list(left), list(right), autojunk=False).get_matching_blocks():
        differs[0][i : i + size] = [False] * size
        differs[1][j : j + size] = [False] * size
    return differs


def reference_warnings(reference: str, made: Translation, outputs: Sequence[str]) -> tuple[str, ...]:
    """A warning if the reference looks untranslated: then the scores would say nothing about the translations."""
    words = _words(reference)
    if not words:
        return ()
    in_source = len(words & _words(made.text)) / len(words)
    in_outputs = max(len(words & _words(output)) / len(words) for output in outputs)
    # "Paris" is its own translation: what an output says too is no sign of that.
    copied = in_source >= SOURCE_SHARE and in_outputs <= OUTPUT_SHARE
    of_source, of_target = (len(words & COMMON.get(one, set())) for one in (made.source_language, made.target_language))
    if copied or of_source > of_target:
        return (UNTRANSLATED,)
    return ()


def _words(text: str) -> set[str]:
    return set("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def summary_lines(comparison: Comparison) -> str:
    """The comparison for people at a terminal."""
    lines = []
    for side, made in (("left", comparison.left), ("right", comparison.right)):
        facts = [f"{comparison.parameters[side]:,} parameters", f"{1000 * made.seconds:.0f} ms"]
        facts.append(f"log-probability per word {comparison.log_prob_per_word[side]:.3f}")
        if comparison.chrf is not None and comparison.bleu is not None:  # there is a reference
            facts += [f"chrF {comparison.chrf[side]:.1f}", f"BLEU {comparison.bleu[side]:.1f}"]
        lines += [f"{made.checkpoint}: {made.translation}", "    " + ", ".join(facts)]
    at = comparison.parted_at
    if at is None:
        return "\n".join([*lines, "Both wrote the same."])
    targets = comparison.left.target_words, comparison.right.target_words
    words = " | ".join(target[at] if at < len(target) else "nothing" for target in targets)
    return "\n".join([*lines, f"They part at word {at + 1}: {words}"])
