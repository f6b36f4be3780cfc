"""A line on which the end of a stream of answers comes late, and answers that take long to make."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seq2seq.demo import build, compare_tab, launch_options, translate_tab
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


class Held:
    """A function of a tab that waits, the first time it is called, until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> None:
        self.begun, self.may_go, self.again = threading.Event(), threading.Event(), threading.Event()
        self.function = getattr(module, name)
        monkeypatch.setattr(module, name, self)

    def __call__(self, *arguments: Any) -> Any:
        if self.begun.is_set():
            self.again.set()
        self.begun.set()
        assert self.may_go.wait(60), "nobody let it go"
        return self.function(*arguments)


@pytest.fixture
def needing(open_page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch) -> tuple[Page, Held]:
    """Compare, where what the models needed is still being found out."""
    held = Held(monkeypatch, compare_tab, "occlusion_view")
    page = open_page("?tab=compare", wait_for="#duet .duet-word")
    page.wait_for_selector("#right-map .xtick")
    page.get_by_label("What it needed").check()
    assert held.begun.wait(60)
    return page, held


def test_a_late_map_does_not_bring_its_sentence_back(needing: tuple[Page, Held]) -> None:
    page, held = needing
    page.locator("#compare-text textarea").fill(" ")
    page.locator("#compare-text textarea").press("Enter")
    refused = page.locator("#duet .lens-message")
    expect(refused).to_contain_text("no text to translate")
    held.may_go.set()
    for side in ("#left-map", "#right-map"):
        expect(page.locator(f"{side} .lens-plot")).to_be_hidden()
    expect(refused).to_be_visible()


def test_a_question_taken_back_while_it_is_answered_is_not_what_stands_at_the_end(
    needing: tuple[Page, Held], monkeypatch: pytest.MonkeyPatch
) -> None:
    page, held = needing
    looked = Held(monkeypatch, compare_tab, "strip_view")
    looked.may_go.set()
    page.get_by_label("What it looked at").check()
    held.may_go.set()
    assert looked.begun.wait(60)
    expect(page.locator("#agreement")).to_have_text("")
    page.wait_for_function("() => document.querySelector('#left-map .lens-plot').data[0].z.length === 1")


def test_a_switch_moved_back_while_the_picture_is_drawn_stands_as_the_picture_does(
    open_page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page("?text=A+photographer+sleeps.")
    held = Held(monkeypatch, translate_tab, "picture")
    words = page.locator("#attention-view .lens-chips").nth(0).locator(".lens-chip").all_inner_texts()
    page.evaluate("window.shown = []; document.addEventListener('lens-link', (e) => shown.push(e.target.dataset.link))")
    page.get_by_label("pieces").check()
    assert held.begun.wait(60)
    page.get_by_label("words").check()
    held.may_go.set()
    assert held.again.wait(60)
    page.wait_for_function("() => shown.length === 2 && shown[0].includes('pieces') && !shown[1].includes('pieces')")
    assert page.locator("#attention-view .lens-chips").nth(0).locator(".lens-chip").all_inner_texts() == words
