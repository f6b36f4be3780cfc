"""Both directions in a real Chromium: the page turns around, and label, sentence, examples and the other tabs follow."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from gradio_client import Client
from playwright.sync_api import Page

from seq2seq.demo import compare_tab
from seq2seq.demo.translate_tab import EXAMPLES, EXAMPLES_OF
from tests.browser.conftest import looks, settled

LABELS = """() => ['#source-text', '#target-text'].map(
    (box) => document.querySelector(`${box} [data-testid=block-info]`).textContent.trim())"""
CHIPS = """(side) => [...document.querySelectorAll('#attention-view .lens-chips')][side].lang"""


@pytest.fixture(scope="module")
def api(server: str) -> Client:
    return Client(server, verbose=False)


def grown(page: Page) -> None:
    """Waits until the translation is whole."""
    page.wait_for_function("() => !document.querySelector('#attention-view .lens-growing')")


def turn_around(page: Page, to: str) -> None:
    """Presses ⇄ and waits for the sentence in the other language."""
    page.locator("#turn").click()
    page.wait_for_function("to => document.querySelector('#attention-view .lens-chips').lang === to", arg=to)
    grown(page)


def choose(page: Page, box: str, label: str) -> None:
    page.locator(f"{box} input").click()
    page.get_by_role("option", name=label, exact=True).click()


def test_it_turns_around_and_back(open_page: Callable[..., Page], api: Client) -> None:
    page = open_page()
    source, target = page.locator("#source-text textarea"), page.locator("#target-text textarea")
    french = target.input_value()
    assert page.evaluate(LABELS) == ["English", "French"] and source.input_value() == EXAMPLES[0]

    turn_around(page, "fr")
    settled(page, "#source-text [data-testid=block-info]", "French")
    assert page.evaluate(LABELS) == ["French", "English"]
    assert source.input_value() == french, "what was written is what it reads now"
    made = api.predict(french, "fr-en-additive", 1, api_name="/translate")
    page.wait_for_function(
        "text => document.querySelector('#target-text textarea').value === text", arg=made["translation"]
    )
    assert [page.evaluate(CHIPS, side) for side in (0, 1)] == ["fr", "en"], "a screen reader reads each in its language"
    assert page.locator(".examples button").all_inner_texts()[: len(EXAMPLES)] == list(EXAMPLES_OF["fr"])
    page.wait_for_function("() => new URLSearchParams(location.search).get('checkpoint') === 'fr-en-additive'")
    link = page.url

    page.locator(".examples button").nth(1).click()
    settled(page, "#attention-view .lens-word", "girls")
    grown(page)
    turn_around(page, "en")
    assert page.evaluate(LABELS) == ["English", "French"] and "girls" in source.input_value()

    # A link opens the direction that it names, in another visitor's page.
    other = open_page(f"?{urlsplit(link).query}")
    other.wait_for_function("() => document.querySelector('#attention-view .lens-chips').lang === 'fr'")
    settled(other, "#source-text [data-testid=block-info]", "French")
    assert other.evaluate(LABELS) == ["French", "English"]
    assert other.locator("#source-text textarea").input_value() == french
    assert parse_qs(urlsplit(other.url).query)["checkpoint"] == ["fr-en-additive"]


def test_own_words_stay_when_the_page_turns(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.locator("#source-text textarea").fill("Le chat noir dort.")
    turn_around(page, "fr")
    assert page.locator("#source-text textarea").input_value() == "Le chat noir dort."
    settled(page, "#attention-view .lens-word", "cat")


def test_the_other_side_of_a_comparison_turns_with_one(open_page: Callable[..., Page]) -> None:
    page = open_page("?tab=compare&text=A+cat+sleeps.&reference=Un+chat+dort.", wait_for=".duet-word")
    page.get_by_text("Models, beam, reference").click()
    page.wait_for_timeout(500)  # the lists come into being when the accordion opens, and are wired a moment later
    choose(page, "#right", "French → English: With attention (additive)")
    page.wait_for_function("() => document.querySelector('#duet .duet')?.dataset.source === 'fr'")
    assert "French → English: Without attention" in page.locator("#left input").input_value()
    assert page.locator("#compare-text [data-testid=block-info]").inner_text() == "French"
    assert page.locator("#reference textarea").input_value() == "", "it was for the other direction"
    assert page.locator("#duet .duet-word span[lang=en]").count() > 4
    page.get_by_role("button", name=compare_tab.EXAMPLES_OF["fr"][0]).click()
    settled(page, "#duet .duet-word", "blue")
    page.locator("#grow").click()
    page.wait_for_function("() => document.querySelectorAll('#growth .points path').length >= 6")


def test_inside_takes_the_model_with_the_sentence(open_page: Callable[..., Page]) -> None:
    page = open_page()
    turn_around(page, "fr")
    page.get_by_role("tab", name="Inside").click()
    page.wait_for_selector(".inside-box")
    assert page.locator("#inside-model input").input_value() == "French → English: With attention (additive)"
    settled(page, "#inside-text [data-testid=block-info]", "French")
    assert "man" in page.locator(".inside-pieces").inner_text()
    choose(page, "#inside-model", "With attention (additive)")
    page.wait_for_function("() => document.querySelector('.inside-pieces').textContent.includes('homme')")
    assert page.locator("#inside-text textarea").input_value().startswith("A man")


def test_the_stage_has_sentences_of_the_language_that_is_read(open_page: Callable[..., Page]) -> None:
    page = open_page("?checkpoint=fr-en-additive&text=Un+chat+dort.&present=1", wait_for="body.presenting .lens-chip")
    page.keyboard.press("ArrowRight")
    settled(page, "#attention-view .lens-chips[lang=fr]", EXAMPLES_OF["fr"][0].split()[-1].rstrip("."))


def test_looks(open_page: Callable[..., Page]) -> None:
    page = open_page("?checkpoint=fr-en-additive&text=Un+chat+noir+dort+sur+la+table.")
    grown(page)
    assert len(list(looks(page, "direction"))) == 4
