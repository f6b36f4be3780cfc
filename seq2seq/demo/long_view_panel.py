"""The long view: quality by source length on whole test sets, from each checkpoint's `metrics.json`."""

from __future__ import annotations

from typing import Any

import gradio as gr

from seq2seq.charts import BAHDANAU, by_length
from seq2seq.demo import models
from seq2seq.demo.chart import Chart
from seq2seq.demo.component import EVENT
from seq2seq.demo.visitor import laid, language
from seq2seq.language import Said

WHISKERS = "Whiskers are 95 % bootstrap intervals; point at a mark for the number of sentences."
SCORES = [("BLEU", "bleu"), ("chrF", "chrf")]


def data_names() -> list[str]:
    """The test sets on which every shipped checkpoint was scored by length."""
    known = [{name for name, result in m.items() if "by_length" in result} for m in scored().values()]
    return sorted(set.intersection(*known)) if known else []


def scored() -> dict[str, dict[str, Any]]:
    """The metrics of the models of the page's first direction: scores of two languages cannot be compared."""
    alike = models.of_direction(models.direction(models.names()[0]))
    return {name: metrics for name, metrics in models.metrics().items() if name in alike}


def chart(data_name: str, score: str) -> dict[str, Any]:
    """The chart of one test set."""
    shown = {models.label(name): metrics for name, metrics in scored().items()}
    return {"figure": by_length(shown, data_name, score, language()), "note": ""}


def long_view_panel(page: gr.Blocks) -> None:
    """Lays the panel out; without any scores it says how to make them. The chart is drawn when the page loads, in the visitor's
    language."""
    gr.Markdown("### The long view: quality by sentence length")
    names = data_names()
    if not names:
        gr.Markdown("No scores yet: `python -m seq2seq evaluate --save --data FILE --checkpoint DIR` makes them.")
        return
    with gr.Row():
        data = gr.Radio(names, value=names[0], label="Test set", elem_id="long-view-data")
        score = gr.Radio(SCORES, value="bleu", label="Score")
    figure = Chart({"figure": None, "note": ""}, elem_id="long-view")
    gr.Markdown(laid("{whiskers} {bahdanau}", whiskers=Said(WHISKERS), bahdanau=Said(BAHDANAU)), elem_classes="help")
    gr.on([page.load, data.input, score.input], chart, [data, score], figure, **EVENT)
