"""A file of sentences -> their translations in order, as a table (CSV) and for programs (JSON Lines)."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from seq2seq.data import DataError, read_rows
from seq2seq.language import Said
from seq2seq.report import safe_cell
from seq2seq.translation import DIGITS, Translation
from seq2seq.translator import TextError, Translator, check_search, clean
from seq2seq.upload import check_count, next_batch, read_upload

MAX_LINES, MAX_SOURCE, MAX_OBJECTS = 5000, 1_000_000, 300_000_000
"""Of one run: lines, characters of all lines that are translated, characters of the JSON Lines."""
MAX_TEXT = 500_000
"""Characters of a text that is no file: a call of the page has room for them in any script."""
BATCH_LINES, BATCH_CHARACTERS = 128, 8000
"""Translated between two looks at whether to stop, with greedy search; of a beam fewer, as it takes that much longer."""
SHOWN_CHARACTERS = 200
"""Of a refused line, which may be megabytes long, in the results."""
COLUMNS = ("line", "source", "translation", "log_prob", "alignment", "warnings", "error")


# -- lines ---------------------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """A line that was sent: its number from 1, its text, and why it cannot be translated, or ""."""

    number: int
    text: str
    error: str = ""


def read_file(path: str | Path) -> list[Line]:
    """The lines of a UTF-8 file: `.txt` one sentence a line; `.tsv` and `.csv` without a heading, the first column the
    sentence and further columns not read.

    A line that cannot be translated carries its reason; blank lines at the end do not count. Raises DataError for a file
    that cannot be read or is over a limit.
    """
    return _checked(Path(path).name, read_upload(path, _sentences, MAX_LINES))


def read_text(text: str, name: str = "the text") -> list[Line]:
    """The same of a text, one sentence a line."""
    if len(text) > MAX_TEXT:
        raise DataError(
            Said(
                "{path} has {count:,} characters; the limit is {limit:,}. Send a part of it.",
                path=name,
                count=len(text),
                limit=MAX_TEXT,
            )
        )
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    check_count(name, len(lines), MAX_LINES)
    return _checked(name, list(enumerate(lines, 1)))


def _sentences(path: Path) -> Iterator[tuple[int, str]]:
    whole = path.suffix.lower() == ".txt"
    blank = []
    for number, cells in read_rows(path):
        row = number, "\t".join(cells) if whole else (cells or [""])[0]
        if any(cell.strip() for cell in cells):
            yield from blank
            yield row
            blank = []
        elif len(blank) <= MAX_LINES:
            blank.append(row)


def _checked(name: str, numbered: Sequence[tuple[int, str]]) -> list[Line]:
    if not numbered:
        raise DataError(Said("{path} has no lines; write one sentence a line", path=name))
    lines, characters = [], 0
    for number, text in numbered:
        try:
            characters += len(clean(text))
            lines.append(Line(number, text))
        except TextError as error:
            lines.append(Line(number, _short(text), error.args[0]))
        if characters > MAX_SOURCE:
            raise DataError(
                Said(
                    "{path}, line {number}: the lines up to here have over {limit:,} characters, which would take too long. "
                    "Send a part of them.",
                    path=name,
                    number=number,
                    limit=MAX_SOURCE,
                )
            )
    return lines


def _short(text: str) -> str:
    """The beginning of a line that was refused, fit for a cell: on one line, and writable as UTF-8."""
    kept = " ".join(text[: SHOWN_CHARACTERS + 1].split())
    kept = kept.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    return kept if len(kept) <= SHOWN_CHARACTERS else kept[:SHOWN_CHARACTERS] + " …"


# -- translating ---------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A line and what was made of it: None if it was refused."""

    line: Line
    translation: Translation | None


class Step(NamedTuple):
    """One more batch: its rows, how many lines are done in all, and about how many seconds the rest will take."""

    rows: list[Row]
    done: int
    total: int
    seconds_left: float


def run_batch(translator: Translator, lines: Sequence[Line], beam_size: int = 1) -> Iterator[Step]:
    """Translates the lines, in order, a Step after each batch.

    Whoever stops asking has cancelled it: nothing is computed between two items. Raises SearchError and ValueError
    before the first.
    """
    check_search(beam_size)
    if not lines:
        raise ValueError("there are no lines to translate")
    return _run(translator, lines, beam_size)


def _run(translator: Translator, lines: Sequence[Line], beam_size: int) -> Iterator[Step]:
    began = time.perf_counter()
    # Time goes with the characters; 1 for a line, so that a file of refused lines comes to its end too.
    work = [1 if line.error else 1 + len(line.text) for line in lines]
    done = worked = 0
    while done < len(lines):
        batch = lines[done : done + max(1, BATCH_LINES // beam_size)]
        texts = ["" if line.error else line.text for line in batch]
        batch = batch[: next_batch(texts, len(texts), BATCH_CHARACTERS // beam_size)]
        made = iter(translator.translate([line.text for line in batch if not line.error], beam_size=beam_size))
        rows = [Row(line, None if line.error else next(made)) for line in batch]
        worked += sum(work[done : done + len(batch)])
        done += len(batch)
        left = (time.perf_counter() - began) * (sum(work) - worked) / worked
        yield Step(rows, done, len(lines), left)


def how_far(step: Step) -> str:
    """ "640 of 5,000 lines, about 12 s left"."""
    if step.done == step.total:
        return Said("{done:,} of {total:,} lines", done=step.done, total=step.total)
    seconds = max(1, round(step.seconds_left))
    left = Said("{count} s", count=seconds) if seconds < 100 else Said("{count} min", count=round(seconds / 60))
    return Said("{done:,} of {total:,} lines, about {left} left", done=step.done, total=step.total, left=left)


# -- results -------------------------------------------------------------------------------------------------------


def save(steps: Iterable[Step], table: TextIO | None = None, objects: TextIO | None = None) -> Iterator[Step]:
    """Passes the steps on, each after its rows are written to the two files: CSV and JSON Lines.

    No cell of the table starts a formula. Raises DataError if the objects grow over MAX_OBJECTS characters.
    """
    writer = csv.writer(table, lineterminator="\n") if table else None
    if writer:
        writer.writerow(COLUMNS)
    size = 0
    for step in steps:
        for row in step.rows:
            if writer:
                writer.writerow(cell if isinstance(cell, int | float) else safe_cell(cell) for cell in cells(row))
            if objects:
                written = json.dumps(to_object(row), ensure_ascii=False)
                size += objects.write(written + "\n")
        if size > MAX_OBJECTS:
            raise DataError(
                Said(
                    "line {number}: the results up to here have over {limit:.0f} MB. Send a part of the lines.",
                    number=step.rows[-1].line.number,
                    limit=MAX_OBJECTS / 1e6,
                )
            )
        yield step


def cells(row: Row) -> tuple[int | float | str, ...]:
    """A row as the COLUMNS of the table; what it does not have is ""."""
    line, made = row
    if made is None:
        return line.number, line.text, "", "", "", "", line.error
    log_prob = round(made.log_prob, DIGITS)
    return line.number, made.text, made.translation, log_prob, pharaoh(made), " ".join(made.warnings), ""


def to_object(row: Row) -> dict[str, Any]:
    """A row as the object of `translate --json`, with its line and its word links; a refused one has "error" instead."""
    line, made = row
    if made is None:
        return {"line": line.number, "text": line.text, "error": line.error}
    return {"line": line.number, **made.to_dict(), "alignment": pharaoh(made)}


def pharaoh(translation: Translation) -> str:
    """Word links "i-j", source word and target word counted from 0: each target word with the source word it put most weight
    on, `<eos>` left out on both sides as `evaluate --alignment` does. Empty for a model without attention."""
    if translation.attention is None:
        return ""
    S, T = translation.lengths
    words = translation.attention[:T, :S]
    return " ".join(f"{weights.argmax()}-{j}" for j, weights in enumerate(words) if weights.any())
