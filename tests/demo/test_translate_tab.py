"""The functions behind the tab Translate, without a browser."""

from __future__ import annotations

import json

import gradio as gr
import numpy as np
import pytest

from seq2seq.demo import api, models
from seq2seq.demo.attention_view import view
from seq2seq.demo.translate_tab import EXAMPLES, PIECES, WORDS, asked_for, opened, paced, tables, translate
from seq2seq.translator import MAX_CHARACTERS

TEXT = "A small dog runs behind the photographers."


def last(items):
    return list(items)[-1]


def test_words_appear_one_by_one_and_end_in_the_whole_translation() -> None:
    shown = list(translate(TEXT, models.DEFAULT, 1, WORDS, False))
    growing = [len(picture["rows"]) for picture, *_ in shown[:-1]]
    assert growing == sorted(growing) and len(set(growing)) >= 4
    assert all(picture["growing"] for picture, *_ in shown[:-1])
    picture, french, result, *_ = shown[-1]
    assert not picture["growing"]
    expected = models.translator(models.DEFAULT).translate(TEXT)
    assert (french, result.translation) == (expected.translation, expected.translation)
    assert np.allclose(picture["figure"]["data"][0]["z"], expected.attention[:-1], atol=1e-4)


@pytest.mark.parametrize("text", ["dog " * 60, "dog " * 249, "x " * 500])
def test_no_allowed_text_floods_the_browser(text: str) -> None:
    """A repeated word makes a model write to its limit; a picture for each word of it would be gigabytes."""
    sent = [len(json.dumps(shown[0])) for shown in translate(text, models.DEFAULT, 1, WORDS, False)]
    assert sum(sent) < 3_000_000 and max(sent) < 500_000


def test_the_last_step_is_always_shown_and_a_short_sentence_is_shown_word_by_word() -> None:
    stream = list(models.translator(models.DEFAULT).stream(TEXT))
    assert [t.translation for t in paced(iter(stream))] == [t.translation for t in stream]
    long = list(models.translator(models.DEFAULT).stream(" and ".join([TEXT[:-1]] * 6)))
    assert [t.translation for t in paced(iter(long))][-1] == long[-1].translation


def test_the_api_refuses_what_is_no_text() -> None:
    for arguments in ((["A dog."] * 500,), (None,), (5,), ("A dog.", ["x"])):
        with pytest.raises(gr.Error, match="must be a string"):
            api.translate(*arguments)
    assert api.translate("A dog.", beam_size=2.0)["beam_size"] == 2
    with pytest.raises(gr.Error, match="whole number"):
        api.translate("A dog.", beam_size=2.5)


def test_a_beam_gives_what_the_translator_gives() -> None:
    _, french, *_ = last(translate(TEXT, models.DEFAULT, 4, WORDS, False))
    assert french == models.translator(models.DEFAULT).translate(TEXT, beam_size=4).translation


def test_values_for_the_browser_are_plain_json() -> None:
    for name in models.names():
        translation = models.translator(name).translate("</s><b>x</b> 猫")
        for pieces in (False, True):
            picture = view(translation, pieces=pieces, show_eos=True)
            assert json.loads(json.dumps(picture, allow_nan=False)) == picture


def test_unknown_words_are_marked_in_words_and_in_pieces() -> None:
    translation = models.translator(models.DEFAULT).translate("A 猫 sleeps.")
    words, pieces = view(translation), view(translation, pieces=True)
    assert [words["columns"][i] for i in words["unknown"]] == ["猫"]
    assert "猫" in [pieces["columns"][i] for i in pieces["unknown"]]


@pytest.mark.parametrize("text", ["", "  \n\t ", "\x00\x07", "a" * (MAX_CHARACTERS + 1)])
def test_bad_text_gives_a_message_and_empties_the_rest(text: str) -> None:
    ((picture, french, result, weights, candidates, *_),) = translate(text, models.DEFAULT, 1, WORDS, False)
    assert picture["message"] and french == "" and result is None and weights.empty and candidates.empty


def test_the_limit_is_named() -> None:
    picture, *_ = last(translate("a" * 100_000, models.DEFAULT, 1, WORDS, False))
    assert f"{MAX_CHARACTERS:,}" in picture["message"] and "100,000" in picture["message"]


@pytest.mark.parametrize("name", ["", "../../etc", "/", "nobody/nothing", "en-fr-additive/../en-fr-plain"])
def test_only_shipped_models_can_be_asked_for(name: str) -> None:
    picture, *_ = last(translate(TEXT, name, 1, WORDS, False))
    assert "There is no model" in picture["message"]


def test_switches_redraw_the_same_translation() -> None:
    translation = models.translator(models.DEFAULT).translate(TEXT)
    asked = f" {TEXT}\n", models.DEFAULT, 1, PIECES, True
    [(picture, french, result, weights, _, drawn, *panel)] = translate(*asked, translation, (WORDS, True))
    assert picture["rows"] == list(weights["to write"]) == list(translation.target_pieces)
    assert (french, result, drawn) == (translation.translation, translation, (PIECES, True))
    assert all(value == gr.skip() for value in panel), "what was asked of it stays"
    for others in ((EXAMPLES[0], *asked[1:]), (TEXT, "en-fr-plain", *asked[2:]), (*asked[:2], 2, *asked[3:])):
        result = last(translate(*others, translation, (WORDS, True)))[2]
        assert asked_for(result) == (others[0].strip(), *others[1:3]), "another one is made"
    assert len(list(translate(*asked, translation, drawn))) > 1, (
        "asked for again with the same switches, it is written again"
    )
    assert last(translate(" ", *asked[1:], translation, (WORDS, True)))[0]["message"]


def test_tables_hold_the_numbers_of_the_translation() -> None:
    translation = models.translator(models.DEFAULT).translate("the cat and the dog")
    weights, candidates = tables(translation, WORDS, True)
    assert len(set(weights.columns)) == len(weights.columns), "repeated words need names of their own"
    assert np.allclose(weights.iloc[:, 1:].to_numpy(float) / 100, translation.attention, atol=6e-4)
    assert list(candidates["written"]) == list(translation.target_pieces)
    assert candidates["probability"][0] == f"{100 * np.exp(translation.token_log_probs[0]):.1f} %"
    plain, _ = tables(models.translator("en-fr-plain").translate("the cat"), WORDS, True)
    assert plain.empty


class Request:
    def __init__(self, **query_params: str) -> None:
        self.query_params = query_params


def test_links() -> None:
    text, checkpoint, beam, unit, eos, picture, *_ = last(
        opened(Request(text=TEXT, checkpoint="en-fr-plain", beam="2"))
    )
    assert (text, checkpoint, beam, unit, eos) == (TEXT, "en-fr-plain", 2, WORDS, False)
    assert picture["columns"][:3] == ["A", "small", "dog"]
    first, *later = opened(Request(text=TEXT))
    assert first[:5] == (TEXT, models.DEFAULT, 1, WORDS, False)
    assert later and all(shown[:5] == (gr.skip(),) * 5 for shown in later), "somebody may be typing"
    for beam in ("0", "99", "x", "-1", "²", "9" * 5000):
        assert next(opened(Request(text="A dog.", beam=beam)))[2] == 1
    assert "There is no model" in last(opened(Request(text=TEXT, checkpoint="?")))[5]["message"]


def test_without_a_link_the_page_opens_with_the_example_that_stands_in_its_box() -> None:
    for request in (Request(), Request(tab="compare", text=TEXT)):
        [(*controls, picture, french, result)] = [shown[:8] for shown in opened(request)]
        assert controls == [gr.skip()] * 5
        assert result.text == EXAMPLES[0] and picture["columns"] == list(result.source_words)
        assert french == models.translator(models.DEFAULT).translate(EXAMPLES[0]).translation


def test_every_example_is_translated_by_the_default_model() -> None:
    for example in EXAMPLES:
        translation = models.translator(models.DEFAULT).translate(example)
        assert translation.target_words[-1] == "<eos>" and not translation.warnings
