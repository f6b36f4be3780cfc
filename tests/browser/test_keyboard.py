"""Everything by keyboard alone, with a focus that can be seen, and what a screen reader is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page

from seq2seq.demo.translate_tab import EXAMPLES
from tests.browser.conftest import SCREENSHOTS, turn

FOCUS = "(s) => Boolean(document.activeElement && document.activeElement.closest(s))"
# The focused control, or what Gradio draws around it, differs from how it looks without the focus.
LOOK = """(node) => {
    const parts = [];
    for (let i = 0; node && i < 4; node = node.parentElement, i++) {
        const { outline, outlineWidth, boxShadow, borderColor, backgroundColor } = getComputedStyle(node);
        parts.push(outlineWidth === '0px' ? '' : outline, boxShadow, borderColor, backgroundColor);
    }
    return parts.join('|');
}"""
NAME = """() => {
    const node = document.activeElement;
    const label = node.getAttribute('aria-label') || (node.labels && node.labels.length && node.labels[0].textContent)
        || node.textContent || node.title || node.placeholder || '';
    return `${node.tagName.toLowerCase()} ${label.trim().slice(0, 40)}`;
}"""


def focused(page: Page, selector: str) -> bool:
    return page.evaluate(FOCUS, selector)


def tab_to(page: Page, selector: str, key: str = "Tab", most: int = 120) -> None:
    """Presses Tab until the focus is there."""
    for _ in range(most):
        if focused(page, selector):
            return
        page.keyboard.press(key)
    raise AssertionError(f"the keyboard does not reach {selector}; it is at {page.evaluate(NAME)}")


def type_into(page: Page, box: str, text: str) -> None:
    tab_to(page, box)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def open_tab(page: Page, name: str) -> None:
    tab_to(page, f"[role=tab][data-tab-id={name}]")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"[role=tab][data-tab-id={name}][aria-selected=true]")


def unfold(page: Page, accordion: str) -> None:
    tab_to(page, f"{accordion} > button")
    page.keyboard.press("Enter")
    page.wait_for_timeout(700)  # its contents are wired a moment after they are seen


def test_translate(open_page: Callable[..., Page]) -> None:
    page = open_page(wait_for="#attention-view .xtick")
    type_into(page, "#source-text", "Two dogs are running in the snow.")
    page.wait_for_selector("#attention-view .lens-body[data-link*='Two+dogs']")
    page.wait_for_selector("#attention-view .lens-line .lens-chips:not(.lens-growing)[aria-label=French]")
    view = "#attention-view"
    tab_to(page, f"{view} .lens-chips[aria-label=French] .lens-chip:nth-child(2)")
    shades = f"[...document.querySelectorAll('{view} .lens-chips[aria-label=English] .lens-chip')].map(c => +c.dataset.share)"
    second = page.evaluate(shades)
    assert max(second) > 0.3
    page.keyboard.press("Tab")
    assert page.evaluate(shades) != second, "the shading follows the focus"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    tab_to(page, "#unit")
    assert page.evaluate(shades) == second, "held"
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => new URLSearchParams(location.search).get('unit') === 'pieces'")
    tab_to(page, "#eos")
    page.keyboard.press("Space")
    page.wait_for_function("() => new URLSearchParams(location.search).get('eos') === '1'")
    tab_to(page, f"{view} .lens-chips[aria-label=French] .lens-chip:nth-child(2)", "Shift+Tab")
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true", "Space holds as Enter does"
    unfold(page, "#numbers")
    page.wait_for_selector("#weights table >> visible=true")


def test_ask(open_page: Callable[..., Page]) -> None:
    page = open_page(wait_for="#attention-view .xtick")
    unfold(page, "#ask")
    tab_to(page, "#ask-word")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
        page.wait_for_timeout(200)
    page.wait_for_selector("#ask-candidate input")
    page.wait_for_timeout(500)
    tab_to(page, "#ask-candidate")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#ask-view .lens-chip")
    assert page.locator("#ask-said [role=status]").inner_text().startswith("The model by itself:")


def test_take_away_share_and_stage(open_page: Callable[..., Page]) -> None:
    page = open_page(wait_for="#attention-view .xtick")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab_to(page, ".stage-tools .take-button")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.stage-said').textContent === 'Link copied'")
    assert parse_qs(urlsplit(page.evaluate("navigator.clipboard.readText()")).query)["text"] == [EXAMPLES[0]]
    unfold(page, "#take-menu")
    tab_to(page, "#take [data-kind=json]")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename.endswith(".json")
    tab_to(page, ".stage-tools .take-button:last-child", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("body.presenting", state="attached")
    tab_to(page, "#attention-view .lens-chip", most=20)
    page.keyboard.press("e")
    page.wait_for_selector(".stage-list[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector(".stage-list:not([open])", state="attached")
    assert page.evaluate("document.body.classList.contains('presenting')"), "Escape has closed the list only"
    page.keyboard.press("Escape")
    page.wait_for_selector("body:not(.presenting)")
    page.wait_for_function(FOCUS, arg=".stage-tools")  # where it was


def test_compare(open_page: Callable[..., Page], tmp_path: Path) -> None:
    page = open_page(wait_for="#attention-view .xtick")
    open_tab(page, "compare")
    page.wait_for_selector("#right-map .xtick")
    type_into(page, "#compare-text", "Two dogs are running in the snow.")
    page.wait_for_selector("#duet .duet[data-link*='Two+dogs']")
    page.wait_for_function("() => !document.querySelector('#duet .duet-hidden')")
    tab_to(page, "#duet .duet-button:nth-of-type(2)")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#duet .duet-hidden')")
    tab_to(page, "#duet .duet-scrubber")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.locator("#duet .duet-counter").inner_text().startswith("1 /")
    tab_to(page, "#question")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => new URLSearchParams(location.search).get('show') === 'needed'")


def test_points_of_a_chart(open_page: Callable[..., Page], tmp_path: Path) -> None:
    """What a click on a point does, and what pointing at one says."""
    page = open_page("?tab=compare", wait_for="#right-map .xtick")
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("A dog sleeps.\tUn chien dort.\nA man reads.\tUn homme lit.\n", encoding="utf-8")
    page.locator("#own-file input[type=file]").set_input_files(pairs)  # the browser's own dialog
    page.wait_for_function("() => document.querySelector('#own-file').innerText.includes('pairs')")
    tab_to(page, "#long-view .lens-walk")
    page.keyboard.press("ArrowRight")
    assert "words in the sentence: 8–14; BLEU: " in page.evaluate(
        "document.activeElement.getAttribute('aria-valuetext')"
    )
    page.wait_for_selector("#long-view .hovertext")
    tab_to(page, "#own-run")
    page.keyboard.press("Enter")
    page.wait_for_selector("#own-status table")
    page.wait_for_selector("#own-chart .points")
    tab_to(page, "#own-chart .lens-walk")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getAttribute('aria-valuetext')").startswith("A man reads.; chrF")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#compare-text textarea').value === 'A man reads.'")
    page.wait_for_selector("#duet .duet[data-link*='A+man+reads']")


def test_inside(open_page: Callable[..., Page]) -> None:
    page = open_page(wait_for="#attention-view .xtick")
    open_tab(page, "inside")
    page.wait_for_selector("#inside-view .inside-box")
    heading = page.locator("#inside-view .inside-said")
    assert "step 1 of" in heading.inner_text()
    page.keyboard.press("ArrowRight")
    assert "step 2 of" in heading.inner_text()
    tab_to(page, "#inside-view .inside-piece:nth-child(4)")
    page.keyboard.press("Enter")
    assert "step 4 of" in heading.inner_text()
    tab_to(page, "#inside-view .inside-walk")
    page.keyboard.press("Space")
    assert "step 3 of" in heading.inner_text()


def test_batch(open_page: Callable[..., Page]) -> None:
    page = open_page(wait_for="#attention-view .xtick")
    open_tab(page, "batch")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        "text => navigator.clipboard.writeText(text)", "A man with a dog is walking in the old park.\n" * 3000
    )
    tab_to(page, "#batch-text")
    page.keyboard.press("Control+V")  # typed, so many lines take the browser half a minute
    tab_to(page, "#batch-run")
    page.keyboard.press("Enter")
    page.wait_for_selector("#batch-status progress")
    tab_to(page, "#batch-cancel")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('#batch-status').innerText.startsWith('Cancelled')")
    assert page.locator("#batch-status [role=status]").count() == 1


# How the focused control looks, and how it does without the focus, which comes back to it.
WITH_AND_WITHOUT = f"""async () => {{
    const node = document.activeElement;
    const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const look = ({LOOK});
    await drawn();
    const before = look(node);
    node.blur();
    await drawn();
    const after = look(node);
    node.focus({{ focusVisible: true }});
    return [before, after];
}}"""


@pytest.mark.parametrize("tab", ["translate", "compare", "inside", "pictures", "batch"])
def test_focus_is_seen_and_has_a_name(open_page: Callable[..., Page], tab: str) -> None:
    """Walks a tab from its first control to its last, light and dark. Leaves a picture of one of them."""
    ready = {
        "translate": "#attention-view .xtick",
        "compare": "#right-map .xtick",
        "inside": "#inside-view .inside-box",
        "pictures": "#paint-additive .lens-chip",
    }
    page = open_page(f"?tab={tab}&text=A+dog+sleeps.", wait_for=ready.get(tab, "#batch-run >> visible=true"))
    page.add_style_tag(content="* { transition: none !important; }")  # what fades in is there at once
    page.locator("button.label-wrap:visible").evaluate_all("buttons => buttons.forEach((button) => button.click())")
    page.wait_for_timeout(1000)
    SCREENSHOTS.mkdir(exist_ok=True)
    unseen, unnamed = [], []
    for theme in ("light", "dark"):
        turn(page, theme)
        page.evaluate("scrollTo(0, 0)")
        names: list[str] = []
        for _ in range(200):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement === document.body"):
                break
            name = page.evaluate(NAME)
            names.append(name)
            look, without = page.evaluate(WITH_AND_WITHOUT)
            if look == without:
                unseen.append(f"{theme} {name}")
            if not name.split(" ", 1)[1]:
                unnamed.append(page.evaluate("document.activeElement.outerHTML.slice(0, 200)"))
            if len(names) == 12:
                page.screenshot(path=SCREENSHOTS / f"focus-{tab}-{theme}.png")
        assert len(names) > 10
    assert (unseen, unnamed) == ([], [])


LISTEN = """() => {
    window.said = [];
    const regions = '[role=status], [role=alert], [aria-live=polite], [aria-live=assertive]';
    new MutationObserver((changes) => changes.forEach(({ target }) => {
        const node = target.nodeType === 1 ? target : target.parentElement;
        const region = node && node.closest(regions);
        const text = region && region.textContent.trim();
        if (text && said[said.length - 1] !== text) said.push(text);
    })).observe(document.body, { childList: true, characterData: true, subtree: true });
}"""


def test_a_translation_is_announced_once(open_page: Callable[..., Page]) -> None:
    page = open_page(wait_for="#attention-view .xtick")
    page.evaluate(LISTEN)
    type_into(page, "#source-text", "Two dogs are running in the snow.")
    page.wait_for_selector("#attention-view .lens-body[data-link*='Two+dogs']")
    page.wait_for_timeout(1500)
    (said,) = page.evaluate("said")
    french = page.locator("#attention-view .lens-chips[aria-label=French] .lens-word").all_inner_texts()
    assert said == f"{' '.join(french)}. {page.locator('#attention-view .lens-caption').inner_text()}"
    picture = page.locator("#attention-view .lens-plot")
    assert picture.get_attribute("role") == "img" and picture.get_attribute("aria-label") in said


def test_a_comparison_is_announced(open_page: Callable[..., Page]) -> None:
    page = open_page("?tab=compare", wait_for="#right-map .xtick")
    page.evaluate(LISTEN)
    type_into(page, "#compare-text", "Two dogs are running in the snow.")
    page.wait_for_selector("#duet .duet[data-link*='Two+dogs']")
    page.wait_for_function("() => !document.querySelector('#duet .duet-hidden')")
    page.wait_for_function("() => document.querySelector('#right-map .lens-chips').textContent.includes('snow')")
    page.wait_for_timeout(1000)
    said = page.evaluate("said")
    assert len(set(said)) == len(said) <= 3, "both translations at once, and what has changed about each map"
    assert "Without attention (plain): Deux chiens" in said[0] and "With attention (additive): Deux chiens" in said[0]
