"""The tab Compare in a real Chromium: columns, maps, bottleneck test, long view, and a file of one's own."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from gradio_client import Client
from playwright.sync_api import Page

from tests.browser.conftest import looks

LONG = "A man in a blue shirt is riding a bicycle while a woman with a red hat is reading a book on a bench."
SHOWN = """() => [...document.querySelectorAll('#duet .duet-words')].map((pane) => ({
    words: [...pane.querySelectorAll('.duet-word')].map((w) => w.firstChild.textContent),
    hidden: pane.querySelectorAll('.duet-hidden').length,
    parted: [...pane.querySelectorAll('.duet-word')].findIndex((w) => w.classList.contains('duet-parted')),
}))"""


@pytest.fixture(scope="module")
def api(server: str) -> Client:
    return Client(server, verbose=False)


@pytest.fixture
def compare_page(open_page: Callable[..., Page]) -> Callable[..., Page]:
    def open_it(query: str = "?tab=compare", **options) -> Page:
        page = open_page(query, wait_for="#duet .duet-word", **options)
        page.wait_for_selector("#right-map .xtick")
        return page

    return open_it


def compare(page: Page, text: str) -> None:
    """Types and sends a text and waits until both columns are written to the end, or a message says why not."""
    box = page.locator("#compare-text textarea")
    box.fill(text)
    box.press("Enter")
    page.wait_for_function(
        """(text) => { const duet = document.querySelector('#duet .duet');
            return duet.hidden ? document.querySelector('#duet .lens-message').textContent
                : duet.dataset.text === text && !duet.querySelector('.duet-hidden')
                  && duet.querySelector('.duet-button').textContent.includes('Play') }""",
        arg=" ".join(text.split()),
    )


def test_both_columns_are_what_the_api_says(compare_page: Callable[..., Page], api: Client) -> None:
    page = compare_page()
    compare(page, LONG)
    answer = api.predict(LONG, "en-fr-plain", "en-fr-additive", "", api_name="/compare")
    left, right = page.evaluate(SHOWN)
    assert left["words"] == answer["left"]["target_words"]
    assert right["words"] == answer["right"]["target_words"]
    assert answer["chrf"] is None
    parted = next(
        (i for i, pair in enumerate(zip(left["words"], right["words"])) if pair[0] != pair[1]),
        min(len(left["words"]), len(right["words"])),
    )
    assert max(left["parted"], right["parted"]) == parted
    assert answer["left"]["beam_size"] == answer["right"]["beam_size"] == 1


def test_pause_replay_and_scrubber(compare_page: Callable[..., Page]) -> None:
    page = compare_page()
    assert all(side["hidden"] == 0 for side in page.evaluate(SHOWN)), "complete when the page opens"
    page.get_by_role("button", name="Replay").click()
    page.wait_for_function(
        "() => document.querySelectorAll('#duet .duet-pane:first-child .duet-word:not(.duet-hidden)').length >= 2"
    )
    page.get_by_role("button", name="Pause").click()
    left, right = page.evaluate(SHOWN)
    at = len(left["words"]) - left["hidden"]
    assert at == len(right["words"]) - right["hidden"], "in step"
    page.wait_for_timeout(500)
    assert len(page.evaluate(SHOWN)[0]["words"]) - page.evaluate(SHOWN)[0]["hidden"] == at, "paused"
    page.locator("#duet .duet-scrubber").fill("3")
    left, right = page.evaluate(SHOWN)
    assert len(left["words"]) - left["hidden"] == len(right["words"]) - right["hidden"] == 3


def test_the_plain_side_is_a_strip_and_both_answer_the_same_question(
    compare_page: Callable[..., Page], api: Client
) -> None:
    page = compare_page()
    text = "Two dogs are running in the snow."
    compare(page, text)
    page.wait_for_function("() => document.querySelectorAll('#right-map .lens-chips')[0].textContent.includes('snow')")
    z = "id => document.querySelector(id + ' .lens-plot').data[0].z"
    strip = page.evaluate(z, "#left-map")
    assert len(strip) == 1 and len(strip[0]) == 512, "one vector, not a map"
    assert "No attention exists here" in page.locator("#left-map .lens-note").inner_text()
    answer = api.predict(text, "en-fr-plain", "en-fr-additive", "", api_name="/compare")
    for row, expected in zip(page.evaluate(z, "#right-map"), answer["right"]["attention"]):
        assert row == pytest.approx(expected, abs=1e-4)
    page.get_by_label("What it needed").check()
    page.wait_for_function("() => document.querySelector('#left-map .lens-plot').data[0].z.length > 1")
    page.wait_for_function("() => document.querySelector('#right-map .lens-plot').data[0].zmax > 1")
    drawn = """id => { const plot = document.querySelector(id + ' .lens-plot');
        return [plot.data[0].zmax, plot.layout.xaxis.ticktext, plot.data[0].z.length] }"""
    sides = [page.evaluate(drawn, side) for side in ("#left-map", "#right-map")]
    assert sides[0][:2] == sides[1][:2], "the same scale and the same source words"
    assert sides[0][2] == len(answer["left"]["target_words"]) - 1
    assert "agreement" in page.locator("#agreement").inner_text()


def test_reference_scores(compare_page: Callable[..., Page], api: Client) -> None:
    page = compare_page()
    page.get_by_text("Models, beam, reference").click()
    reference = "Deux chiens courent dans la neige."
    box = page.locator("#reference textarea, #reference input")
    box.wait_for(state="visible")
    page.wait_for_timeout(500)  # the box comes into being when the accordion opens, and is wired a moment later
    box.fill(reference)
    text = "Two dogs are running in the snow."
    compare(page, text)
    answer = api.predict(text, "en-fr-plain", "en-fr-additive", reference, api_name="/compare")
    facts = page.locator("#duet .duet-facts")
    for index, side in enumerate(("left", "right")):
        assert f"{answer['chrf'][side]:.1f}" in facts.nth(index).inner_text()


def test_the_bottleneck_test_draws_as_it_computes(compare_page: Callable[..., Page]) -> None:
    page = compare_page()
    # The chart skips drawings when the machine is slow, but its slider is told of every point: four marks a length.
    page.evaluate(
        """() => { window.lengths = [];
        const slider = document.querySelector('#growth .lens-walk');
        const note = () => lengths.push((Number(slider.max) + 1) / 4);
        new MutationObserver(note).observe(slider, { attributeFilter: ['max'] }) }"""
    )
    page.locator("#grow").click()
    page.wait_for_function("() => (document.querySelector('#growth .lens-plot').data || [{x: []}])[0].x.length === 5")
    seen = page.evaluate("lengths.filter((length) => length >= 1)")
    assert seen == sorted(seen) and len(set(seen)) >= 2, "points appear one after another"
    left, right = page.evaluate("() => [0, 2].map((i) => document.querySelector('#growth .lens-plot').data[i].y)")
    assert left[-1] < right[-1], "on the longest sentence the plain model is behind"


def test_the_long_view_shows_every_model(compare_page: Callable[..., Page]) -> None:
    page = compare_page()
    page.wait_for_selector("#long-view .lens-plot .trace")
    traces = page.evaluate("() => document.querySelector('#long-view .lens-plot').data.map((t) => [t.name, t.text])")
    assert len(traces) >= 2 and all("sentences, 95 % interval" in text for _, texts in traces for text in texts)


def test_a_file_of_ones_own(compare_page: Callable[..., Page], tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text(
        "A dog sleeps.\tUn chien dort.\n=1+1\t=cmd|' /C calc'!A0\n"
        + "".join(f"A man reads {n} books.\tUn homme lit {n} livres.\n" for n in range(2, 40)),
        encoding="utf-8",
    )
    page = compare_page()
    page.locator("#own-file input[type=file]").set_input_files(pairs)
    page.wait_for_function("() => document.querySelector('#own-file').innerText.includes('pairs')")
    page.locator("#own-run").click()
    page.wait_for_selector("#own-status table")
    assert "chrF" in page.locator("#own-status").inner_text()
    page.wait_for_function("() => document.querySelector('#own-chart .lens-plot').data[0].x.length === 40")
    with page.expect_download() as download:
        page.locator("#own-download").click()
    rows = list(csv.reader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
    assert len(rows) == 41
    assert not [cell for row in rows for cell in row if cell[:1] in "=+@" and cell], "no cell may start a formula"
    page.locator("#own-chart").scroll_into_view_if_needed()
    first = page.locator("#own-chart .points path").first
    first.dispatch_event("mousemove")
    box = first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_timeout(200)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function(
        "() => !document.querySelector('#compare-text textarea').value.startsWith('A man in a blue shirt')"
    )


def test_a_run_shows_how_far_it_is_and_can_be_cancelled(compare_page: Callable[..., Page], tmp_path: Path) -> None:
    pairs = tmp_path / "many.tsv"
    pairs.write_text("A man with a dog is walking in the old park.\tUn homme.\n" * 1900, encoding="utf-8")
    page = compare_page()
    page.locator("#own-file input[type=file]").set_input_files(pairs)
    page.wait_for_function("() => document.querySelector('#own-file').innerText.includes('many')")
    page.locator("#own-run").click()
    page.wait_for_function("() => (document.querySelector('#own-status progress') || {value: 0}).value >= 64")
    page.locator("#own-cancel").click()
    page.wait_for_function("() => document.querySelector('#own-status').innerText.startsWith('Cancelled')")
    said = page.locator("#own-status").inner_text()
    page.wait_for_timeout(2000)
    assert page.locator("#own-status").inner_text() == said, "nothing goes on"
    compare(page, "The page still works.")


BAD = {
    "empty": (b"", "no lines"),
    "one column": (b"only one column\n", "line 1"),
    "NUL": (b"a\tb\nc\0d\te\n", "line 2"),
    "encoding": (b"caf\xe9\tcaf\xe9\n", "UTF-8"),
    "huge cell": (b"x" * 50_000 + b"\ty\n", "line 1"),
    "too many rows": (b"a\tb\n" * 2001, "2,000"),
    "one line of 5 MB": (b"a\tb" * 1_240_000, "line 1"),
}


def test_bad_files_get_a_message(compare_page: Callable[..., Page], tmp_path: Path) -> None:
    page = compare_page()
    page.emulate_media(reduced_motion="reduce")  # without the replay
    for name, (content, says) in BAD.items():
        (tmp_path / f"{name}.tsv").write_bytes(content)
        page.locator("#own-file input[type=file]").set_input_files(tmp_path / f"{name}.tsv")
        page.wait_for_function("name => document.querySelector('#own-file').innerText.includes(name)", arg=name)
        page.locator("#own-run").click()
        page.wait_for_function(
            "said => said.every((part) => document.querySelector('#own-chart').innerText.includes(part))",
            arg=[name, says],
        )
        page.locator("#own-file").get_by_role("button", name="Clear").click()
    compare(page, "The page still works.")


def test_bad_text_breaks_nothing(compare_page: Callable[..., Page]) -> None:
    page = compare_page()
    page.emulate_media(reduced_motion="reduce")  # without the replay
    for text in ("", "x" * 100_000, "😀", "<img src=x onerror=alert(1)>", "dog " * 120):
        compare(page, text)
        assert page.locator("#duet img").count() == 0
        compare(page, f"A dog sleeps after {len(text)}.")
        assert page.evaluate(SHOWN)[1]["words"][-1] == "<eos>"


def test_looks(compare_page: Callable[..., Page]) -> None:
    page = compare_page("?tab=compare", width=390)
    page.locator("#grow").click()
    page.wait_for_function("() => (document.querySelector('#growth .lens-plot').data || [{x: []}])[0].x.length >= 5")
    assert len(list(looks(page, "compare"))) == 4
