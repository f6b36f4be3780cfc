"""Hugging Face ZeroGPU: a GPU that is lent for the time of one call. Anywhere else nothing in here does anything.

What is lent for are searches of translations, the one thing that the page does by the batch. All else takes milliseconds a
sentence and stays on the CPU, above all the translation that is written word by word: it waits for the eye most of its time,
and every second of the GPU is counted against the visitor's share.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from seq2seq.search import Deadline, Hypothesis
from seq2seq.tokenizer import Pieces
from seq2seq.translator import Translator

HERE = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "true") and find_spec("spaces") is not None
"""Whether this is a Space with ZeroGPU: it says so, and the package that lends is there."""
SECONDS = 15
"""That a call may take. What is asked for has to be left of the visitor's share, so no more than is needed."""
SEARCH_SECONDS = 10
"""That a search on a lent GPU may take before it stops with what it has: a call that takes all of SECONDS is ended and its work
lost, and to it belong the way there and back, the first use of the GPU and one step after the time is over."""
F = TypeVar("F", bound=Callable[..., Any])
_ON_GPU: dict[str, Translator] = {}


def gpu(function: F) -> F:
    """`spaces.GPU` where it is of use; elsewhere the function itself."""
    if not HERE:
        return function
    import spaces

    return spaces.GPU(duration=SECONDS)(function)


@gpu
def search(name: str, seconds: float, sources: Sequence[Pieces], *args: Any, **settings: Any) -> list[list[Hypothesis]]:
    """`Translator.search` of a loaded checkpoint, for at most so long. It runs in another process, which has been forked off
    this one: models are called by name, and what goes in and comes out is plain numbers."""
    return _ON_GPU[name].search(sources, *args, deadline=Deadline.after(seconds), **settings)


class Borrower(Translator):
    """A translator on the CPU whose searches run on a GPU that is lent."""

    def search(self, sources: Sequence[Pieces], *args: Any, **settings: Any) -> list[list[Hypothesis]]:
        """As of `Translator`. The model is small: when no GPU is lent, the share used up say, the CPU does it."""
        deadline = settings.pop("deadline", None) or self.new_deadline()
        # Who has gone away is known only here; and the time begins there, so that the wait for a GPU takes none of it.
        seconds = min(deadline.seconds, SEARCH_SECONDS) if deadline else SEARCH_SECONDS
        try:
            return search(self.name, seconds, sources, *args, **settings)
        except Exception as error:
            logging.getLogger(__name__).warning("no GPU was lent, so the CPU searches: %s", error)
            # With all of its time: what was waited for a GPU helped nobody.
            return super().search(sources, *args, deadline=deadline and deadline.again(), **settings)


def load(checkpoint: Path) -> Translator:
    """The translator for the page: on the best device there is, or a `Borrower`."""
    if not HERE:
        return Translator.from_checkpoint(checkpoint)
    borrower = Borrower.from_checkpoint(checkpoint, "cpu")
    _ON_GPU[borrower.name] = Translator.from_checkpoint(checkpoint, "cuda")
    return borrower
