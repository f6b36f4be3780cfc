"""The panel Ask in a real Chromium: each question by hand, against what the API answers; and by keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from gradio_client import Client
from playwright.sync_api import Page

from tests.browser.conftest import looks

TEXT = "A man in a blue shirt is riding a bicycle."
SAID = "document.querySelector('#ask-said .prose').textContent"
VIEW = """() => [...document.querySelectorAll('#ask-view .lens-chips')].map(
    (line) => [...line.querySelectorAll('.lens-word')].map((word) => word.textContent))"""


@pytest.fixture(scope="module")
def api(server: str) -> Client:
    return Client(server, verbose=False)


@pytest.fixture
def ask_page(open_page: Callable[..., Page]) -> Callable[..., Page]:
    def open_it(query: str = "", **size: int) -> Page:
        page = open_page(query, **size)
        page.locator("#ask > button").click()
        page.wait_for_selector("#ask-word", state="visible")
        page.wait_for_timeout(500)  # the contents of an accordion are wired a moment after they are seen
        return page

    return open_it


def question(page: Page, name: str) -> None:
    page.locator("#ask-question label", has_text=name).click()
    page.wait_for_timeout(700)


def answered(page: Page, before: str) -> str:
    page.wait_for_function(f"before => {SAID} !== before", arg=before)
    page.wait_for_timeout(400)
    return page.evaluate(SAID)


def assert_shows(page: Page, answer: dict) -> None:
    # A model that is misled may not come to an end.
    assert page.evaluate(VIEW) == [answer["source_words"], [word for word in answer["target_words"] if word != "<eos>"]]


def test_another_word(ask_page: Callable[..., Page], api: Client) -> None:
    page = ask_page()
    base = api.predict(TEXT, "en-fr-additive", 1, api_name="/translate")
    page.locator("#ask-word input").click()
    page.get_by_role("option", name=f"4 {base['target_words'][3]}").click()
    page.wait_for_selector("#ask-candidate label")
    page.wait_for_timeout(300)
    offered = page.locator("#ask-candidate label").all_inner_texts()
    assert [re.sub(r"\s[\d.]+\s%$", "", text) for text in offered] == [p.strip("▁") for p, _ in base["candidates"][3]]
    before = page.evaluate(SAID)
    page.locator("#ask-candidate label").nth(1).click()
    answered(page, before)
    start = " ".join([*base["target_words"][:3], base["candidates"][3][1][0].strip("▁")])
    assert_shows(page, api.predict(TEXT, "en-fr-additive", "", start, api_name="/ask"))
    assert page.locator("#ask-said mark").count() >= 2


def test_a_click_on_a_word_above_chooses_it(ask_page: Callable[..., Page]) -> None:
    page = ask_page()
    page.locator("#attention-view .lens-chips").nth(1).locator("button").nth(4).click()
    page.wait_for_selector("#ask-candidate label")
    word = page.locator("#attention-view .lens-chips").nth(1).locator(".lens-word").nth(4).inner_text()
    assert page.locator("#ask-word input").input_value() == f"5 {word}"


def test_without_a_word(ask_page: Callable[..., Page], api: Client) -> None:
    page = ask_page()
    question(page, "Without a word")
    before = page.evaluate(SAID)
    page.locator("#ask-without label", has_text="riding").click()
    answered(page, before)
    assert_shows(page, api.predict(TEXT, "en-fr-additive", "", "", "riding", api_name="/ask"))
    assert page.locator("#ask-view .lens-struck .lens-word").all_inner_texts() == ["riding"]
    assert "Without “riding”" in page.locator("#ask-view .lens-warnings").inner_text()


def test_own_french(ask_page: Callable[..., Page], api: Client) -> None:
    page = ask_page()
    question(page, "Your translation")
    before = page.evaluate(SAID)
    target = "Un homme avec une chemise bleue roule."
    page.locator("#ask-target textarea").fill(target)
    page.locator("#ask-target textarea").press("Enter")
    said = answered(page, before)
    expected = api.predict(TEXT, "en-fr-additive", target, api_name="/ask")
    assert_shows(page, expected)
    assert f"{expected['log_prob']:.2f}" in said


def test_other_sentences(ask_page: Callable[..., Page], api: Client) -> None:
    page = ask_page()
    question(page, "Other sentences")
    page.locator("#ask-search").click()
    page.wait_for_selector("#ask-best label")
    expected = api.predict(TEXT, "en-fr-additive", 5, 5, api_name="/translate")
    texts = [expected["translation"], *(other["translation"] for other in expected["alternatives"])]
    shown = page.locator("#ask-best label").all_inner_texts()
    assert [text.split("  (")[0].split(" (-")[0] for text in shown] == [f"{i}. {t}" for i, t in enumerate(texts, 1)]
    page.locator("#ask-tree summary").nth(1).click()
    assert page.locator("#ask-tree details[open]").count() >= 2, "it unfolds"
    before = page.evaluate(SAID)
    page.locator("#ask-best label").nth(1).click()
    answered(page, before)
    assert page.evaluate(VIEW)[1] == expected["alternatives"][0]["target_words"][:-1]


def test_turn_the_attention(ask_page: Callable[..., Page], api: Client) -> None:
    page = ask_page()
    question(page, "Turn the attention")
    before = page.evaluate(SAID)
    slider = page.locator("#ask-turn input[type=number]")
    slider.fill("-1")
    slider.press("Enter")
    slider.blur()
    answered(page, before)
    assert_shows(page, api.predict(TEXT, "en-fr-additive", "", "", "", -1, api_name="/ask"))
    assert "overridden" in page.locator("#ask-view .lens-warnings").inner_text()
    row = page.evaluate("() => document.querySelector('#ask-view .lens-plot').data[0].z[0]")
    assert max(row) - min(row) < 0.01, "uniform"


def test_does_it_matter(ask_page: Callable[..., Page], api: Client) -> None:
    page = ask_page()
    question(page, "Does it matter?")
    before = page.evaluate(SAID)
    page.locator("#ask-matter").click()
    said = answered(page, before)
    assert said.strip() == api.predict(TEXT, "en-fr-additive", api_name="/highlight")["verdict"]
    assert page.locator("#ask-costs").is_visible()


def test_read_from_where(ask_page: Callable[..., Page], api: Client) -> None:
    page = ask_page()
    question(page, "Read from where?")
    before = page.evaluate(SAID)
    page.locator("#ask-origins").click()
    assert "read from" in answered(page, before)
    answer = api.predict(TEXT, "en-fr-additive", posterior=True, api_name="/ask")
    drawn = page.evaluate("() => document.querySelector('#ask-view .lens-plot').data[0].z")
    for row, weights in zip(drawn, answer["attention"]):
        assert row == pytest.approx(weights, abs=1e-3)
    assert "not the model's attention" in page.locator("#ask-view .lens-warnings").inner_text()


def test_another_sentence_brings_other_words_and_takes_old_answers_away(ask_page: Callable[..., Page]) -> None:
    page = ask_page()
    question(page, "Without a word")
    before = page.evaluate(SAID)
    page.locator("#ask-without label").first.click()
    answered(page, before)
    box = page.locator("#source-text textarea")
    box.fill("Three birds sit on a roof.")
    box.press("Enter")
    page.wait_for_function("() => document.querySelector('#ask-without').innerText.includes('birds')")
    page.wait_for_function(f"() => {SAID}.trim() === ''")
    assert "bicycle" not in page.locator("#ask-without").inner_text()
    assert page.locator("#ask-without input:checked").count() == 0


def test_by_keyboard_alone_and_with_names(ask_page: Callable[..., Page]) -> None:
    """Every control of the panel has a name, and a question can be asked without a mouse."""
    page = ask_page()
    for name in (
        "Another word",
        "Without a word",
        "Your translation",
        "Other sentences",
        "Turn the attention",
        "Does it matter?",
        "Read from where?",
    ):
        question(page, name)
        unnamed = page.locator("#ask").evaluate(
            """panel => [...panel.querySelectorAll('input, textarea, button, select')]
                .filter((node) => node.offsetParent && !(node.labels && node.labels.length) && !node.textContent.trim()
                    && !node.getAttribute('aria-label') && !node.getAttribute('aria-labelledby') && !node.title)
                .map((node) => node.outerHTML.slice(0, 120))"""
        )
        assert not unnamed
    question(page, "Without a word")
    before = page.evaluate(SAID)
    page.locator("#ask-without input").nth(1).focus()
    page.keyboard.press("Space")
    assert "Without what you struck" in answered(page, before)


def test_looks(ask_page: Callable[..., Page]) -> None:
    page = ask_page(width=390)
    question(page, "Without a word")
    before = page.evaluate(SAID)
    page.locator("#ask-without label", has_text="shirt").click()
    answered(page, before)
    assert len(list(looks(page, "ask"))) == 4
