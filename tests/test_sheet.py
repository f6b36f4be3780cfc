"""What is taken away is named safely and says what the results say."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pptx import Presentation

from seq2seq import report
from seq2seq.comparison import UNTRANSLATED, compare
from seq2seq.explain import evidence
from seq2seq.language import CHINESE, FRENCH, Said, translate
from seq2seq.picture import to_svg
from seq2seq.report import to_html
from seq2seq.sheet import NAME_LENGTH, comparison_sheet, facts, file_name, parting, sheet
from seq2seq.slides import to_pptx
from tests.conftest import ENGLISH


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A dog sleeps.", "attention-lens-a-dog-sleeps.svg"),
        ("Où est l'été ?", "attention-lens-ou-est-l-ete.svg"),
        ("../../etc/passwd", "attention-lens-etc-passwd.svg"),
        ("C:\\con\x00.exe", "attention-lens-c-con-exe.svg"),
        ("我喜欢", "attention-lens.svg"),
        ("", "attention-lens.svg"),
    ],
)
def test_names_of_files(text, name):
    assert file_name(text, "svg") == name


@given(st.text())
def test_no_text_makes_a_path_or_a_long_name(text):
    name = file_name(text, "html", sides=2)
    assert re.fullmatch(r"attention-lens-compare(-[a-z0-9]+)*\.html", name) and len(name) <= NAME_LENGTH + 30


def test_a_translation(translator):
    made = translator.translate(ENGLISH[0])
    shown = sheet(made)
    assert (shown.text, shown.sides[0].title) == (made.text, "tiny")
    assert ("log-probability", f"{made.log_prob:.2f}") in shown.sides[0].facts
    assert sheet(made, title="The best").sides[0].title == "The best"


def test_a_comparison(translator):
    made = compare(translator, translator, ENGLISH[0])
    lost = np.zeros((1, 1))
    shown = comparison_sheet(made, evidence={"right": (None, lost)})
    assert [side.translation for side in shown.sides] == [made.left, made.right]
    assert shown.sides[0].lost is None and shown.sides[1].lost is lost
    assert shown.sides[0].differs == (False,) * len(made.left.target_words)
    assert shown.notes == ("Both wrote the same.",) == (parting(made),)
    assert not [name for name, _ in facts(made, "left") if name in ("chrF", "BLEU")], "there is no reference"
    scored = compare(translator, translator, ENGLISH[0], "Un homme.")
    assert ["chrF", f"{scored.chrf['left']:.1f}"] in facts(scored, "left")


class Marked(dict):
    """A catalogue that has every text, in brackets."""

    def get(self, text, default=None):
        return f"⟦{text}⟧"


class Text(HTMLParser):
    """What is said in a page: its text, and what screen readers are told besides."""

    def __init__(self, page):
        super().__init__()
        self.said, self.inside = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.inside = tag
        self.said += [value for name, value in attrs if name == "aria-label"]

    def handle_data(self, data):
        if self.inside not in ("style", "script"):
            self.said.append(data)
        elif data.startswith('{"data"'):
            spec = json.loads(data)
            self.said += [trace.get("hovertemplate", "").replace("<extra></extra>", "") for trace in spec["data"]]
            self.said += [trace["colorbar"]["title"]["text"] for trace in spec["data"] if "colorbar" in trace]


def said_in(show):
    """All text of the slides, and what screen readers are told of a table; its cells are words of the sentence."""
    for shape in (shape for slide in Presentation(io.BytesIO(show)).slides for shape in slide.shapes):
        if shape.has_text_frame:
            yield from (paragraph.text for paragraph in shape.text_frame.paragraphs)
        elif shape.has_table:
            yield shape._element.nvGraphicFramePr.cNvPr.get("descr")


@pytest.mark.parametrize("length", [6, 45])
def test_nothing_stays_english_in_a_sheet_of_another_language(translator, length, monkeypatch):
    """All that page, drawing and slides say is looked up, but for the sentence, its translation and the model's name."""
    made = compare(translator, translator, "犬 " * length, "X.")
    right = translator.translate("犬 " * length, target="X " * length)
    seen = {name: evidence(translator, side) for name, side in (("left", made.left), ("right", right))}
    made = replace(made, right=right, parted_at=0, warnings=(UNTRANSLATED,))
    monkeypatch.setattr("seq2seq.language.catalogue", lambda language: Marked())
    monkeypatch.setattr(report, "_percent_cell", report._percent_cell.__wrapped__)  # or it would keep what it says here
    both = comparison_sheet(made, {"left": "A", "right": "B"}, seen, language=CHINESE)
    one = sheet(right, title="B", language=CHINESE)
    page = to_html([both, one], plotly=False)
    assert '<html lang="zh-CN">' in page
    drawings = [text for each in (both, one) for text in ElementTree.fromstring(to_svg(each)).itertext()]
    own = {"Attention", "Lens", "eos", "chrF", "BLEU"}
    for side in (made.left, right):
        own |= set(re.findall("[A-Za-z]+", " ".join((side.translation, *side.target_words, *side.source_words))))
    for texts in (Text(page).said, drawings, said_in(to_pptx([both, one]))):
        said = " ".join(texts)
        for _ in range(4):  # a text may stand in one that stands in one
            said = re.sub("⟦[^⟦⟧]*⟧", " ", said)
        # Long words are cut.
        assert not [word for word in re.findall("[A-Za-z]{2,}", said) if not any(one.startswith(word) for one in own)]


@pytest.mark.parametrize(("language", "number"), [(FRENCH, "50\u00a0%"), (CHINESE, "50%")])
def test_a_sheet_is_said_in_its_language(translator, language, number):
    made = compare(translator, translator, ENGLISH[0], "Un homme.")
    shown = comparison_sheet(made, {"left": "A", "right": "B"}, language=language)
    said = [
        translate(text, language) for text in (parting(made), *map(Said, ("log-probability per word", "parameters")))
    ]
    slides = "\n".join(said_in(to_pptx([shown])))
    for text in said:
        assert text in to_html([shown], plotly=False) and text in slides
    assert made.left.attention is None or number in to_svg(shown)
    plain = comparison_sheet(made, {"left": "A", "right": "B"})
    assert "Both wrote the same." in to_html([plain], plotly=False), "English, if nobody asks for another"
