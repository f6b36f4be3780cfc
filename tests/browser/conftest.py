"""A real server (`python app.py`) and a real Chromium for the page's tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, TimeoutError, expect, sync_playwright

ROOT = Path(__file__).parents[2]
SCREENSHOTS = Path(__file__).parent / "screenshots"
FLAGS = (
    "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync"
).split()

PATIENCE = 60_000
"""Milliseconds after which what should come to stand on a page never will. A busy machine takes long."""
expect.set_options(timeout=PATIENCE)


@contextmanager
def started(log: Path, **settings: str) -> Iterator[str]:
    """The address of a page started as a user starts it, in a process of its own that ends with the block. settings: of its
    environment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)} | settings
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=output)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            if process.poll() is not None:
                pytest.fail(f"app.py ended with {process.returncode}:\n{log.read_text()}")
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail(f"app.py did not answer in two minutes:\n{log.read_text()}")
        yield address
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page."""
    with started(tmp_path_factory.mktemp("server") / "app.log") as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The Chromium that the test command found (CHROMIUM), else playwright's own."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM") or None, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def visitor(browser: Browser) -> Callable[[str], BrowserContext]:
    """Who visits, by language. Tests share them for their cache: scripts that are there already are half of a page's work."""
    return cache(lambda locale: browser.new_context(locale=locale))


@pytest.fixture(scope="session")
def spare() -> dict[str, list[Page]]:
    """Empty pages by language, for the next test: a process of the browser that has had the page before has its scripts
    compiled, which is most of the work of opening it."""
    return defaultdict(list)


@pytest.fixture
def open_page(
    server: str, visitor: Callable[[str], BrowserContext], spare: dict[str, list[Page]]
) -> Iterator[Callable[..., Page]]:
    """Opens the page, for who was never here, and waits until its first picture is drawn. At the end nothing may have gone
    wrong in the browser, and nothing may have been asked of another host. It opens in `page`, if that is given."""
    opened, problems, hosts = [], [], set()
    heard = {
        "request": lambda request: hosts.add(request.url.split("/")[2] if "://" in request.url else ""),
        "pageerror": lambda error: problems.append(f"error: {error}"),
        "console": lambda m: problems.append(f"console: {m.text}") if m.type == "error" else None,
        "dialog": lambda dialog: (problems.append(f"dialog: {dialog.message}"), dialog.dismiss()),
    }

    def leave(page: Page) -> None:
        """Ends what the page is doing; what it says of that is no problem."""
        for event, handler in heard.items():
            page.remove_listener(event, handler)
        page.goto("about:blank")

    def open_it(
        query: str = "",
        width: int = 1280,
        height: int = 1000,
        wait_for: str = ".lens-chip",
        locale: str = "en-US",
        page: Page | None = None,
    ) -> Page:
        if page is None:
            page = spare[locale].pop() if spare[locale] else visitor(locale).new_page()
            opened.append((page, locale))
        else:
            leave(page)
        for event, handler in heard.items():
            page.on(event, handler)
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(PATIENCE)
        kept = {"origin": server, "storageTypes": "cookies,local_storage,indexeddb"}
        session = page.context.new_cdp_session(page)
        session.send("Storage.clearDataForOrigin", kept)
        session.detach()
        page.goto(f"{server}/{query}")
        try:
            page.wait_for_selector(wait_for)
        except TimeoutError as error:
            stands = page.locator("body").inner_text()[:2000]
            raise AssertionError(f"{page.url} has no {wait_for}; problems: {problems}; it says:\n{stands}") from error
        drawn(page)
        return page

    yield open_it
    for page, locale in opened:
        leave(page)
        page.context.clear_permissions()
        page.unroute_all()
        page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        page.mouse.move(0, 0)
        spare[locale].append(page)
    assert problems == []
    assert hosts - {server.removeprefix("http://"), ""} == set(), "the page asked other hosts"


def drawn(page: Page) -> None:
    """Waits until two frames have been drawn. In the frame after a tab is seen for the first time Gradio sets the values of its
    components once more, over what a test has typed by then; nobody else is as quick."""
    page.evaluate("() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")


def watched(page: Page) -> tuple[list[str], list[str]]:
    """What the page asks for from now on, and what goes wrong on it: errors, and answers that are refusals."""
    asked, problems = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("response", lambda answer: problems.append(answer.url) if answer.status >= 400 else None)
    return asked, problems


def elsewhere(asked: Sequence[str], address: str) -> list[str]:
    """What was asked of another host, or above the path of the page."""
    return [url for url in asked if "://" in url and not url.startswith(f"{address}/")]


def turn(page: Page, theme: str) -> None:
    """Makes the visitor's system light or dark, which a page follows while it is open unless its link says otherwise."""
    page.emulate_media(color_scheme=theme)
    page.wait_for_function("dark => document.body.classList.contains('dark') === dark", arg=theme == "dark")


def looks(
    page: Page, name: str, sizes: Sequence[tuple[int, int]] = ((390, 1000), (1280, 1000))
) -> Iterator[tuple[str, int]]:
    """Each theme and width, with the page so; it must not scroll sideways. Leaves a screenshot of each to look at."""
    SCREENSHOTS.mkdir(exist_ok=True)
    for theme in ("light", "dark"):
        turn(page, theme)
        for width, height in sizes:
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(500)
            yield theme, width
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.screenshot(path=SCREENSHOTS / f"{name}-{theme}-{width}.png", full_page=True)


def settled(page: Page, locator: str, text: str) -> None:
    """Waits until a part of the page says this."""
    page.wait_for_function(
        "([locator, text]) => [...document.querySelectorAll(locator)].some((n) => n.textContent.includes(text))",
        arg=[locator, text],
    )
