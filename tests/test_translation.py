"""A Translation as JSON and as a table."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from nbclient import NotebookClient

from seq2seq import picture
from seq2seq.translation import OWN_FIELDS, PADDING, PLOTLY
from tests.conftest import UNSEEN


@pytest.fixture
def translation(translator):
    return translator.translate(UNSEEN[1], beam_size=3, n_best=3)


def test_json_holds_everything_within_its_rounding(translation):
    made = json.loads(json.dumps(translation.to_dict(), allow_nan=False))
    for name in ("text", "translation", "checkpoint", "beam_size"):
        assert made[name] == getattr(translation, name)
    for name in ("source_words", "target_words", "source_pieces", "target_pieces", "warnings"):
        assert tuple(made[name]) == getattr(translation, name)
    for name in ("attention", "attention_pieces"):
        exact = getattr(translation, name)
        assert (made[name] is None) == (exact is None)
        if exact is not None:
            np.testing.assert_allclose(made[name], exact, atol=1e-6)
            if translation.padding_weight is None:
                np.testing.assert_allclose(np.sum(made[name], axis=1), 1, atol=1e-3)
    assert ("padding_weight" in made) == (translation.padding_weight is not None)
    if "padding_weight" in made:
        # It may take up what the rounding of the words leaves, so that the row is whole.
        rounding = 1e-6 * len(translation.source_words)
        np.testing.assert_allclose(made["padding_weight"], translation.padding_weight, atol=rounding)
        np.testing.assert_allclose(np.sum(made["attention"], axis=1) + made["padding_weight"], 1, atol=1e-3)
        assert (np.sum(made["attention_pieces"], axis=1) <= 1 + 1e-4).all()
    np.testing.assert_allclose(made["token_log_probs"], translation.token_log_probs, atol=1e-6)
    assert made["log_prob"] == pytest.approx(sum(translation.token_log_probs), abs=1e-5)
    assert [[piece for piece, _ in step] for step in made["candidates"]] == [
        [piece for piece, _ in step] for step in translation.candidates
    ]


def test_alternatives_have_only_what_is_their_own(translation):
    made = translation.to_dict()
    assert len(made["alternatives"]) == 2
    for other, shown in zip(translation.alternatives, made["alternatives"], strict=True):
        whole = other.to_dict()
        own = set(OWN_FIELDS) - ({"padding_weight"} if translation.padding_weight is None else set())
        own -= set() if other.copied_words else {"copied_words"}
        assert set(shown) == own and "alternatives" not in whole
        assert all(shown[name] == whole[name] for name in own)
        # What is left out must be the same as in the main object, but for the warnings of one that was cut off.
        for name in set(whole) - set(OWN_FIELDS) - {"warnings"}:
            assert whole[name] == made[name]


def test_no_alternatives_unless_asked_for(translator):
    assert "alternatives" not in translator.translate(UNSEEN[0], beam_size=3).to_dict()


def test_only_classic_attention_has_weight_on_padding(kind, translation):
    every = (translation, *translation.alternatives)
    assert all((one.padding_weight is not None) == (kind == "classic-attention") for one in every)


def test_columns_are_the_words_and_padding_and_their_weights_sum_to_one(translation):
    columns, weights = translation.columns()
    if translation.attention is None:
        assert columns == () and weights is None
        return
    S = len(translation.source_words)
    assert columns[:S] == translation.source_words and weights.shape == (len(translation.target_words), len(columns))
    assert columns[S:] == (() if translation.padding_weight is None else (PADDING,))
    np.testing.assert_array_equal(weights[:, :S], translation.attention)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert (weights >= 0).all()


def test_the_table_is_the_word_weights(translation):
    frame = translation.to_frame()
    assert isinstance(frame, pd.DataFrame) and list(frame.index) == list(translation.target_words)
    if translation.attention is None:
        assert frame.shape[1] == 0
    else:
        padded = translation.padding_weight is not None
        assert list(frame.columns) == [*translation.source_words, *[PADDING] * padded]
        np.testing.assert_array_equal(frame.to_numpy()[:, : len(translation.source_words)], translation.attention)
        assert not padded or np.array_equal(frame[PADDING], translation.padding_weight)


def test_repeated_words_keep_their_own_columns(translator):
    made = translator.translate("the dog the dog the dog")
    padded = made.padding_weight is not None
    assert made.to_frame().shape == (len(made.target_words), 0 if made.attention is None else 7 + padded)


@pytest.mark.parametrize("kind", ["classic-attention"])
def test_a_word_called_padding_keeps_its_own_column(translator):
    made = translator.translate("padding the padding")
    assert list(made.to_frame().columns) == ["padding", "the", "padding", "<eos>", PADDING]
    np.testing.assert_array_equal(made.to_frame().to_numpy()[:, 0], made.attention[:, 0])


def test_log_prob_is_recomputed_from_what_is_shown(translation):
    assert replace(translation, token_log_probs=(-1.0, -2.5)).log_prob == -3.5


def test_lengths_leave_the_end_mark_out_where_there_is_one(translation):
    ended = replace(translation, source_words=("A", "dog", "<eos>"), target_words=("Un", "<eos>"))
    assert ended.lengths == (2, 1)
    assert replace(ended, source_words=("A", "dog"), target_words=("Un",)).lengths == (2, 1)
    assert replace(ended, source_words=(), target_words=()).lengths == (0, 0)


# -- in notebooks --------------------------------------------------------------------------------------------------


def test_a_notebook_gets_words_a_drawing_and_with_attention_a_figure(translation):
    bundle = translation._repr_mimebundle_()
    assert json.loads(json.dumps(bundle, allow_nan=False)) == bundle, "it is stored in the notebook"
    assert bundle["text/plain"].startswith(f"{translation.text}\n{translation.translation}\n")
    drawing = ElementTree.fromstring(bundle["image/svg+xml"])
    said = " ".join(drawing.itertext())
    assert translation.checkpoint in said and not [part for part in drawing.iter() if part.tag.endswith("script")]
    assert (PLOTLY in bundle) == (translation.attention is not None)
    if translation.attention is None:
        assert "No attention exists here" in bundle["text/plain"] and "No attention exists here" in said
        assert translation.translation in said
        return
    spec = bundle[PLOTLY]
    figure = go.Figure({"data": spec["data"], "layout": spec["layout"]})  # refuses what is none
    drawn = np.array(figure.data[0].z)[:, : len(translation.source_words)]
    np.testing.assert_allclose(drawn, translation.attention, atol=1e-4)


def test_a_long_one_has_no_picture_but_says_so(translation, monkeypatch):
    monkeypatch.setattr(picture, "MAX_CELLS", 1)
    bundle = translation._repr_mimebundle_()
    assert PLOTLY not in bundle and "<rect x=" not in bundle["image/svg+xml"]
    assert ("too long for a picture" in " ".join(bundle["image/svg+xml"].split())) == (
        translation.attention is not None
    )


def test_it_shows_itself_in_a_real_kernel():
    """Without a browser, and without anything that only Plotly's own front ends have."""
    made = 'Translator.from_checkpoint("checkpoints/en-fr-{}").translate("A dog sleeps.")'
    cells = ["from seq2seq import Translator", made.format("plain"), made.format("additive")]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    root = Path(__file__).parents[1]
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(root)}}).execute()
    nbformat.validate(notebook)
    plain, additive = (cell.outputs[0].data for cell in notebook.cells[1:])
    assert set(plain) == {"text/plain", "image/svg+xml"} and set(additive) == {*plain, PLOTLY}
    for shown in (plain, additive):
        assert "Un chien dort." in shown["text/plain"] and shown["image/svg+xml"].startswith("<svg")
