"""The page as a Space starts it, in a real Chromium: in another setting Gradio does other things."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, expect

from seq2seq.demo import tools
from tests.browser.conftest import elsewhere, started, watched
from tests.space import AS_A_SPACE, FRENCH, example

# Of the package that the Hub adds, what Gradio calls there: it wraps functions, and waits for changes of the code.
STUB = {
    "spaces/__init__.py": "def gradio_auto_wrap(function):\n    return function\n",
    "spaces/reloading.py": "def start_reload_server(**_):\n    pass\n",
    "spaces-1.0.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: spaces\nVersion: 1.0.0\n",
}


def test_a_space_opens_with_its_example_and_asks_for_nothing_in_vain(browser: Browser, tmp_path: Path) -> None:
    for name, text in STUB.items():
        (tmp_path / "stub" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "stub" / name).write_text(text, encoding="utf-8")
    with started(tmp_path / "app.log", **AS_A_SPACE, PYTHONPATH=str(tmp_path / "stub")) as address:
        page = browser.new_page()
        page.set_default_timeout(60_000)
        asked, problems = watched(page)
        page.goto(f"{address}/")
        page.wait_for_selector("#attention-view .xtick")
        french = page.locator(f"#{FRENCH} textarea, #{FRENCH} input")
        expect(french).to_have_value(example(address))  # as the trial in a fresh environment asks for it
        config = page.evaluate("window.gradio_config")
        assert (config["space_id"], config["pwa"]) == (None, False)
        box = page.locator("#source-text textarea")
        box.fill("A dog sleeps.")
        box.press("Enter")
        expect(page.locator("#attention-view .ytick text")).to_have_text(["Un", "chien", "dort", "."])
        page.close()
        assert problems == []
        assert elsewhere(asked, address) == []
        if tools.wanted():
            with urllib.request.urlopen(f"{address}/gradio_api/mcp/schema", timeout=60) as answer:
                names = [tool["name"] for tool in json.load(answer)]
            assert "attention_lens_translate" in names
