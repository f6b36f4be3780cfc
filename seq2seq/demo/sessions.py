"""What the server keeps of each visitor, and of each call of the API."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import tempfile
from collections import OrderedDict
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio import route_utils, state_holder
from gradio.queueing import Queue
from gradio.state_holder import SessionState
from gradio.utils import LRUCache


class Session(SessionState):
    """A session that keeps no description of the page's blocks.

    Gradio's own describes all 180 of them when it begins, 14 ms and 280 kB for every call of the API, which took longer than to
    answer it; and then keeps what each shows, 400 kB of a long answer, for the next thousand sessions. Only
    `gr.DeepLinkButton` reads that, and the page has none.
    """

    def __init__(self, blocks: gr.Blocks) -> None:
        super().__init__(SimpleNamespace(default_config=blocks.default_config, blocks={}))  # ty: ignore[invalid-argument-type]

    def _update_value_in_config(self, block_id: int, value: Any) -> None:
        """Keeps nothing."""


class Messages(LRUCache):
    """The messages of each session that wait to be read: at most `max_size` sessions, and those that have questions unanswered.

    Gradio's own keeps 2,000, also of calls whose answer nobody fetches, 1.5 MB each; and it drops the oldest even while its
    answer is computed, such as that of a page that translates a file while programs call the API.
    """

    def __init__(self, queue: Queue, max_size: int) -> None:
        super().__init__(max_size)
        self.queue = queue

    def __setitem__(self, session: str, messages: asyncio.Queue) -> None:
        if session not in self:
            read_or_forgotten = (old for old in self if not self._waits(old))
            for old in list(islice(read_or_forgotten, max(0, len(self) + 1 - self.max_size))):
                del self[old]
        OrderedDict.__setitem__(self, session, messages)

    def __delitem__(self, session: str) -> None:
        super().__delitem__(session)
        self.queue.pending_event_ids_session.pop(session, None)  # or it would stay for good

    def _waits(self, session: str) -> bool:
        ids = self.queue.pending_event_ids_session.get(session, ())
        return any(id in self.queue.event_ids_to_events for id in ids)


def light_sessions() -> None:
    """From now on Gradio opens such sessions."""
    state_holder.SessionState = Session  # ty: ignore[invalid-assignment]


class Upload(route_utils.GradioUploadFile):
    """A file on its way in. If there is no room for the whole of it, nothing of it stays, which Gradio would leave there."""

    async def write(self, data: bytes) -> None:
        try:
            await super().write(data)
        except OSError:
            Path(str(self.file.name)).unlink(missing_ok=True)
            raise


def own_folder() -> None:
    """From now on uploads and results lie in a folder of this process, and go with it. Gradio's own is shared by all of its
    pages on a machine, and each serves the others' files. GRADIO_TEMP_DIR, if it is set, is another."""
    route_utils.GradioUploadFile = Upload  # ty: ignore[invalid-assignment]
    if "GRADIO_TEMP_DIR" not in os.environ:
        os.environ["GRADIO_TEMP_DIR"] = folder = tempfile.mkdtemp(prefix="attention-lens-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
