"""The page in three languages: nothing English is left on it for a French or a Chinese browser, and a link may ask for one."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page

from seq2seq.demo.ask_panel import QUESTIONS
from seq2seq.explain import POSTERIOR
from seq2seq.figures import NO_ATTENTION
from seq2seq.language import TAGS, catalogue
from tests.browser.conftest import settled

TABS = ("translate", "compare", "inside", "pictures", "batch")
# Every text that can be seen, and what a screen reader or a pointer is told besides; without the models' words, formulas and
# heads of tables, which are words of the sentence in one of them (tests/demo/test_visitor.py has the others).
SHOWN = """() => {
    const models = '.lens-chip, .duet-words, .inside-piece, .inside-picture, .inside-shape, .inside-head strong, .xtick, .ytick'
        + ', .batch-source, .batch-translation, [data-testid^=cell], .examples, textarea, [lang=fr]:not(html)'
        + ', .header-cell, .inside-formula, #ask-without .wrap, #ask-best .wrap, #ask-candidate .wrap';
    const seen = (n) => n && n.checkVisibility({ visibilityProperty: true }) && !n.closest(models);
    const texts = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const parent = walk.currentNode.parentElement;
        if (seen(parent) && !parent.closest('script, style')) texts.push(walk.currentNode.textContent);
    }
    for (const node of document.querySelectorAll('[aria-label], [title], [placeholder]'))
        if (seen(node)) texts.push(...['aria-label', 'title', 'placeholder'].map((name) => node.getAttribute(name) || ''));
    return texts.map((text) => text.trim()).filter(Boolean);
}"""
# What is wider than its place, or goes over the edge of the page.
CUT = """() => [...document.querySelectorAll('button, label > span, .lens-caption, .help, .stage-tools, #lens-header *')]
    .filter((n) => n.checkVisibility({ visibilityProperty: true }))
    .filter((n) => !n.closest('.examples, .tab-container, .lens-scroll') && !n.matches('.label-wrap')) // its arrow is turned
    .filter((n) => (n.scrollWidth > n.clientWidth + 1 && getComputedStyle(n).display !== 'inline')
        || n.getBoundingClientRect().right > innerWidth + 1)
    .map((n) => n.outerHTML.slice(0, 120))"""
STAYS = re.compile(
    r"Attention Lens|BLEU|chrF|API|PowerPoint|<eos>|(multi30k\.\S+|tatoeba\.test)"  # names
    r"|[\W\d_]*"  # numbers, marks, emoji
)
"""What is the same in all languages."""
ENGLISH_WORDS = re.compile(
    r"\b(the|and|of|is|are|was|with|without|this|that|words?|pieces?|weights?|sentences?|step|file|model|load|loading|download|"
    r"copy|clear|search|upload|drop|click|close|fullscreen|undo|more|input|number|slider|column|row|cell|sort|filter|menu)\b",
    re.IGNORECASE,
)
GRADIO = re.compile(
    r"(range slider|number input) for .*|Reset to default value|Copy( table data| conversation)?|Fullscreen"
    r"|Exit fullscreen mode|Click to upload or drop files"
    r"|(Sort|Select|Go to|Cell|Open|Close|Toggle|Clear|Download|Remove|View|Search|Filter|Drop|Upload)\b.*"
)
"""Names that Gradio gives its own small controls, in English to everybody."""


def english_in(texts: list[str], language: str) -> list[str]:
    """The texts that are English: a text of the catalogue, or one with a word of it."""
    known = catalogue(language)
    found = []
    for text in texts:
        # French and English share "question"; what its translation is, is no English.
        if STAYS.fullmatch(text) or GRADIO.fullmatch(text) or text in known.values():
            continue
        if text in known or ENGLISH_WORDS.search(re.sub(r"[«“‘].*?[»”’]|\(.*?\)", "", text)):
            found.append(text)
    return found


def open_tab(page: Page, name: str) -> None:
    page.locator("button[role=tab]").nth(TABS.index(name)).click()


def open_all(page: Page) -> None:
    """Unfolds what is folded in the open tab."""
    for head in page.locator("button.label-wrap:not(.open)").all():
        if head.is_visible():
            head.click()


def shown(page: Page) -> list[str]:
    return page.evaluate(SHOWN)


def test_the_reader_of_texts_finds_english(open_page: Callable[..., Page]) -> None:
    page = open_page()
    assert page.evaluate("document.documentElement.lang") == "en"
    open_all(page)
    texts = shown(page)
    assert {"Model", "Share", "Ask the model", "Translate", "Take it with you"} <= set(texts)
    assert len(english_in(texts, "fr")) > 20 and len(english_in(texts, "zh")) > 30


@pytest.mark.parametrize("language, locale", [("fr", "fr-FR"), ("zh", "zh-CN")])
def test_no_english_is_left(language: str, locale: str, open_page: Callable[..., Page]) -> None:
    page = open_page(locale=locale)
    known = catalogue(language)
    assert page.evaluate("document.documentElement.lang") == TAGS[language]
    settled(page, "#attention-view .lens-caption", known["Read mostly from left to right"])
    open_all(page)
    left = {"translate": english_in(shown(page), language)}

    # Every question, answered.
    for place, question in enumerate(QUESTIONS):
        page.locator("#ask-question label").nth(place).click()
        if question == "Other sentences":
            page.locator("#ask-search").click()
            settled(page, "#ask-tree", known["number {rank}"].format(rank=1))
        if question == "Does it matter?":
            page.locator("#ask-matter").click()
            either = [known[f"The highlight matters {how}"] for how in ("here", "little here")]
            page.wait_for_function(
                "(texts) => texts.some((text) => document.querySelector('#ask-said').textContent.includes(text))",
                arg=either,
            )
        if question == "Read from where?":
            page.locator("#ask-origins").click()
            settled(page, "#ask-view .lens-warnings", known[POSTERIOR])
        left[question] = english_in(shown(page), language)
    page.locator("#source-text textarea").fill("x" * 2000)
    page.locator("#source-text textarea").press("Enter")
    page.wait_for_selector("#attention-view .lens-message:visible")
    left["error"] = english_in(shown(page), language)

    open_tab(page, "compare")
    settled(page, "#left-map .lens-note", known[NO_ATTENTION].split("{")[0])
    page.wait_for_selector("#long-view .legendtext")
    open_all(page)
    left["compare"] = english_in(shown(page), language)
    page.locator("#question label").nth(1).click()
    page.wait_for_function("() => document.querySelector('#agreement').textContent.trim()")
    page.locator("#grow").click()
    page.wait_for_function("() => document.querySelectorAll('#growth .points path').length >= 20")
    page.locator("#own-run").click()
    settled(page, "#own-chart", known["Choose a file first."])
    left["needed, longer, no file"] = english_in(shown(page), language)

    open_tab(page, "inside")
    page.locator("#inside-text textarea").fill("A dog sleeps.")
    page.locator("#inside-text textarea").press("Enter")
    page.wait_for_selector(".inside-box")
    page.locator(".inside-walk").nth(1).click()
    left["inside"] = english_in(shown(page), language)

    open_tab(page, "pictures")
    page.wait_for_selector("#paint-additive .lens-chip")
    open_all(page)
    page.locator("#paint-additive .lens-chip").nth(1).hover()
    # Captions are English whatever the page speaks: their models write nothing else.
    left["pictures"] = [
        text for text in english_in(shown(page), language) if not re.search(r"\ba (small|large) ", text)
    ]

    open_tab(page, "batch")
    page.locator("#batch-text textarea").fill("A dog sleeps.\n\nA cat.")
    page.locator("#batch-run").click()
    page.wait_for_selector("#batch-table table")
    settled(page, "#batch-table", known["There is no text to translate. Please type a sentence."])
    left["batch"] = english_in(shown(page), language)

    page.locator("button[role=tab]").first.click()
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("p")
    page.wait_for_selector("body.presenting", state="attached")
    page.keyboard.press("e")
    left["stage"] = english_in(shown(page), language)
    assert {place: texts for place, texts in left.items() if texts} == {}


def test_a_link_asks_for_a_language_and_shares_it(open_page: Callable[..., Page]) -> None:
    page = open_page("?lang=fr&text=A+dog+sleeps.", locale="zh-CN")
    assert page.evaluate("[document.documentElement.lang, navigator.language]") == ["fr", "fr"]
    settled(page, "#attention-view .lens-caption", "Lecture")
    open_tab(page, "batch")
    settled(page, "#batch-file", "Déposez")  # Gradio's own words
    open_tab(page, "translate")
    page.locator("#source-text textarea").fill("A cat sleeps.")
    page.locator("#source-text textarea").press("Enter")
    page.wait_for_function("() => new URLSearchParams(location.search).get('text') === 'A cat sleeps.'")
    settled(page, "#attention-view .lens-caption", "Lecture")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Partager").click()
    settled(page, ".stage-said", "Lien copié")
    copied = parse_qs(urlsplit(page.evaluate("navigator.clipboard.readText()")).query)
    assert copied["lang"] == ["fr"] and copied["text"] == ["A cat sleeps."]


@pytest.mark.parametrize("query, locale", [("", "de-DE"), ("?lang=klingon", "ja-JP"), ("?lang=en", "fr-FR")])
def test_everybody_else_reads_english(query: str, locale: str, open_page: Callable[..., Page]) -> None:
    page = open_page(query, locale=locale)
    assert page.evaluate("document.documentElement.lang") == "en"
    settled(page, "#attention-view .lens-caption", "Read")
    assert page.locator("button[role=tab]").first.inner_text() == "Translate"
    assert page.get_by_role("button", name="Share").is_visible()


@pytest.mark.parametrize("locale", ["fr-FR", "zh-CN"])
def test_longer_words_fit(locale: str, open_page: Callable[..., Page]) -> None:
    page = open_page(locale=locale)
    for width, name in product((1280, 390), TABS):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_timeout(300)  # tabs for which there is no room go into a menu
        tab = page.locator("button[role=tab]").nth(TABS.index(name))
        if not tab.is_visible():  # Gradio folds tabs for which there is no room into a menu
            page.locator(".overflow-menu > button").click()
            page.locator(".overflow-dropdown button").nth(TABS.index(name) - len(TABS)).click()
        else:
            tab.click()
        page.wait_for_timeout(300)
        assert page.evaluate(CUT) == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
