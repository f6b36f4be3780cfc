"""Pictures in a browser: both directions, with the mouse and the keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import Page, expect

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
