"""What if: another beginning, a word taken away, and does the highlight matter?"""

from __future__ import annotations

import json

import numpy as np
import pytest

from seq2seq.config import PAD
from seq2seq.data import Pair, pad_ids
from seq2seq.evaluation import NoAttentionError, evaluate_faithfulness
from seq2seq.explain import MATTERS, Highlights, highlights, nats, occlusion, verdict, what_if
from seq2seq.search import greedy
from seq2seq.translator import SearchError, Translator
from tests.conftest import UNSEEN

TEXT = UNSEEN[1]


# -- another word --------------------------------------------------------------------------------------------------


def test_its_own_beginning_changes_nothing(translator: Translator) -> None:
    base = translator.translate(TEXT)
    whole = base.target_words[-1] == "<eos>"  # else it was cut off, and goes on when it is given
    for count in (1, len(base.target_pieces) // 2, *[len(base.target_pieces)] * whole):
        made = translator.translate(TEXT, start=base.target_pieces[:count])
        assert made.target_pieces == base.target_pieces and made.candidates == base.candidates
        np.testing.assert_allclose(made.token_log_probs, base.token_log_probs, atol=1e-6)


def test_another_word_is_taken_and_decoding_goes_on(translator: Translator) -> None:
    """What follows the given beginning is what forced scoring says of the whole, and the likeliest at each step."""
    base = translator.translate(TEXT)
    other = base.candidates[1][2][0]
    start = (base.target_pieces[0], other)
    made = translator.translate(TEXT, start=start)
    assert made.target_pieces[:2] == start
    assert any("made to begin" in warning for warning in made.warnings)
    assert all(piece == step[0][0] for piece, step in list(zip(made.target_pieces, made.candidates))[2:])
    ids = translator.target_tokenizer.ids(made.target_pieces)
    [forced] = translator.force(translator.read([made.text]), ids, 5)
    np.testing.assert_allclose(made.token_log_probs, forced.log_probs, atol=1e-5)
    if made.attention is not None:
        np.testing.assert_allclose(made.attention_pieces, forced.weights, atol=1e-5)


def test_a_beginning_of_strange_pieces_is_refused(translator: Translator) -> None:
    with pytest.raises(SearchError, match="cannot begin so"):
        translator.translate(TEXT, start=("no such piece",))


# -- a word taken away ---------------------------------------------------------------------------------------------


def test_a_word_taken_away_has_no_embedding_and_nothing_moves(translator: Translator) -> None:
    made = translator.translate(TEXT, without=[1])
    [source] = translator.read([TEXT])
    hidden = source.without([1])
    assert PAD in hidden.ids and len(hidden.ids) == len(source.ids)
    src, lengths = pad_ids([hidden.ids])
    state = translator.model.decoder.init_state(translator.model.encoder(src, lengths))
    [expected] = greedy(translator.model.decoder, state, lengths.tolist(), [translator._limit(source)])
    assert translator.target_tokenizer.ids(made.target_pieces) == tuple(expected.ids)
    assert made.source_words == source.words and made.warnings[0] == f"Without “{source.words[1]}”."


def test_taking_a_word_twice_is_taking_it_once(translator: Translator) -> None:
    once, twice = translator.translate(TEXT, without=[1]), translator.translate(TEXT, without=[1, 1])
    assert once.target_pieces == twice.target_pieces and once.token_log_probs == twice.token_log_probs
    [source] = translator.read([TEXT])
    assert source.without([1]).without([1]) == source.without([1])


@pytest.mark.parametrize("word", [-1, 50])
def test_a_word_that_is_not_there_is_refused(translator: Translator, word: int) -> None:
    with pytest.raises(SearchError, match="no source word"):
        translator.translate(TEXT, without=[word])


@pytest.mark.parametrize("more", [{"beam_size": 2}, {"target": "Un chien."}])
def test_what_if_goes_with_greedy_search_alone(translator: Translator, more: dict) -> None:
    with pytest.raises(SearchError, match="greedy"):
        translator.translate(TEXT, without=[0], **more)
    with pytest.raises(SearchError, match="one text"):
        translator.translate([TEXT, TEXT], without=[0])
    assert isinstance(translator.translate([TEXT], without=[0]), list)


# -- does the highlight matter? ------------------------------------------------------------------------------------


def test_highlights_are_read_off_the_occlusion(translator: Translator) -> None:
    made = translator.translate(TEXT)
    lost = occlusion(translator, made)
    found = highlights(made, lost)
    if made.attention is None:
        assert found is None and "takes attention" in verdict(made, found)
        return
    rows = len(made.target_words) - (made.target_words[-1] == "<eos>")
    for t in range(rows):
        word = int(np.argmax(made.attention[t]))
        rest = [lost[t, s] for s in range(lost.shape[1]) if s != word]
        assert found.words[t] == word and found.masked[t] == lost[t, word]
        assert found.others[t] == pytest.approx(np.mean(rest), abs=1e-9)
        assert found.matters[t] == (lost[t, word] >= np.log(2) and lost[t, word] > np.mean(rest))
    assert len(found.words) == rows
    said = verdict(made, found)
    assert f"{nats(found.masked.mean()):.1f} nats" in said and f"another word {nats(found.others.mean()):.1f}" in said
    assert f"{nats(-0.01):.1f}" == "0.0" and f"{nats(-1.26):.1f}" == "-1.3"
    assert ("matters here" in said) == (found.matters.mean() >= 0.5)


def test_a_highlight_matters_only_if_it_costs_and_costs_more() -> None:
    found = Highlights(np.array([0, 0, 0]), np.array([MATTERS, MATTERS - 0.01, 3.0]), np.array([0.0, -1.0, 3.5]))
    assert found.matters.tolist() == [True, False, False]


def test_faithfulness_is_the_share_over_all_words(kind: str, translator: Translator) -> None:
    pairs = [Pair(text, ("x",)) for text in UNSEEN]
    if not translator.model.decoder.looks_back:
        with pytest.raises(NoAttentionError):
            evaluate_faithfulness(translator, pairs)
        return
    each = []
    for pair in pairs:
        made = translator.translate(pair.source)
        if one := highlights(made, occlusion(translator, made)):
            each.append(one)
    result = json.loads(json.dumps(evaluate_faithfulness(translator, pairs)))
    everything = np.concatenate([one.matters for one in each])
    assert result["words"] == len(everything) and result["sentences"] == len(each)
    assert result["matters"] == pytest.approx(everything.mean(), abs=1e-4)
    assert result["masked"] == pytest.approx(np.concatenate([one.masked for one in each]).mean(), abs=1e-3)


def test_nothing_to_judge_gives_no_share(tokenizer) -> None:
    from tests.conftest import tiny_model

    result = evaluate_faithfulness(Translator(tiny_model("additive", len(tokenizer)), tokenizer), [])
    assert result["matters"] is None and result["words"] == 0


# -- as people ask -------------------------------------------------------------------------------------------------


def test_words_mean_the_places_where_they_stand(translator: Translator) -> None:
    text = "the dog sees the cat"
    by_words = what_if(translator, text, without=["the"])
    by_places = translator.translate(text, without=[0, 3])
    assert by_words.target_pieces == by_places.target_pieces and by_words.token_log_probs == by_places.token_log_probs


def test_pointing_is_at_a_word_of_its_own_translation(kind: str, translator: Translator) -> None:
    if not translator.model.decoder.looks_back:
        with pytest.raises(SearchError, match="no attention"):
            what_if(translator, TEXT, point=(0, 1))
        return
    base = translator.translate(TEXT)
    last = len(base.target_words) - 1
    step = base.target_word_of.index(last)
    made = what_if(translator, TEXT, point=(last, 1))
    columns = [i for i, of in enumerate(base.source_word_of) if of == 1]
    assert made.attention_pieces[step, columns].sum() == pytest.approx(1, abs=1e-5)
    with pytest.raises(SearchError, match="has no word"):
        what_if(translator, TEXT, point=(last + 1, 1))
    with pytest.raises(SearchError, match="no source word"):
        what_if(translator, TEXT, point=(0, 99))


@pytest.mark.parametrize("start", ["😀", "dort " * 150])
def test_a_beginning_that_leaves_no_room_or_cannot_be_written_is_refused(translator: Translator, start: str) -> None:
    with pytest.raises(SearchError, match="no pieces|limit is"):
        what_if(translator, TEXT, start=start)


@pytest.mark.parametrize("asked", [{"without": ["é" * 1000]}, {"start": "😀" * 1000}])
def test_a_refusal_does_not_repeat_all_that_was_asked(translator: Translator, asked: dict) -> None:
    with pytest.raises(SearchError, match="no word|no pieces") as refused:
        what_if(translator, "the dog sees the cat " * 40, **asked)
    assert len(str(refused.value)) < 400
