"""The tab Batch in a real Chromium: a file in, a table and two files out, and a run that is stopped."""

from __future__ import annotations

import csv
import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import BrowserContext, Page, expect

from seq2seq.language import Said, translate
from seq2seq.upload import too_large
from tests.browser.conftest import PATIENCE, looks

MARKUP = "<img src=x onerror=alert(1)> ${alert(1)} {{x}} <b>bold</b>"
TEXTS = (
    "A dog sleeps.",
    "",
    "=1+1",
    MARKUP,
    "x" * 1001,
    *(f"A man reads {n} books in the park." for n in range(2, 12)),
)
STATUS = "() => document.querySelector('#batch-status').innerText"


@pytest.fixture
def batch_page(open_page: Callable[..., Page]) -> Callable[..., Page]:
    def open_it(query: str = "?tab=batch", **options) -> Page:
        return open_page(query, wait_for="#batch-run >> visible=true", **options)

    return open_it


def choose(page: Page, path: Path) -> None:
    page.locator("#batch-file input[type=file]").set_input_files(path)
    page.wait_for_function("name => document.querySelector('#batch-file').innerText.includes(name)", arg=path.stem)


def wait_for_status(page: Page, says: str, timeout: float = 60_000) -> None:
    page.wait_for_function(f"says => ({STATUS})().includes(says)", arg=says, timeout=timeout)


def write(tmp_path: Path, texts: tuple[str, ...] | list[str], name: str = "mine.txt") -> Path:
    path = tmp_path / name
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


def test_a_file_gives_a_table_and_the_files_of_the_api(
    batch_page: Callable[..., Page], server: str, tmp_path: Path
) -> None:
    path = write(tmp_path, TEXTS)
    page = batch_page()
    assert page.locator("#batch-csv").count() == 0 or not page.locator("#batch-csv").is_visible()
    choose(page, path)
    page.locator("#batch-run").click()
    wait_for_status(page, f"{len(TEXTS) - 2} lines translated")
    shown = page.locator("#batch-table tbody tr")
    assert shown.count() == len(TEXTS)
    assert page.locator("#batch-table img, #batch-table b").count() == 0
    assert MARKUP in shown.nth(3).inner_text()
    assert "1,001" in shown.nth(4).inner_text() and "no text" in shown.nth(1).inner_text()
    assert page.locator("#batch-table caption").inner_text() == "All lines"

    api = Client(server, verbose=False, download_files=str(tmp_path / "api"))
    table, objects = api.predict(handle_file(path), "en-fr-additive", 1, api_name="/batch")
    for button, expected in (("#batch-csv", table), ("#batch-jsonl", objects)):
        with page.expect_download() as download:
            page.locator(button).click()
        assert download.value.suggested_filename == Path(expected).name
        mine, theirs = (Path(p).read_text(encoding="utf-8-sig") for p in (download.value.path(), expected))
        if button == "#batch-csv":
            assert mine == theirs and Path(download.value.path()).read_bytes().startswith(BOM_UTF8)
            rows = list(csv.DictReader(mine.splitlines()))
            assert [row["translation"] for row in rows[5:]] == [
                shown.nth(i).locator(".batch-translation").inner_text() for i in range(5, len(TEXTS))
            ]
            assert rows[2]["source"] == "'=1+1"
        else:
            for one, other in zip(
                map(json.loads, mine.splitlines()), map(json.loads, theirs.splitlines()), strict=True
            ):
                assert one | {"seconds": 0} == other | {"seconds": 0}


def test_a_long_run_shows_how_far_it_is_and_is_stopped(batch_page: Callable[..., Page], tmp_path: Path) -> None:
    page = batch_page()
    choose(page, write(tmp_path, ["A man with a dog is walking in the old park."] * 4000, "many.txt"))
    page.locator("#batch-run").click()
    page.wait_for_function("() => (document.querySelector('#batch-status progress') || {value: 0}).value >= 200")
    assert "of 4,000 lines, about" in page.evaluate(STATUS) and "left" in page.evaluate(STATUS)
    page.locator("#batch-run").click()  # does nothing while one is running
    page.locator("#batch-cancel").click()
    wait_for_status(page, "Cancelled: ")
    said = page.evaluate(STATUS)
    page.wait_for_timeout(2000)
    assert page.evaluate(STATUS) == said, "nothing goes on"
    done = int(re.search(r"Cancelled: ([\d,]+) of 4,000", said)[1].replace(",", ""))
    with page.expect_download() as download:
        page.locator("#batch-csv").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) == done and all(row["translation"] for row in rows), "what was done is there"
    assert page.locator("#batch-table tbody tr").count() == min(done, 200)
    page.locator("#batch-run").click()
    page.locator("#batch-csv").wait_for(state="hidden")
    page.wait_for_function("() => (document.querySelector('#batch-status progress') || {value: 0}).value >= 100")
    page.locator("#batch-cancel").click()
    wait_for_status(page, "Cancelled: ")


def test_a_run_that_waits_in_the_queue_can_be_cancelled(
    batch_page: Callable[..., Page], server: str, tmp_path: Path
) -> None:
    long = write(tmp_path, ["A man with a dog is walking in the old park."] * 4900, "long.txt")
    api = Client(server, verbose=False, download_files=False)
    others = [api.submit(handle_file(long), "en-fr-additive", 5, api_name="/batch") for _ in range(2)]
    page = batch_page()
    for other in others:
        next(iter(other))  # both are being computed
    page.locator("#batch-text textarea").fill("A dog sleeps.")
    page.locator("#batch-run").click()
    wait_for_status(page, "Waiting for its turn")
    page.wait_for_timeout(500)
    page.locator("#batch-cancel").click()
    wait_for_status(page, "Cancelled before it began")
    for other in others:
        other.cancel()
    page.wait_for_timeout(3000)
    assert page.evaluate(STATUS).strip() == "Cancelled before it began."
    assert page.locator("#batch-table tr").count() == 0
    page.locator("#batch-run").click()
    wait_for_status(page, "1 line translated")


def test_only_the_first_200_rows_are_shown(batch_page: Callable[..., Page], tmp_path: Path) -> None:
    page = batch_page()
    choose(page, write(tmp_path, [f"Dog {n}." for n in range(230)]))
    page.locator("#batch-run").click()
    wait_for_status(page, "230 lines translated")
    assert page.locator("#batch-table tbody tr").count() == 200
    assert page.locator("#batch-table caption").inner_text() == "The first 200 of 230 lines; the files have all."


def test_with_the_keyboard_alone(batch_page: Callable[..., Page]) -> None:
    page = batch_page()

    def tab_to(selector: str) -> None:
        for _ in range(60):
            if page.evaluate("s => !!document.activeElement.closest(s)", selector):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not reach {selector}")

    tab_to("#batch-text")
    page.keyboard.type("A dog sleeps.\nTwo girls are reading.")
    tab_to("#batch-run")
    page.keyboard.press("Enter")
    wait_for_status(page, "2 lines translated")
    tab_to("#batch-csv")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert Path(download.value.path()).read_text(encoding="utf-8").count("\n") == 3
    tab_to(".batch-scroll")
    assert page.evaluate("() => document.activeElement.getAttribute('aria-label')") == "Translations"


def test_bad_files_get_a_message(batch_page: Callable[..., Page], tmp_path: Path) -> None:
    page = batch_page()
    for name, content, says in (
        ("empty.txt", b"", "no lines"),
        ("encoding.txt", b"A dog.\ncaf\xe9\n", "line 2"),
        ("quote.csv", b'a\n"b', "not CSV"),
        ("many.txt", b"a\n" * 5001, "limit is 5,000"),
    ):
        (tmp_path / name).write_bytes(content)
        choose(page, tmp_path / name)
        page.locator("#batch-run").click()
        wait_for_status(page, says)
        assert name in page.locator("#batch-status").inner_text()
        page.locator("#batch-file").get_by_role("button", name="Clear").click()


@pytest.mark.parametrize("locale", ["en-US", "fr-FR"])
def test_a_file_that_is_too_large_is_refused_as_everywhere(
    server: str, visitor: Callable[[str], BrowserContext], tmp_path: Path, locale: str
) -> None:
    large = tmp_path / "large.txt"
    large.write_bytes(b"A dog.\n" * 857_143)
    said = translate(too_large(Said("The file"), 6_000_200), locale[:2])
    page = visitor(locale).new_page()  # the browser itself tells of the refusal as an error
    page.goto(f"{server}/?tab=batch")
    page.wait_for_selector("#batch-run >> visible=true", timeout=PATIENCE)
    page.locator("#batch-file input[type=file]").set_input_files(large, timeout=PATIENCE)
    expect(page.locator(".toast-body")).to_contain_text(said)
    assert "{" not in page.locator(".toast-body").inner_text()
    page.close()


def test_looks(batch_page: Callable[..., Page], tmp_path: Path) -> None:
    page = batch_page(width=390)
    choose(page, write(tmp_path, TEXTS))
    page.locator("#batch-run").click()
    wait_for_status(page, "lines translated")
    assert len(list(looks(page, "batch"))) == 4
