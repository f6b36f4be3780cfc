"""The bottleneck test: a sentence that grows clause by clause, and what two translators make of each length.

The reference is known because both languages are composed of clauses that translate each other. Cho et al. (2014, "On
the Properties of Neural Machine Translation") found that the quality of a decoder with one fixed vector falls with
length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from seq2seq.comparison import check_languages, chrf, log_prob_per_word
from seq2seq.language import Said
from seq2seq.translation import Translation
from seq2seq.translator import MAX_CHARACTERS, TextError, Translator, check_search, clean

MAX_CLAUSES = 12
EXAMPLE = "A dog sleeps = Un chien dort"
NO_MARK = "Line {number}: there is no {mark} between the clause and its translation. Write for instance: {example}"
MANY_MARKS = "Line {number}: there is more than one {mark}. Write for instance: {example}"


class Clause(NamedTuple):
    """A part of a sentence and its translation, or a sentence composed of such parts."""

    source: str
    target: str

    def turned(self) -> Clause:
        """For the other direction."""
        return Clause(self.target, self.source)


CLAUSES = (
    Clause("a man in blue is riding a bicycle", "un homme en bleu fait du vélo"),
    Clause("and a woman is reading a book", "et une femme lit un livre"),
    Clause("in front of a white house", "devant une maison blanche"),
    Clause("and two children are playing with a ball", "et deux enfants jouent avec un ballon"),
    Clause("and a black dog is sleeping under a tree", "et un chien noir dort sous un arbre"),
    Clause("and an old man is selling fruit at the market", "et un vieil homme vend des fruits au marché"),
    Clause("and a little girl is eating an ice cream", "et une petite fille mange une glace"),
    Clause("while a boy is taking a picture of the sea", "pendant qu'un garçon prend une photo de la mer"),
)
"""English and French, written for this test in the style of the captions that the models were trained on, but not taken from
them."""


def own_clauses(translator: Translator) -> tuple[Clause, ...]:
    """CLAUSES in the direction in which it translates."""
    return tuple(c.turned() for c in CLAUSES) if translator.model.config.source_language == "fr" else CLAUSES


@dataclass(frozen=True, eq=False)
class Point:
    """One length of the sentence and what both translators make of it.

    words: of `source`, split on spaces. chrf: of each translation against `reference`, 0 to 100. reference_log_prob:
    natural log of the probability that each model gives the reference, by forced decoding, divided by its words,
    `<eos>` counted. Both have the keys "left" and "right".
    """

    words: int
    source: str
    reference: str
    left: Translation
    right: Translation
    chrf: dict[str, float]
    reference_log_prob: dict[str, float]


def compose(clauses: Sequence[Clause]) -> Clause:
    """The clauses as one sentence: joined by spaces as they stand, a capital first, a full stop last if none is there.

    A clause that begins with a comma follows without a space. Raises ValueError if there is no clause.
    """
    if not clauses:
        raise ValueError("there is no clause to make a sentence of")
    return Clause(_sentence([c.source for c in clauses]), _sentence([c.target for c in clauses]))


def _sentence(parts: Sequence[str]) -> str:
    text = " ".join(parts).replace(" ,", ",")
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")


def parse_clauses(text: str) -> tuple[Clause, ...]:
    """The user's own clauses, one a line, then a tab or "=", then its translation. Blank lines do not count.

    Raises TextError, which names the line, for a line that is not so, and for too many lines or characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise TextError(
            Said(
                "The lines have {count:,} characters in all; the limit is {limit:,}.",
                count=len(text),
                limit=MAX_CHARACTERS,
            )
        )
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        mark = "\t" if "\t" in line.strip() else "="
        parts = line.strip().split(mark)
        if len(parts) != 2:
            name = Said("tab") if mark == "\t" else "“=”"
            raise TextError(Said(NO_MARK if len(parts) == 1 else MANY_MARKS, number=number, mark=name, example=EXAMPLE))
        try:
            found.append(Clause(*map(clean, parts)))
        except TextError:
            raise TextError(
                Said(
                    "Line {number}: the clause or its translation is missing. Write for instance: {example}",
                    number=number,
                    example=EXAMPLE,
                )
            ) from None
        if len(found) > MAX_CLAUSES:
            raise TextError(
                Said(
                    "Line {number}: this is one clause too many; the limit is {limit}.",
                    number=number,
                    limit=MAX_CLAUSES,
                )
            )
    if not found:
        raise TextError(Said("There are no lines. Write one clause a line, for instance: {example}", example=EXAMPLE))
    return tuple(found)


def grow(
    left: Translator, right: Translator, clauses: Sequence[Clause] | None = None, beam_size: int = 1
) -> Iterator[Point]:
    """The sentence of the first clause, of the first two, and so on, each computed when it is asked for.

    clauses: `own_clauses` without any. It ends before a sentence, in either language, that would be longer than a
    translator takes. Raises SearchError, and TextError for two directions, before the first point.
    """
    check_search(beam_size)
    check_languages(left, right)
    return _points({"left": left, "right": right}, own_clauses(left) if clauses is None else clauses, beam_size)


def _points(translators: dict[str, Translator], clauses: Sequence[Clause], beam_size: int) -> Iterator[Point]:
    for count in range(1, len(clauses) + 1):
        source, reference = compose(clauses[:count])
        if max(len(source), len(reference)) > MAX_CHARACTERS:
            return
        made = {side: translator.translate(source, beam_size=beam_size) for side, translator in translators.items()}
        forced = {side: translator.translate(source, target=reference) for side, translator in translators.items()}
        yield Point(
            words=len(source.split()),
            source=source,
            reference=reference,
            **made,
            chrf={side: chrf(translation.translation, reference) for side, translation in made.items()},
            reference_log_prob={side: log_prob_per_word(translation) for side, translation in forced.items()},
        )
