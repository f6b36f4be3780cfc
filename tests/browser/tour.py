"""Makes the moving picture of README.md from the real page: `python -m tests.browser.tour` writes `.github/tour.gif`."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import FLAGS, ROOT, started

OUT = ROOT / ".github" / "tour.gif"
SENTENCE = "A girl in a red dress is reading an old book under a tree."
WIDTH, HEIGHT, SHOWN_WIDTH, COLOURS = 1100, 1130, 820, 96
HOVERED = 6
"""Target words that are pointed at."""


class Film:
    """Frames of a page, each with the milliseconds that it stays; equal ones become one."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[Image.Image] = []
        self.stays: list[int] = []

    def take(self, milliseconds: int) -> None:
        picture = Image.open(io.BytesIO(self.page.screenshot(animations="disabled"))).convert("RGB")
        picture = picture.resize((SHOWN_WIDTH, SHOWN_WIDTH * HEIGHT // WIDTH), Image.Resampling.LANCZOS)
        if self.frames and picture.tobytes() == self.frames[-1].tobytes():
            self.stays[-1] += milliseconds
            return
        self.frames.append(picture)
        self.stays.append(milliseconds)

    def save(self, path: Path) -> None:
        # One palette for all frames, so that what does not move does not flicker.
        palette = self.frames[-1].quantize(COLOURS, method=Image.Quantize.MEDIANCUT)
        drawn = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in self.frames]
        drawn[0].save(path, save_all=True, append_images=drawn[1:], duration=self.stays, loop=0, optimize=True)


def tour(page: Page) -> Film:
    """Type, watch it being translated, point at words, compare."""
    film = Film(page)
    box = page.locator("#source-text textarea")
    box.fill("")
    for end in range(0, len(SENTENCE) + 1, 6):
        box.fill(SENTENCE[:end])
        film.take(120)
    box.fill(SENTENCE)
    box.press("Enter")
    for _ in range(14):
        page.wait_for_timeout(60)
        film.take(160)
    page.wait_for_function("() => !document.querySelector('#attention-view .lens-growing')")
    page.wait_for_selector("#attention-view .xtick")
    page.wait_for_timeout(500)
    film.take(1200)
    for word in range(HOVERED):
        page.locator("#attention-view .lens-chips").nth(1).locator(".lens-chip").nth(word + 1).hover()
        page.wait_for_timeout(250)
        film.take(700)
    page.mouse.move(5, 5)
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_timeout(2500)
    film.take(3500)
    return film


def main() -> int:
    with TemporaryDirectory() as folder, started(Path(folder) / "app.log") as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM") or None, args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(f"{address}/?__theme=light")
        page.wait_for_selector("#attention-view .xtick")
        film = tour(page)
        film.save(OUT)
        browser.close()
    print(f"{OUT.relative_to(ROOT)}: {len(film.frames)} frames, {OUT.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
