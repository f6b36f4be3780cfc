"""Users good and bad at once, as `python -m tests.load` has them, each doing everything; nothing here depends on how fast."""

from __future__ import annotations

import time

import pytest

from seq2seq.bench.app import finished
from tests.load import BAD, GOOD, HELD, KINDS, LEFT, OFTEN, PATIENCE, SETTLED, Counts, Watch, app, crowd, report


def run(
    users: int, rounds: int | None, seconds: float = 0.0, pause: float = 0.0, settled: float = 0.0
) -> tuple[Counts, Watch]:
    """The counts, and what was seen of memory and files: first before, last after."""
    with app() as (base, process):
        finished(crowd(base, 1, 1, 0, 0))  # so that all is loaded
        watch = Watch(process)
        time.sleep(HELD)
        _, before = watch.look()
        counts = finished(crowd(base, users, rounds, seconds, pause))
        end = time.monotonic() + PATIENCE
        while watch.look()[1] > before and time.monotonic() < end:  # a connection may be kept open for some seconds
            time.sleep(0.5)
        time.sleep(settled)
        watch.look()
    return counts, watch


def check(counts: Counts, watch: Watch) -> None:
    assert counts.lost == counts.total("failed") == 0, report(counts)
    for kind, how in KINDS.items():
        assert counts.ended[kind.__name__] == {how: counts.sent[kind.__name__]}, report(counts)
    assert watch.files[-1] <= watch.files[0], "open files came back"


def test_a_crowd_gets_its_answers_and_its_refusals_and_leaves_no_open_file() -> None:
    users = 4
    counts, watch = run(users, rounds=1)
    check(counts, watch)
    assert counts.total("answered") == users * len(GOOD + OFTEN)
    assert counts.total("refused") == users * len(BAD) and counts.total("left") == users * len(LEFT)


@pytest.mark.long
@pytest.mark.parametrize(("users", "seconds"), [(64, 180), (16, 600)], ids=["load", "soak"])
def test_the_same_for_minutes_takes_no_more_and_more_memory(users, seconds) -> None:
    """Megabytes: what the first of its kind leaves behind, and answers that nobody fetched, up to a number."""
    counts, watch = run(users, None, seconds, pause=1.0, settled=SETTLED)
    check(counts, watch)
    assert watch.memory[-1] - watch.memory[0] < 100
