"""The page for everybody: what axe-core finds, contrast of what it cannot judge, sizes of what is touched, and motion."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from seq2seq.demo.pictures_tab import PREPARED
from seq2seq.report import to_html
from seq2seq.translator import Translator
from tests.browser.conftest import SCREENSHOTS, drawn, turn
from tests.test_figures import luminance

LONG = (
    "A man and a woman with two small children are walking slowly along a very long sandy beach while a big brown dog runs "
    "after a yellow ball in the cold blue water."
)
SIZES = (390, 1280, 1920)
THEMES = ("light", "dark")
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations", "incomplete"],
}
COLOURS = RULES | {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""What can be another in the dark: all other rules are about names, roles and sizes, and were asked in the light."""
READY = {
    "translate": "#attention-view .xtick",
    "compare": "#right-map .xtick",
    "inside": "#inside-view .inside-box",
    "pictures": "#paint-additive .lens-chip",
    "batch": "#batch-run >> visible=true",
}
STAGED = {
    "translate": ("body.presenting #attention-view .xtick", LONG),
    "compare": ("body.presenting #duet .duet-word", LONG),
    "pictures": ("body.presenting #caption-additive .lens-chip", PREPARED[4]),
    "pictures&way=paint": ("body.presenting #paint-additive .lens-chip", PREPARED[9]),
}
# Where axe cannot say what stands behind a text (a picture, an overlay, an arrow), this looks for the colour that its nearest
# painted ancestor has. Numbers in cells are left to test_figures.py, which computes them for every weight.
FAINT = """(targets) => {
    const parse = (colour) => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return [r, g, b, a] };
    const luminance = (c) => c.slice(0, 3).map((v) => v / 255)
        .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const over = ([r, g, b, a], under) => [r, g, b].map((v, i) => v * a + under[i] * (1 - a));
    const behind = (node) => {
        const layers = [];
        for (let at = node; at; at = at.parentElement) {
            const layer = parse(getComputedStyle(at).backgroundColor);
            layers.unshift(layer);
            if (layer[3] === 1) break;
        }
        return layers.reduce((under, layer) => over(layer, under), [255, 255, 255]);
    };
    const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const judged = (node, colour) => {
        const ground = behind(node);
        return ratio(luminance(over(parse(colour), ground)), luminance(ground));
    };
    const texts = targets.map((target) => document.querySelector(target)).filter((node) => node && !node.closest('.textpoint'))
        .map((node) => [node, judged(node, getComputedStyle(node)[node.closest('svg') ? 'fill' : 'color'])]);
    const hints = [...document.querySelectorAll('[placeholder]')].filter((node) => node.checkVisibility())
        .map((node) => [node, judged(node, getComputedStyle(node, '::placeholder').color)]);
    return [...texts, ...hints].filter(([, found]) => found < 4.5)
        .map(([node, found]) => `${found.toFixed(2)} ${node.outerHTML.slice(0, 200)}`);
}"""
# What is touched and has less than 24 x 24 pixels (WCAG 2.2); of a check box and a drop-down, what takes the touch. Sliders of
# Gradio are thinner, but nothing else is near them, which the rule allows and axe checks.
SMALL = """() => [...document.querySelectorAll('button, input, textarea, select, summary, [role=tab], [role=option], a')]
    .filter((node) => node.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !node.disabled)
    .filter((node) => !node.closest('[aria-hidden=true]') && !(node.type === 'range' && node.dataset.testid))
    .map((node) => (['radio', 'checkbox'].includes(node.type) ? node.closest('label') || node : node))
    .map((node) => (node.getAttribute('role') === 'combobox' ? node.closest('.wrap') : node))
    .map((node) => [node, node.getBoundingClientRect()])
    .filter(([node, box]) => box.width > 1 && (box.width < 23.5 || box.height < 23.5))
    .map(([node, box]) => `${Math.round(box.width)} x ${Math.round(box.height)} ${node.outerHTML.slice(0, 120)}`)"""
# Paragraphs with more than some 120 letters a line (half an em each).
STRETCHED = """() => [...document.querySelectorAll('p, li')]
    .filter((node) => node.checkVisibility() && !node.matches('.lens-said') && node.textContent.length > 120)
    .map((node) => { const range = document.createRange(); range.selectNodeContents(node);
        const letters = range.getBoundingClientRect().width / (parseFloat(getComputedStyle(node).fontSize) / 2);
        return [Math.round(letters), node.textContent.slice(0, 60)] })
    .filter(([letters]) => letters > 125)
    .map(([letters, text]) => `${letters} letters a line: ${text}`)"""


def problems(page: Page, where: str | None = None) -> list[str]:
    """What axe finds with serious or critical impact, and what it left open and is too faint. Nothing is excluded."""
    is_dark = page.evaluate("document.body.classList.contains('dark')")
    found = Axe().run(page, context=where, options=COLOURS if is_dark else RULES).response
    bad = [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    open_ = [rule for rule in found["incomplete"] if rule["id"] == "color-contrast"]
    return bad + page.evaluate(FAINT, [node["target"][-1] for rule in open_ for node in rule["nodes"]])


def unfold(page: Page) -> None:
    """Opens every accordion of the open tab."""
    page.locator("button.label-wrap:not(.open):visible").evaluate_all("found => found.forEach((one) => one.click())")
    page.wait_for_timeout(1500)  # the contents of an accordion are drawn a moment after it opens


def filled(page: Page, tab: str, tmp_path: Path) -> None:
    """A tab with all in it that it can show."""
    page.wait_for_selector(READY[tab])
    unfold(page)
    if tab == "translate":
        page.locator("#ask-question label", has_text="Without a word").click()
        page.locator("#ask-without label").nth(4).click()
        page.wait_for_selector("#ask-view .lens-struck")
        page.locator("#attention-view .lens-chips").nth(1).locator(".lens-chip").nth(1).click()
    elif tab == "compare":
        pairs = tmp_path / "pairs.tsv"
        pairs.write_text("A dog sleeps.\tUn chien dort.\nA man reads.\tUn homme lit.\n", encoding="utf-8")
        page.locator("#own-file input[type=file]").set_input_files(pairs)
        page.wait_for_function("() => document.querySelector('#own-file').innerText.includes('pairs')")
        page.locator("#own-run").click()
        page.wait_for_selector("#own-status table")
        page.get_by_label("What it needed").check()
        page.wait_for_function("() => document.querySelector('#agreement').innerText.includes('agreement')")
        page.locator("#grow").click()
        page.wait_for_function(
            "() => (document.querySelector('#growth .lens-plot').data || [{x: []}])[0].x.length >= 5"
        )
    elif tab == "batch":
        page.locator("#batch-text textarea").fill("A dog sleeps.\n=1+1\n" + "x" * 1001)
        page.locator("#batch-run").click()
        page.wait_for_selector("#batch-table table")
    page.wait_for_timeout(500)


@pytest.mark.parametrize("tab", READY)
def test_axe_finds_nothing(open_page: Callable[..., Page], tab: str, tmp_path: Path) -> None:
    """At no width, light or dark; nor does the page scroll sideways there. On a phone nothing that is touched is small, and
    on a wide screen no line of text is stretched. Leaves screenshots."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page = open_page(f"?tab={tab}&text={quote(LONG)}", wait_for=READY[tab])
    filled(page, tab, tmp_path)
    found = []
    for theme, width in product(THEMES, SIZES):
        if (theme, width) == ("dark", 1280):  # no colour of a page is another at this width than at both others
            continue
        turn(page, theme)
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_timeout(700)
        page.screenshot(path=SCREENSHOTS / f"access-{tab}-{theme}-{width}.png", full_page=True)
        found += [f"{theme} {width}: {problem}" for problem in problems(page)]
        if page.evaluate("document.scrollingElement.scrollWidth") > width:
            found.append(f"{theme} {width}: it scrolls sideways")
        if width == min(SIZES):
            found += page.evaluate(SMALL)
        if width == max(SIZES):
            found += page.evaluate(STRETCHED)
            assert page.locator(".gradio-container").bounding_box()["width"] <= 1120
    assert found == []


@pytest.mark.parametrize("tab", STAGED)
def test_axe_finds_nothing_on_a_stage(open_page: Callable[..., Page], tab: str) -> None:
    wait, text = STAGED[tab]
    page = open_page(f"?tab={tab}&text={quote(text)}&present=1", wait_for=wait)
    found = []
    for opened in (False, True):
        if opened:
            page.keyboard.press("e")
            page.wait_for_selector(".stage-list[open]")
        for theme in THEMES:
            turn(page, theme)
            page.wait_for_timeout(500)
            found += problems(page)
    assert found == []


def test_axe_finds_nothing_in_the_page_that_is_taken_away(browser: Browser, tmp_path: Path) -> None:
    translation = Translator.from_checkpoint("checkpoints/en-fr-additive", "cpu").translate(LONG)
    (tmp_path / "page.html").write_text(to_html([translation]), encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_selector(".xtick")
    found = []
    for theme, width in product(THEMES, SIZES):
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_timeout(300)
        found += [f"{theme} {width}: {problem}" for problem in problems(page)]
        if page.evaluate("document.scrollingElement.scrollWidth") > width:
            found.append(f"{theme} {width}: it scrolls sideways")
    page.close()
    assert found == []


def test_axe_finds_nothing_in_the_questions(open_page: Callable[..., Page]) -> None:
    page = open_page(wait_for=READY["translate"])
    unfold(page)
    found = []
    for question in page.locator("#ask-question label").all():
        question.click()
        page.wait_for_timeout(700)
        if page.locator("#ask-search").is_visible():
            page.locator("#ask-search").click()
            page.wait_for_selector("#ask-tree details")
        if page.locator("#ask-matter").is_visible():
            page.locator("#ask-matter").click()
            page.wait_for_selector("#ask-costs table >> visible=true")
        if page.locator("#ask-origins").is_visible():
            page.locator("#ask-origins").click()
            page.wait_for_selector("#ask-view .lens-plot >> visible=true")
        for theme in THEMES:
            turn(page, theme)
            page.wait_for_timeout(300)
            found += problems(page, "#ask")
    assert found == []


def test_shaded_words_can_be_read(open_page: Callable[..., Page]) -> None:
    """For each weight from 0 to 1, in both hues: black or white on the computed tone has 4.5 to 1 at least (WCAG AA)."""
    page = open_page(wait_for=READY["translate"])
    for theme in THEMES:
        turn(page, theme)
        check_tones(page, (255, 255, 255) if theme == "light" else (24, 24, 24))


def check_tones(page: Page, ground: tuple[int, int, int]) -> None:
    chips = page.locator("#attention-view .lens-chips[aria-label=French] .lens-chip")
    seen = []
    for index in range(chips.count()):
        chips.nth(index).focus()
        page.wait_for_timeout(200)  # the tone fades in
        seen += page.locator("#attention-view .lens-chips[aria-label=English] .lens-chip").evaluate_all(
            """(chips) => chips.filter((chip) => chip.style.color).map((chip) =>
                [Number(chip.dataset.share), chip.style.backgroundColor, getComputedStyle(chip.lastChild).color])"""
        )
    tones = {share: (tone, ink) for share, *(tone, ink) in seen}
    assert max(tones) > 0.8 and min(tones) < 0.1
    # The tone is a straight line from the page's own to the hue, which is read off the strongest.
    strongest = max(tones)
    numbers = [int(n) for n in tones[strongest][0][4:-1].split(",")]
    hue = [g + (n - g) / strongest for n, g in zip(numbers, ground)]
    for share, (tone, ink) in tones.items():
        expected = [g + (h - g) * share for h, g in zip(hue, ground)]
        assert [int(n) for n in tone[4:-1].split(",")] == pytest.approx(expected, abs=2)
        assert contrast(tone, ink) >= 4.5, share
    for weight in range(1001):
        tone = [g + (h - g) * weight / 1000 for h, g in zip(hue, ground)]
        black, white = ((max(luminance(tone), ink) + 0.05) / (min(luminance(tone), ink) + 0.05) for ink in (0, 1))
        assert max(black, white) >= 4.5, weight


def contrast(tone: str, ink: str) -> float:
    dark, pale = sorted(luminance([int(n) for n in colour[4:-1].split(",")[:3]]) for colour in (tone, ink))
    return (pale + 0.05) / (dark + 0.05)


MOVING = """() => {
    const moves = (node) => ['', '::before', '::after'].some((part) => {
        const { animationName, transitionDuration } = getComputedStyle(node, part);
        return animationName !== 'none' || transitionDuration.split(', ').some((seconds) => parseFloat(seconds) > 0);
    });
    return [...document.querySelectorAll('.lens, .lens *')].filter(moves).map((node) => node.className);
}"""


def test_nobody_is_moved_who_asked_for_rest(open_page: Callable[..., Page]) -> None:
    """Nothing of ours fades or slides, not even while a translation grows; the replay goes by steps that stand still."""
    page = open_page(wait_for=READY["translate"])
    assert page.evaluate(MOVING), "others see words fade in"
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(
        f"""() => {{ window.moved = [];
        new MutationObserver(() => moved.push(...({MOVING})())).observe(
            document.querySelector('#attention-view'), {{ childList: true, subtree: true }}) }}"""
    )
    page.locator("#source-text textarea").fill("Two dogs are running in the snow.")
    page.locator("#source-text textarea").press("Enter")
    page.wait_for_selector("#attention-view .lens-body[data-link*='Two+dogs']")
    assert page.evaluate("moved") == page.evaluate(MOVING) == []
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_selector(READY["compare"])
    drawn(page)
    page.locator("#compare-text textarea").fill("Two dogs are running in the snow.")
    page.locator("#compare-text textarea").press("Enter")
    page.wait_for_selector("#duet .duet[data-link*='Two+dogs']")
    assert page.locator("#duet .duet-hidden").count() == 0, "complete at once"
    page.get_by_role("button", name="Replay").click()
    page.wait_for_function("() => document.querySelector('#duet .duet-hidden')")
    page.wait_for_function("() => !document.querySelector('#duet .duet-hidden')")
    assert page.evaluate(MOVING) == []
