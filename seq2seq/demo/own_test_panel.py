"""Your own test: a file of pairs, both models over all of it, and the verdict with its uncertainty."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from seq2seq.charts import scatter
from seq2seq.demo import models, runs
from seq2seq.demo.chart import Chart
from seq2seq.demo.visitor import laid, language, say, told
from seq2seq.language import Said
from seq2seq.translator import TextError
from seq2seq.trial import Trial, read_test, run_trial

ABOUT = (
    "A TSV or CSV file: the sentence in the first column, its translation in the second, no heading, at most 2,000 rows. Both "
    "models translate all of it with the settings above. A click on a point opens its sentence at the top."
)
CANCELLED = "Cancelled: {done:,} of {total:,} sentences were done."
Shown = tuple[Any, Any, Any, Any, Any]
"""What a run changes: status, chart, table, download, result."""


def run(
    number: float, path: str | None, left: str, right: str, beam_size: float, request: gr.Request
) -> Iterator[Shown]:
    """Both models over an uploaded file; the file is checked before any model sees it."""
    try:
        if not path:
            raise TextError("Choose a file first.")
        pairs = read_test(path)
        sides = models.translator(left), models.translator(right)
        # Nothing of an earlier file stays beside this one.
        yield "", {"figure": None, "note": ""}, None, gr.update(visible=False), None
        for step in run_trial(*sides, pairs, beam_size=int(beam_size)):
            if isinstance(step, Trial):
                labels = models.labels(left, right)
                figure = {"figure": scatter(step.table, labels, language()), "note": ""}
                # Gradio copies the file into its own cache before it asks for the next item.
                with tempfile.TemporaryDirectory(prefix="attention-lens-") as folder:
                    saved = Path(folder) / "comparison.csv"
                    saved.write_text(step.to_csv(), encoding="utf-8-sig")  # with the mark that Excel needs
                    download = gr.update(value=str(saved), visible=True)
                    yield verdict(step, labels), figure, shown(step.table), download, step.table
            elif runs.cancelled(number, request):
                cancelled = say(CANCELLED, done=step.done, total=step.total)
                yield f'<p role="status">{escape(cancelled)}</p>', *(gr.skip(),) * 4
                return
            else:
                said = say("{done:,} of {total:,} sentences", done=step.done, total=step.total)
                yield runs.progress_bar(*step, said), *(gr.skip(),) * 4
    except models.REFUSALS as error:
        # As the chart's note, which is plain text: the message may hold a file name of anybody's choosing.
        yield "", {"figure": None, "note": told(error)}, None, gr.update(visible=False), None


def verdict(trial: Trial, labels: dict[str, str]) -> str:
    """The corpus scores as an HTML table, which screen readers read out."""
    heads = ["", labels["left"], labels["right"], say("difference (95 % interval)")]
    rows = [heads]
    for name, title in (("bleu", "BLEU"), ("chrf", "chrF")):
        score = trial.scores[name]
        low, high = score["interval"]
        difference = say("{value:+.1f} ({low:+.1f} to {high:+.1f})", value=score["difference"], low=low, high=high)
        rows.append([title, *(say("{value:.1f}", value=score[side]) for side in ("left", "right")), difference])
    cells = ("".join(f"<{kind}>{escape(cell)}</{kind}>" for cell in row) for kind, row in zip(("th", "td", "td"), rows))
    return '<div role="status"><table>' + "".join(f"<tr>{row}</tr>" for row in cells) + "</table></div>"


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The sentences as the page shows them."""
    return table.round(1).rename(columns=say)


def picked(table: pd.DataFrame | None, event: gr.EventData) -> tuple[Any, Any, Any]:
    """The sentence and reference of the point that was clicked, and a new number, which asks for their comparison."""
    if table is None or not isinstance(event.index, int) or not 0 <= event.index < len(table):
        return gr.skip(), gr.skip(), gr.skip()
    row = table.iloc[event.index]
    return row["source"], row["reference"], time.monotonic()


def own_test_panel(
    left: gr.Dropdown, right: gr.Dropdown, beam: gr.Slider, open_in: list[gr.components.Component]
) -> None:
    """Lays the panel out; `open_in`: text, reference and the number whose change compares them, filled by a click."""
    gr.Markdown(laid("### {title}\n{about}", title=Said("Your own test"), about=Said(ABOUT)))
    with gr.Row():
        file = gr.File(label="TSV or CSV", file_count="single", elem_id="own-file", height=120)
        with gr.Column():
            start = gr.Button("Run both models over it", variant="primary", elem_id="own-run")
            stop = gr.Button("Cancel", elem_id="own-cancel")
    status = gr.HTML("", elem_id="own-status")
    chart = Chart({"figure": None, "note": ""}, elem_id="own-chart")
    with gr.Accordion("All sentences", open=False):
        rows = gr.Dataframe(interactive=False, wrap=True, elem_id="own-table")
    download = gr.DownloadButton("Download as CSV", elem_id="own-download", visible=False)
    table = gr.State()
    outputs = [status, chart, rows, download, table]
    runs.cancellable(start, stop, status, run, [file, left, right, beam], outputs, concurrency_limit=2)
    top = "() => document.querySelector('#compare-text').scrollIntoView()"
    chart.pick(picked, table, open_in, api_visibility="private").then(None, js=top, api_visibility="private")
