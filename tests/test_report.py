"""Files for people: what they say is what the translation says, and nothing typed by a person runs anywhere."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from seq2seq.comparison import compare
from seq2seq.explain import evidence
from seq2seq.report import CSV_COLUMNS, PLOTLY_HERE, TEXT_COLUMNS, safe_cell, to_csv, to_html, to_json_line
from seq2seq.sheet import comparison_sheet, sheet
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


def test_csv_without_texts_is_the_same_table_and_stays_small(translations):
    whole = list(csv.DictReader(io.StringIO(to_csv(translations))))
    short = list(csv.DictReader(io.StringIO(to_csv(translations, texts=False))))
    assert short == [{name: row[name] for name in row if name not in TEXT_COLUMNS} for row in whole]
    assert {row["checkpoint"] for row in whole} == {"tiny"}


def test_no_cell_is_a_formula(translations):
    for row in csv.reader(io.StringIO(to_csv(translations))):
        for cell in row:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert [safe_cell(f"{start}1") for start in "=+-@＝＋－＠"] == [f"'{start}1" for start in "=+-@＝＋－＠"]
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
    assert page.count('class="plot"') == drawn
    assert page.count("plotly.js v") == (1 if drawn else 0), "the library stands in the page once, if it is needed"


def figures(page: str) -> list[dict]:
    """What the page's pictures are drawn from."""
    return [json.loads(found) for found in re.findall(r'<script type="application/json">(.*?)</script>', page)]


def test_pictures_hold_the_weights_and_have_room_for_the_words(translations):
    drawn = [translation for translation in translations if translation.attention is not None]
    for figure, translation in zip(figures(to_html(translations)), drawn, strict=True):
        z = np.array(figure["data"][0]["z"])
        np.testing.assert_allclose(z[:, : len(translation.source_words)], translation.attention, atol=1e-4)
        assert figure["cells"] == z.shape[1]
        assert "attention on" in figure["data"][0]["hovertemplate"]
        longest = min(18, max(map(len, translation.target_words)))
        assert figure["layout"]["margin"]["l"] > 6 * longest, "no label is cut off"


def test_pieces_and_the_last_row_as_asked(translator):
    made = translator.translate(ENGLISH[1])
    if made.attention is None:
        return
    (figure,) = figures(to_html([sheet(made, pieces=True, show_eos=False)]))
    rows = len(made.target_pieces) - (made.target_pieces[-1] == "<eos>")
    assert np.shape(figure["data"][0]["z"])[0] == rows


def test_the_library_can_be_put_in_later(translations):
    page, whole = to_html(translations, plotly=False), to_html(translations)
    drawn = any(translation.attention is not None for translation in translations)
    assert page.count(PLOTLY_HERE) == drawn and len(page) < 1_000_000
    if drawn:
        before, after = page.split(PLOTLY_HERE)
        assert whole.startswith(before + "<script>") and whole.endswith("</script>" + after)
    marked = to_html(translations[:1], title=PLOTLY_HERE, plotly=False)
    assert marked.count(PLOTLY_HERE) == drawn, "typed by a person it is text"


def test_a_comparison_has_both_models_what_they_needed_and_where_they_part(translator):
    made = compare(translator, translator, ENGLISH[0], "Un homme.")
    seen = {"left": evidence(translator, made.left)}
    page = to_html([comparison_sheet(made, {"left": "<One>", "right": "Other"}, seen)])
    assert page.count("<section>") == 2 and "&lt;One&gt;" in page and "<One>" not in page
    assert "Both wrote the same." in page and "Reference: Un homme." in page and f"{made.chrf['left']:.1f}" in page
    drawn = figures(page)
    scales = [figure["data"][0]["colorscale"] for figure in drawn]
    assert scales.count("theme:need") == 1
    if made.left.attention is None:
        assert len(drawn) == 2 and np.shape(drawn[0]["data"][0]["z"]) == (1, made.left.hidden_size)
        assert page.count("No attention exists here") == 2
    else:
        assert scales.count("theme:scale") == 2


def test_words_that_differ_are_marked_in_the_text_as_it_is_written(translator):
    made = translator.translate(ENGLISH[3])
    side = sheet(made).sides[0]
    differs = tuple(i % 2 == 0 for i in range(len(made.target_words)))
    page = to_html([replace(sheet(made), sides=(replace(side, differs=differs),))], plotly=False)
    text = re.search(r'<p class="translation" lang="fr">(.*?)</p>', page)[1]
    assert html.unescape(re.sub("</?mark>", "", text)) == made.translation
    words = [w for w, d in zip(made.target_words, differs) if d and w != "<eos>"]
    assert [html.unescape(word) for word in re.findall("<mark>(.*?)</mark>", text)] == words
