"""The tour of which README.md shows a film can be walked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.browser.tour import HEIGHT, HOVERED, SHOWN_WIDTH, WIDTH, tour


def test_the_tour_makes_a_film(open_page: Callable[..., Page], tmp_path: Path) -> None:
    page = open_page("?__theme=light", width=WIDTH, height=HEIGHT, wait_for="#attention-view .xtick")
    film = tour(page)
    assert page.get_by_role("tab", name="Compare").get_attribute("aria-selected") == "true"
    film.save(tmp_path / "tour.gif")
    with Image.open(tmp_path / "tour.gif") as made:
        assert made.width == SHOWN_WIDTH
        # Half the sentence typed, words that come, each word pointed at, Compare; a busy machine shows some steps together.
        assert made.n_frames >= HOVERED + 5
    assert len(film.frames) == len(film.stays) and sum(film.stays) > 5000
