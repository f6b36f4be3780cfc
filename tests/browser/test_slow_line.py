"""A line on which the end of a stream of answers comes late."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seq2seq.demo import build, launch_options
from tests.browser.conftest import drawn, settled


class Late:
    """ASGI middleware: the server's word that it closes a stream takes its time."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def slow(message: Message) -> None:
            if b'"close_stream"' in message.get("body", b""):
                await asyncio.sleep(0.4)
            await send(message)

        await self.app(scope, receive, slow)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    options = launch_options()
    options["app_kwargs"]["middleware"].insert(0, Middleware(Late))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page = build()
    page.launch(server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True, **options)
    yield f"http://127.0.0.1:{port}"
    page.close()


def test_what_is_asked_while_the_stream_closes_is_answered(open_page: Callable[..., Page]) -> None:
    """Gradio's page alone would wait for ever: its link opens no tab, and Ask does not learn of a sentence."""
    page = open_page("?tab=compare&text=A+dog.", wait_for="#duet .duet-word")
    page.get_by_role("tab", name="Translate").click()
    page.wait_for_selector("#attention-view .lens-chip")
    drawn(page)
    box = page.locator("#source-text textarea")
    for word in ("horse", "bird", "child"):
        box.fill(f"A {word} is asleep.")
        box.press("Enter")
        settled(page, "#attention-view .lens-chip", word)
        page.wait_for_function("() => !document.querySelector('#attention-view .lens-growing')")
    [_, written, *_] = page.locator("#attention-view .lens-chips").nth(1).locator(".lens-word").all_inner_texts()
    page.locator("#ask > button").click()
    page.wait_for_timeout(500)  # the contents of an accordion are wired a moment after they are seen
    page.locator("#ask-word input").click()
    expect(page.get_by_role("option", name=f"2 {written}")).to_be_visible()


def test_of_what_is_asked_meanwhile_the_latest_is_answered(open_page: Callable[..., Page]) -> None:
    """Gradio's page alone would ask again what it asked first."""
    page = open_page("?tab=pictures&text=large+red+circle+10+10", wait_for="#caption-additive .lens-said")
    drawn(page)
    page.locator("#compose > button").click()
    page.wait_for_timeout(500)  # the contents of an accordion are wired a moment after they are seen
    add = page.get_by_role("button", name="Add an object")
    held: list[Route] = []
    page.route("**/queue/join*", lambda route: route.continue_() if held else held.append(route))
    for _ in range(3):
        add.click()
    held[0].continue_()
    expect(page.locator("#scene-editor g")).to_have_count(4)
    expect(page).to_have_url(re.compile("text=(large.red.circle[^&]*){4}&"))
