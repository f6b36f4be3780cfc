"""Links: what is written into one is what is read out of it, and nothing that stands in one is an error."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import parse_qsl

import gradio as gr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.demo import compare_tab, inside_tab, links, models, translate_tab

TEXT = "Two dogs run & jump = fun?"
KEYS = ("text", "checkpoint", "left", "right", "beam", "unit", "eos", "reference", "show", "step", "tab", "present")


def opened(query: str) -> SimpleNamespace:
    """What a tab's function gets when the page is opened with this query."""
    return SimpleNamespace(query_params=dict(parse_qsl(query, keep_blank_values=True)))


@given(
    st.text(min_size=1).filter(lambda text: "\ud800" > max(text) or max(text) > "\udfff"),
    st.integers(1, links.BEAMS),
    st.sampled_from([links.WORDS, links.PIECES]),
    st.booleans(),
    st.sampled_from(links.TABS),
)
def test_what_is_written_is_read(text: str, beam: int, unit: str, eos: bool, tab: str) -> None:
    made = links.query(tab, text=text, checkpoint="a/b c", beam=beam, unit=unit, eos=eos)
    read = links.asked(opened(made), tab)
    assert (read["text"], read["checkpoint"]) == (text, "a/b c")
    assert links.beam_size(read) == beam and links.switches(read) == (unit, eos)
    assert all(not links.asked(opened(made), other) for other in links.TABS if other != tab)


@given(st.dictionaries(st.sampled_from(KEYS), st.text(max_size=30)))
def test_any_query_has_an_answer(query: dict[str, str]) -> None:
    request = SimpleNamespace(query_params=query)
    assert 1 <= links.beam_size(query) <= links.BEAMS
    unit, eos = links.switches(query)
    assert unit in (links.WORDS, links.PIECES) and eos in (True, False)
    assert links.step(query) >= 0
    assert [links.asked(request, tab) for tab in links.TABS].count({}) >= len(links.TABS) - 1
    links.tab(request)
    links.query(links.TRANSLATE, **{key: value for key, value in query.items() if key != "tab"})


def test_half_a_character_costs_no_link() -> None:
    assert links.query(links.TRANSLATE, text="a\ud800b") == "text=a%3Fb"


def test_a_stage_shows_what_can_be_presented_only() -> None:
    assert links.tab(opened("tab=compare&present=1")) == links.tab(opened("tab=compare"))
    assert links.tab(opened("tab=pictures&present=1")) == links.tab(opened("tab=pictures")) != gr.skip()
    assert links.tab(opened("tab=batch&present=1")) == gr.skip() != links.tab(opened("tab=batch"))


@pytest.mark.parametrize("unit, eos", [(links.WORDS, False), (links.PIECES, True)])
def test_translate_shows_again_what_it_linked_to(unit: str, eos: bool) -> None:
    *_, shown = translate_tab.translate(TEXT, "en-fr-multiplicative", 3, unit, eos)
    text, checkpoint, beam, *switches = next(translate_tab.opened(opened(shown[0]["link"])))[:5]
    assert (text, checkpoint, beam, switches) == (shown[2].text, "en-fr-multiplicative", 3, [unit, eos])
    *_, again = translate_tab.opened(opened(shown[0]["link"]))
    assert again[5] == shown[0]


def test_a_link_fills_the_controls_once() -> None:
    """While its translation grows, somebody may type."""
    first, *grown = translate_tab.opened(opened(links.query(links.TRANSLATE, text=TEXT, beam=1)))
    assert first[0] == TEXT and len(grown) > 2
    assert all(value == gr.skip() for shown in grown for value in shown[:5])


@pytest.mark.parametrize("question", [compare_tab.SAW, compare_tab.NEEDED])
def test_compare_shows_again_what_it_linked_to(question: str) -> None:
    pair = models.names()[1], models.default_pair()[0]
    columns, comparison, _, *maps, said = compare_tab.everything(TEXT, "Deux chiens.", *pair, 2, question)
    text, reference, left, right, beam, asked, again, _, looked, *shown = compare_tab.opened(opened(columns["link"]))
    assert (text, reference, (left, right), beam) == (comparison.left.text, "Deux chiens.", pair, 2)
    assert (asked, looked, shown) == (question, question, [*maps, said])
    assert ("show" in columns["link"]) == (question == compare_tab.NEEDED)
    for made in (columns, again):
        made["sides"] = [{"words": side["words"], "label": side["label"]} for side in made["sides"]]  # seconds differ
    assert again == columns


def test_inside_links_to_its_sentence() -> None:
    link = inside_tab.look(TEXT, "en-fr-plain")[0]["link"]
    text, checkpoint, _, view, _ = inside_tab.from_link("", opened(f"{link}&step=3"))
    assert (text["value"], checkpoint, view["step"]) == (TEXT, "en-fr-plain", 3)


HOSTILE = st.fixed_dictionaries(
    {"text": st.sampled_from(["x" * 70_000, "<img src=x onerror=alert(1)>", "\x00", " ", "😀" * 999, "\ud800"])},
    optional={key: st.sampled_from(["", "../../etc", "<b>", "9" * 5000, "-1", "²"]) for key in KEYS[1:10]},
)


@settings(max_examples=25, deadline=None)
@given(HOSTILE)
def test_hostile_values_give_a_view_or_one_line(query: dict[str, str]) -> None:
    *_, shown = translate_tab.opened(SimpleNamespace(query_params=query))
    columns = compare_tab.opened(SimpleNamespace(query_params=query | {"tab": "compare"}))[6]
    for view in (shown[5], columns):
        assert ("message" in view and "\n" not in view["message"]) or view["link"]
