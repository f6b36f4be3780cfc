"""Search against brute force, against greedy search, and against forced decoding of what it found."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from seq2seq.config import BOS, EOS, PAD, UNK
from seq2seq.data import pad_ids
from seq2seq.decoder import Step
from seq2seq.search import (
    LENGTH_PENALTY,
    Beams,
    End,
    beam,
    forced,
    greedy,
    greedy_steps,
    grow,
    likeliest,
    penalty,
    tree,
)
from tests.conftest import tiny_model

SOURCES = [[4, 5, EOS], [5, EOS], [4, 4, 5, 5, 4, EOS], [UNK, 5, 4, EOS]]
LIMITS = [6, 4, 9, 7]


def begin(model, sources):
    src, lengths = pad_ids(sources)
    with torch.no_grad():
        return model.decoder.init_state(model.encoder(src, lengths)), lengths.tolist()


def never_end(model) -> None:
    """Makes `<eos>` so unlikely that only a limit ends a target."""
    with torch.no_grad():
        (model.decoder.out.bias if model.config.classic else model.decoder.bias)[EOS] = -100.0


def same(left, right) -> None:
    """Equal pieces; numbers up to what another shape of the same matrix product may change."""
    assert left.ids == right.ids
    np.testing.assert_allclose(left.log_probs, right.log_probs, atol=1e-5)
    assert [[id for id, _ in step] for step in left.candidates] == [[id for id, _ in step] for step in right.candidates]
    np.testing.assert_allclose(
        [[lp for _, lp in step] for step in left.candidates],
        [[lp for _, lp in step] for step in right.candidates],
        atol=1e-5,
    )
    assert (left.weights is None) == (right.weights is None)
    if left.weights is not None:
        np.testing.assert_allclose(left.weights, right.weights, atol=1e-5)


def every_target(longest: int, model) -> list[list[int]]:
    """All targets over <unk> 4 5 that end within `longest` pieces, the empty one only if the model may write it."""
    least = 0 if model.decoder.may_end_at_once else 1
    return [[*body, EOS] for n in range(least, longest) for body in itertools.product((UNK, 4, 5), repeat=n)]


# -- parts ---------------------------------------------------------------------------------------------------------


def test_likeliest_scores_among_all_but_offers_only_what_may_be_written():
    logits = torch.randn(3, 2, 9)
    log_probs, ids = likeliest(logits, 4)
    exact = torch.log_softmax(logits.double(), -1)
    for place in itertools.product(range(3), range(2)):
        allowed = sorted((i for i in range(9) if i not in (PAD, BOS)), key=lambda i: -exact[place][i])[:4]
        assert ids[place].tolist() == allowed
        np.testing.assert_allclose(log_probs[place], exact[place][allowed], atol=1e-5)


def test_likeliest_never_offers_more_than_there_is():
    log_probs, ids = likeliest(torch.randn(2, 6), 50)
    assert ids.shape == (2, 4) and torch.isfinite(log_probs).all()


def test_penalty_is_that_of_wu():
    assert penalty(1, 0.7) == 1
    assert penalty(13, 0.5) == pytest.approx(math.sqrt(3))
    assert [penalty(n, 0) for n in (1, 5, 50)] == [1, 1, 1]
    assert penalty(7, 0.6) < penalty(8, 0.6)


def said(*rows: dict[int, float]) -> Step:
    """A step in which each hypothesis has these log-probabilities; the little that is left over is shared by no piece."""
    logits = torch.full((len(rows), 10), -50.0)
    for row, named in zip(logits, rows):
        for id, log_prob in named.items():
            row[id] = log_prob
        row[UNK] = math.log(max(1e-20, 1 - sum(map(math.exp, named.values()))))
    return Step(logits, None, None)


def test_a_finished_hypothesis_keeps_its_place():
    one = Beams(3, 3, 0.0, [1], [9])
    first = {EOS: -1.1, 4: -1.2, 5: -1.3}
    assert one.extend(said(first, first, first)).tolist() == [0]
    assert [end.place for end in one.ends[0]] == [0]
    np.testing.assert_allclose(one.totals, [[-np.inf, -1.2, -1.3]], atol=1e-6)
    one.extend(said({4: -1.0}, {4: -1.0, 5: -1.5, 6: -3.0}, {EOS: -0.1, 4: -3.0}))
    np.testing.assert_allclose([end.score for end in one.ends[0]], [-1.1, -1.4], atol=1e-6)
    np.testing.assert_allclose(one.totals[one.totals > -np.inf], [-2.2], atol=1e-6)  # one place was left


def test_a_beam_goes_on_while_something_better_may_still_come():
    def made(total: float, *ends: float) -> Beams:
        beams = Beams(2, 1, 1.0, [1], [13])
        beams.totals[0, 0] = total
        beams.ends[0] = [End(score, 0, 0) for score in ends]
        return beams

    # A growing one can at best come to its total / 3.
    assert not made(-5.0, -2.0).over(0)
    assert made(-6.5, -2.0).over(0)
    assert made(-np.inf).over(0)
    at_the_limit = made(-1.0)
    at_the_limit.layers = [None] * 13
    assert at_the_limit.over(0)


def test_something_is_written_before_the_end(kind):
    model = tiny_model(kind, 30, max_length=9)
    with torch.no_grad():
        (model.decoder.out.bias if model.config.classic else model.decoder.bias)[EOS] = 100.0
    state, lengths = begin(model, SOURCES)
    [*alone] = greedy(model.decoder, state, lengths, [9] * len(SOURCES), 3)
    beams = beam(model.decoder, state, lengths, [9] * len(SOURCES), 4, 4)
    for hypothesis in (*alone, *(found[0] for found in beams)):
        if model.config.classic:
            assert hypothesis.ids == [EOS], "as in the tutorial"
        else:
            assert len(hypothesis.ids) == 2 and hypothesis.ids[0] not in (PAD, BOS, EOS) and hypothesis.ids[1] == EOS
            assert hypothesis.log_probs[0] < -50, "it is scored among all that the model could say"


# -- laws ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_beam_of_one_is_greedy(kind, seed):
    model = tiny_model(kind, 30, seed)
    sources = [[*np.random.default_rng(seed + i).integers(4, 30, i + 1), EOS] for i in range(9)]
    limits = [2 * len(s) + 3 for s in sources]
    state, lengths = begin(model, sources)
    one = beam(model.decoder, state, lengths, limits, 1, top_k=5)
    for [found], expected in zip(one, greedy(model.decoder, state, lengths, limits, top_k=5), strict=True):
        same(found, expected)


def test_beam_of_one_is_greedy_to_the_last_bit(kind):
    """One sentence alone: the same products of the same shapes."""
    model = tiny_model(kind, 30, 7)
    state, lengths = begin(model, [[8, 9, 20, EOS]])
    [[found]] = beam(model.decoder, state, lengths, [11], 1, top_k=5)
    [expected] = greedy(model.decoder, state, lengths, [11], top_k=5)
    assert found.ids == expected.ids and found.log_probs == expected.log_probs
    assert found.candidates == expected.candidates
    assert expected.weights is None or np.array_equal(found.weights, expected.weights)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("alpha", (0.0, 0.6, 1.5))
def test_wide_beam_finds_the_best_of_all_targets(kind, seed, alpha):
    model = tiny_model(kind, 6, seed, sharp=1.5)
    limit, n_best = 5, 7
    targets = every_target(limit, model)
    state, lengths = begin(model, SOURCES)
    found = beam(model.decoder, state, lengths, [limit] * len(SOURCES), 500, n_best, alpha, top_k=3)
    for b in range(len(SOURCES)):
        many = state.select(torch.full((len(targets),), b))
        scored = forced(model.decoder, many, [lengths[b]] * len(targets), targets, top_k=3)
        scored.sort(key=lambda h: -h.log_prob / penalty(len(h.ids), alpha))
        assert [h.ids for h in found[b]] == [h.ids for h in scored[:n_best]]
        for hypothesis, expected in zip(found[b], scored):
            same(hypothesis, expected)


def test_a_wide_beam_gives_every_target_once_and_the_cut_off_ones_last(kind):
    model = tiny_model(kind, 6, 3, sharp=1.0)
    state, lengths = begin(model, [[4, 5, EOS]])
    [found] = beam(model.decoder, state, lengths, [3], 400, 400, top_k=3)
    assert sorted(h.ids for h in found if h.finished) == sorted(every_target(3, model))
    assert sorted(tuple(h.ids) for h in found if not h.finished) == sorted(itertools.product((UNK, 4, 5), repeat=3))
    finished = [h.finished for h in found]
    assert finished == sorted(finished, reverse=True)


@pytest.mark.parametrize("beam_size", (1, 2, 5))
def test_shown_numbers_and_attention_belong_to_the_shown_target(kind, beam_size):
    """Forced decoding of what was found must give the same log-probabilities, candidates and attention rows."""
    model = tiny_model(kind, 12, 5, sharp=1.5)
    state, lengths = begin(model, SOURCES)
    found = beam(model.decoder, state, lengths, LIMITS, beam_size, beam_size, top_k=4)
    for b, hypotheses in enumerate(found):
        assert len({tuple(h.ids) for h in hypotheses}) == len(hypotheses) == beam_size
        for hypothesis in hypotheses:
            alone, [length] = begin(model, [SOURCES[b]])
            [expected] = forced(model.decoder, alone, [length], [hypothesis.ids], top_k=4)
            same(hypothesis, expected)
            assert len(hypothesis.ids) <= LIMITS[b]
            assert hypothesis.finished or len(hypothesis.ids) == LIMITS[b]
            assert EOS not in hypothesis.ids[:-1] and not {PAD, BOS} & set(hypothesis.ids)


@pytest.mark.parametrize("beam_size", (2, 4))
def test_hypotheses_come_best_first(kind, beam_size):
    model = tiny_model(kind, 12, 6, sharp=1.5)
    state, lengths = begin(model, SOURCES)
    for hypotheses in beam(model.decoder, state, lengths, [30] * 4, beam_size, beam_size, 0.8):
        scores = [(h.finished, h.log_prob / penalty(len(h.ids), 0.8)) for h in hypotheses]
        assert scores == sorted(scores, reverse=True)


def test_asking_for_more_hypotheses_changes_none(kind):
    model = tiny_model(kind, 12, 8, sharp=1.5)
    state, lengths = begin(model, SOURCES)
    few = beam(model.decoder, state, lengths, LIMITS, 4, 1)
    many = beam(model.decoder, state, lengths, LIMITS, 4, 4)
    assert [best[0].ids for best in few] == [best[0].ids for best in many]
    assert [len(best) for best in few] == [1] * 4


@pytest.mark.parametrize("beam_size", (1, 3))
def test_padding_and_batch_order_change_nothing(kind, beam_size):
    model = tiny_model(kind, 12, 9, sharp=1.5)

    def search(sources, limits):
        state, lengths = begin(model, sources)
        return beam(model.decoder, state, lengths, limits, beam_size, beam_size, top_k=3)

    together = search(SOURCES, LIMITS)
    backwards = search(SOURCES[::-1], LIMITS[::-1])[::-1]
    alone = [search([source], [limit])[0] for source, limit in zip(SOURCES, LIMITS)]
    for others in (backwards, alone):
        for mine, yours in zip(together, others, strict=True):
            for left, right in zip(mine, yours, strict=True):
                same(left, right)


def test_greedy_obeys_each_limit_and_grows_by_one(kind):
    model = tiny_model(kind, 30, 2)
    never_end(model)
    state, lengths = begin(model, SOURCES)
    assert [len(h.ids) for h in greedy(model.decoder, state, lengths, LIMITS)] == LIMITS
    assert [len(h.ids) for [h] in beam(model.decoder, state, lengths, LIMITS, 3)] == LIMITS
    seen = [[len(h.ids) for h in found] for found in grow(greedy_steps(model.decoder, state, 9, 1), lengths, LIMITS)]
    assert seen == [[min(n, limit) for limit in LIMITS] for n in range(1, 10)]


def test_forced_ignores_the_padding_of_shorter_targets(kind):
    model = tiny_model(kind, 12, 4)
    targets = [[4, EOS], [5, 6, 7, 8, EOS], [EOS], [9, 9, 9, EOS]]
    state, lengths = begin(model, SOURCES)
    together = forced(model.decoder, state, lengths, targets, top_k=3)
    for source, target, hypothesis in zip(SOURCES, targets, together, strict=True):
        alone, [length] = begin(model, [source])
        same(hypothesis, forced(model.decoder, alone, [length], [target], top_k=3)[0])
        assert hypothesis.ids == target and len(hypothesis.log_probs) == len(target)
        assert hypothesis.weights is None or hypothesis.weights.shape == (len(target), len(source))


def test_first_keeps_only_the_beginning(kind):
    model = tiny_model(kind, 12, 4)
    state, lengths = begin(model, SOURCES[:1])
    [whole] = forced(model.decoder, state, lengths, [[4, 5, 6, EOS]])
    start = whole.first(2)
    assert start.ids == [4, 5] and not start.finished and whole.finished
    assert start.log_prob == pytest.approx(sum(whole.log_probs[:2]))
    assert start.weights is None or np.array_equal(start.weights, whole.weights[:2])


def ranked(node, ids=(), total=0.0):
    """The ranked ends of a tree: {rank: ids}; on the way its totals must add up."""
    assert node.total == pytest.approx(total, abs=1e-4)
    found = {} if node.rank is None else {node.rank: list(ids)}
    for child in node.children:
        found |= ranked(child, (*ids, child.id), total + child.log_prob)
    return found


def test_the_tree_holds_all_that_was_kept_and_ends_in_what_was_found(kind):
    model = tiny_model(kind, 12, 5, sharp=1.5)
    state, lengths = begin(model, SOURCES)
    beams = Beams(3, 3, LENGTH_PENALTY, lengths, LIMITS).fill(model.decoder, state)
    for b in range(len(SOURCES)):
        root = tree(beams, b)
        assert root.id == BOS and len(root.children) <= 3
        found = ranked(root)
        assert [found[rank] for rank in sorted(found)] == [hypothesis.ids for hypothesis in beams.best(b)]
