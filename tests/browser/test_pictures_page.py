"""Pictures in a browser: both directions, with the mouse and the keyboard."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np
from gradio_client import Client
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from seq2seq.demo.pictures_tab import DESCRIPTIONS, SCENES
from seq2seq.grammar import caption_of
from seq2seq.scenes import parse_code

Open = Callable[..., Page]
CHIP = "#caption-additive .lens-chip"


def open_tab(open_page: Open, query: str = "?tab=pictures", **options) -> Page:
    return open_page(query, wait_for=CHIP, **options)


def test_point_at_a_word_and_see_where_it_looked(open_page: Open) -> None:
    page = open_tab(open_page)
    word = page.locator(CHIP).filter(has_text="circle").first
    word.hover()
    said = page.locator("#caption-additive .board-pointed")
    expect(said).to_contain_text("To write “circle”")
    expect(said).to_contain_text("%")
    drawn = page.evaluate("document.querySelector('#caption-additive .board-square').data.at(-1).z.flat()")
    assert len(drawn) == 64 and abs(sum(drawn) - 1) < 0.01
    shown = page.evaluate("document.querySelector('#caption-additive .board-square').data.at(-1)")
    assert (shown["zmin"], shown["zmax"]) == (0, 1)
    expect(page.locator("#caption-plain .lens-note")).to_contain_text("No attention exists here")
    assert page.locator("#caption-plain .board-pointed").is_hidden()


def test_choose_a_place_with_the_keyboard_and_see_which_words_read_it(open_page: Open) -> None:
    page = open_tab(open_page)
    walk = page.locator("#caption-additive .lens-walk")
    walk.focus()
    for _ in range(3):
        walk.press("ArrowRight")
    expect(page.locator("#caption-additive .board-pointed")).to_contain_text("d1 was read for")


def test_a_new_scene_and_one_from_a_link(open_page: Open) -> None:
    page = open_tab(open_page, f"?tab=pictures&text={quote(SCENES[0])}")
    said = caption_of(parse_code(SCENES[0]))
    expect(page.locator(CHIP)).to_have_count(len(re.findall(r"\w+|,", said)), timeout=20_000)
    before = page.locator("#caption-additive .lens-chips").inner_text()
    page.locator("#new-scene").click()
    page.wait_for_function(
        "before => document.querySelector('#caption-additive .lens-chips').innerText !== before", arg=before
    )


def test_words_are_painted_and_a_cell_tells_its_words(open_page: Open) -> None:
    page = open_tab(open_page)
    page.get_by_role("button", name=DESCRIPTIONS[0], exact=True).click()
    board = page.locator("#paint-additive")
    expect(board.locator(".lens-chip")).to_have_count(7, timeout=20_000)
    page.wait_for_function(
        "document.querySelector('#paint-additive [data-replay]').dataset.replay === 'over'", timeout=60_000
    )
    square = board.locator(".board-square")
    square.scroll_into_view_if_needed()
    box = square.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.47, box["y"] + box["height"] * 0.47)  # the middle of the circle
    expect(board.locator(".board-pointed")).to_contain_text("To paint h8")
    shares = board.locator(".lens-chip").evaluate_all("chips => chips.map((chip) => Number(chip.dataset.share))")
    assert sum(shares) > 0.4


def test_words_outside_of_the_grammar_are_refused_on_the_page(open_page: Open) -> None:
    page = open_tab(open_page)
    box = page.locator("#description textarea, #description input").first
    box.fill("a small pink elephant")
    box.press("Enter")
    expect(page.locator("#paint-plain .lens-message")).to_contain_text("pink, elephant")


def test_own_pictures_are_described_or_refused(open_page: Open, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.new("RGB", (300, 200), "white").save(good)
    bad.write_bytes(b"<svg/>")
    page = open_tab(open_page)
    page.get_by_role("button", name="Your own picture").click()
    page.locator("#own-picture input[type=file]").set_input_files(str(good))
    expect(page.locator("#caption-additive .lens-warnings")).to_contain_text("off the training path", timeout=20_000)
    page.locator("#own-picture").get_by_role("button", name="Clear").or_(
        page.locator("#own-picture button[aria-label]")
    ).first.click()
    page.locator("#own-picture input[type=file]").set_input_files(str(bad))
    expect(page.locator("#caption-plain .lens-message")).to_contain_text("is no PNG or JPEG picture", timeout=20_000)


def test_a_phone_shows_one_board_below_the_other(open_page: Open) -> None:
    page = open_tab(open_page, width=390, height=800)
    left, right = (page.locator(f"#caption-{side}").bounding_box() for side in ("plain", "additive"))
    assert right["y"] >= left["y"] + left["height"] and left["width"] > 300
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def unfold(page: Page, accordion: str, inside: str) -> None:
    page.locator(f"{accordion} > button").click()
    page.locator(inside).first.wait_for()
    page.wait_for_timeout(700)  # its contents are wired a moment after they are seen


def caption(page: Page, text: str) -> None:
    """Waits until the model with attention has said this."""
    expect(page.locator("#caption-additive .lens-said")).to_contain_text(text, timeout=20_000)


def test_an_object_is_dragged_with_the_mouse(open_page: Open) -> None:
    page = open_tab(open_page, f"?tab=pictures&text={quote('large red circle 10 10, small blue square 53 53')}")
    unfold(page, "#compose", "#scene-editor g")
    page.locator(".editor-canvas").scroll_into_view_if_needed()
    box = page.locator(".editor-canvas").bounding_box()
    spot = lambda x, y: (box["x"] + box["width"] * x / 64, box["y"] + box["width"] * y / 64)  # noqa: E731
    page.mouse.move(*spot(10, 10))
    page.mouse.down()
    page.mouse.move(*spot(30, 30), steps=4)
    page.mouse.move(*spot(54, 12), steps=4)
    page.mouse.up()
    caption(page, "a large red circle at the top right, far below it a small blue square")
    # Where another one stands it does not go.
    page.mouse.move(*spot(53, 10))
    page.mouse.down()
    page.mouse.move(*spot(53, 53), steps=4)
    expect(page.locator("#scene-editor .take-said")).to_have_text("Another object stands there.")
    page.mouse.up()


def test_an_object_is_dragged_with_a_finger(server: str, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"{server}/?tab=pictures&text={quote('large red circle 10 10')}")
    page.wait_for_selector(CHIP)
    unfold(page, "#compose", "#scene-editor g")
    page.locator(".editor-canvas").scroll_into_view_if_needed()
    box = page.locator(".editor-canvas").bounding_box()
    touch = context.new_cdp_session(page)

    def draw_along(*spots: tuple[int, int]) -> None:
        for kind, (x, y) in zip(("Start", "Move", "Move"), spots, strict=True):
            point = {"x": box["x"] + box["width"] * x / 64, "y": box["y"] + box["width"] * y / 64}
            touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": [point]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    before = page.evaluate("scrollY")
    draw_along((10, 10), (30, 30), (32, 53))
    caption(page, "a large red circle at the bottom")
    assert page.evaluate("scrollY") == before
    draw_along((10, 50), (10, 30), (10, 10))
    page.wait_for_function("before => scrollY > before", arg=before)  # beside the object the finger scrolls
    context.close()


def test_a_scene_is_composed_by_keyboard(open_page: Open) -> None:
    page = open_tab(open_page, f"?tab=pictures&text={quote('large red circle 10 10')}")
    unfold(page, "#compose", "#scene-editor g")
    said = page.locator("#scene-editor .take-said")
    one = page.locator("#scene-editor g").first
    one.focus()
    page.keyboard.press("ArrowRight")
    expect(said).to_have_text("circle, red, large, at the top")
    page.keyboard.press("ArrowUp")
    expect(said).to_have_text("The picture ends here.")
    page.keyboard.press("ArrowDown")
    expect(said).to_have_text("circle, red, large, in the middle")
    caption(page, "a large red circle in the middle")
    page.get_by_label("shape", exact=True).select_option("star")
    page.get_by_role("button", name="Add an object").click()
    expect(page.locator("#scene-editor g")).to_have_count(2)
    caption(page, "below and right of it a large red star")
    page.locator("#scene-editor g").nth(1).focus()
    page.keyboard.press("Delete")
    expect(page.locator("#scene-editor g")).to_have_count(1)
    page.locator("#scene-editor g").first.focus()
    page.keyboard.press("Delete")
    expect(said).to_have_text("The last object stays.")


def test_a_drawing_by_mouse_and_by_keyboard_is_described(open_page: Open) -> None:
    page = open_tab(open_page)
    unfold(page, "#draw", "#sketch canvas")
    sheet = page.locator("#sketch canvas")
    page.get_by_label("Brush", exact=True).select_option("8")
    page.locator("#sketch").get_by_role("button", name="blue").click()
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    spot = lambda x, y: (box["x"] + box["width"] * x / 64, box["y"] + box["width"] * y / 64)  # noqa: E731
    page.mouse.move(*spot(27, 27))
    page.mouse.down()
    for y in (27, 32, 37):
        page.mouse.move(*spot(27, y))
        page.mouse.move(*spot(37, y), steps=5)
    page.mouse.up()
    caption(page, "blue square in the middle")
    expect(page.locator("#caption-additive .lens-warnings")).to_contain_text("off the training path")
    page.locator("#sketch").get_by_role("button", name="Clear").click()
    expect(page.locator("#sketch .take-said")).to_have_text("The sheet is empty. Draw something.")
    caption(page, "blue square in the middle")  # an empty sheet is no question
    sheet.focus()
    for key in (" ", "ArrowRight", "ArrowDown", " "):
        page.keyboard.press(key)
    expect(page.locator("#sketch .take-said")).to_have_text("Brush lifted: column 35, row 35")


def test_a_stroke_past_the_edge_stays_on_the_sheet(open_page: Open) -> None:
    page = open_tab(open_page)
    unfold(page, "#draw", "#sketch canvas")
    sheet = page.locator("#sketch canvas")
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    spot = lambda x, y: (box["x"] + box["width"] * x / 64, box["y"] + box["width"] * y / 64)  # noqa: E731
    page.mouse.move(*spot(10, 1))
    page.mouse.down(button="right")  # asks for a menu, and draws nothing
    page.mouse.up(button="right")
    page.keyboard.press("Escape")
    page.mouse.down()
    page.mouse.move(*spot(-10, 1), steps=5)
    page.mouse.up()
    expect(page.locator("#caption-additive .lens-warnings")).to_contain_text("off the training path", timeout=20_000)
    source = page.evaluate("document.querySelector('#caption-additive .board-square').layout.images[0].source")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGB"))
    red = (shown[..., 1] < 100).reshape(64, 7, 64, 7).all(axis=(1, 3))
    assert red[0, :10].all() and not red[4:].any() and not red[:, 13:].any()


def test_no_verdict_stands_before_the_caption(open_page: Open) -> None:
    page = open_tab(open_page)
    verdict = page.locator("#caption-additive .lens-caption:not(.board-pointed)")
    expect(verdict).to_be_visible()
    page.locator("#caption-additive .board-again").click()
    expect(verdict).to_be_hidden()
    page.locator(CHIP).first.click()  # ends it
    expect(verdict).to_be_visible()


def test_what_the_api_answers_is_what_is_shown(open_page: Open, server: str) -> None:
    page, api = open_tab(open_page), Client(server, verbose=False)
    for name in ("plain", "additive"):
        said = api.predict(SCENES[3], f"scenes-caption-{name}", api_name="/caption")["target_words"][:-1]
        assert page.locator(f"#caption-{name} .lens-word").all_inner_texts() == said
        cells = api.predict(DESCRIPTIONS[1], f"scenes-draw-{name}", api_name="/paint")["translation"].split()
        shown = page.evaluate(f"document.querySelector('#paint-{name} .board-square').data[0].z.flat()")
        assert [cell > 0 for cell in shown] == [cell[-1] != "w" for cell in cells]


def test_a_link_to_a_painting_opens_where_it_is(open_page: Open) -> None:
    page = open_tab(open_page, f"?tab=pictures&way=paint&text={quote(DESCRIPTIONS[0])}")
    expect(page.locator("#description")).to_be_in_viewport()
    assert page.evaluate("scrollY") > 300


def test_a_text_of_another_tab_is_no_refusal(open_page: Open) -> None:
    page = open_tab(open_page, f"?tab=pictures&text={quote('A dog sleeps.')}")
    expect(page.locator("#link-note")).to_contain_text("no description of a scene")
    assert page.locator("#caption-plain .lens-message").is_hidden()


def test_the_frame_is_whole(open_page: Open) -> None:
    page = open_tab(open_page)
    frame, drawing = (
        page.locator(f"#caption-additive .board-square{part}").first.bounding_box() for part in ("", " .main-svg")
    )
    assert drawing["x"] > frame["x"] and drawing["x"] + drawing["width"] < frame["x"] + frame["width"]
