"""Runs that take long: each page can stop its own, even one that still waits in the queue."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from seq2seq.demo.visitor import say
from seq2seq.search import Deadline

CANCELLED: OrderedDict[str | None, float] = OrderedDict()
"""For each page that has cancelled, the number of the last run it did that to: it and all before it are to stop. Gradio's own
way to cancel ends a run from outside, and what the run sent last may then reach the page after the word that it was
cancelled."""
PAGES = 1000
"""So many are remembered."""
SECONDS = 30
"""That one translation may be searched for. Measured on one thread: 1,000 characters of nonsense, 752 pieces, take 0.2 s of
processor time by greedy search and 2.4 s with a beam of 20, which found 32 pieces; one that went on to the limit of 400 would,
by that, need about this long."""
WAITING, NEVER = "Waiting for its turn …", "Cancelled before it began."


def cancel(number: float, request: gr.Request) -> None:
    """Asks this page's run of that number, and those before it, to stop after the batch they are at."""
    CANCELLED[request.session_hash] = number
    CANCELLED.move_to_end(request.session_hash)
    while len(CANCELLED) > PAGES:
        CANCELLED.popitem(last=False)


def cancelled(number: float, request: gr.Request) -> bool:
    """Whether the page has asked for that."""
    return number <= CANCELLED.get(request.session_hash, 0)


def deadline() -> Deadline:
    """For what the page or a program asks now: SECONDS from now, or when its connection is closed."""
    blocks = LocalContext.blocks.get(None)
    event = blocks._queue.event_ids_to_events.get(LocalContext.event_id.get(None)) if blocks else None
    return Deadline.after(SECONDS, lambda: event is not None and not event.alive)


def progress_bar(done: int, total: int, said: str) -> str:
    """How far a run is, as HTML."""
    return f'<progress value="{done}" max="{total}" aria-label="{say("Progress")}"></progress> {said}'


def _in_browser(text: str) -> str:
    """JavaScript for a text in the page's language; see visitor.js."""
    return f"((window.lensTexts || {{}})[{text!r}] || {text!r})"


def cancellable(
    start: gr.Button,
    stop: gr.Button,
    status: gr.HTML,
    run: Callable[..., Iterator[Any]],
    inputs: Sequence[gr.components.Component],
    outputs: Sequence[gr.components.Component],
    **options: Any,
) -> None:
    """Wires a run to two buttons. `run` is given its number, the inputs and the request, and asks `cancelled`; while it runs,
    `start` does nothing. The page counts its runs, so that to cancel one can never stop a later one."""
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    number = gr.Number(0, visible="hidden")
    start.click(None, [number], [number, status], js=f"(n) => [n + 1, {_in_browser(WAITING)}]", **private)
    number.change(run, [number, *inputs], outputs, trigger_mode="once", **private, **options)
    stop.click(cancel, number, queue=False, **private)
    stop.click(None, status, status, js=f"(s) => s === {_in_browser(WAITING)} ? {_in_browser(NEVER)} : s", **private)
