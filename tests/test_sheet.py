"""What is taken away is named safely and says what the results say."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.comparison import compare
from seq2seq.sheet import NAME_LENGTH, comparison_sheet, facts, file_name, parting, sheet
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
