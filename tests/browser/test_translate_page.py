"""The tab Translate in a real Chromium: what it shows is what the API says, and bad input breaks nothing."""

from __future__ import annotations

import io
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from gradio_client import Client
from PIL import Image
from playwright.sync_api import Page

from seq2seq.figures import label
from tests.browser.conftest import drawn, looks

# What is drawn, read out of Plotly's own state in the page.
DRAWN = """() => {
    const plot = document.querySelector('#attention-view .lens-plot');
    const text = (side) => [...document.querySelectorAll('#attention-view .lens-chips')][side];
    const words = (line) => [...line.querySelectorAll('.lens-word')].map((w) => w.textContent);
    return {
        z: plot.data && plot.data[0].z, zmin: plot.data && plot.data[0].zmin, zmax: plot.data && plot.data[0].zmax,
        columns: [...plot.querySelectorAll('.xtick text')].map((t) => t.textContent),
        rows: [...plot.querySelectorAll('.ytick text')].map((t) => t.textContent),
        source: words(text(0)), target: words(text(1)),
    }
}"""


@pytest.fixture(scope="module")
def api(server: str) -> Client:
    return Client(server, verbose=False)


# Everything the view says but the chart, which is drawn a moment later.
PARTS = "#attention-view :is(.lens-chips, .lens-note, .lens-message)"
SAID = f"[...document.querySelectorAll('{PARTS}')].map(n => n.textContent).join()"


def translate(page: Page, text: str) -> None:
    """Types and sends a text and waits until the page is done with it."""
    before = page.evaluate(SAID)
    box = page.locator("#source-text textarea")
    box.fill(text)
    box.press("Enter")
    page.wait_for_function(
        f"before => {SAID} !== before && !document.querySelector('#attention-view .lens-growing')", arg=before
    )
    page.wait_for_timeout(300)


def choose_model(page: Page, label: str) -> None:
    page.locator("#checkpoint input").click()
    page.get_by_role("option", name=label, exact=True).click()


def french(page: Page) -> str:
    return page.locator("#target-text textarea, #target-text input").input_value()


def assert_shows(page: Page, answer: dict[str, Any], eos: bool = False) -> None:
    drawn = page.evaluate(DRAWN)
    end = None if eos or answer["target_words"][-1] != "<eos>" else -1
    assert drawn["source"] == answer["source_words"]
    assert drawn["target"] == answer["target_words"][:end]
    # An axis cuts a word that is very long.
    assert drawn["columns"] == [unescape(label(word)) for word in answer["source_words"]]
    assert drawn["rows"] == [unescape(label(word)) for word in answer["target_words"][:end]]
    assert (drawn["zmin"], drawn["zmax"]) == (0, 1)
    assert len(drawn["z"]) == len(drawn["rows"])
    for row, expected in zip(drawn["z"], answer["attention"]):
        assert row == pytest.approx(expected, abs=1e-4)
        assert sum(row) == pytest.approx(1, abs=1e-3)
    assert french(page) == answer["translation"]


def test_an_example_stands_there_already_translated(open_page: Callable[..., Page], api: Client) -> None:
    page = open_page()
    page.wait_for_selector("#attention-view .xtick")
    text = page.locator("#source-text textarea").input_value()
    assert_shows(page, api.predict(text, api_name="/translate"))
    assert "running on" in page.locator("#lens-header").inner_text()


def test_own_sentence_is_shown_as_the_api_gives_it(open_page: Callable[..., Page], api: Client) -> None:
    page = open_page()
    for text in (
        "The old dog sleeps under the wooden table.",
        "the dog and the cat and the horse and the bird",  # words repeat: they must not merge
        "I can't see the red car.",
    ):
        translate(page, text)
        assert_shows(page, api.predict(text, api_name="/translate"))


def test_words_pieces_and_eos(open_page: Callable[..., Page], api: Client) -> None:
    page = open_page()
    text = "The photographer's grandmother skateboards."
    translate(page, text)
    answer = api.predict(text, api_name="/translate")
    assert len(answer["source_pieces"]) > len(answer["source_words"]), "needs a word of several pieces"
    page.get_by_label("show the <eos> row").check()
    page.wait_for_function(
        "n => document.querySelectorAll('#attention-view .lens-plot .ytick').length === n",
        arg=len(answer["target_words"]),
    )
    assert_shows(page, answer, eos=True)
    page.get_by_label("pieces", exact=True).check()
    page.wait_for_function(
        "n => document.querySelectorAll('#attention-view .lens-plot .xtick').length === n",
        arg=len(answer["source_pieces"]),
    )
    drawn = page.evaluate(DRAWN)
    assert drawn["source"] == answer["source_pieces"] and drawn["target"] == answer["target_pieces"]
    for row, expected in zip(drawn["z"], answer["attention_pieces"], strict=True):
        assert row == pytest.approx(expected, abs=1e-4)


def test_pointing_or_tabbing_to_a_word_shades_the_other_sentence(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.wait_for_selector("#attention-view .xtick")
    weights = page.evaluate(DRAWN)["z"]
    lines = page.locator("#attention-view .lens-chips")

    def shares_of(line: int) -> list[float]:
        shares = "chips => chips.map((chip) => Number(chip.dataset.share))"
        return lines.nth(line).locator(".lens-chip").evaluate_all(shares)

    lines.nth(1).locator(".lens-chip").nth(1).hover()
    assert shares_of(0) == pytest.approx(weights[1], abs=1e-3)
    strongest = lines.nth(0).locator(".lens-chip").nth(max(range(len(weights[1])), key=weights[1].__getitem__))
    colours = "chip => [chip, chip.firstChild].map((node) => getComputedStyle(node).color)"
    assert strongest.evaluate(colours) == ["rgb(255, 255, 255)"] * 2, "white on the strongest tone"
    lines.nth(0).locator(".lens-chip").nth(4).focus()
    assert shares_of(1) == pytest.approx([row[4] for row in weights], abs=1e-3)
    page.keyboard.press("Tab")
    assert shares_of(1) == pytest.approx([row[5] for row in weights], abs=1e-3)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("shirt: ")


def test_hover_reads_as_a_sentence(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.wait_for_selector("#attention-view .xtick")
    box = page.locator("#attention-view .heatmaplayer image").bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.wait_for_selector("#attention-view .lens-plot .hovertext")
    hover = page.locator("#attention-view .lens-plot .hovertext").text_content()
    first = page.evaluate(DRAWN)
    share = round(100 * first["z"][0][0])
    assert (
        hover == f"To write “{first['rows'][0]}”, the model put {share}% of its attention on “{first['columns'][0]}”."
    )


def test_the_colour_scale_stays_when_the_address_goes_on(open_page: Callable[..., Page]) -> None:
    """Nor is the page fetched once more, which a browser does for a colour that it is told to find there."""
    page = open_page()
    page.wait_for_selector("#attention-view .xtick")
    fetched = []
    page.on("request", lambda request: fetched.append(request.url.removeprefix(page.url.partition("?")[0])))
    for tab in ("Inside", "Translate"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_function("inside => location.search.includes('tab=inside') === inside", arg=tab == "Inside")
    page.wait_for_selector("#attention-view .cbfill >> visible=true")
    drawn(page)
    scale = Image.open(io.BytesIO(page.locator("#attention-view .cbfill").screenshot())).convert("L")
    shades = [scale.getpixel((scale.width // 2, y)) for y in (3, scale.height // 2, scale.height - 3)]
    assert shades[0] < 90 < shades[1] < 200 < shades[2], shades
    assert not {url for url in fetched if url.partition("?")[0] == ""}


def test_the_plain_model_gets_no_map(open_page: Callable[..., Page], api: Client) -> None:
    page = open_page()
    choose_model(page, "Without attention (plain)")
    page.wait_for_selector("#attention-view .lens-note:not([hidden])")
    page.wait_for_function("() => !document.querySelector('#attention-view .lens-growing')")
    assert "No attention exists here" in page.locator("#attention-view .lens-note").inner_text()
    assert not page.locator("#attention-view .lens-scroll").is_visible()
    text = page.locator("#source-text textarea").input_value()
    assert api.predict(text, "en-fr-plain", api_name="/translate")["attention"] is None
    choose_model(page, "With attention (additive)")
    page.wait_for_selector("#attention-view .lens-scroll:not([hidden]) .xtick")


def test_weight_on_padding_has_a_column_of_its_own(open_page: Callable[..., Page], api: Client) -> None:
    page = open_page()
    choose_model(page, "With attention (classic-attention)")
    page.wait_for_selector("#attention-view .lens-padding")
    page.wait_for_function("() => document.querySelector('#attention-view .lens-caption').textContent.length > 5")
    text = page.locator("#source-text textarea").input_value()
    answer = api.predict(text, "en-fr-classic-attention", api_name="/translate")
    drawn = page.evaluate(DRAWN)
    assert drawn["columns"] == drawn["source"] == [*answer["source_words"], "padding"]
    for row, words, padding in zip(drawn["z"], answer["attention"], answer["padding_weight"]):
        assert row == pytest.approx([*words, padding], abs=1e-4) and sum(row) == pytest.approx(1, abs=1e-3)


BAD = {
    "empty": "",
    "blank": " \t  ",
    "long": "word " * 20_000,
    "emoji": "😀😃👨‍👩‍👧‍👦",
    "chinese": "我喜欢在公园里骑自行车。",
    "right to left": "مرحبا بالعالم كيف حالك",
    "controls": "a\x00b\x07 man\x1b[31m runs\u202e.",
    "markup": "<img src=x onerror=alert(1)>",
    "special pieces": "</s><b>x</b>",
    "template": "${alert(1)} %{z} {{value}} $\\frac{1}{2}$",
    "repeated": "dog " * 300,
}


def test_bad_input_breaks_nothing(open_page: Callable[..., Page], api: Client) -> None:
    page = open_page()
    page.wait_for_selector("#attention-view .xtick")
    for name, text in BAD.items():
        translate(page, text)
        message = (
            page.locator("#attention-view .lens-message").inner_text()
            if page.locator("#attention-view .lens-message").is_visible()
            else ""
        )
        try:
            answer = api.predict(text, api_name="/translate")
        except Exception as refusal:  # what the API refuses, the page refuses in the same words
            assert message and message in str(refusal), name
        else:
            assert not message, name
            assert_shows(page, answer)
        assert page.locator("#attention-view img, #attention-view b, #attention-view script").count() == 0, name
        if name == "long":
            assert "1,000" in message
        translate(page, f"A dog runs after test {len(name)}.")
        assert french(page), name


def test_a_link_opens_its_sentence(open_page: Callable[..., Page], api: Client) -> None:
    text = "Two children are eating ice cream."
    page = open_page("?text=Two+children+are+eating+ice+cream.&checkpoint=en-fr-additive&beam=3")
    page.wait_for_function("t => document.querySelector('#source-text textarea').value === t", arg=text)
    page.wait_for_function(
        "() => document.querySelector('#attention-view .lens-chips').textContent.includes('children')"
    )
    page.wait_for_timeout(500)
    assert_shows(page, api.predict(text, "en-fr-additive", 3, api_name="/translate"))


def test_a_link_to_no_model_says_so(open_page: Callable[..., Page]) -> None:
    page = open_page("?text=hello&checkpoint=../../etc", wait_for="#attention-view .lens-message:not([hidden])")
    assert "There is no model" in page.locator("#attention-view .lens-message").inner_text()


def test_looks(open_page: Callable[..., Page]) -> None:
    """Nothing is wider than the screen; long sentences scroll inside."""
    page = open_page(width=390)
    page.wait_for_selector("#attention-view .xtick")
    for theme, _ in looks(page, "translate"):
        colour = page.evaluate(
            "getComputedStyle(document.querySelector('#attention-view .lens-plot .xtick text')).fill"
        )
        assert (sum(int(c) for c in colour[4:-1].split(",")) > 382) == (theme == "dark"), "labels must stand out"
    translate(page, "A man and a woman with two small children are walking slowly along a very long sandy beach "
                    "while a big brown dog runs after a yellow ball in the cold blue water.")  # fmt: skip
    for _ in looks(page, "translate-long"):
        assert page.evaluate(
            "(s => s.scrollWidth > s.clientWidth)(document.querySelector('#attention-view .lens-scroll'))"
        )


def test_numbers_behind_the_picture(open_page: Callable[..., Page], api: Client) -> None:
    page = open_page()
    page.get_by_text("The numbers behind the picture").click()
    table = page.locator("#weights")
    table.wait_for(state="visible")
    answer = api.predict(page.locator("#source-text textarea").input_value(), api_name="/translate")
    page.wait_for_function("() => document.querySelector('#weights').innerText.includes('homme')")
    assert f"{round(100 * answer['attention'][1][1], 1):g}" in table.inner_text()
    assert answer["candidates"][0][1][0] in page.locator("#candidates").inner_text()
