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
from urllib.parse import quote

import pytest
from gradio_client import Client
from PIL import Image
from playwright.sync_api import Browser, Page
from pptx import Presentation

from seq2seq.demo.pictures_tab import DESCRIPTIONS, SCENES
from seq2seq.scenes import COLOURS
from tests.browser.conftest import SCREENSHOTS, looks
from tests.browser.test_access import contrast

LONG = (
    "A man in a blue shirt and a woman with a photographer's bag are walking through the old park while three "
    "skateboarding children with yellow helmets are playing football near the big white fountain."
)
NASTY = 'The <b>old</b> dog </s> =1+1 sleeps & ${alert(1)} "here".'
TABS = {"translate": "#take", "compare": "#take-both"}
MENUS = TABS | {"caption": "#take-caption", "paint": "#take-paint"}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def api(server: str) -> Client:
    return Client(server, verbose=False)


@pytest.fixture
def open_tab(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens a tab with a sentence in it, and the menu."""

    def open_it(tab: str, text: str, theme: str = "", **options: Any) -> Page:
        wait = "#attention-view .lens-chip" if tab == "translate" else "#right-map .xtick"
        dark = f"&__theme={theme}" if theme else ""
        page = open_page(f"?tab={tab}&text={quote(text)}{dark}", wait_for=wait, **options)
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
        page.locator(f"{MENUS[tab]} [data-kind={kind}]").click()
    name = download.value.suggested_filename
    assert re.fullmatch(r"attention-lens[a-z0-9-]*\." + kind, name)
    page.wait_for_function("([id, n]) => document.querySelector(id).textContent.includes(n)", arg=[MENUS[tab], name])
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
    assert "one word of the translation" in frame._element.nvGraphicFramePr.cNvPr.get("descr")


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


WAYS = {"caption": quote(SCENES[1]), "paint": f"{quote(DESCRIPTIONS[1])}&way=paint"}
SAYING = {"caption": "a small red star at the top left", "paint": "a small yellow circle at the top left"}


@pytest.fixture
def open_pictures(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens the tab Pictures with a scene or a description, and the menu of that direction."""

    def open_it(way: str, theme: str = "light", **options: Any) -> Page:
        page = open_page(
            f"?tab=pictures&text={WAYS[way]}&__theme={theme}", wait_for=f"#{way}-additive .lens-chip", **options
        )
        page.locator(f"#take-{way}-menu > button").click()
        page.wait_for_selector(f"#take-{way} .take-button")
        page.wait_for_timeout(700)  # its contents are wired a moment after they are seen
        return page

    return open_it


@pytest.mark.parametrize("way", WAYS)
def test_pictures_open_with_no_network(
    open_pictures: Callable[..., Page], offline: Callable[..., Page], way: str, tmp_path: Path
) -> None:
    page = open_pictures(way)
    words = page.locator(f"#{way}-additive .lens-word").all_inner_texts()
    said = page.locator(f"#{way}-boards .lens-caption:not(.board-pointed)").all_inner_texts()
    saved = take(page, way, "html", tmp_path)
    SCREENSHOTS.mkdir(exist_ok=True)
    for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")):
        opened = offline(saved, width, scheme)
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        opened.screenshot(path=SCREENSHOTS / f"offline-{way}-{scheme}-{width}.png", full_page=True)
    assert [text for text in opened.locator("figcaption").all_inner_texts() if text] == words
    body = opened.locator("body").inner_text()
    assert SAYING[way] in body and all(sentence in body for sentence in said) and "No attention exists here" in body
    # Pictures are seen, and pointing at a place of a panel tells its share.
    side = 8 if way == "caption" else 16
    assert opened.locator(f"figure svg[viewBox='0 0 {side} {side}']").count() == len(words) + 2
    star = opened.locator("figure").filter(has_text="star" if way == "caption" else "yellow").first
    assert re.fullmatch(r"[a-p]\d+: [1-9]\d* %", star.locator("rect title").first.text_content())
    opened.locator("details summary").click()
    assert re.search(r"\d+\.\d %", opened.locator("table").inner_text())


@pytest.mark.parametrize("way", WAYS)
def test_drawings_of_pictures_are_sharp_and_whole_on_a_dark_page(
    open_pictures: Callable[..., Page], browser: Browser, way: str, tmp_path: Path
) -> None:
    page = open_pictures(way, theme="dark")
    words = page.locator(f"#{way}-additive .lens-word").all_inner_texts()
    svg, png = (take(page, way, kind, tmp_path) for kind in ("svg", "png"))
    root = ElementTree.parse(svg).getroot()
    width, height = int(root.get("width")), int(root.get("height"))
    image = Image.open(png).convert("RGB")
    assert image.size == (2 * width, 2 * height)
    assert {image.getpixel(corner) for corner in ((0, 0), (2 * width - 1, 2 * height - 1))} == {(255, 255, 255)}
    colours = {colour for _, colour in image.getcolors(1_000_000)}
    assert tuple(bytes.fromhex(COLOURS["red" if way == "caption" else "yellow"][1:])) in colours, "the picture is in it"
    assert set(words) <= {element.text for element in root.iter(f"{SVG}text")}
    shown = browser.new_page(viewport={"width": width, "height": height})
    shown.goto(svg.as_uri())
    for x, y, right, bottom in shown.evaluate(
        "[...document.querySelectorAll('text')].map((t) => t.getBoundingClientRect())"
        ".map((b) => [b.left, b.top, b.right, b.bottom])"
    ):
        assert x >= 0 and y >= 0 and right <= width and bottom <= height
    image.save(SCREENSHOTS / f"drawing-{way}.png")
    shown.close()


@pytest.mark.parametrize("way", WAYS)
def test_numbers_of_pictures_are_safe_and_whole(open_pictures: Callable[..., Page], way: str, tmp_path: Path) -> None:
    page = open_pictures(way)
    saved = json.loads(take(page, way, "json", tmp_path).read_text(encoding="utf-8"))
    assert saved["left"]["attention"] is None and saved["right"]["checkpoint"].endswith("additive")
    raw = take(page, way, "csv", tmp_path).read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    own = [float(row["weight"]) for row in rows if row["checkpoint"] == saved["right"]["checkpoint"]]
    assert own == pytest.approx([weight for row in saved["right"]["attention"] for weight in row], abs=1e-6)


@pytest.mark.parametrize("tab", [*TABS, "paint"])
def test_files_say_it_in_the_visitor_s_language(
    open_tab: Callable[..., Page],
    open_pictures: Callable[..., Page],
    offline: Callable[..., Page],
    tab: str,
    tmp_path: Path,
) -> None:
    for locale, tag, said in (("fr-FR", "fr", "Poids\u00a0: de chaque"), ("zh-CN", "zh-CN", "权重：每个")):
        opened = open_tab(tab, "A dog sleeps.", locale=locale) if tab in TABS else open_pictures(tab, locale=locale)
        drawing = ElementTree.parse(take(opened, tab, "svg", tmp_path)).getroot()
        assert ("attention d’un" if tag == "fr" else "占一个") in " ".join(drawing.itertext())
        if tab in TABS:
            show = Presentation(take(opened, tab, "pptx", tmp_path))
            texts = [shape.text_frame.text for slide in show.slides for shape in slide.shapes if shape.has_text_frame]
            assert ("temps" if tag == "fr" else "用时") in "\n".join(texts) and "time" not in "\n".join(texts)
        page = offline(take(opened, tab, "html", tmp_path))
        assert page.locator("html").get_attribute("lang") == tag
        body = page.locator("body").inner_text()
        assert said in body and not re.search("Weights|time:|beam:|log-probability|With", body)
        page.screenshot(path=SCREENSHOTS / f"offline-{tab}-{tag}.png", full_page=True)


def test_where_a_picture_was_refused_there_is_nothing_to_take(open_pictures: Callable[..., Page]) -> None:
    page = open_pictures("paint")
    page.locator("#description textarea").fill("a pink elephant")
    page.locator("#description textarea").press("Enter")
    page.wait_for_selector("#paint-plain .lens-message:not([hidden])")
    page.locator("#take-paint [data-kind=svg]").click()
    page.get_by_text("no picture stands here").wait_for()


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


def test_looks(open_tab: Callable[..., Page]) -> None:
    page = open_tab("compare", "A dog sleeps.", width=390)
    colours = "(s => [s.color, s.backgroundColor])(getComputedStyle(document.querySelector('#take-both .take-button')))"
    for _ in looks(page, "take-away"):
        assert contrast(*page.evaluate(colours)) >= 4.5
