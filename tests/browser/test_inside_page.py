"""The tab Inside in a real Chromium: every number it shows is the API's, and it can be walked with slider, pieces and keys."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from gradio_client import Client
from playwright.sync_api import Page, Route

from tests.browser.conftest import looks

TEXT = "A small child is sleeping under a green tree."
BOXES = """() => [...document.querySelectorAll('.inside-box')].map((box) => ({
    name: box.dataset.name,
    shape: (box.querySelector('.inside-shape') || {}).textContent,
    formula: box.querySelector('.inside-formula').textContent,
    lane: [...box.classList].find((c) => /inside-(left|middle|right)/.test(c)),
}))"""
OVERLAPS = """() => {
    const frames = [...document.querySelectorAll('.inside-box')].map((box) => box.getBoundingClientRect());
    return frames.filter((a, i) => frames.some((b, j) => j > i && a.left < b.right - 1 && b.left < a.right - 1
        && a.top < b.bottom - 1 && b.top < a.bottom - 1)).length;
}"""
CHECKPOINTS = [
    "en-fr-additive",
    "en-fr-multiplicative",
    "en-fr-plain",
    "en-fr-classic-attention",
    "en-fr-classic-plain",
]


@pytest.fixture(scope="module")
def api(server: str) -> Client:
    return Client(server, verbose=False)


@pytest.fixture
def inside_page(open_page: Callable[..., Page]) -> Callable[..., Page]:
    def open_it(checkpoint: str = "en-fr-additive", text: str = TEXT, more: str = "", **size: int) -> Page:
        query = f"?tab=inside&checkpoint={checkpoint}&text={quote(text)}{more}"
        return open_page(query, wait_for=".inside-box", **size)

    return open_it


def at_step(page: Page, number: int) -> None:
    page.wait_for_function(
        "n => document.querySelector('.inside-said').textContent.includes(`step ${n} of`)", arg=number
    )


def told(page: Page, box: str, share: float) -> str:
    """What pointing at a place along the strip of a box says; `share` of its width, in its first row."""
    canvas = page.locator(f".inside-box[data-name='{box}'] canvas")
    canvas.scroll_into_view_if_needed()
    frame = canvas.bounding_box()
    page.mouse.move(frame["x"] + share * frame["width"], frame["y"] + 2)
    return page.locator(".inside-tip").inner_text()


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_the_diagram_is_what_the_api_says(inside_page: Callable[..., Page], api: Client, checkpoint: str) -> None:
    page = inside_page(checkpoint)
    answer = api.predict(TEXT, checkpoint, api_name="/inside")
    boxes = [box for box in page.evaluate(BOXES) if box["name"] != "no attention"]
    assert [box["name"] for box in boxes] == [value["name"] for value in answer["values"]]
    for box, value in zip(boxes, answer["values"]):
        assert box["shape"] == value["shape"] and box["formula"] == f"{value['name']} = {value['first_formula']}"
    edges = sum(len(value["sources"]) for value in answer["values"])
    assert page.locator(".inside-arrows path").count() == edges + 1, "and one for the next step"
    assert page.locator(".inside-missing").count() == (answer["weights"] is None)

    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    at_step(page, 3)
    step = answer["steps"][2]
    values = {value["name"]: value for value in answer["values"]}
    for name in ("embedded", "hidden", "combined"):
        columns = min(128, len(step["numbers"][name]))
        i = columns // 3
        expected = f"{name}[{i}] = {step['numbers'][name][i]:.3f}".replace("-0.000", "0.000")
        assert told(page, name, (i + 0.5) / columns).replace("-0.000", "0.000") == expected
    if answer["weights"]:
        said = page.locator(f".inside-box[data-name='{answer['weights']}'] .inside-cell").evaluate_all(
            "cells => cells.map((cell) => cell.dataset.said)"
        )
        row = step["numbers"][answer["weights"]]
        assert len(said) == len(row) == len(answer["places"]) == values[answer["weights"]]["sizes"][-1]
        for i, text in enumerate(said):
            assert text.startswith(f"{answer['weights']}[{i}] “{answer['places'][i].removeprefix('▁')}”")
            assert float(text.split("=")[1].rstrip(" %")) == pytest.approx(100 * row[i], abs=0.51)
    shown = page.locator(".inside-candidates li").evaluate_all("all => all.map((line) => line.firstChild.textContent)")
    assert shown == [piece.removeprefix("▁") for piece, _ in step["candidates"]]


def test_slider_pieces_buttons_and_keys_walk(inside_page: Callable[..., Page]) -> None:
    page = inside_page()
    at_step(page, 1)
    last = page.locator(".inside-piece").count()
    page.locator(".inside-walk").nth(1).click()
    at_step(page, 2)
    page.locator(".inside-piece").nth(4).click()
    at_step(page, 5)
    page.locator(".inside input[type=range]").fill(str(last))
    at_step(page, last)
    page.keyboard.press("ArrowRight")
    at_step(page, last)
    page.keyboard.press("ArrowLeft")
    at_step(page, last - 1)
    assert page.locator(".inside-piece[aria-pressed=true]").count() == 1
    # Somebody who types moves the cursor, not the steps.
    page.locator("#inside-text textarea").click()
    page.keyboard.press("ArrowLeft")
    at_step(page, last - 1)


def test_the_link_knows_the_step(inside_page: Callable[..., Page]) -> None:
    page = inside_page(more="&step=4")
    at_step(page, 4)
    page.keyboard.press("ArrowRight")
    at_step(page, 5)
    page.wait_for_function("() => new URLSearchParams(location.search).get('step') === '5'")
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector(".inside-box")
    at_step(other, 5)
    other.close()
    page.locator(".inside-piece").first.click()
    page.wait_for_function("() => !new URLSearchParams(location.search).has('step')")
    page.locator(".inside-piece").nth(2).click()
    box = page.locator("#inside-text textarea")
    box.fill("A dog sleeps.")
    box.press("Enter")
    page.wait_for_function("() => new URLSearchParams(location.search).get('text') === 'A dog sleeps.'")
    at_step(page, 1)
    assert "step" not in page.url


@pytest.mark.parametrize("step", ["-3", "0", "x", "1e9"])
def test_a_step_that_is_none_is_the_first(inside_page: Callable[..., Page], step: str) -> None:
    at_step(inside_page(more=f"&step={step}"), 1)


def test_a_step_after_the_last_is_the_last(inside_page: Callable[..., Page]) -> None:
    page = inside_page(more="&step=9999")
    at_step(page, page.locator(".inside-piece").count())


def test_first_step_begins_with_what_the_encoder_left(inside_page: Callable[..., Page]) -> None:
    page = inside_page()
    old = page.locator(".inside-box[data-name='old hidden'] .inside-formula")
    assert old.inner_text() == "old hidden = tanh(W summary)"
    page.keyboard.press("ArrowRight")
    at_step(page, 2)
    assert old.inner_text() == "old hidden = hidden, one step ago"


def test_the_tab_takes_the_current_sentence(open_page: Callable[..., Page]) -> None:
    page = open_page()
    box = page.locator("#source-text textarea")
    box.fill("Three birds sit on a roof.")
    box.press("Enter")
    page.wait_for_function("() => document.querySelector('#attention-view').textContent.includes('birds')")
    page.get_by_role("tab", name="Inside").click()
    page.wait_for_selector(".inside-box")
    assert page.locator("#inside-text textarea").input_value() == "Three birds sit on a roof."
    own = page.locator("#inside-text textarea")
    own.fill("A cat sleeps.")
    own.press("Enter")
    page.wait_for_function("() => document.querySelector('.inside-pieces').textContent.includes('chat')")
    # What was typed here stays while the other tab's sentence does.
    page.get_by_role("tab", name="Translate").click()
    page.get_by_role("tab", name="Inside").click()
    page.wait_for_timeout(1000)
    assert own.input_value() == "A cat sleeps."
    # Nothing to take.
    page.get_by_role("tab", name="Translate").click()
    box.fill("  ")
    page.get_by_role("tab", name="Inside").click()
    page.wait_for_timeout(1000)
    assert own.input_value() == "A cat sleeps." and "chat" in page.locator(".inside-pieces").inner_text()


def test_a_late_answer_does_not_replace_what_is_typed(open_page: Callable[..., Page]) -> None:
    """As on a slow network: the answer to entering the tab comes while somebody types there."""
    page = open_page()
    held: list[Route] = []
    page.route("**/queue/join*", lambda route: route.continue_() if held else held.append(route))
    page.get_by_role("tab", name="Inside").click()
    while not held:
        page.wait_for_timeout(20)
    own = page.locator("#inside-text textarea")
    own.fill("A cat.")
    held[0].continue_()
    for text, word in (("A cat.", "chat"), ("A red boat.", "bateau")):
        own.fill(text)
        own.press("Enter")
        page.wait_for_function("w => document.querySelector('.inside-pieces')?.textContent.includes(w)", arg=word)
        assert own.input_value() == text
    # The sentence of Translate was there before it: entering again takes nothing.
    page.get_by_role("tab", name="Translate").click()
    page.get_by_role("tab", name="Inside").click()
    page.wait_for_timeout(1000)
    assert own.input_value() == "A red boat."


def test_bad_text_gets_a_message(inside_page: Callable[..., Page]) -> None:
    page = inside_page()
    box = page.locator("#inside-text textarea")
    for text in ("   ", "x" * 1001):
        box.fill(text)
        box.press("Enter")
        page.wait_for_selector("#inside-view .lens-message:not([hidden])")
        box.fill("A dog sleeps.")
        box.press("Enter")
        page.wait_for_selector("#inside-view .lens-message", state="hidden")
        page.wait_for_selector("#inside-view .inside-box")


def test_markup_stays_text(inside_page: Callable[..., Page]) -> None:
    page = inside_page(text="<img src=x onerror=alert(1)> <b>dog</b> ${1+1}")
    assert page.locator("#inside-view img, #inside-view b").count() == 0


def test_a_sentence_that_is_cut_says_so(inside_page: Callable[..., Page]) -> None:
    page = inside_page("en-fr-classic-attention", "dog " * 60)
    warning = page.locator("#inside-view .lens-warnings").inner_text()
    assert "at most 40 pieces" in warning and "last 20 words" in warning


@pytest.mark.parametrize("checkpoint", ["en-fr-additive", "en-fr-classic-attention"])
def test_looks(inside_page: Callable[..., Page], checkpoint: str) -> None:
    page = inside_page(checkpoint, width=390)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    at_step(page, 4)
    for _, width in looks(page, f"inside-{checkpoint}"):
        page.wait_for_function(
            "shown => document.querySelector('.inside-arrows').checkVisibility() === shown", arg=width == 1280
        )
        assert page.evaluate(OVERLAPS) == 0
