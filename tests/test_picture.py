"""The drawing is one whole XML file, shows the weights, and what people typed stays text."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

from seq2seq import picture
from seq2seq.comparison import compare
from seq2seq.figures import THEMES
from seq2seq.picture import LONGEST, colour, readable, short, text_width, to_svg, wrapped
from seq2seq.sheet import comparison_sheet, sheet
from seq2seq.translation import PADDING
from tests.conftest import ENGLISH

SVG = "{http://www.w3.org/2000/svg}"
NASTY = '</s><b>x</b> ${alert(1)} & "q" \ufffe '


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def words(root: ElementTree.Element) -> list[str]:
    return [element.text for element in root.iter(f"{SVG}text")]


def test_every_word_is_text_and_every_weight_a_cell(translator):
    made = translator.translate(ENGLISH[1])
    root = drawn(to_svg(sheet(made)))
    cells = [rect for rect in root.iter(f"{SVG}rect") if rect.get("fill", "").startswith("#") and rect.get("y")]
    if made.attention is None:
        assert not cells and any("No attention exists here" in said for said in [" ".join(words(root))])
        return
    columns, weights = made.columns()
    assert {short(word) for word in (*columns, *made.target_words)} <= set(words(root))
    assert (PADDING in words(root)) == (made.padding_weight is not None)
    fills = np.array([cell.get("fill") for cell in cells]).reshape(weights.shape)
    expected = [[colour(float(weight)) for weight in row] for row in weights]
    assert fills.tolist() == expected


def test_the_colours_of_a_posterior_are_no_attention(translator):
    made = translator.translate(ENGLISH[0])
    if made.attention is not None:
        assert "of a word’s attention" in words(drawn(to_svg(sheet(made))))
        root = drawn(to_svg(sheet(replace(made, posterior=True))))
        assert "probability" in words(root) and "of a word’s attention" not in words(root)


def test_the_ground_is_white_and_the_size_is_said(translator):
    root = drawn(to_svg(sheet(translator.translate(ENGLISH[0]))))
    ground = next(root.iter(f"{SVG}rect"))
    assert (ground.get("width"), ground.get("height"), ground.get("fill")) == ("100%", "100%", "#fff")
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    assert root.find(f"{SVG}desc").text and root.find(f"{SVG}title").text == ENGLISH[0]


def test_what_was_typed_stays_text(translator):
    made = translator.translate(NASTY)
    root = drawn(to_svg(sheet(made, title="<script>alert(1)</script>")))
    allowed = {"svg", "title", "desc", "defs", "linearGradient", "stop", "rect", "g", "text"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= allowed
    assert "<script>alert(1)</script>" in words(root)


def test_a_comparison_is_one_drawing(translator):
    made = compare(translator, translator, ENGLISH[0])
    root = drawn(to_svg(comparison_sheet(made, {"left": "One", "right": "Other"})))
    assert {"One", "Other"} <= set(words(root))
    alone = drawn(to_svg(sheet(made.left, title="One")))
    assert int(root.get("width")) > int(alone.get("width"))


def test_what_is_too_large_says_so(translator, monkeypatch):
    monkeypatch.setattr(picture, "MAX_CELLS", 100)
    made = translator.translate("dog " * 30, target="chien " * 30)
    svg = to_svg(sheet(made))
    if made.attention is not None:
        assert "too long for a picture" in svg and len(svg) < 5_000


def test_a_long_word_is_cut():
    assert short("x" * 100) == "x" * (LONGEST - 1) + "…" and short("x" * LONGEST) == "x" * LONGEST
    assert wrapped("a " + "x" * 100, 200, 14)[0] == "a"
    assert "".join(wrapped("a " + "x" * 100, 200, 14)) == "a" + "x" * 100
    assert all(text_width(line, 14) <= 200 for line in wrapped("many words " * 20 + "x" * 99, 200, 14))
    assert wrapped("W", 1, 14) == ["W"] and wrapped("", 100, 14) == []


def test_colours_are_those_of_the_heatmap():
    for at, expected in THEMES["light"]["scale"]:
        assert colour(at) == expected
    assert colour(-1) == colour(0) and colour(2) == colour(1)
    assert colour(0.125) == "#dceaf6"


@pytest.mark.parametrize("weight", [0, 0.2, 0.45, 0.6, 0.8, 1])
def test_numbers_stand_out_from_their_cells(weight):
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(colour(weight)), luminance(readable(colour(weight)))))
    assert (high + 0.05) / (low + 0.05) >= 4.5
