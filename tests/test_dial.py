"""Overridden attention: the laws of the dial, and that the decoder goes on with what it is given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seq2seq.dial import Dial, all_on, bent
from seq2seq.model import decoder_class, kinds
from seq2seq.translator import SearchError, Translator
from tests.conftest import UNSEEN, tiny_model

TEXT = UNSEEN[1]
LOOKING = [kind for kind in kinds() if decoder_class(kind).looks_back]
WEIGHTS = torch.tensor([[0.1, 0.6, 0.25, 0.05], [0.0, 0.0, 1.0, 0.0]])


@pytest.fixture(params=LOOKING)
def looking(request: pytest.FixtureRequest, tokenizer) -> Translator:
    return Translator(tiny_model(request.param, len(tokenizer)), tokenizer, "tiny")


def test_learned_changes_nothing() -> None:
    assert bent(WEIGHTS, 0.0) is WEIGHTS


def test_uniform_gives_each_place_the_same() -> None:
    torch.testing.assert_close(bent(WEIGHTS, -1.0), torch.full((2, 4), 0.25))


def test_one_hot_takes_the_strongest() -> None:
    assert bent(WEIGHTS, 1.0).tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]


def test_turning_is_a_power_that_sums_to_one() -> None:
    np.testing.assert_allclose(bent(WEIGHTS, 0.5)[0], WEIGHTS[0] ** 2 / (WEIGHTS[0] ** 2).sum(), atol=1e-6)
    np.testing.assert_allclose(bent(WEIGHTS, -0.5)[0], WEIGHTS[0] ** 0.5 / (WEIGHTS[0] ** 0.5).sum(), atol=1e-6)


def test_a_turn_further_is_a_row_sharper() -> None:
    strongest = [float(bent(WEIGHTS, turn)[0].max()) for turn in (-1, -0.5, 0, 0.3, 0.9, 0.999, 1)]
    assert strongest == sorted(strongest) and strongest[-1] == 1
    assert all(torch.isfinite(bent(WEIGHTS, turn)).all() for turn in (-0.99, 0.99, 0.9999))


def test_pointing_shares_among_the_pieces_of_a_word() -> None:
    assert all_on(WEIGHTS, [0, 1, 1, 2], 1).tolist() == [[0, 0.5, 0.5, 0]] * 2


@pytest.mark.parametrize("turn", [-1.1, 1.1, float("nan")])
def test_a_turn_outside_is_refused(turn: float) -> None:
    with pytest.raises(ValueError, match="turn is"):
        Dial(turn)


def test_the_learned_dial_is_the_model(looking: Translator) -> None:
    plain, dialled = looking.translate(TEXT), looking.translate(TEXT, dial=Dial())
    assert plain.target_pieces == dialled.target_pieces
    np.testing.assert_allclose(dialled.token_log_probs, plain.token_log_probs, atol=1e-6)
    np.testing.assert_allclose(dialled.attention, plain.attention, atol=1e-6)
    assert any("overridden" in warning for warning in dialled.warnings), "said all the same: it was asked for"


def test_uniform_is_one_over_the_places_at_every_step(looking: Translator) -> None:
    made = looking.translate(TEXT, dial=Dial(-1.0))
    config = looking.model.config
    places = config.max_length if config.classic else len(made.source_pieces)
    np.testing.assert_allclose(made.attention_pieces, 1 / places, atol=1e-6)


def test_one_hot_rows_are_one_hot(looking: Translator) -> None:
    made = looking.translate(TEXT, dial=Dial(1.0))
    on_words = made.attention_pieces
    assert set(np.unique(on_words)) <= {0.0, 1.0}
    assert (on_words.sum(1) == 1).all() or made.padding_weight is not None, "else it is padding that is strongest"


def test_a_pointed_step_looks_where_it_is_told_and_the_others_do_not(looking: Translator) -> None:
    base = looking.translate(TEXT)
    made = looking.translate(TEXT, dial=Dial(pointed={1: 2}))
    columns = [i for i, of in enumerate(made.source_word_of) if of == 2]
    np.testing.assert_allclose(made.attention_pieces[1, columns], 1 / len(columns), atol=1e-6)
    assert made.attention_pieces[1].sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(made.attention_pieces[0], base.attention_pieces[0], atol=1e-6)


def test_the_decoder_goes_on_with_the_overridden_context(looking: Translator) -> None:
    """Not only the picture changes: the probabilities do."""
    base, made = looking.translate(TEXT), looking.translate(TEXT, dial=Dial(-1.0))
    assert abs(base.token_log_probs[0] - made.token_log_probs[0]) > 1e-4


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind not in LOOKING])
def test_a_model_without_attention_has_no_dial(kind: str, tokenizer) -> None:
    with pytest.raises(SearchError, match="no attention"):
        Translator(tiny_model(kind, len(tokenizer)), tokenizer).translate(TEXT, dial=Dial(-1.0))


def test_a_word_that_is_not_there_cannot_be_pointed_at(looking: Translator) -> None:
    with pytest.raises(SearchError, match="no source word 99"):
        looking.translate(TEXT, dial=Dial(pointed={0: 99}))
