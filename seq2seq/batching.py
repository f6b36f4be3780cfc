"""Many callers, one translator: texts that wait while others are computed are translated together in one batch.

A decoding step of 64 sentences takes much less time than 64 steps of one. Nobody waits for a batch to fill: a text that finds
the translator idle is translated at once.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from seq2seq.search import Deadline
from seq2seq.translation import Translation
from seq2seq.translator import SearchError, Translator, check_search, clean

HYPOTHESES = 64
"""Of one batch: so many texts by greedy search, fewer with a beam."""


@dataclass(eq=False)
class _Request:
    """One caller's text and settings, and what became of it: a translation, or the error to raise."""

    text: str
    beam_size: int
    n_best: int
    deadline: Deadline | None
    made: Translation | None = None
    error: BaseException | None = None

    @property
    def done(self) -> bool:
        return self.made is not None or self.error is not None


class Batcher:
    """`translate` for many threads at once. It has no thread of its own: one of the callers computes for all that wait."""

    def __init__(self, translator: Translator) -> None:
        self.translator = translator
        self._waiting: list[_Request] = []  # oldest first
        self._computing = False
        self._changed = threading.Condition()  # guards these two

    def translate(self, text: str, *, beam_size: int = 1, n_best: int = 1) -> Translation:
        """As `Translator.translate`, with its errors, for one text; the numbers may differ from its in the last digits of a
        float. Whatever is wrong with a text is found before it joins a batch, so no caller sees another's mistake. The deadline
        counts from when the batch begins."""
        check_search(beam_size, n_best)
        request = _Request(clean(text), beam_size, n_best, self.translator.new_deadline())
        with self._changed:
            self._waiting.append(request)
        while not request.done:
            with self._changed:
                self._changed.wait_for(lambda: request.done or not self._computing)
                if request.done:
                    break
                batch = self._next_batch()
                self._computing = True
            try:
                self._compute(batch)
            finally:
                with self._changed:
                    self._computing = False
                    self._changed.notify_all()
        if request.error is not None:
            raise request.error
        assert request.made is not None, "who is done without an error has a translation"
        return request.made

    def _next_batch(self) -> list[_Request]:
        """Takes the oldest request from those that wait, and all that want the same search; it need not be the caller's own."""
        first = self._waiting[0]
        alike = [r for r in self._waiting if (r.beam_size, r.n_best) == (first.beam_size, first.n_best)]
        batch = alike[: max(1, HYPOTHESES // first.beam_size)]
        self._waiting = [request for request in self._waiting if request not in batch]
        return batch

    def _compute(self, batch: list[_Request]) -> None:
        """Translates a batch, without those whose caller has gone away. If that goes wrong each is tried alone, so that only
        the one whose fault it is fails."""
        gone = [request for request in batch if request.deadline and request.deadline.gone()]
        for request in gone:
            request.error = SearchError("Nobody waits for this translation any more.")
        batch = [request for request in batch if request not in gone]
        if not batch:
            return
        settings: dict[str, Any] = {"beam_size": batch[0].beam_size, "n_best": batch[0].n_best}
        deadlines = [request.deadline for request in batch if request.deadline]
        if deadlines:
            settings["deadline"] = Deadline.after(deadlines[0].seconds, lambda: all(d.gone() for d in deadlines))
        try:
            made = self.translator.translate([request.text for request in batch], **settings)
            for request, translation in zip(batch, made, strict=True):
                request.made = translation
        except BaseException as error:
            if len(batch) == 1 or not isinstance(error, Exception):
                for request in batch:
                    request.error = error
            else:
                for request in batch:
                    self._compute([request])
