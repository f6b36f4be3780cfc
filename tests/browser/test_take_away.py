"""Take it with you: every file is downloaded from both tabs and opened as its reader would open it."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from PIL import Image
from playwright.sync_api import Browser, Page
from pptx import Presentation

from tests.browser.conftest import SCREENSHOTS

LONG = (
    "A man in a blue shirt and a woman with a photographer's bag are walking through the old park while three "
    "skateboarding children with yellow helmets are playing football near the big white fountain."
)
NASTY = 'The <b>old</b> dog </s> =1+1 sleeps & ${alert(1)} "here".'
TABS = {"translate": "#take", "compare": "#take-both"}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def api(server: str) -> Client:
    return Client(server, verbose=False)


@pytest.fixture
def open_tab(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens a tab with a sentence in it, and the menu."""

    def open_it(tab: str, text: str, theme: str = "light", **options: Any) -> Page:
        from urllib.parse import quote

        wait = "#attention-view .lens-chip" if tab == "translate" else "#right-map .xtick"
        page = open_page(f"?tab={tab}&text={quote(text)}&__theme={theme}", wait_for=wait, **options)
        shown = "#attention-view .lens-plot" if tab == "translate" else "#right-map .lens-plot"
        page.wait_for_function(
            "([plot, word]) => [...document.querySelectorAll(plot + ' .xtick')].some((t) => t.textContent === word)",
            arg=[shown, "<eos>"],
        )
        page.wait_for_function("() => !document.querySelector('.lens-growing')")
        page.wait_for_timeout(500)
        page.locator(f"{TABS[tab]}-menu > button").click()
        page.wait_for_selector(f"{TABS[tab]} .take-button")
        return page

    return open_it


def take(page: Page, tab: str, kind: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.locator(f"{TABS[tab]} [data-kind={kind}]").click()
    name = download.value.suggested_filename
    assert re.fullmatch(r"attention-lens[a-z0-9-]*\." + kind, name)
    page.wait_for_function("([id, n]) => document.querySelector(id).textContent.includes(n)", arg=[TABS[tab], name])
    download.value.save_as(folder / name)
    return folder / name


def asked(api: Client, tab: str, text: str) -> dict[str, Any]:
    if tab == "translate":
        return api.predict(text, "en-fr-additive", 1, api_name="/translate")
    return api.predict(text, "en-fr-plain", "en-fr-additive", "", api_name="/compare")


def without_time(made: Any) -> Any:
    """The same object, but for the seconds that it took."""
    if isinstance(made, dict):
        return {key: without_time(value) for key, value in made.items() if key != "seconds"}
    return [without_time(value) for value in made] if isinstance(made, list) else made


@pytest.fixture
def offline(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a file with the network off. Nothing may go wrong, and nothing may be asked for but the file."""
    context, problems = browser.new_context(offline=True), []
    page = context.new_page()
    page.on("request", lambda r: problems.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else 0)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))

    def open_it(path: Path, width: int = 1280, scheme: str = "light") -> Page:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.goto(path.as_uri())
        page.wait_for_function(
            "() => [...document.querySelectorAll('.plot')].every((p) => p.querySelector('.heatmaplayer image'))"
        )
        return page

    yield open_it
    context.close()
    assert problems == []


@pytest.mark.parametrize("tab", TABS)
def test_the_web_page_opens_with_no_network(
    open_tab: Callable[..., Page], offline: Callable[..., Page], api: Client, tab: str, tmp_path: Path
) -> None:
    saved = take(open_tab(tab, LONG), tab, "html", tmp_path)
    answer = asked(api, tab, LONG)
    made = answer if tab == "translate" else answer["right"]
    SCREENSHOTS.mkdir(exist_ok=True)
    for width in (390, 1280):
        for scheme in ("dark", "light"):
            page = offline(saved, width, scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.screenshot(path=SCREENSHOTS / f"offline-{tab}-{scheme}-{width}.png", full_page=True)
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    plots = page.locator(".plot")
    assert plots.count() == (1 if tab == "translate" else 4)
    drawn = page.evaluate("[...document.querySelectorAll('.plot')].map((p) => [p.data[0].z, p.data[0].zmax])")
    (z,) = [z for z, top in drawn if top == 1 and len(z) > 1]
    for row, expected in zip(z, made["attention"]):
        assert row == pytest.approx(expected, abs=1e-4)
    # The words stand where they can be read, and pointing at a cell says a sentence.
    plot = plots.nth(0 if tab == "translate" else 2)
    plot.scroll_into_view_if_needed()
    frame = plot.locator(".main-svg").first.bounding_box()
    for tick in plot.locator(".xtick text, .ytick text").all():
        box = tick.bounding_box()
        assert box["x"] >= frame["x"] - 1 and box["x"] + box["width"] <= frame["x"] + frame["width"] + 1
        assert box["y"] >= frame["y"] - 1
    cells = plot.locator(".heatmaplayer image").bounding_box()
    page.mouse.move(cells["x"] + 8, cells["y"] + 8)
    plot.locator(".hovertext").wait_for()
    first = made["target_words"][0], made["source_words"][0]
    said = plot.locator(".hovertext").text_content()
    assert f"To write “{first[0]}”" in said and f"on “{first[1]}”" in said
    body = page.locator("body").inner_text()
    for each in [answer] if tab == "translate" else [answer["left"], answer["right"]]:
        assert each["translation"] in body
    page.locator("details summary").first.click()
    assert f"{100 * made['attention'][0][0]:.1f} %" in page.locator("table").first.inner_text()


@pytest.mark.parametrize("tab", TABS)
def test_pictures_are_white_sharp_and_whole_on_a_dark_page(
    open_tab: Callable[..., Page], browser: Browser, api: Client, tab: str, tmp_path: Path
) -> None:
    page = open_tab(tab, LONG, theme="dark")
    assert page.evaluate("document.body.classList.contains('dark')")
    svg, png = (take(page, tab, kind, tmp_path) for kind in ("svg", "png"))
    root = ElementTree.parse(svg).getroot()
    width, height = int(root.get("width")), int(root.get("height"))
    image = Image.open(png).convert("RGB")
    assert image.size == (2 * width, 2 * height)
    corners = [(0, 0), (2 * width - 1, 0), (0, 2 * height - 1), (2 * width - 1, 2 * height - 1)]
    assert {image.getpixel(corner) for corner in corners} == {(255, 255, 255)}
    colours = image.getcolors(1_000_000)
    assert len(colours) > 100 and min(sum(colour) for _, colour in colours) < 200, "dark words and cells"
    made = asked(api, tab, LONG)
    made = made if tab == "translate" else made["right"]
    words = [element.text for element in root.iter(f"{SVG}text")]
    assert {*made["source_words"], *made["target_words"][:-1]} <= set(words)
    # Every word stands inside the drawing, as a browser lays it out.
    shown = browser.new_page(viewport={"width": width, "height": height})
    shown.goto(svg.as_uri())
    for x, y, right, bottom in shown.evaluate(
        "[...document.querySelectorAll('text')].map((t) => t.getBoundingClientRect())"
        ".map((b) => [b.left, b.top, b.right, b.bottom])"
    ):
        assert x >= 0 and y >= 0 and right <= width and bottom <= height
    shown.close()


@pytest.mark.parametrize("tab", TABS)
def test_numbers_are_those_of_the_api(open_tab: Callable[..., Page], api: Client, tab: str, tmp_path: Path) -> None:
    page = open_tab(tab, NASTY)
    answer = asked(api, tab, NASTY)
    saved = json.loads(take(page, tab, "json", tmp_path).read_text(encoding="utf-8"))
    assert without_time(saved) == without_time(answer)
    raw = take(page, tab, "csv", tmp_path).read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf"), "or Excel would not know that it is UTF-8"
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    made = answer if tab == "translate" else answer["right"]
    own = [row for row in rows if row["checkpoint"] == "en-fr-additive"]
    for t, weights in enumerate(made["attention"], 1):
        row = [float(each["weight"]) for each in own if each["target_position"] == str(t)]
        assert row == pytest.approx(weights, abs=1e-6) and sum(row) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("tab", TABS)
def test_slides_open(open_tab: Callable[..., Page], api: Client, tab: str, tmp_path: Path) -> None:
    show = Presentation(take(open_tab(tab, NASTY), tab, "pptx", tmp_path))
    assert abs(show.slide_width / show.slide_height - 16 / 9) < 1e-3
    answer = asked(api, tab, NASTY)
    made = answer if tab == "translate" else answer["right"]
    assert len(show.slides) == (1 if tab == "translate" else 2)
    texts = [shape.text_frame.text for slide in show.slides for shape in slide.shapes if shape.has_text_frame]
    assert made["text"] in texts and made["translation"] in "\n".join(texts)
    (frame,) = [shape for slide in show.slides for shape in slide.shapes if shape.has_table]
    assert [cell.text for cell in frame.table.rows[0].cells][1:] == made["source_words"]
    assert "one French word" in frame._element.nvGraphicFramePr.cNvPr.get("descr")


@pytest.mark.parametrize("tab", TABS)
def test_what_was_typed_stays_text(
    open_tab: Callable[..., Page], offline: Callable[..., Page], browser: Browser, tab: str, tmp_path: Path
) -> None:
    page = open_tab(tab, NASTY)
    opened = offline(take(page, tab, "html", tmp_path))
    assert opened.locator("h2").first.inner_text() == NASTY
    assert opened.locator("article b, article img, article s").count() == 0
    svg = ElementTree.parse(take(page, tab, "svg", tmp_path)).getroot()
    assert svg.find(f"{SVG}title").text == NASTY
    assert {element.tag for element in svg.iter()}.isdisjoint({f"{SVG}b", f"{SVG}script", f"{SVG}image"})


def test_it_works_from_the_keyboard_and_is_said(open_tab: Callable[..., Page]) -> None:
    page = open_tab("translate", "A dog sleeps.")
    group = page.get_by_role("group", name="Take it with you")
    assert group.get_by_role("button").count() == 6
    group.get_by_role("button", name="Web page (HTML)").focus()
    for _ in range(3):
        page.keyboard.press("Tab")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "attention-lens-a-dog-sleeps.svg"
    assert page.locator("#take").get_by_role("status").inner_text() == "Saved: attention-lens-a-dog-sleeps.svg"


def test_without_a_translation_it_says_so(open_tab: Callable[..., Page]) -> None:
    page = open_tab("translate", "A dog sleeps.")
    box = page.locator("#source-text textarea")
    box.fill(" ")
    box.press("Enter")
    page.wait_for_selector("#attention-view .lens-message:not([hidden])")
    page.locator("#take [data-kind=svg]").click()
    page.get_by_text("There is nothing to take yet.").wait_for()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_looks(open_tab: Callable[..., Page], theme: str, width: int) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page = open_tab("compare", "A dog sleeps.", theme, width=width)
    page.locator("#take-both-menu").scroll_into_view_if_needed()
    page.screenshot(path=SCREENSHOTS / f"take-away-{theme}-{width}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Contrast of the buttons, AA.
    pair = page.evaluate(
        "(s => [s.color, s.backgroundColor])(getComputedStyle(document.querySelector('#take-both .take-button')))"
    )

    def luminance(colour: str) -> float:
        channels = [float(c) / 255 for c in re.findall(r"[\d.]+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted(map(luminance, pair))
    assert (high + 0.05) / (low + 0.05) >= 4.5
