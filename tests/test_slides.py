"""Slides that PowerPoint opens: read back with python-pptx, with texts, cells and what a screen reader says."""

from __future__ import annotations

import io

import numpy as np
import pytest
from pptx import Presentation
from pptx.util import Inches

from seq2seq.comparison import compare
from seq2seq.picture import colour, legal
from seq2seq.sheet import comparison_sheet, sheet
from seq2seq.slides import MOST, to_pptx
from tests.conftest import ENGLISH

NASTY = '</s><b>x</b> =1+1 & "q" \ufffe'


def opened(made: list) -> Presentation:
    return Presentation(io.BytesIO(to_pptx(made)))


def texts(slide) -> str:
    return "\n".join(shape.text_frame.text for shape in slide.shapes if shape.has_text_frame)


def table(slide):
    return next((shape for shape in slide.shapes if shape.has_table), None)


@pytest.mark.parametrize("text", [ENGLISH[0], NASTY])
def test_a_slide_has_all_as_text_and_the_weights_as_cells(translator, text):
    made = translator.translate(text)
    show = opened([made])
    (slide,) = show.slides
    assert (show.slide_width, show.slide_height) == (Inches(13.333), Inches(7.5))
    assert abs(show.slide_width / show.slide_height - 16 / 9) < 1e-3
    assert slide.shapes.title.text_frame.text == legal(made.text)
    assert legal(made.translation) in texts(slide)
    frame = table(slide)
    if made.attention is None:
        assert frame is None and "No attention exists here" in texts(slide)
        return
    columns, weights = made.columns()
    alt = frame._element.nvGraphicFramePr.cNvPr.get("descr")
    assert alt.startswith("Each row is one word of the translation.") and len(alt) > 50
    rows = [[cell.text for cell in row.cells] for row in frame.table.rows]
    assert len(rows) == len(made.target_words) + 1 and len(rows[0]) == len(columns) + 1
    fills = [[str(cell.fill.fore_color.rgb) for cell in list(row.cells)[1:]] for row in list(frame.table.rows)[1:]]
    assert fills == [[colour(float(weight))[1:].upper() for weight in row] for row in weights]
    if max(weights.shape) <= 12:
        shown = np.array([[float(cell or 0) for cell in row[1:]] for row in rows[1:]])
        np.testing.assert_allclose(shown.sum(axis=1), 100, atol=12)


def test_nothing_stands_beyond_the_slide(translator):
    for text in (*ENGLISH, "dog " * 70, "x" * 60 + " dog" * 27, "W" * 90):
        show = opened([translator.translate(text, target="le chien " * 14 + "y" * 50)])
        for slide in show.slides:
            for shape in slide.shapes:
                assert shape.left >= 0 and shape.top >= 0
                assert shape.left + shape.width <= show.slide_width
                assert shape.top + shape.height <= show.slide_height
            if frame := table(slide):
                heights = [row.height for row in frame.table.rows]
                assert sum(heights) <= Inches(4.8)
                size = frame.table.cell(1, 0).text_frame.paragraphs[0].runs[0].font.size
                assert min(heights) >= 1.19 * size, "or the row grows, and the table over the caption"
                assert frame.left >= Inches(0.3)


def test_a_long_sentence_is_small_cut_and_says_so(translator):
    made = translator.translate("dog " * 70, target="chien " * 60)
    (slide,) = opened([made]).slides
    if made.attention is None or made.attention.shape[1] <= MOST:  # the classic model cuts its source
        return
    assert len(table(slide).table.columns) == MOST + 1 == len(table(slide).table.rows)
    assert "Small type" in texts(slide) and f"the first {MOST} of" in texts(slide)
    medium = translator.translate("dog " * 25, target="chien " * 10)
    (slide,) = opened([medium]).slides
    assert "Small type" in texts(slide) and "first" not in texts(slide)


def test_a_comparison_has_both_texts_and_then_each_map(translator):
    made = compare(translator, translator, ENGLISH[0], "Un homme.")
    first, *maps = opened([comparison_sheet(made, {"left": "One", "right": "Other"})]).slides
    for said in ("One", "Other", "Reference: Un homme.", "Both wrote the same.", f"chrF: {made.chrf['left']:.1f}"):
        assert said in texts(first)
    assert len(maps) == (0 if made.left.attention is None else 2)
    assert all(table(slide) for slide in maps)


def test_pieces_as_asked(translator):
    made = translator.translate(ENGLISH[1])
    (slide,) = opened([sheet(made, pieces=True, show_eos=False)]).slides
    if made.attention is not None:
        rows = len(made.target_pieces) - (made.target_pieces[-1] == "<eos>")
        assert len(table(slide).table.rows) == min(MOST, rows) + 1


def test_one_slide_for_each_text(translator):
    assert len(opened(translator.translate(list(ENGLISH))).slides) == len(ENGLISH)
