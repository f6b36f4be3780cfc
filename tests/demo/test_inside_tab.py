"""The functions behind the tab Inside, and links to tabs, without a browser."""

from __future__ import annotations

import json
from types import SimpleNamespace

import gradio as gr
import pytest

from seq2seq.demo import api, inside_tab, inside_view, links, models
from seq2seq.inside import open_up

TEXT = "Two dogs run on a beach."


@pytest.mark.parametrize("name", models.names())
def test_a_box_for_every_value_and_one_for_what_is_missing(name: str) -> None:
    opened = open_up(models.translator(name), TEXT)
    shown = inside_view.inside_view(opened, "model")
    json.dumps(shown, allow_nan=False)
    boxes = shown["boxes"]
    assert [box["name"] for box in boxes if "missing" not in box] == [value.name for value in opened.values]
    missing = [box for box in boxes if "missing" in box]
    assert len(missing) == (opened.translation.attention is None)
    assert all(str(opened.translation.hidden_size) in box["missing"] for box in missing)
    lane = {box["name"]: box["lane"] for box in boxes}
    assert lane.pop("prev") == lane.pop("embedded") == "left" and lane.pop("old hidden") == "right"
    assert set(lane.values()) == {"middle"}


def test_colours_are_full_at_the_largest_number() -> None:
    opened = open_up(models.translator(models.DEFAULT), TEXT)
    for name, full in inside_view.scales(opened).items():
        assert full >= 1
        assert all(abs(numbers[name]).max() <= full + 0.051 for numbers in opened.numbers)


def test_bad_text_is_a_message() -> None:
    assert "type a sentence" in inside_tab.look(" ", models.DEFAULT)[0]["message"]
    assert "no model" in inside_tab.look(TEXT, "../secret")[0]["message"]


def test_the_api_says_what_the_page_draws() -> None:
    answer = api.inside(TEXT, models.DEFAULT)
    assert answer == open_up(models.translator(models.DEFAULT), TEXT).to_dict()
    for arguments in ((" ",), ("x" * 1001,), (TEXT, "nobody"), ([TEXT],)):
        with pytest.raises(gr.Error):
            api.inside(*arguments)


def request(**query: str) -> SimpleNamespace:
    return SimpleNamespace(query_params=query)


def test_links_open_the_tab_they_name() -> None:
    asked = request(tab="inside", text=TEXT, checkpoint="en-fr-plain")
    text, checkpoint, taken, shown, translation = inside_tab.from_link("what stands in Translate", asked)
    assert (text["value"], checkpoint, taken) == (TEXT, "en-fr-plain", "what stands in Translate")
    assert translation.text == TEXT
    assert shown["checkpoint"] == "en-fr-plain"
    unknown = inside_tab.from_link("x", request(tab="inside", text=TEXT, checkpoint="../../etc"))
    assert unknown[1] == gr.skip() and "no model" in unknown[3]["message"]
    assert all(value == gr.skip() for value in inside_tab.from_link("x", request(text=TEXT)))
    assert links.tab(request(tab="inside"))["selected"] == "inside" and links.tab(request(tab="else")) == gr.skip()


def test_a_link_is_for_one_tab() -> None:
    for tab in links.TABS:
        of = [one for one in links.TABS if links.asked(request(text=TEXT, tab=tab), one)]
        assert of == [tab]
    assert links.asked(request(text=TEXT, tab="nonsense"), links.TRANSLATE)
    assert not links.asked(request(tab="inside"), links.INSIDE), "no text, nothing to do"
    assert [links.beam_size({"beam": beam}) for beam in ("3", "11", "0", "x")] == [3, 1, 1, 1]


def test_the_page_is_given_text() -> None:
    """An object of so many numbers would make every event of the page slow."""
    shown, *_ = inside_tab.look("A dog sleeps.", models.names()[0])
    given = inside_view.InsideView(None).postprocess(shown)
    assert isinstance(given, str) and json.loads(given) == shown
