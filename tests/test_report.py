"""Files for people: what they say is what the translation says, and nothing typed by a person runs anywhere."""

from __future__ import annotations

import csv
import html
import io
import json
import re

import numpy as np
import pytest

from seq2seq.report import CSV_COLUMNS, safe_cell, to_csv, to_html, to_json_line
from seq2seq.translation import PADDING
from tests.conftest import ENGLISH

NASTY = ("=1+1 <script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", '@cmd -2 +3 \'tis "quoted", & more')


@pytest.fixture
def translations(translator):
    return translator.translate([*ENGLISH[:2], *NASTY])


def test_csv_holds_every_weight(translations):
    rows = list(csv.DictReader(io.StringIO(to_csv(translations))))
    assert tuple(rows[0]) == CSV_COLUMNS
    for number, translation in enumerate(translations, 1):
        own = [row for row in rows if row["sentence"] == str(number)]
        T, S = len(translation.target_words), len(translation.source_words)
        if translation.attention is None:
            assert [row["target_word"].removeprefix("'") for row in own] == [
                w.removeprefix("'") for w in translation.target_words
            ]
            assert {row["weight"] for row in own} == {""}
        else:
            padded = translation.padding_weight is not None
            weights = np.array([float(row["weight"]) for row in own]).reshape(T, S + padded)
            np.testing.assert_allclose(weights[:, :S], translation.attention, atol=1e-6)
            assert [row["source_position"] for row in own[:S]] == [str(s + 1) for s in range(S)]
            np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-4)
            if padded:
                # Behind the words of each target word, and without a position, for no word is meant.
                np.testing.assert_allclose(weights[:, S], translation.padding_weight, atol=1e-6)
                behind = own[S :: S + 1]
                assert {(row["source_position"], row["source_word"]) for row in behind} == {("", PADDING)}
                assert [row["target_position"] for row in behind] == [str(t + 1) for t in range(T)]


def test_no_cell_is_a_formula(translations):
    for row in csv.reader(io.StringIO(to_csv(translations))):
        for cell in row:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert safe_cell("-2") == "'-2" and safe_cell("a-2") == "a-2" and safe_cell("") == ""


def test_json_line_is_one_line(translations):
    for translation in translations:
        line = to_json_line(translation)
        assert "\n" not in line and json.loads(line) == translation.to_dict()


def test_page_is_escaped_and_whole(translations):
    body = to_html(translations).split("<body>")[1]
    # Also inside the pictures' scripts no markup that was typed may stand: "</script>" would end them.
    assert "<img" not in body and "<script>alert" not in body
    own = re.sub(r"<script.*?</script>", "", body, flags=re.DOTALL)
    assert "script>" not in own
    for translation in translations:
        assert html.escape(translation.text) in own and html.escape(translation.translation) in own
        for word in translation.source_words if translation.attention is not None else ():
            assert f'<th scope="col">{html.escape(word)}</th>' in own
    drawn = [translation for translation in translations if translation.padding_weight is not None]
    assert own.count(f'<th scope="col">{PADDING}</th>') == own.count("fell on padding") == len(drawn)


def test_page_loads_nothing(translations):
    page = to_html(translations)
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=", page.split("<body>")[1])
    assert "default-src 'none'" in page and "<script src" not in page
    drawn = sum(translation.attention is not None for translation in translations)
    assert page.count('class="plotly-graph-div"') == drawn
    assert page.count("plotly.js v") == (1 if drawn else 0), "the library stands in the page once, if it is needed"
