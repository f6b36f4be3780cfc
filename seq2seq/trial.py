""" "Your own test": pairs from a file that anybody may have sent, run through two translators and scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from sacrebleu.metrics import CHRF

from seq2seq.comparison import check_languages
from seq2seq.data import DataError, Pair, numbered_pairs
from seq2seq.evaluation import METRICS, corpus_score, paired_difference, sentence_statistics
from seq2seq.language import Said
from seq2seq.report import safe_cell
from seq2seq.translator import MAX_CHARACTERS, TextError, Translator, check_search, clean
from seq2seq.upload import next_batch, read_upload

MAX_ROWS, MAX_REFERENCES, MAX_SOURCE = 2000, 20, 200_000


def read_test(path: str | Path) -> list[Pair]:
    """The pairs of a small UTF-8 file: source, reference, further references; `.csv`, or tab separated.

    Raises DataError, with a message that names the file, the line, and what to do.
    """
    name = Path(path).name
    numbered = read_upload(path, numbered_pairs, MAX_ROWS)
    characters = 0
    for number, pair in numbered:
        if len(pair.references) > MAX_REFERENCES:
            raise DataError(
                Said(
                    "{path}, line {number}: over {limit} references; keep {limit} of them",
                    path=name,
                    number=number,
                    limit=MAX_REFERENCES,
                )
            )
        for cell in (pair.source, *pair.references):
            if len(cell) > MAX_CHARACTERS:
                raise DataError(
                    Said(
                        "{path}, line {number}: a cell has {count:,} characters; the limit is {limit:,}. Split it into "
                        "sentences.",
                        path=name,
                        number=number,
                        count=len(cell),
                        limit=MAX_CHARACTERS,
                    )
                )
        characters += len(pair.source)
        if characters > MAX_SOURCE:
            raise DataError(
                Said(
                    "{path}, line {number}: the sources up to here have over {limit:,} characters, which would take too long. "
                    "Send a part of the file.",
                    path=name,
                    number=number,
                    limit=MAX_SOURCE,
                )
            )
        try:
            clean(pair.source)
        except TextError as error:
            raise DataError(
                Said("{path}, line {number}: {error}", path=name, number=number, error=error.args[0])
            ) from None
    return [pair for _, pair in numbered]


class Progress(NamedTuple):
    """How many of the pairs both translators have gone through."""

    done: int
    total: int


@dataclass(frozen=True, eq=False)
class Trial:
    """What two translators made of some pairs.

    table: a row a pair, with source, reference (the first), left, right (their translations), chrf_left, chrf_right
    (sentence chrF against all references, 0 to 100), and words (of the source, split on spaces).
    scores: "sentences", and for "bleu" and "chrf" an object with the corpus scores "left" and "right", their
    "difference" (right - left), and its 95 % "interval" [low, high] by paired bootstrap.
    """

    table: pd.DataFrame
    scores: dict[str, Any]

    def to_csv(self) -> str:
        """The table as CSV, in which no spreadsheet finds a formula."""
        return self.table.map(lambda cell: safe_cell(cell) if isinstance(cell, str) else cell).to_csv(
            index=False, float_format="%.2f", lineterminator="\n"
        )


def run_trial(
    left: Translator, right: Translator, pairs: Sequence[Pair], beam_size: int = 1, batch: int = 32
) -> Iterator[Trial | Progress]:
    """Translates all sources with both, under the same settings: a Progress after each batch, and the Trial last.

    Whoever stops asking has cancelled it: nothing is computed between two items. Raises SearchError, TextError (two
    directions) and ValueError before the first.
    """
    check_search(beam_size)
    check_languages(left, right)
    if not pairs:
        raise ValueError("there are no pairs to translate")
    if batch < 1:
        raise ValueError(f"batch is {batch}; it must be at least 1")
    return _run(left, right, pairs, {"beam_size": beam_size}, batch)


def _run(
    left: Translator, right: Translator, pairs: Sequence[Pair], settings: dict[str, int], batch: int
) -> Iterator[Trial | Progress]:
    outputs: tuple[list[str], list[str]] = ([], [])
    while len(outputs[0]) < len(pairs):
        sources = [pair.source for pair in pairs[len(outputs[0]) :][:batch]]
        sources = sources[: next_batch(sources, batch)]
        for translator, made in zip((left, right), outputs):
            made += translator.texts(sources, **settings)
        yield Progress(len(outputs[0]), len(pairs))
    yield Trial(_table(*outputs, pairs), _scores(*outputs, pairs))


def _table(left: Sequence[str], right: Sequence[str], pairs: Sequence[Pair]) -> pd.DataFrame:
    chrf = CHRF()
    columns = {
        "source": [pair.source for pair in pairs],
        "reference": [pair.references[0] for pair in pairs],
        "left": left,
        "right": right,
        "chrf_left": [chrf.sentence_score(output, pair.references).score for output, pair in zip(left, pairs)],
        "chrf_right": [chrf.sentence_score(output, pair.references).score for output, pair in zip(right, pairs)],
        "words": [len(pair.source.split()) for pair in pairs],
    }
    return pd.DataFrame(columns)


def _scores(left: Sequence[str], right: Sequence[str], pairs: Sequence[Pair]) -> dict:
    scores: dict = {"sentences": len(pairs)}
    for metric in METRICS:
        statistics = [sentence_statistics(metric, outputs, pairs) for outputs in (left, right)]
        of_left, of_right = (corpus_score(metric, one.sum(0)) for one in statistics)
        difference, low, high = paired_difference(metric, *statistics)
        scores[metric] = {"left": of_left, "right": of_right, "difference": difference, "interval": [low, high]}
    return scores
