"""What the server keeps of each visitor, and of each call of the API."""

from __future__ import annotations

from types import SimpleNamespace

import gradio as gr
from gradio import state_holder
from gradio.state_holder import SessionState


class Session(SessionState):
    """A session that describes a block when an event touches it.

    Gradio's own describes all 180 blocks of the page when it begins: 14 ms and 280 kB for every call of the API, which took
    longer than to answer it. Only `gr.DeepLinkButton` reads those of untouched blocks, and the page has none.
    """

    def __init__(self, blocks: gr.Blocks) -> None:
        super().__init__(SimpleNamespace(default_config=blocks.default_config, blocks={}))  # ty: ignore[invalid-argument-type]


def light_sessions() -> None:
    """From now on Gradio opens such sessions."""
    state_holder.SessionState = Session  # ty: ignore[invalid-assignment]
