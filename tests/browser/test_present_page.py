"""Links and the presenter mode: a link restores the view on another server, and a stage shows the view and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect

from seq2seq.demo.compare_tab import EXAMPLES as COMPARED
from seq2seq.demo.pictures_tab import PREPARED
from seq2seq.demo.translate_tab import EXAMPLES
from tests.browser.conftest import looks, started

LONG = "A man in a blue shirt and a woman are walking with a black dog."
SENT = "Two dogs & a <b>cat</b> sleep."
SIZES = [(1920, 1080), (1024, 768)]
SHOWN = """(id) => [...document.querySelectorAll(`#${id} :is(.lens-word, .lens-note, .duet-text, .duet-word, .lens-message)`)]
    .map((node) => node.textContent).join(' ')"""
# What could be clicked and can be seen, without the chips and the line of help.
CONTROLS = """() => [...document.querySelectorAll('button, input, textarea, select, a, summary, footer, [role=tab]')]
    .filter((n) => n.checkVisibility({ visibilityProperty: true }) && !n.closest('.lens-chips, .stage-help'))
    .map((n) => n.outerHTML.slice(0, 90))"""
# Words, labels and cells that are not wholly on the screen, above the line of help.
CUT = """() => {
    const bottom = document.querySelector('.stage-help').getBoundingClientRect().top + 1;
    const parts = '.lens-chip, .lens-plot .xtick text, .lens-plot .ytick text, .heatmaplayer image'
        + ', .duet-word, .duet-text, .duet-legend';
    return [...document.querySelectorAll(parts), ...document.querySelectorAll('.stage-key')].filter((node) => {
        const box = node.getBoundingClientRect();
        const lowest = node.closest('.stage-help') ? innerHeight : bottom;
        if (!box.width || !node.checkVisibility({ visibilityProperty: true })) return false;
        return (box.left < 0 || box.top < 0 || box.right > innerWidth || box.bottom > lowest);
    }).map((node) => node.outerHTML.slice(0, 90));
}"""
# Words in letters of less than 19 pixels.
SMALL = """() => [...document.querySelectorAll('.lens-word, .duet-word, .duet-text')]
    .filter((node) => node.checkVisibility({ visibilityProperty: true }))
    .map((node) => [parseFloat(getComputedStyle(node).fontSize), node.textContent]).filter(([size]) => size < 19)"""
FITS = "(s) => s.scrollWidth <= s.clientWidth && s.scrollHeight <= s.clientHeight + 1"


def query(page: Page) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}


def until_query(page: Page, **wanted: str) -> None:
    try:
        page.wait_for_function(
            "wanted => Object.entries(wanted).every(([k, v]) => new URLSearchParams(location.search).get(k) === v)",
            arg=wanted,
        )
    except TimeoutError as error:
        boxes = page.locator("textarea").evaluate_all("(boxes) => boxes.map((box) => box.value)")
        raise AssertionError(f"{page.url} does not say {wanted}; its boxes: {boxes}") from error


def send(page: Page, text: str, box: str = "#source-text") -> None:
    page.locator(f"{box} textarea").fill(text)
    page.locator(f"{box} textarea").press("Enter")
    until_query(page, text=text)


def stage(open_page: Callable[..., Page], more: str = "", **options: object) -> Page:
    page = open_page(f"?present=1{more}", **options)
    page.wait_for_selector("body.presenting .lens-plot .xtick text")
    page.wait_for_function("() => !document.querySelector('.lens-growing')")
    return page


def again(page: Page) -> Page:
    """The same address in another tab of the same browser. A reload would do, but Gradio logs an error for every answer that it
    interrupts, and on a busy machine there is one."""
    other = page.context.new_page()
    other.set_default_timeout(60_000)
    other.goto(page.url)
    return other


def test_the_address_follows_and_restores_the_view_on_another_server(
    open_page: Callable[..., Page], browser: Browser, tmp_path: Path
) -> None:
    page = open_page("?__theme=dark")
    assert query(page) == {"__theme": "dark"}, "nothing was asked for yet"
    page.get_by_label("pieces", exact=True).check()
    page.get_by_label("show the <eos> row").check()
    send(page, SENT)
    until_query(page, unit="pieces", eos="1", checkpoint="en-fr-additive")
    assert query(page)["__theme"] == "dark" and "tab" not in query(page)
    page.get_by_role("tab", name="Compare").click()
    until_query(page, tab="compare", left="en-fr-plain")
    page.get_by_role("tab", name="Translate").click()
    until_query(page, text=SENT, unit="pieces")
    said, search = page.evaluate(SHOWN, "attention-view"), urlsplit(page.url).query
    compare = f"tab=compare&text={quote(LONG)}&left=en-fr-multiplicative&right=en-fr-classic-plain&beam=2&reference=Un."
    other = open_page(f"?{compare}", wait_for="#duet .duet-word")
    assert other.locator("#duet .duet-label").all_inner_texts() == [
        "With attention (multiplicative)", "Without attention (classic-plain)",
    ]  # fmt: skip
    both = other.evaluate(SHOWN, "duet")
    with started(tmp_path / "app.log") as address:
        again = browser.new_page()
        again.goto(f"{address}/?{search}")
        again.wait_for_function(f"said => ({SHOWN})('attention-view') === said", arg=said)
        assert again.get_by_label("pieces", exact=True).is_checked()
        assert again.get_by_label("show the <eos> row").is_checked()
        assert again.locator("#source-text textarea").input_value() == SENT
        assert again.locator("#attention-view b").count() == 0
        again.goto(f"{address}/?{compare}")
        again.wait_for_function(f"said => ({SHOWN})('duet') === said", arg=both)
        again.close()


def until_search(page: Page, search: str) -> None:
    page.wait_for_function("search => location.search === search", arg=search)


def test_the_address_names_no_more_than_the_tab_where_there_is_no_link(open_page: Callable[..., Page]) -> None:
    page = open_page("?__theme=light")
    page.get_by_role("tab", name="Compare").click()
    until_query(page, tab="compare", left="en-fr-plain")
    page.get_by_role("tab", name="Batch").click()
    until_search(page, "?__theme=light&tab=batch")
    other = again(page)
    expect(other.locator("#batch-run")).to_be_visible()
    assert other.get_by_role("tab", name="Batch").get_attribute("aria-selected") == "true"
    other.close()
    page.get_by_role("tab", name="Translate").click()
    send(page, SENT)
    refused = "x" * 1001
    for tab, box in (("translate", "#source-text"), ("compare", "#compare-text")):
        page.locator(f"[role=tab][data-tab-id={tab}]").click()
        page.locator(f"{box} textarea").fill(refused)
        page.locator(f"{box} textarea").press("Enter")
        until_search(page, "?__theme=light" if tab == "translate" else "?__theme=light&tab=compare")
    # Where it is narrow, the last tabs are in a menu, out of which one is opened after the other.
    page.set_viewport_size({"width": 390, "height": 900})
    for tab in ("Batch", "Inside", "Batch"):
        page.get_by_role("button", name="More tabs").click()
        page.locator(".overflow-dropdown").get_by_role("button", name=tab).click()
        page.wait_for_function("tab => new URLSearchParams(location.search).get('tab') === tab", arg=tab.lower())
    assert query(page) == {"__theme": "light", "tab": "batch"}


# Keeps what a frame says of its address to the page around it, and to whom; the browser would drop it, for that one is not the
# Hub. Gradio, too, says something.
TOLD = """() => {
    if (window.parent === window) window.told = [];
    else window.parent.postMessage = (...said) => "queryString" in said[0] && window.parent.told.push(said);
}"""


def test_the_page_around_a_frame_is_told_the_address(server: str, browser: Browser) -> None:
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.add_init_script(f"({TOLD})()")
    frame = f"<iframe src='/?__theme=dark&__sign=secret&lang=en&text={quote(LONG)}' width=1200 height=900></iframe>"
    page.route("**/around", lambda route: route.fulfill(body=frame, content_type="text/html"))
    page.goto(f"{server}/around")
    inside = page.frame_locator("iframe")
    expect(inside.locator("#attention-view .xtick").first).to_be_visible()
    assert page.evaluate("told") == [], "that address the page around it has"
    box = inside.locator("#source-text textarea")
    box.fill(SENT)
    box.press("Enter")
    page.wait_for_function("() => told.length")
    inside.get_by_role("tab", name="Batch").click()
    page.wait_for_function("() => told.length > 1")
    said = [(parse_qs(message["queryString"]), message["hash"], to) for message, to in page.evaluate("told")]
    assert said[0] == ({"text": [SENT], "checkpoint": ["en-fr-additive"], "lang": ["en"]}, "", "https://huggingface.co")
    assert said[1] == ({"tab": ["batch"], "lang": ["en"]}, "", "https://huggingface.co")
    page.close()


def test_nobody_is_told_where_there_is_no_frame(open_page: Callable[..., Page]) -> None:
    page = open_page(wait_for=".xtick")
    page.evaluate("() => { window.told = []; window.postMessage = (...said) => told.push(said); }")
    send(page, SENT)
    assert page.evaluate("told") == []


@pytest.mark.parametrize("tab", ["translate", "compare"])
def test_share_copies_the_link_of_what_is_shown(open_page: Callable[..., Page], tab: str) -> None:
    page = open_page(f"?tab={tab}&text={quote(LONG)}", wait_for="#duet .duet-word" if tab == "compare" else ".xtick")
    page.wait_for_selector("[data-link*=text]", state="attached")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Share").click()
    page.wait_for_function("() => document.querySelector('.stage-said').textContent === 'Link copied'")
    assert page.locator(".stage-said").get_attribute("role") == "status"
    copied = urlsplit(page.evaluate("navigator.clipboard.readText()"))
    assert f"{copied.scheme}://{copied.netloc}{copied.path}" == page.url.split("?")[0]
    named = parse_qs(copied.query)
    assert named["text"] == [LONG] and named.get("tab", ["translate"]) == [tab]


def test_share_without_a_clipboard_shows_the_link(open_page: Callable[..., Page]) -> None:
    page = open_page(wait_for=".xtick")
    page.evaluate("""() => {
        Object.defineProperty(navigator, 'clipboard', { value: undefined });
        document.execCommand = () => false;
    }""")
    page.get_by_role("button", name="Share").click()
    page.wait_for_selector(".stage-link")
    assert "Copy this link" in page.locator(".stage-said").inner_text()
    link = page.locator(".stage-link").input_value()
    assert parse_qs(urlsplit(link).query)["text"] == [EXAMPLES[0]]
    assert page.evaluate("getSelection().toString() || document.activeElement.value") == link


HOSTILE = [
    f"text={quote('<img src=x onerror=alert(1)>')}&checkpoint={quote('<b>x</b>')}&beam=-9&unit=x&eos=x&tab=x",
    f"text={'x' * 20_000}&present=yes",
    f"text={quote('${alert(1)}')}&tab=compare&left=../../etc&right={quote('<script>')}&beam=1e9",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_links_say_one_line(open_page: Callable[..., Page], hostile: str) -> None:
    page = open_page(f"?{hostile}", wait_for=".lens-message:not([hidden])")
    assert page.locator(":is(#attention-view, #duet) :is(img, b, script)").count() == 0
    assert not page.evaluate("document.body.classList.contains('presenting')")


def test_arrows_space_and_escape(open_page: Callable[..., Page]) -> None:
    page = open_page(wait_for=".xtick")
    page.locator("#source-text textarea").press("p")
    assert not page.evaluate("document.body.classList.contains('presenting')"), "it was typed"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("p")
    page.wait_for_selector("body.presenting", state="attached")
    until_query(page, present="1")
    for key, index in (("ArrowRight", 0), ("ArrowRight", 1), ("ArrowLeft", 0), ("ArrowLeft", 4), ("ArrowRight", 0)):
        page.keyboard.press(key)
        until_query(page, text=EXAMPLES[index], present="1")
        page.wait_for_function(
            "said => document.querySelector('.stage-place').textContent === said", arg=f"{index + 1} / 5"
        )
    page.wait_for_function("() => !document.querySelector('.lens-growing')")
    words = page.locator("#attention-view .lens-chips").nth(1).locator(".lens-chip").count()
    page.keyboard.press(" ")
    page.wait_for_selector("[data-replay=playing][data-shown='2']")
    page.keyboard.press(" ")
    page.wait_for_selector("[data-replay=paused]")
    hidden = page.locator("#attention-view .lens-to-come").count()
    assert 0 < hidden < words and not page.locator("#attention-view .lens-to-come").first.is_visible()
    page.keyboard.press(" ")
    page.wait_for_selector(f"[data-replay=over][data-shown='{words}']")
    assert page.locator("#attention-view .lens-to-come").count() == 0
    page.keyboard.press("Escape")
    page.wait_for_selector("body:not(.presenting) #source-text textarea")
    assert "present" not in query(page) and query(page)["text"] == EXAMPLES[0]


def test_full_screen_is_entered_and_left(open_page: Callable[..., Page]) -> None:
    """A browser that is still on its way into full screen, or out of it, takes no notice of a key: then it is pressed again."""
    page = stage(open_page)
    full = "wanted => (document.fullscreenElement === document.documentElement) === wanted"
    for key in ("f", "f", "F", "Escape"):
        wanted = not page.evaluate("Boolean(document.fullscreenElement)")
        for _ in range(10):
            page.keyboard.press(key)
            with contextlib.suppress(TimeoutError):
                page.wait_for_function(full, arg=wanted, timeout=6000)
                break
        assert page.evaluate(full, wanted), key
    page.wait_for_selector("body:not(.presenting) #source-text textarea")


def presenting(page: Page) -> bool:
    return page.evaluate("document.body.classList.contains('presenting')")


def test_letters_are_keys_as_long_as_the_visitor_wants_them(open_page: Callable[..., Page]) -> None:
    page = stage(open_page)
    page.evaluate("document.body.dispatchEvent(new Event('keydown', { bubbles: true }))")  # it has no key
    page.keyboard.press("e")
    page.get_by_label("The letters P, F and E are keys.").uncheck()
    page.get_by_role("button", name="Keep").click()
    page.keyboard.press("e")
    page.keyboard.press("f")
    assert not page.locator(".stage-list").is_visible() and not page.evaluate("document.fullscreenElement")
    assert [name.split(" ")[0] for name in page.locator(".stage-key").all_inner_texts()] == [
        "←", "→", "Space", "full", "edit", "Esc",
    ]  # fmt: skip
    page.keyboard.press("ArrowRight")
    until_query(page, text=EXAMPLES[0])
    page.keyboard.press("Escape")
    page.wait_for_selector("body:not(.presenting) #source-text textarea")
    other = again(page)
    expect(other.locator("#attention-view .xtick").first).to_be_visible()
    other.keyboard.press("p")
    assert not presenting(other) and not other.get_by_role("button", name="Present").get_attribute("title")
    other.get_by_role("button", name="Present").click()
    other.get_by_role("button", name="edit the list").click()
    other.get_by_label("The letters P, F and E are keys.").check()
    other.get_by_role("button", name="Keep").click()
    other.keyboard.press("Escape")
    other.keyboard.press("p")
    other.wait_for_selector("body.presenting", state="attached")
    other.close()


def test_what_takes_letters_keeps_them(open_page: Callable[..., Page]) -> None:
    page = open_page("?tab=batch", wait_for="#batch-run >> visible=true")
    for box in ("#batch-text textarea", "#batch-model input"):
        page.locator(box).focus()
        page.keyboard.press("p")
        assert not presenting(page), box


def test_an_edited_list_is_kept_by_the_browser(open_page: Callable[..., Page]) -> None:
    page = stage(open_page)
    page.keyboard.press("e")
    box = page.locator(".stage-list textarea")
    assert box.input_value().splitlines() == list(EXAMPLES)
    box.fill(f"  A dog sleeps.\n\n{SENT}\n")
    page.get_by_role("button", name="Keep").click()
    page = again(page)
    page.wait_for_selector("body.presenting .lens-plot .xtick text")
    for text in ("A dog sleeps.", SENT):
        page.keyboard.press("ArrowRight")
        until_query(page, text=text)
    page.keyboard.press("e")
    page.locator(".stage-list textarea").fill(" ")
    page.get_by_role("button", name="Keep").click()
    page.keyboard.press("ArrowRight")
    until_query(page, text=EXAMPLES[0])
    page.close()


def test_compare_is_presented_too(open_page: Callable[..., Page]) -> None:
    page = open_page("?tab=compare&present=1", wait_for="body.presenting #duet .duet-word")
    page.keyboard.press("ArrowRight")
    until_query(page, text=EXAMPLES[0], tab="compare", present="1")
    page.wait_for_function("said => document.querySelector('.duet-text').textContent === said", arg=EXAMPLES[0])
    page.wait_for_function("() => !document.querySelector('#duet .duet-hidden')")
    page.keyboard.press(" ")
    page.wait_for_selector("#duet [data-shown='2']")
    page.keyboard.press("Escape")
    page.wait_for_selector("body:not(.presenting) #compare-text textarea")


def test_pictures_are_presented_in_both_directions(open_page: Callable[..., Page]) -> None:
    scene, description = PREPARED[5], PREPARED[6]
    page = open_page(f"?tab=pictures&text={quote(scene)}", wait_for="#caption-additive .lens-chip")
    page.keyboard.press("p")
    page.wait_for_selector("body.presenting", state="attached")
    place = page.locator(".stage-place")
    expect(place).to_have_text("6 / 10")
    assert page.locator("#paint-boards").evaluate("(row) => getComputedStyle(row).visibility") == "hidden"
    page.keyboard.press("ArrowRight")
    until_query(page, tab="pictures", way="paint", text=description, present="1")
    expect(place).to_have_text("7 / 10")
    assert page.locator("#caption-boards").evaluate("(row) => getComputedStyle(row).visibility") == "hidden"
    expect(page.locator("#paint-additive .lens-chip")).to_have_count(7)
    page.wait_for_function("() => document.querySelector('#paint-additive [data-replay]').dataset.replay === 'over'")
    page.keyboard.press("ArrowLeft")
    until_query(page, tab="pictures", text=scene, present="1")
    assert "way" not in query(page)
    expect(page.locator("#caption-additive .board-square")).to_be_visible()
    # The address knew that one already; it has the next one only when that has been captioned.
    scene = PREPARED[4]
    page.keyboard.press("ArrowLeft")
    until_query(page, tab="pictures", text=scene, present="1")
    states = "() => [...document.querySelectorAll('#caption-boards [data-replay]')].map((root) => root.dataset.replay)"
    page.wait_for_function(f"() => ({states})().every((state) => state === 'over')")
    page.keyboard.press(" ")
    page.wait_for_function(f"() => ({states})().every((state) => state === 'playing')")
    page.wait_for_function("() => document.querySelector('#caption-additive .lens-chosen')")
    page.keyboard.press(" ")
    assert page.evaluate(states) == ["paused", "paused"]
    hidden = page.locator("#caption-additive .lens-to-come").count()
    page.wait_for_timeout(1500)
    assert page.locator("#caption-additive .lens-to-come").count() == hidden > 0
    page.keyboard.press("Escape")
    page.wait_for_selector("body:not(.presenting) #description textarea")
    expect(page.locator("#caption-additive .lens-to-come")).to_have_count(0)
    assert "present" not in query(page) and query(page)["text"] == scene


def test_pictures_have_a_list_of_their_own(open_page: Callable[..., Page]) -> None:
    page = open_page("?tab=pictures&present=1", wait_for="body.presenting #caption-additive .lens-chip")
    page.keyboard.press("e")
    box = page.locator(".stage-list textarea")
    assert box.input_value().splitlines() == list(PREPARED)
    # Neither is as the page would write it, and the last one is no scene: the arrows find their way all the same.
    own = ["small red star 53 53 ,large blue circle 10 10", "A small  red star in the middle", "2 stars"]
    box.fill("\n".join(own))
    page.get_by_role("button", name="Keep").click()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#caption-additive .lens-said")).to_contain_text("a large blue circle at the top left")
    page.keyboard.press("ArrowRight")
    until_query(page, way="paint")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#caption-plain .lens-message")).to_contain_text("“2 stars” is no object")
    expect(page.locator(".stage-place")).to_have_text("3 / 3")
    page = again(page)
    page.wait_for_selector("body.presenting #paint-additive .lens-chip", state="attached")
    page.keyboard.press("e")
    box = page.locator(".stage-list textarea")
    assert box.input_value().splitlines() == own
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Translate").click()
    page.keyboard.press("p")
    page.keyboard.press("e")
    assert box.input_value().splitlines() == list(EXAMPLES)
    page.close()


def test_what_pictures_shows_is_shared(open_page: Callable[..., Page]) -> None:
    page = open_page("?tab=pictures", wait_for="#caption-additive .lens-chip")
    page.locator("#new-scene").click()
    page.wait_for_function("() => (new URLSearchParams(location.search).get('text') || '').split(',').length === 3")
    shown = query(page)
    assert shown["tab"] == "pictures" and "way" not in shown
    page.locator("#description textarea").fill("A small red star in the middle")
    page.locator("#description textarea").press("Enter")
    until_query(page, way="paint", text="A small red star in the middle")


STAGES = {
    "translate": ("#attention-view", "#attention-view .ytick", LONG),
    "compare": ("#duet", "#duet .duet-word", LONG),
    "compare&left=en-fr-plain": ("#duet", "#duet .duet-word", COMPARED[1]),  # the tour's, of 27 words
    "pictures": ("#caption-boards", "#caption-additive .heatmaplayer image", PREPARED[4]),
    "pictures&way=paint": ("#paint-boards", "#paint-additive .heatmaplayer image", PREPARED[9]),
}


@pytest.mark.parametrize("tab", STAGES)
def test_a_stage_shows_the_view_and_nothing_else(open_page: Callable[..., Page], tab: str) -> None:
    stage, wait, text = STAGES[tab]
    page = open_page(f"?present=1&text={quote(text)}&tab={tab}", wait_for=wait)
    page.wait_for_function("() => !document.querySelector('.lens-growing')")
    for _ in looks(page, f"present-{stage[1:]}-{len(text)}", SIZES):
        assert page.evaluate(SMALL) == []
        page.wait_for_function(f"() => !({CUT})().length")
        page.wait_for_function(f"() => !({CONTROLS})().length")  # some fade out
        assert page.locator(stage).evaluate(FITS)


def test_boards_on_a_phone_s_stage_stand_below_each_other(open_page: Callable[..., Page]) -> None:
    page = open_page(
        f"?present=1&tab=pictures&text={quote(PREPARED[4])}", width=390, height=800,
        wait_for="#caption-additive .heatmaplayer image",
    )  # fmt: skip
    for _ in looks(page, "present-caption-boards", [(390, 800)]):
        left, right = (page.locator(f"#caption-{side}").bounding_box() for side in ("plain", "additive"))
        assert right["y"] >= left["y"] + left["height"] and left["width"] > 330


def test_nobody_is_moved_who_asked_for_rest(open_page: Callable[..., Page]) -> None:
    page = stage(open_page)
    page.emulate_media(reduced_motion="reduce")
    page.keyboard.press(" ")
    page.wait_for_selector("[data-replay=playing]")
    moving = "chip => getComputedStyle(chip).transitionDuration + getComputedStyle(chip).animationName"
    assert page.locator("#attention-view .lens-chip").first.evaluate(moving) == "0snone"
