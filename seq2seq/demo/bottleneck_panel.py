"""The bottleneck test: one sentence grows clause by clause, and both models are scored at every length, then and there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
import pandas as pd

from seq2seq.bottleneck import MAX_CLAUSES, Point, compose, grow, own_clauses, parse_clauses
from seq2seq.charts import growth
from seq2seq.demo import models
from seq2seq.demo.chart import Chart
from seq2seq.demo.visitor import laid, language, say, told
from seq2seq.language import Said

ABOUT = (
    "A sentence is made longer clause by clause, and its right translation is known because we wrote the clauses. The plain "
    "model must press every length into the same vector; the attention model may look back. Far beyond the lengths it was "
    "trained on (hardly any sentence had over 30 words) that one loses its way too: add clauses to see where. Nothing here is "
    "stored: each point is computed when you see it appear."
)
OWN_LINES = "A dog sleeps = Un chien dort\nand a cat drinks milk = et un chat boit du lait"


def grow_live(left: str, right: str, beam_size: float, count: float, own_lines: str) -> Iterator[tuple[Any, Any]]:
    """The chart and the table, one more length each time."""
    points: list[Point] = []
    try:
        sides = models.translator(left), models.translator(right)
        clauses = (parse_clauses(own_lines) if own_lines.strip() else own_clauses(sides[0]))[: int(count)]
        until = len(compose(clauses)[0].split())
        for point in grow(*sides, clauses, beam_size=int(beam_size)):
            points.append(point)
            yield {"figure": growth(points, models.labels(left, right), until, language()), "note": ""}, table(points)
    except models.REFUSALS as error:
        figure = growth(points, models.labels(left, right), until, language()) if points else None
        yield {"figure": figure, "note": told(error)}, table(points)


def table(points: list[Point]) -> pd.DataFrame:
    """The sentences behind the chart."""
    rows = [
        {
            say("words"): p.words,
            say("Sentence"): p.source,
            say("left"): p.left.translation,
            say("right"): p.right.translation,
            say("reference"): p.reference,
            say("chrF left"): round(p.chrf["left"], 1),
            say("chrF right"): round(p.chrf["right"], 1),
        }
        for p in points
    ]
    return pd.DataFrame(rows)


def bottleneck_panel(left: gr.Dropdown, right: gr.Dropdown, beam: gr.Slider) -> None:
    """Lays the panel out and wires it to the models that are chosen above it."""
    gr.Markdown(laid("### {title}\n{about}", title=Said("The bottleneck test"), about=Said(ABOUT)))
    with gr.Row():
        start = gr.Button("Make the sentence longer", variant="primary", elem_id="grow", scale=1)
        count = gr.Slider(1, MAX_CLAUSES, value=5, step=1, label="Clauses", scale=2, buttons=[], elem_id="clauses")
    with gr.Accordion("Your own clauses", open=False):
        own = gr.Textbox(
            "", lines=3, max_lines=12, label="One clause a line: clause = translation", placeholder=OWN_LINES
        )
    chart = Chart({"figure": None, "note": ""}, elem_id="growth")
    with gr.Accordion("The sentences", open=False):
        sentences = gr.Dataframe(interactive=False, wrap=True, elem_id="growth-table")
    start.click(
        grow_live,
        [left, right, beam, count, own],
        [chart, sentences],
        api_visibility="private",
        show_progress="hidden",
        trigger_mode="always_last",
        concurrency_limit=2,
    )
