"""The page below `/lens/` behind a real nginx, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import SCREENSHOTS, elsewhere, watched
from tests.hosting import NGINX, NO_NGINX, behind_nginx

pytestmark = pytest.mark.skipif(NGINX is None, reason=NO_NGINX)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with behind_nginx(tmp_path_factory.mktemp("hosting")) as address:
        yield address


def test_a_sentence_is_translated_and_drawn_below_the_path(address: str, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(60_000)
    asked, problems = watched(page)
    page.goto(f"{address}/")
    page.wait_for_selector("#attention-view .xtick")
    box = page.locator("#source-text textarea")
    box.fill("A dog sleeps.")
    box.press("Enter")
    french = page.locator("#target-text textarea, #target-text input")
    expect(french).to_have_value("Un chien dort.", timeout=60_000)
    rows = page.locator("#attention-view .ytick text")
    expect(rows).to_have_text(["Un", "chien", "dort", "."], timeout=60_000)
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "hosting.png")
    context.close()
    assert problems == []
    assert elsewhere(asked, address) == [], "something was asked for above the path or of another host"
    assert any("plotly.min.js" in url for url in asked)
