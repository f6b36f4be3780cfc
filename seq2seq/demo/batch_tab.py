"""The tab Batch: a file or lines of text, translated in order, with the results to take away."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from seq2seq.batch import COLUMNS, MAX_LINES, Line, Row, cells, how_far, read_file, read_text, run_batch, save
from seq2seq.demo import links, models, runs
from seq2seq.demo.visitor import laid, say, told
from seq2seq.language import Said
from seq2seq.translation import Translation
from seq2seq.translator import MAX_CHARACTERS, TextError
from seq2seq.upload import ENDINGS, MAX_BYTES

SHOWN = 200
"""Rows of the table on the page; the files have all."""
RUNS: dict[str, Any] = {"concurrency_id": "batch", "concurrency_limit": 2}
"""At once, from the page and from programs together."""
TABLE_FILE, OBJECTS_FILE = "translations.csv", "translations.jsonl"
ABOUT = (
    "A text file with one sentence a line, or a TSV or CSV file without a heading whose first column is the sentence; "
    "further columns are not read. At most {lines:,} lines of {characters:,} characters, {size:.0f} MB. A line that cannot "
    "be translated says why, and the others go on."
)
LINKS = (
    "Links `i-j` pair each word j of the translation with the word i of the sentence that it got most of its attention from; "
    "words and punctuation marks count from 0 as in the heatmap, `<eos>` is left out. The log-probability is the natural "
    "logarithm. CSV has a row a line; JSONL (JSON Lines) has everything the model said, attention weights included."
)
CANCELLED = "Cancelled: {done:,} of {total:,} lines were done."
DONE_ONE, DONE = "{count:,} line translated in {seconds:.1f} s.", "{count:,} lines translated in {seconds:.1f} s."
REFUSED = "{count:,} could not be: the column Error says why."
THE_FIRST = "The first {count:,} of {total:,} lines; the files have all."
THE_FILES_HAVE = "The first {count:,} of {total:,} lines; the files have {done:,}."
HEADS = dict(zip(COLUMNS, ("Line", "Sentence", "Translation", "Log-prob.", "Links", "Warnings", "Error")))
Shown = tuple[Any, Any, Any, Any]
"""What a run changes: status, table, the two downloads."""


def written(lines: Sequence[Line], checkpoint: str, beam_size: int, folder: Path) -> Iterator[Any]:
    """The steps of a run; with each, its rows stand in the two files in `folder`, whole after the last one. The table begins
    with a byte-order mark, without which Excel takes "é" for two letters."""
    with ExitStack() as stack:
        files = [
            stack.enter_context((folder / name).open("w", encoding=encoding, newline=""))
            for name, encoding in ((TABLE_FILE, "utf-8-sig"), (OBJECTS_FILE, "utf-8"))
        ]
        for step in save(run_batch(models.translator(checkpoint), lines, beam_size), *files):
            for file in files:
                file.flush()
            yield step


def run(
    number: float, path: str | None, text: str, checkpoint: str, beam_size: float, request: gr.Request
) -> Iterator[Shown]:
    """Translates an uploaded file or what stands in the box; what was sent is checked before any model sees it."""
    hidden = gr.update(visible=False)
    began = time.monotonic()
    try:
        if runs.cancelled(number, request):
            yield last(runs.NEVER), "", hidden, hidden
            return
        lines = given(path, text)
        # Nothing of an earlier run stays beside this one.
        yield (
            runs.progress_bar(0, len(lines), say("{done:,} of {total:,} lines", done=0, total=len(lines))),
            "",
            hidden,
            hidden,
        )
        shown: list[Row] = []
        # Gradio copies the files into its own cache before it asks for the next item.
        with tempfile.TemporaryDirectory(prefix="attention-lens-") as folder:
            for step in written(lines, checkpoint, int(beam_size), Path(folder)):
                shown += step.rows[: SHOWN - len(shown)]
                whole = step.done == step.total
                if not whole and not runs.cancelled(number, request):
                    yield runs.progress_bar(step.done, step.total, say(how_far(step))), *(gr.skip(),) * 3
                    continue
                # What was done before a run was cancelled need not be done again.
                said = (
                    summary(lines, time.monotonic() - began)
                    if whole
                    else Said(CANCELLED, done=step.done, total=step.total)
                )
                sheet, objects = (
                    gr.update(value=str(Path(folder) / n), visible=True) for n in (TABLE_FILE, OBJECTS_FILE)
                )
                yield last(said), table(shown, step.done, step.total), sheet, objects
                return
    except models.REFUSALS as error:
        yield last(told(error)), "", hidden, hidden


def given(path: str | None, text: str) -> list[Line]:
    """The lines of the file or of the box. Raises TextError if it is none of them or both, and DataError."""
    if path and text.strip():
        raise TextError("There is a file and there are lines in the box; remove one of them.")
    if not path and not text.strip():
        raise TextError("Choose a file, or write sentences into the box, one a line.")
    return read_file(path) if path else read_text(text, Said("the box"))


def last(text: str) -> str:
    """A last word, which screen readers read out."""
    return f'<p role="status">{escape(say(text))}</p>'


def summary(lines: Sequence[Line], seconds: float) -> str:
    """How a run went."""
    refused = sum(1 for line in lines if line.error)
    done = len(lines) - refused
    said = say(DONE_ONE if done == 1 else DONE, count=done, seconds=seconds)
    return f"{said} {say(REFUSED, count=refused)}" if refused else said


def table(rows: Sequence[Row], done: int, total: int) -> str:
    """The first rows as an HTML table; nothing that anybody wrote is markup in it. done: those that stand in the files."""
    if done < total:
        caption = say(THE_FILES_HAVE, count=len(rows), total=total, done=done)
    else:
        caption = say(THE_FIRST, count=len(rows), total=total) if len(rows) < total else say("All lines")
    filled = [_said(row) for row in rows]
    # Columns in which nothing stands would only make the others narrow.
    kept = [
        i for i, name in enumerate(COLUMNS) if name in ("line", "source", "translation") or any(c[i] for c in filled)
    ]
    head = "".join(f'<th scope="col">{say(HEADS[COLUMNS[i]])}</th>' for i in kept)
    body = "".join(
        f'<tr><th scope="row">{texts[0]}</th>'
        + "".join(_cell(COLUMNS[i], texts[i], row.translation) for i in kept[1:])
        + "</tr>"
        for row, texts in zip(rows, filled)
    )
    return (
        f'<div class="batch-scroll" role="region" aria-label="{say("Translations")}" tabindex="0">'
        f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _said(row: Row) -> list[str]:
    """The cells of a row, in the visitor's language."""
    shown = dict(zip(COLUMNS, cells(row)))
    if row.translation:
        shown["log_prob"] = Said("{value:.2f}", value=row.translation.log_prob)
        shown["warnings"] = " ".join(map(say, row.translation.warnings))
    shown["error"] = say(row.line.error)
    return [say(cell) if isinstance(cell, Said) else str(cell) for cell in shown.values()]


def _cell(name: str, text: str, made: Translation | None) -> str:
    languages = {"source": made.source_language, "translation": made.target_language} if made else {}
    language = f' lang="{languages[name]}"' if name in languages else ""
    filled = plain(text)
    if name == "alignment":  # a line must not end within a link
        filled = " ".join(f"<span>{link}</span>" for link in filled.split())
    return f'<td class="batch-{name}"{language}>{filled}</td>'


def plain(text: str) -> str:
    """Text for HTML, in which Gradio's templates find nothing to fill in either."""
    return escape(text).replace("$", "&#36;").replace("{", "&#123;")


def batch_tab() -> None:
    """Lays the tab out inside an open `gr.Blocks` and wires it."""
    gr.Markdown(
        laid(ABOUT, lines=MAX_LINES, characters=MAX_CHARACTERS, size=MAX_BYTES / 1e6),
        elem_classes="help",
    )
    with gr.Row():
        file = gr.File(
            label=laid("File ({endings})", endings=", ".join(ENDINGS)), file_count="single", file_types=list(ENDINGS),
            elem_id="batch-file", height=160, min_width=260,
        )  # fmt: skip
        text = gr.Textbox(
            "", label="Or sentences, one a line", placeholder="A dog sleeps.\nTwo girls are reading a book.",
            lines=5, max_lines=12, elem_id="batch-text", min_width=260,
        )  # fmt: skip
    with gr.Row():
        checkpoint = gr.Dropdown(
            models.choices(), value=models.names()[0], label="Model", elem_id="batch-model", scale=2, min_width=240
        )
        beam = gr.Slider(
            1, links.BEAMS, value=1, step=1, label="Beam (1 = greedy)", elem_id="batch-beam", min_width=200, buttons=[]
        )
    with gr.Row():
        start = gr.Button("Translate all", variant="primary", elem_id="batch-run", min_width=140)
        stop = gr.Button("Cancel", elem_id="batch-cancel", min_width=140)
    status = gr.HTML("", elem_id="batch-status")
    with gr.Row():
        as_csv = gr.DownloadButton("Download as CSV", elem_id="batch-csv", visible=False, min_width=140)
        as_jsonl = gr.DownloadButton("Download as JSONL", elem_id="batch-jsonl", visible=False, min_width=140)
    rows = gr.HTML("", elem_id="batch-table")
    gr.Markdown(LINKS, elem_classes="help")
    runs.cancellable(start, stop, status, run, [file, text, checkpoint, beam], [status, rows, as_csv, as_jsonl], **RUNS)
