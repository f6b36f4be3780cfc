"""Many threads at one translator: who waits together is translated together, and nobody notices."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from seq2seq.batching import HYPOTHESES, Batcher
from seq2seq.search import Deadline, never
from seq2seq.translation import Translation
from seq2seq.translator import MAX_CHARACTERS, SearchError, TextError, Translator
from tests.conftest import ENGLISH, UNSEEN
from tests.test_search import never_end

TEXTS = (*UNSEEN, *ENGLISH)


class Watched:
    """A translator that notes its batches, and waits with the first one until it is let go."""

    def __init__(self, translator: Translator) -> None:
        self.translator = translator
        self.batches: list[tuple[list[str], dict[str, int]]] = []
        self.begun, self.go = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self.poison = ""  # a text with which nothing can be computed

    def new_deadline(self) -> Deadline | None:
        return self.translator.new_deadline()

    def translate(self, texts: list[str], **settings: int) -> list[Translation]:
        self.batches.append((texts, settings))
        self.begun.set()
        assert self.go.wait(60)
        if self.error is not None:
            raise self.error
        if self.poison in texts:
            raise FloatingPointError("poisoned")
        return self.translator.translate(texts, **settings)


def crowd(
    watched: Watched,
    first: str,
    calls: list[Callable[[Batcher], Translation]],
    before_it_goes_on: Callable[[], None] = lambda: None,
) -> list[Future[Translation]]:
    """What became of `calls` that came, in this order, while the translator was busy with `first`; its result stands first."""
    batcher = Batcher(watched)
    with ThreadPoolExecutor(len(calls) + 1) as pool:
        futures = [pool.submit(batcher.translate, first)]
        assert watched.begun.wait(60)
        for call in calls:
            before = len(batcher._waiting)
            futures.append(pool.submit(call, batcher))
            while len(batcher._waiting) == before and not futures[-1].done():  # done: refused at once
                time.sleep(0.001)
        before_it_goes_on()
        watched.go.set()
    return futures  # every thread of the pool has ended


def call(text: str, **settings: int) -> Callable[[Batcher], Translation]:
    return lambda batcher: batcher.translate(text, **settings)


def assert_same(made: Translation, single: Translation) -> None:
    assert (made.text, made.translation, made.target_pieces) == (single.text, single.translation, single.target_pieces)
    assert (made.warnings, made.beam_size, made.checkpoint) == (single.warnings, single.beam_size, single.checkpoint)
    np.testing.assert_allclose(made.token_log_probs, single.token_log_probs, atol=1e-4)
    assert (made.attention is None) == (single.attention is None)
    if single.attention is not None:
        np.testing.assert_allclose(made.attention, single.attention, atol=1e-4)
    for one, other in zip(made.alternatives, single.alternatives, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("settings", [{}, {"beam_size": 3, "n_best": 2}])
def test_a_crowd_gets_what_each_would_get_alone_each_its_own(translator: Translator, settings: dict[str, int]) -> None:
    watched = Watched(translator)
    first, *others = crowd(watched, "A man.", [call(text, **settings) for text in TEXTS])
    assert_same(first.result(), translator.translate("A man."))
    for text, future in zip(TEXTS, others, strict=True):
        assert_same(future.result(), translator.translate(text, **settings))
    assert [texts for texts, _ in watched.batches] == [["A man."], list(TEXTS)]


def test_one_caller_is_not_kept_waiting(translator: Translator) -> None:
    batcher = Batcher(translator)
    for text in TEXTS:
        assert_same(batcher.translate(text), translator.translate(text))


def test_only_equal_settings_share_a_batch_and_the_oldest_goes_first(translator: Translator) -> None:
    settings = [{"beam_size": 2}, {}, {"beam_size": 2, "n_best": 2}, {"beam_size": 2}, {}]
    watched = Watched(translator)
    crowd(watched, "A man.", [call(text, **each) for text, each in zip(TEXTS, settings)])
    texts = [texts for texts, _ in watched.batches[1:]]
    assert texts == [[TEXTS[0], TEXTS[3]], [TEXTS[1], TEXTS[4]], [TEXTS[2]]]
    found = [(made["beam_size"], made["n_best"]) for _, made in watched.batches[1:]]
    assert found == [(2, 1), (1, 1), (2, 2)]


def test_a_batch_has_no_more_hypotheses_than_the_search_computes_at_once(translator: Translator) -> None:
    watched, most = Watched(translator), HYPOTHESES // 20
    crowd(watched, "A man.", [call(text, beam_size=20) for text in TEXTS])
    assert [len(texts) for texts, _ in watched.batches[1:]] == [most] * (len(TEXTS) // most)


def test_a_bad_request_fails_alone_and_with_the_error_of_a_single_call(translator: Translator) -> None:
    bad = [
        (call(""), TextError, "no text"),
        (call("a" * (MAX_CHARACTERS + 1)), TextError, "limit"),
        (call("A dog.", beam_size=0), SearchError, "beam_size"),
        (call("A dog.", n_best=2), SearchError, "n_best"),
    ]
    watched = Watched(translator)
    mixed = [each for text, (wrong, *_) in zip(UNSEEN, bad, strict=True) for each in (call(text), wrong)]
    futures = crowd(watched, "A man.", mixed)[1:]
    for text, future in zip(UNSEEN, futures[::2], strict=True):
        assert_same(future.result(), translator.translate(text))
    for (_, error, said), future in zip(bad, futures[1::2], strict=True):
        with pytest.raises(error, match=said):
            future.result()
    assert [texts for texts, _ in watched.batches] == [["A man."], list(UNSEEN)]


def test_what_breaks_a_batch_reaches_all_who_wait_for_it_and_the_next_one_works(translator: Translator) -> None:
    watched = Watched(translator)
    watched.error = MemoryError("no room")
    futures = crowd(watched, "A man.", [call(text) for text in UNSEEN])
    for future in futures:
        with pytest.raises(MemoryError, match="no room"):
            future.result()
    watched.error = None
    again = crowd(watched, "A man.", [call(text) for text in UNSEEN])
    for text, future in zip(UNSEEN, again[1:], strict=True):
        assert_same(future.result(), translator.translate(text))


def test_one_failure_in_a_batch_is_its_own(translator: Translator) -> None:
    watched = Watched(translator)
    watched.poison = TEXTS[3]
    _, *others = crowd(watched, "A man.", [call(text) for text in TEXTS])
    for text, future in zip(TEXTS, others, strict=True):
        if text == watched.poison:
            with pytest.raises(FloatingPointError, match="poisoned"):
                future.result()
        else:
            assert_same(future.result(), translator.translate(text))
    assert [texts for texts, _ in watched.batches] == [["A man."], list(TEXTS), *([text] for text in TEXTS)]


def test_who_has_gone_away_is_not_computed_for(translator: Translator) -> None:
    """The caller of every second text goes while it waits."""
    gone = threading.Event()
    asked = iter(range(len(TEXTS) + 1))
    leaves = [False, *(i % 2 == 1 for i in range(len(TEXTS)))]
    translator.new_deadline = lambda: Deadline.after(60, gone.is_set if leaves[next(asked)] else never)
    watched = Watched(translator)
    staying = TEXTS[::2]
    _, *others = crowd(watched, "A man.", [call(text) for text in TEXTS], gone.set)
    for text, future in zip(TEXTS, others, strict=True):
        if text in staying:
            assert future.result().text == text
        else:
            with pytest.raises(SearchError, match="Nobody waits"):
                future.result()
    assert [texts for texts, _ in watched.batches] == [["A man."], list(staying)]


def test_a_batch_stops_when_all_have_gone_away(translator: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, step = [], type(translator.model.decoder).step
    monkeypatch.setattr(type(translator.model.decoder), "step", lambda *a, **k: steps.append(1) or step(*a, **k))
    translator.new_deadline = lambda: Deadline.after(60, lambda: len(steps) >= 3)
    never_end(translator.model)
    made = Batcher(translator).translate(UNSEEN[1])
    assert len(steps) == len(made.target_pieces) == 3 and "time limit" in made.warnings[-1]


def test_a_batcher_goes_on_after_a_broken_batch(translator: Translator) -> None:
    watched = Watched(translator)
    watched.go.set()
    batcher = Batcher(watched)
    watched.error = RuntimeError("once")
    with pytest.raises(RuntimeError, match="once"):
        batcher.translate("A man.")
    watched.error = None
    assert_same(batcher.translate("A man."), translator.translate("A man."))


def test_nobody_is_forgotten_in_a_stampede_and_no_thread_is_left(translator: Translator) -> None:
    before = threading.active_count()
    batcher = Batcher(translator)
    texts = [TEXTS[i % len(TEXTS)] for i in range(60)]
    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(lambda i: batcher.translate(texts[i], beam_size=1 + i % 3), range(60)))
    assert [one.text for one in made] == texts
    assert [one.beam_size for one in made] == [1 + i % 3 for i in range(60)]
    assert threading.active_count() == before and not batcher._waiting
