"""More callers than one process serves: searches of translations in replicas, which Ray Serve starts, feeds and replaces.

The page reads a text and draws its translation itself; the search between the two, which takes the time, runs in a replica.
Ray is the extra `scale` of pyproject.toml and is imported only when `start` is called.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.batching import HYPOTHESES
from seq2seq.search import LENGTH_PENALTY, Deadline, Hypothesis
from seq2seq.tokenizer import Pieces
from seq2seq.translator import Translator

RAY = "ray[serve]==2.60.0"
TRIES = 20
"""How many replicas one search may lose before this process does it itself."""
ANSWER_SECONDS = 120
"""The longest wait for one answer. Ray Serve finds that a replica is stuck, and replaces it, sooner."""
ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Whatever its name says: with it Ray binds to the loopback address on every system, as it does on those two by itself."""
_log = logging.getLogger(__name__)
_replicas: Any = None  # the handle of the deployment, once `start` has made one


class ScaleError(ValueError):
    """Replicas cannot be started. The message is one line that says how to mend it."""


class Search(NamedTuple):
    """One search as it is sent: plain values, and the folder of the checkpoint, which every machine has to have."""

    checkpoint: str
    source: Pieces
    beam_size: int
    n_best: int
    length_penalty: float
    top_k: int
    seconds: float | None = None
    """That it may take; who has gone away is known only here."""

    @property
    def kind(self) -> tuple:
        """What those have in common that are computed together: all but the sentence."""
        return self.checkpoint, *self[2:]

    def settings(self) -> dict[str, Any]:
        """For `Translator.search`. The time begins to run now, so this is asked for just before the search."""
        settings = {name: getattr(self, name) for name in self._fields[2:-1]}
        return settings | {"deadline": Deadline.after(self.seconds) if self.seconds is not None else None}


class Searcher:
    """What a replica does: the searches of any checkpoints, each loaded when it is first asked for."""

    def __init__(self) -> None:
        self._load = cache(Translator.from_checkpoint)

    def search(self, wanted: Sequence[Search]) -> list[list[Hypothesis]]:
        """The hypotheses of each, in their order; those of one checkpoint with the same settings are computed together."""
        found: list[list[Hypothesis]] = [[] for _ in wanted]
        alike: dict[tuple, list[int]] = {}
        for i, one in enumerate(wanted):
            alike.setdefault(one.kind, []).append(i)
        for members in alike.values():
            first = wanted[members[0]]
            best = self._load(first.checkpoint).search([wanted[i].source for i in members], **first.settings())
            for i, hypotheses in zip(members, best):
                found[i] = hypotheses
        return found


class Away(Translator):
    """A translator whose searches run in the replicas; all else happens here. Many threads may use it at once."""

    folder = ""
    """Of the checkpoint."""

    def search(
        self,
        sources: Sequence[Pieces],
        beam_size: int = 1,
        n_best: int = 1,
        length_penalty: float = LENGTH_PENALTY,
        top_k: int = 1,
        batch_size: int = 256,
        deadline: Deadline | None = None,
    ) -> list[list[Hypothesis]]:
        """As of `Translator`, but the replicas choose the size of their batches. A search whose replica died is sent again: it
        changes nothing, so twice is as good as once. When no replica answers at all, this process computes it."""
        deadline = deadline or self.new_deadline()
        seconds = deadline.seconds if deadline else None
        wanted = [Search(self.folder, source, beam_size, n_best, length_penalty, top_k, seconds) for source in sources]
        try:
            sent = [_replicas.remote(one) for one in wanted]
            return [_answer(one, response) for one, response in zip(wanted, sent)]
        except Exception as error:
            _log.warning("no replica answers, so the search is done here: %r", error)
            # From now on: the wait for an answer may have been longer than a search may take.
            anew = deadline and deadline.again()
            return super().search(sources, beam_size, n_best, length_penalty, top_k, deadline=anew)


def _answer(wanted: Search, response: Any) -> list[Hypothesis]:
    from ray.exceptions import RayActorError

    for _ in range(TRIES):
        try:
            return response.result(timeout_s=ANSWER_SECONDS)
        except RayActorError as error:
            _log.warning("a replica was lost (%s); its search is sent again", type(error).__name__)
            response = _replicas.remote(wanted)
    return response.result(timeout_s=ANSWER_SECONDS)


def running() -> bool:
    """Whether `start` has been called."""
    return _replicas is not None


def load(checkpoint: Path) -> Away:
    """The translator for the page, once there are replicas. Raises CheckpointError."""
    away = Away.from_checkpoint(checkpoint, "cpu")
    away.folder = str(checkpoint.resolve())
    return away


def start(replicas: int) -> None:
    """Starts so many replicas and returns when they are ready; they end with this process. They run on this machine, where only
    it can reach them, or on the cluster that RAY_ADDRESS names. Raises ScaleError."""
    global _replicas
    if replicas < 1:
        raise ScaleError(f"--replicas is {replicas}; it must be at least 1")
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0"} | ({} if "RAY_ADDRESS" in os.environ else ALONE)
    try:
        import ray
        from ray import serve
    except ImportError:
        raise ScaleError(f"serve needs Ray, which is not installed; install it with: pip install '{RAY}'") from None

    @serve.deployment(num_replicas=replicas, max_ongoing_requests=2 * HYPOTHESES, health_check_period_s=2)
    class Replica(Searcher):
        @serve.batch(max_batch_size=HYPOTHESES, batch_wait_timeout_s=0)
        async def __call__(self, wanted: list[Search]) -> list[list[Hypothesis]]:
            # In a thread, so that what arrives meanwhile is received and makes the next batch.
            return await asyncio.to_thread(self.search, wanted)

    own: dict[str, Any] = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": replicas, "include_dashboard": False}
    ray.init(log_to_driver=False, logging_level=logging.WARNING, **own)
    quiet = {"log_level": "WARNING"}
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    serve.start(proxy_location="Disabled", logging_config=quiet)  # it is the page that answers the network
    deployment: Any = Replica  # the decorator has made it one, which type checkers only know where Ray is installed
    _replicas = serve.run(deployment.options(logging_config=quiet).bind(), name="translations", route_prefix=None)
