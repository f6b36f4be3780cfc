"""The functions behind "Take it with you", without a browser."""

from __future__ import annotations

import base64
import csv
import io
import json
from types import SimpleNamespace

import pytest
from pptx import Presentation

from seq2seq.comparison import compare
from seq2seq.demo import models, take_away
from seq2seq.demo.links import PIECES, WORDS
from seq2seq.demo.take_away import KINDS, of_comparison, of_translation
from seq2seq.report import PLOTLY_HERE

TEXT = "A small dog is sleeping under a tree."
PAIR = ("en-fr-plain", "en-fr-additive")


def click(kind: str, asked: int = 1) -> SimpleNamespace:
    return SimpleNamespace(kind=kind, asked=asked)


@pytest.fixture(scope="module")
def translation():
    return models.translator(models.DEFAULT).translate(TEXT)


@pytest.fixture(scope="module")
def comparison():
    return compare(*map(models.translator, PAIR), TEXT)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_is_made_for_both_tabs(kind: str, translation, comparison) -> None:
    for value, start in (
        (of_translation(translation, WORDS, False, click(kind)), "attention-lens-a-small-dog"),
        (of_comparison(comparison, click(kind)), "attention-lens-compare-a-small-dog"),
    ):
        assert json.loads(json.dumps(value, allow_nan=False)) == value, "plain JSON"
        assert value["kinds"] == [list(pair) for pair in KINDS.items()]
        file = value["file"]
        assert file["asked"] == 1 and file["kind"] == kind
        assert file["name"].startswith(start) and file["name"].endswith(f".{kind}")
        assert len(json.dumps(value)) < 200_000, "it travels quickly"


def test_json_and_csv_hold_the_result(translation, comparison) -> None:
    assert json.loads(of_translation(translation, WORDS, False, click("json"))["file"]["text"]) == translation.to_dict()
    assert json.loads(of_comparison(comparison, click("json"))["file"]["text"]) == comparison.to_dict()
    table = of_comparison(comparison, click("csv"))["file"]["text"]
    assert table.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(table.removeprefix("\ufeff"))))
    assert {row["checkpoint"] for row in rows} == set(PAIR)


def test_pictures_follow_the_switches(translation) -> None:
    words = of_translation(translation, WORDS, False, click("svg"))["file"]["text"]
    pieces = of_translation(translation, PIECES, True, click("svg"))["file"]["text"]
    assert words.count("&lt;eos&gt;") == 1 and pieces.count("&lt;eos&gt;") == 2
    assert "▁" in pieces and "▁" not in words


def test_the_web_page_of_a_comparison_shows_what_each_needed(comparison) -> None:
    file = of_comparison(comparison, click("html"))["file"]
    assert file["plotly"] == PLOTLY_HERE and file["text"].count(PLOTLY_HERE) == 1
    assert file["text"].count('class="plot"') == 4, "the vector, the map, and twice what was needed"
    assert models.label(PAIR[0]) in file["text"]


def test_slides_are_a_presentation(comparison) -> None:
    sent = of_comparison(comparison, click("pptx"))["file"]["base64"]
    assert len(Presentation(io.BytesIO(base64.b64decode(sent))).slides) == 2


def test_without_a_translation_it_says_so() -> None:
    assert of_translation(None, WORDS, False, click("svg"))["file"]["error"] == take_away.NOTHING
    assert of_comparison(None, click("html"))["file"]["error"] == take_away.NOTHING


@pytest.mark.parametrize("kind", ["exe", "../x", None, 5, ["html"], {"a": 1}])
def test_only_known_kinds(translation, kind) -> None:
    assert "no such file" in of_translation(translation, WORDS, False, click(kind))["file"]["error"]
    assert "no such file" in of_translation(translation, WORDS, False, SimpleNamespace())["file"]["error"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_allowed_text_floods_the_server(kind: str) -> None:
    long = models.translator(models.DEFAULT).translate("dog " * 249)
    assert len(json.dumps(of_translation(long, WORDS, False, click(kind)))) < 20_000_000
