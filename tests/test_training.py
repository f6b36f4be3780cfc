"""Training learns, can be killed at any moment without changing its outcome, and says what stopped it."""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch.nn import functional as F

from seq2seq import training
from seq2seq.aligner import to_lines, write_links
from seq2seq.batching import Batcher
from seq2seq.classic import CLASSIC
from seq2seq.config import PAD, ModelConfig, TrainConfig
from seq2seq.data import DataError, read_links, read_pairs
from seq2seq.evaluation import Alignment, evaluate_alignment, validation_bleu
from seq2seq.model import CheckpointError, Seq2Seq, kinds
from seq2seq.tokenizer import Tokenizer
from seq2seq.training import guide_loss, learning_rate, piece_links, piece_loss, train
from seq2seq.training_state import LOG_FILE, STATE_FILE, TrainingError, _read_state
from seq2seq.translator import Translator
from tests import toy
from tests.disk import DISKS

ROOT = Path(__file__).resolve().parent.parent
PAIRS = toy.corpus(1000)
TRAIN, VALID, TEST = PAIRS[:800], PAIRS[800:830], PAIRS[830:]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> tuple[str, str, str]:
    """A file to train on, a second one, and a file to validate on."""
    folder = tmp_path_factory.mktemp("data")
    files = (("few.tsv", TRAIN[:100]), ("more.tsv", TRAIN[100:130]), ("valid.tsv", VALID))
    return tuple(str(toy.write(folder / name, pairs)) for name, pairs in files)


@pytest.fixture(scope="module")
def links(tmp_path_factory) -> tuple[str, str]:
    """The right links of the two files to train on."""
    folder = tmp_path_factory.mktemp("links")
    paths = folder / "few.links.gz", folder / "more.links.gz"
    for path, pairs in zip(paths, (TRAIN[:100], TRAIN[100:130])):
        write_links({path: [toy.links(*pair) for pair in pairs]})
    return tuple(map(str, paths))


def model_config(kind: str = "additive", **settings) -> ModelConfig:
    """Dropout is on, so that random numbers matter to what is learned."""
    sizes = {"vocab_size": 60, "embedding_size": 8, "hidden_size": 8, "attention_size": 4, "dropout": 0.1} | settings
    return ModelConfig(kind=kind, **sizes)


def short(data, **settings) -> TrainConfig:
    """A short run that validates and saves four times, over the end of an epoch, with a file that is seen twice."""
    small = {"repeat": (1, 2), "batch_tokens": 200, "max_steps": 24, "learning_rate": 0.01, "warmup_steps": 5}
    often = {"validate_every": 6, "validation_sentences": 3, "average_decay": 0.9}
    return TrainConfig(data=data[:2], valid=data[2:], **small | often | settings)


def outcome(out: Path) -> dict[str, torch.Tensor]:
    """All tensors that a run left behind: the weights for use, and the whole state for going on."""
    return load_file(out / "model.safetensors") | load_file(out / "training" / STATE_FILE)


def same(left: Path, right: Path) -> None:
    """Bit for bit; of the log, all but what the clock says."""
    mine, yours = outcome(left), outcome(right)
    assert mine.keys() == yours.keys()
    assert [name for name in mine if not torch.equal(mine[name], yours[name])] == []
    clock = ["seconds", "tokens_per_second"]
    logs = [pd.read_csv(out / "training" / LOG_FILE).drop(columns=clock) for out in (left, right)]
    # The loss in the log is the mean since the last validation or resumption.
    pd.testing.assert_frame_equal(*(log.drop(columns="loss") for log in logs))
    for name in ("config.json", "tokenizer.json"):
        assert (left / name).read_bytes() == (right / name).read_bytes()


# -- learning ------------------------------------------------------------------------------------------------------


def test_a_toy_language_is_learned(kind, data, tmp_path):
    """Sentences it never saw, word order and all; and what is written to disk is what has learned it."""
    sizes = {"embedding_size": 32, "hidden_size": 64, "attention_size": 32, "dropout": 0.0, "word_dropout": 0.0}
    steps = 350
    if kind in CLASSIC:
        sizes["embedding_size"] = sizes["hidden_size"]
    if kind == "classic-plain":
        # Its first state alone must carry the sentence, through every step: that takes more room and more practice.
        sizes |= {"embedding_size": 128, "hidden_size": 128}
        steps = 800
    settings = {
        "batch_tokens": 400,
        "max_steps": steps,
        "learning_rate": 5e-3,
        "warmup_steps": 50,
        "label_smoothing": 0.0,
    }
    files = {"data": (str(toy.write(tmp_path / "train.tsv", TRAIN)),), "valid": data[2:]}
    config = TrainConfig(**files, **settings, validate_every=steps, average_decay=0.98)
    train(model_config(kind, vocab_size=120, **sizes), config, tmp_path / "out")
    translator = Translator.from_checkpoint(tmp_path / "out", device="cpu")
    assert not {source for source, _ in TEST} & {source for source, _ in TRAIN}
    for beam_size in (1, 4):
        made = translator.texts([source for source, _ in TEST], beam_size=beam_size)
        right = sum(output == target for output, (_, target) in zip(made, TEST, strict=True))
        assert right > 0.95 * len(TEST)


@pytest.mark.parametrize("kind", sorted(CLASSIC))
def test_padding_stays_the_zero_vector_of_a_classic_model(kind, whole):
    """Occlusion hides a word behind it; nothing but the embedding itself can keep it zero in these kinds."""
    left = outcome(whole(kind))
    rows = [tensor[PAD] for name, tensor in left.items() if name.endswith("coder.embedding.weight")]
    assert len(rows) == 6 and not any(row.any() for row in rows), "in use, trained and averaged, on both sides"


def test_sources_longer_than_the_memory_are_trained_on_as_far_as_it_goes(data, tmp_path):
    """A classic memory of few places makes a run no shorter: the pairs stay, cut."""
    run = train(model_config("classic-attention", max_length=3), short(data, max_steps=2), tmp_path / "out")
    assert any(len(source) > 3 for source, _ in run.corpus.pairs) and len(run.corpus.pairs) == 130
    made = Translator.from_checkpoint(tmp_path / "out", device="cpu").translate(TEST[0][0])
    assert made.warnings and made.attention_pieces.shape[1] <= 3


def test_the_log_tells_of_the_best_weights(data, tmp_path):
    run = train(model_config(), short(data), tmp_path / "out")
    log = pd.read_csv(tmp_path / "out" / "training" / LOG_FILE)
    assert list(log["step"]) == [6, 12, 18, 24] and log["tokens"].is_monotonic_increasing
    assert log["learning_rate"].tolist() == pytest.approx([learning_rate(s, run.config) for s in log["step"]])
    assert log["loss"].iloc[-1] < log["loss"].iloc[0]
    assert run.progress.best_step in set(log["step"]) and run.progress.best_bleu == pytest.approx(
        log["valid_bleu"].max(), abs=0.01
    )
    # Half precision may move a BLEU of three sentences, but hardly of a model as uncertain as this one.
    best = validation_bleu(Translator.from_checkpoint(tmp_path / "out", device="cpu"), read_pairs(data[2])[:3])
    assert best == pytest.approx(run.progress.best_bleu, abs=1.0)


def test_patience_ends_a_run(data, tmp_path, monkeypatch):
    scores = iter([3.0, 5.0, 5.0, 4.0, 5.0, 9.0])
    monkeypatch.setattr(training, "validation_bleu", lambda *a: next(scores))
    run = train(model_config(), short(data, validate_every=2, patience=3), tmp_path / "out")
    assert (run.progress.step, run.progress.best_step, run.progress.best_bleu) == (10, 4, 5.0)


def test_validation_is_the_mean_over_files_of_their_first_sentences(data, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(training, "validation_bleu", lambda _, pairs: seen.append(len(pairs)) or 10.0 * len(seen))
    run = train(model_config(), replace(short(data, max_steps=1), valid=(data[2], data[1])), tmp_path / "out")
    assert seen == [3, 3] and run.log[0]["valid_bleu"] == 15 and run.log[0]["valid_bleu_2"] == 20


# -- parts ---------------------------------------------------------------------------------------------------------


def test_learning_rate_rises_in_a_line_and_falls_with_the_root(data):
    config = short(data, learning_rate=0.4, warmup_steps=100)
    assert [learning_rate(s, config) for s in (1, 50, 100, 400, 10000)] == pytest.approx([0.004, 0.2, 0.4, 0.2, 0.04])
    assert learning_rate(1, replace(config, warmup_steps=0)) == pytest.approx(0.4)


@pytest.mark.parametrize("warmup", [0, 1, 100])
def test_a_cosine_rises_in_a_line_and_falls_to_nothing_without_a_leap(data, warmup):
    config = short(data, learning_rate=0.4, warmup_steps=warmup, max_steps=500, schedule="cosine")
    rates = [learning_rate(step, config) for step in range(1, 501)]
    peak = max(warmup, 1)
    assert rates[peak - 1] == max(rates) == pytest.approx(0.4) and rates[-1] == pytest.approx(0, abs=1e-9)
    assert rates[: peak - 1] == pytest.approx([0.4 * step / peak for step in range(1, peak)])
    assert rates[(peak + 500) // 2 - 1] == pytest.approx(0.2, abs=2e-3), "half of the way down in the middle"
    falls = np.diff(rates[peak - 1 :])
    assert (falls < 0).all() and -falls.min() < 0.4 * math.pi / 2 / (500 - peak) + 1e-9
    assert learning_rate(501, config) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("pads", [0, 5, 12])
def test_the_loss_of_pieces_and_its_gradient_are_pytorchs(smoothing, pads):
    torch.manual_seed(pads)
    target = torch.randint(1, 30, (12,))
    target[torch.randperm(12)[:pads]] = PAD
    mine = (3 * torch.randn(12, 30)).requires_grad_()
    theirs = mine.detach().clone().requires_grad_()
    loss = piece_loss(mine, target, smoothing)
    expected = F.cross_entropy(theirs, target, ignore_index=PAD, label_smoothing=smoothing, reduction="sum")
    torch.testing.assert_close(loss, expected, atol=1e-4, rtol=1e-5)
    for one in (loss, expected):
        one.backward()
    torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("places", [3, 5, 9])
def test_the_loss_of_a_guide_is_its_cross_entropy(places):
    """Also where a classic memory has fewer places than the source has pieces, or more."""
    torch.manual_seed(0)
    weights = torch.randn(2, 4, places).softmax(-1).requires_grad_()
    guide = torch.rand(2, 4, 5) * (torch.rand(2, 4, 5) > 0.5)
    guide[0, 1] = 0  # of this piece nothing is known
    expected = 0.0
    for b in range(2):
        for t in range(4):
            for s in range(min(places, 5)):
                expected -= guide[b, t, s].item() * math.log(weights[b, t, s].item())
    loss = guide_loss(weights, guide)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()
    shared = min(places, 5)
    gradient = torch.zeros_like(weights)
    gradient[:, :, :shared] = -guide[:, :, :shared] / weights.detach()[:, :, :shared]
    torch.testing.assert_close(weights.grad, gradient)


def test_a_weight_of_nothing_is_no_infinite_loss():
    weights = torch.tensor([[[1.0, 0.0]]], requires_grad=True)
    loss = guide_loss(weights, torch.tensor([[[0.0, 1.0]]]))
    loss.backward()
    assert loss.isfinite() and loss > 10 and weights.grad.isfinite().all()


def test_links_of_words_are_links_of_all_their_pieces(tokenizer):
    source, target = tokenizer.encode("The old bike rides."), tokenizer.encode("L'herbe dort.")
    linked = {(0, 0), (2, 1), (2, 2), (4, 3)}
    expected = {(len(target.ids) - 1, len(source.ids) - 1)}
    for t, j in enumerate(target.word_of):
        for s, i in enumerate(source.word_of):
            if (i, j) in linked:
                expected.add((t, s))
    assert source.words == ("The", "old", "bike", "rides", ".", "<eos>")
    made = piece_links(source, target, frozenset(linked))
    assert len(expected) > len(linked) + 1, "some word has several pieces"
    assert {tuple(row) for row in made.tolist()} == expected and len(made) == len(expected)
    assert made[-1].tolist() == [len(target.ids) - 1, len(source.ids) - 1]
    for beyond in ((5, 0), (0, 4), (9, 0)):  # the first of them are those of `<eos>`
        with pytest.raises(IndexError):
            piece_links(source, target, frozenset({beyond}))


def test_the_average_is_the_recursion_over_the_trained_weights(data, tmp_path):
    expected: dict[str, torch.Tensor] = {}

    def follow(run):
        expected.update({name: p.detach().double() for name, p in run.plain_model.named_parameters()})
        plain_update = run.update

        def update(indexes):
            made = plain_update(indexes)
            decay = min(0.9, (1 + run.progress.step) / (10 + run.progress.step))
            for name, p in run.plain_model.named_parameters():
                expected[name] = decay * expected[name] + (1 - decay) * p.detach().double()
            return made

        run.update = update

    run = train(model_config(), short(data, max_steps=15), tmp_path / "out", on_start=follow)
    for name, average in run.average.items():
        torch.testing.assert_close(average.double(), expected[name], atol=1e-5, rtol=1e-4)
        assert not torch.equal(average, dict(run.plain_model.named_parameters())[name].detach())


def test_the_loss_is_that_of_a_target_piece(data, tmp_path):
    """One batch by hand: label smoothing spreads 10 % evenly, padding counts for nothing."""
    losses = []

    def follow(run):
        run.plain_model.eval()  # no dropout, so that the same numbers come again
        items = [(0,), (5,), (11,), (50,)]
        expected, count = 0.0, 0
        for source, target in (run.corpus.pairs[i] for (i,) in items):
            with torch.no_grad():
                logits, _ = run.plain_model(
                    torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([[2, *target[:-1]]])
                )
            log_probs = torch.log_softmax(logits[0].double(), -1)
            for row, id in zip(log_probs, target):
                expected -= 0.9 * row[id].item() + 0.1 * row.mean().item()
                count += 1
        losses.extend([run.update(items), (expected / count, count)])

    train(model_config(), short(data, max_steps=1), tmp_path / "out", on_start=follow)
    assert losses[0][0] == pytest.approx(losses[1][0], abs=1e-4) and losses[0][1] == losses[1][1]


# -- guided alignment and joined pairs -----------------------------------------------------------------------------


def gold(pairs) -> list[Alignment]:
    return [Alignment(s, tuple(s.split()), tuple(t.split()), toy.links(s, t), frozenset()) for s, t in pairs]


def alignment_error(out: Path) -> float:
    return evaluate_alignment(Translator.from_checkpoint(out, device="cpu"), gold(TEST[:60]))["aer"]


def test_a_guided_model_looks_where_the_links_point(data, links, tmp_path):
    """Also in sentences of which it saw no link; and it learns to translate no worse."""
    sizes = {"embedding_size": 16, "hidden_size": 32, "attention_size": 16, "dropout": 0.0, "word_dropout": 0.0}
    config = short(data, max_steps=150, validate_every=150, warmup_steps=20, validation_sentences=30)
    errors, losses = [], []
    for name, extra in (("free", {}), ("guided", {"links": links, "guide_weight": 1.0})):
        run = train(model_config(**sizes), replace(config, **extra), tmp_path / name)
        errors.append(alignment_error(tmp_path / name))
        losses.append(run.log[-1]["loss"])
    assert errors[1] < 0.1 < 0.2 < errors[0]
    assert losses[1] < 1.1 * losses[0]


def test_the_loss_in_the_log_is_that_of_pieces_alone(data, links, tmp_path):
    """So that runs with and without links can be compared; a guide that weighs nothing changes no bit."""
    for name, extra in (("free", {}), ("guided", {"links": links, "guide_weight": 0.0})):
        train(model_config(), short(data, max_steps=6, **extra), tmp_path / name)
    same(tmp_path / "free", tmp_path / "guided")


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_links_move_every_kind_that_looks_back_and_no_other(kind, data, links, whole, tmp_path):
    run = train(model_config(kind), short(data, links=links), tmp_path / "out")
    free, guided = outcome(whole(kind)), outcome(tmp_path / "out")
    moved = any(not torch.equal(free[name], guided[name]) for name in free)
    assert moved == run.plain_model.decoder.looks_back


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (None, "more.links: no such file"),
        ("0-0\n" * 29, "more.links has 29 lines, but "),
        ("0-0\n" * 31, "more.links has 31 lines, but "),
        ("0-0\n" * 7 + "0-0 x-1\n" + "0-0\n" * 22, "more.links, line 8: a link is not two numbers"),
        ("0-0\n" * 7 + "99-0\n" + "0-0\n" * 22, "more.links, line 8: a link to a word that is not there"),
        ("0-0\n" * 7 + "0-99\n" + "0-0\n" * 22, "more.links, line 8: a link to a word that is not there"),
        ("", "more.links has 0 lines, but "),
    ],
)
def test_links_that_do_not_fit_are_refused_before_anything_is_written(data, links, tmp_path, lines, says):
    bad = tmp_path / "more.links"
    if lines is not None:
        bad.write_text(lines)
    with pytest.raises(DataError, match=re.escape(says)):
        train(model_config(), short(data, links=(links[0], str(bad))), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_to_the_end_of_a_sentence_is_one_too_far(data, links, tmp_path):
    """Words are counted from 0; a file that counts from 1 is found out by its last word."""
    lines = to_lines(frozenset((i + 1, j + 1) for i, j in toy.links(*pair)) for pair in TRAIN[100:130])
    (tmp_path / "one.links").write_text(lines)
    with pytest.raises(DataError, match="one.links, line 1: a link to a word that is not there"):
        train(model_config(), short(data, links=(links[0], str(tmp_path / "one.links"))), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("count", [1, 3])
def test_there_is_a_file_of_links_for_each_file_of_data(data, links, tmp_path, count):
    with pytest.raises(DataError, match=f"{count} link files for 2 data files"):
        train(model_config(), short(data, links=(links * 2)[:count]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pairs_that_are_left_out_take_their_links_along(data, links, tmp_path):
    """The links of a longer file still stand beside their pair when some pairs are too long."""
    config = short(data, links=links, max_steps=1)
    whole = train(model_config(), config, tmp_path / "whole").corpus
    lengths = sorted(max(map(len, pair)) for pair in whole.pairs)
    most = lengths[len(lengths) // 2]
    part = train(model_config(), replace(config, max_pieces=most), tmp_path / "part").corpus
    kept = [i for i, pair in enumerate(whole.pairs) if max(map(len, pair)) <= most]
    assert 0 < len(kept) < len(whole.pairs) and part.pairs == tuple(whole.pairs[i] for i in kept)
    assert len(part.links) == len(kept)
    assert all(np.array_equal(mine, whole.links[i]) for mine, i in zip(part.links, kept))


def test_copies_are_added_with_the_links_that_still_hold(data, links, tmp_path):
    """Each time a file is seen brings others; the pairs themselves stay, and a link never goes to a word that is not there."""
    config = short(data, links=links, max_steps=1)
    bare = train(model_config(), config, tmp_path / "bare").corpus
    both = train(model_config(), replace(config, casual=1.0, rename=1.0), tmp_path / "both").corpus
    again = train(model_config(), replace(config, casual=1.0, rename=1.0), tmp_path / "again").corpus
    assert both.pairs == again.pairs and all(map(np.array_equal, both.links, again.links))
    kept = [i for i, pair in enumerate(both.pairs) if pair in bare.pairs]
    assert set(bare.pairs) <= {both.pairs[i] for i in kept}
    assert sum(both.repeat) >= 2 * sum(bare.repeat), "one hurried copy for each time that a pair is seen"
    for (source, target), found in zip(both.pairs, both.links, strict=True):
        assert (found[:, 0] < len(target)).all() and (found[:, 1] < len(source)).all()
        assert found[-1].tolist() == [len(target) - 1, len(source) - 1]
    assert np.mean([len(found) for found in both.links]) > 2, "most links hold in the copies too"


def test_excerpts_are_pairs_of_a_few_words_with_their_links(data, links, tmp_path):
    config = short(data, links=links, max_steps=1)
    bare = train(model_config(), config, tmp_path / "bare").corpus
    run = train(model_config(), replace(config, excerpt=1.0), tmp_path / "more")
    again = train(model_config(), replace(config, excerpt=1.0), tmp_path / "again")
    more = run.corpus
    assert more.pairs == again.corpus.pairs and set(bare.pairs) <= set(more.pairs)
    added = [i for i, pair in enumerate(more.pairs) if pair not in bare.pairs]
    assert len(added) > 20 and all(more.repeat[i] == 1 for i in added)
    for i in added:
        source, target = (" ".join(run.tokenizer.decode(ids).words[:-1]) for ids in more.pairs[i])
        assert len(source.split()) <= 4 and len(toy.links(source, target)) == len(target.split()), "one for one"
        found = piece_links(*run.tokenizer.encode_batch([source, target]), toy.links(source, target))
        assert np.array_equal(more.links[i], found)


def test_the_other_direction_swaps_pairs_and_links(data, links, tmp_path):
    """Training reversed is training on files whose columns, and whose links, were swapped by hand."""
    turned = []
    for path in data:
        lines = [line.split("\t") for line in Path(path).read_text(encoding="utf-8").splitlines()]
        turned.append(tmp_path / Path(path).name)
        turned[-1].write_text("".join(f"{line[1]}\t{line[0]}\n" for line in lines), encoding="utf-8")
    other = [tmp_path / Path(path).name for path in links]
    write_links(
        {path: [frozenset((j, i) for i, j in line) for line in read_links(old)] for path, old in zip(other, links)}
    )
    config = short(data, links=links, reverse=True)
    train(model_config(), config, tmp_path / "flag")
    by_hand = short(tuple(map(str, turned)), links=tuple(map(str, other)))
    # The tokenizer learns from texts in their order, so it is given.
    train(model_config(), by_hand, tmp_path / "hand", tokenizer=tmp_path / "flag" / "tokenizer.json")
    train(model_config(), config, tmp_path / "again", tokenizer=tmp_path / "flag" / "tokenizer.json")
    same(tmp_path / "hand", tmp_path / "again")


# -- another run's weights to begin with ---------------------------------------------------------------------------


def test_a_run_begins_with_the_weights_and_pieces_of_another(kind, data, whole, tmp_path):
    began: dict[str, torch.Tensor] = {}

    def follow(run):
        began.update({name: p.detach().clone() for name, p in run.plain_model.named_parameters()})
        assert all(torch.equal(run.average[name], p) for name, p in began.items()) and run.progress.step == 0
        assert run.plain_model.training

    other = replace(short(data), data=data[1:2], repeat=(), seed=9)  # of which another tokenizer would be learned
    config = model_config(kind, dropout=0.3, word_dropout=0.2)
    out = tmp_path / "out"
    run = train(config, other, out, start_from=whole(kind), on_start=follow)
    given = dict(Seq2Seq.from_pretrained(whole(kind)).named_parameters())
    assert began.keys() == given.keys() and all(torch.equal(began[name], given[name]) for name in given)
    assert (out / "tokenizer.json").read_bytes() == (whole(kind) / "tokenizer.json").read_bytes()
    assert run.plain_model.config == replace(config, vocab_size=len(Tokenizer.load(out / "tokenizer.json")))
    assert json.loads((out / "config.json").read_text())["dropout"] == 0.3


@pytest.mark.parametrize("change", [{"hidden_size": 10}, {"attention_size": 5}, {"kind": "plain"}, {"max_length": 12}])
def test_weights_of_another_size_are_refused_before_anything_is_written(data, whole, tmp_path, change):
    with pytest.raises(TrainingError, match="other sizes") as caught:
        train(model_config(**change), short(data), tmp_path / "out", start_from=whole("additive"))
    assert str(whole("additive")) in str(caught.value) and not (tmp_path / "out").exists()


def test_a_query_with_the_last_piece_may_be_added_to_weights_without_it(data, whole, tmp_path):
    """It begins at zero, as the model it starts from; then it is trained. What has it cannot go on without it."""
    began = {}

    def note(run) -> None:
        began["added"] = run.plain_model.decoder.query_prev.weight.detach().clone()

    out = tmp_path / "asked"
    run = train(model_config(query_prev=True), short(data), out, start_from=whole("additive"), on_start=note)
    assert not began["added"].any() and run.plain_model.decoder.query_prev.weight.detach().any()
    assert Seq2Seq.from_pretrained(out).decoder.query_prev.weight.detach().any()
    with pytest.raises(TrainingError, match="other sizes"):
        train(model_config(), short(data), tmp_path / "without", start_from=out)


def test_a_start_that_is_no_checkpoint_is_refused_before_anything_is_written(data, whole, tmp_path):
    (tmp_path / "empty").mkdir()
    for start, says in ((tmp_path / "none", "no checkpoint at"), (tmp_path / "empty", "is not a checkpoint")):
        with pytest.raises(CheckpointError, match=says):
            train(model_config(), short(data), tmp_path / "out", start_from=start)
    assert not (tmp_path / "out").exists()


def test_a_resumed_run_needs_the_other_no_longer(data, whole, tmp_path):
    config = short(data, seed=5)
    train(model_config(), config, tmp_path / "whole", start_from=whole("additive"))
    train(model_config(), replace(config, max_steps=12), tmp_path / "part", start_from=whole("additive"))
    train(model_config(), config, tmp_path / "part", resume=True)
    same(tmp_path / "whole", tmp_path / "part")
    # Even if the command still names it, what was learned since is kept.
    train(model_config(), replace(config, max_steps=12), tmp_path / "named", start_from=whole("additive"))
    train(model_config(), config, tmp_path / "named", resume=True, start_from=tmp_path / "gone")
    same(tmp_path / "whole", tmp_path / "named")


def test_a_start_brings_its_own_tokenizer(data, whole, tmp_path):
    other = whole("plain") / "tokenizer.json"
    with pytest.raises(TrainingError, match="leave --tokenizer or --start-from out"):
        train(model_config(), short(data), tmp_path / "out", start_from=whole("additive"), tokenizer=other)
    assert not (tmp_path / "out").exists()


def test_a_cosine_cannot_be_made_longer_on_the_way(data, tmp_path):
    config = short(data, schedule="cosine", max_steps=12)
    train(model_config(), config, tmp_path)
    with pytest.raises(TrainingError, match="max_steps was 12, is 18"):
        train(model_config(), replace(config, max_steps=18), tmp_path, resume=True)


# -- several devices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", ["bare", "links and join"])
def test_two_processes_learn_what_one_does(data, links, tmp_path, extra):
    """The same losses, validations and weights, but for the order of sums, by `accelerate launch`.

    Batches are so small that some hold one text, and the second process gets nothing of them.
    """
    more = {"links": links, "guide_weight": 0.5, "join": 0.4} if extra != "bare" else {}
    model, config = model_config(dropout=0.0, word_dropout=0.0), short(data, batch_tokens=30, clip_norm=100.0, **more)
    run = train(model, config, tmp_path / "one")
    batches = run.corpus.batches(30, config.seed, 0, config.join)[:24]
    assert {len(items) for items in batches} >= {1, 2} and any(len(batch[0]) > 1 for batch in batches) == bool(more)
    settings = asdict(model) | asdict(config)
    del settings["source_vocab_size"]
    arguments = [
        str(part)
        for name, value in settings.items()
        if value != () and value is not False
        for part in ("--" + name.replace("_", "-"), *(value if isinstance(value, tuple) else (value,)))
    ]
    # Told that these are several GPUs, it starts several processes, which use the CPU because the variable says so.
    settings = (
        "--multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no --main_process_port 0"
    )
    launch = f"accelerate.commands.launch {settings} -m seq2seq train"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "ACCELERATE_USE_CPU": "true"}
    command = [sys.executable, "-m", *launch.split(), "--out", str(tmp_path / "two"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "two" / "metrics.json").read_text())["training"]["devices"] == 2
    one, two = (pd.read_csv(tmp_path / name / "training" / LOG_FILE) for name in ("one", "two"))
    assert two["step"].tolist() == [6, 12, 18, 24] and two["tokens"].tolist() == one["tokens"].tolist()
    np.testing.assert_allclose(two["loss"], one["loss"], atol=2e-3)
    np.testing.assert_allclose(two["valid_bleu"], one["valid_bleu"], atol=1.0)
    assert one["loss"].iloc[-1] < one["loss"].iloc[0] - 0.1
    mine, theirs = outcome(tmp_path / "one"), outcome(tmp_path / "two")
    for name in (name for name in mine if name.startswith("model/")):
        torch.testing.assert_close(theirs[name], mine[name], atol=5e-3, rtol=0.02)
    # Adam hides a wrong scale of the gradients, but not in what it keeps of them.
    for name in (name for name in mine if name.endswith("/exp_avg")):
        assert (theirs[name] - mine[name]).norm() < 0.02 * mine[name].norm() + 1e-4, name


# -- the same again ------------------------------------------------------------------------------------------------


def test_equal_settings_give_equal_weights_and_another_seed_others(data, whole, tmp_path):
    for seed in (1, 2):
        train(model_config(), short(data, seed=seed), tmp_path / str(seed))
    same(whole("additive"), tmp_path / "1")
    one, two = outcome(tmp_path / "1"), outcome(tmp_path / "2")
    assert not all(torch.equal(one[name], two[name]) for name in one)


class Killed(BaseException):
    """Stands for a signal: nothing in the code under test may catch it."""


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> Callable[[str], Path]:
    """The folder of a run of a kind that nothing broke off; each is made once."""
    made = tmp_path_factory.mktemp("whole")

    def folder(kind: str) -> Path:
        if not (made / kind).exists():
            train(model_config(kind), short(data), made / kind)
        return made / kind

    return folder


MOMENTS = [("update", 3), ("update", 9), ("update", 15), ("save_model", 1), ("save_state", 1), ("save_state", 2)]
"""In which call of which method: before the first save, between saves, in a later epoch, and between the files of a save."""


@pytest.mark.parametrize(
    ("kind", "moment", "when"),
    [("additive", moment, when) for moment in MOMENTS for when in ("before", "after")]
    + [(kind, ("update", 15), "after") for kind in sorted(set(kinds()) - {"additive"})],
)
def test_a_run_that_broke_off_goes_on_as_if_nothing_had_been(kind, data, whole, tmp_path, moment, when):
    name, count = moment

    def arm(run):
        plain, calls = getattr(run, name), []

        def broken(*args):
            calls.append(args)
            if len(calls) < count:
                return plain(*args)
            if when == "after":
                plain(*args)
            raise Killed

        setattr(run, name, broken)

    with pytest.raises(Killed):
        train(model_config(kind), short(data), tmp_path / "broken", on_start=arm)
    train(model_config(kind), short(data), tmp_path / "broken", resume=True)
    same(whole(kind), tmp_path / "broken")


@pytest.mark.parametrize("count", [3, 9, 15])
def test_a_guided_run_of_joined_pairs_goes_on_as_if_nothing_had_been_too(data, links, tmp_path, count):
    config = short(data, links=links, join=0.4, schedule="cosine")

    def arm(run):
        plain, calls = run.update, []

        def broken(items):
            calls.append(items)
            if len(calls) == count:
                raise Killed
            return plain(items)

        run.update = broken

    seen = []

    def watch(run):
        plain = run.update
        run.update = lambda items: seen.extend(items) or plain(items)

    train(model_config(), config, tmp_path / "whole", on_start=watch)
    assert any(len(item) > 1 for item in seen) and any(len(item) == 1 for item in seen)
    with pytest.raises(Killed):
        train(model_config(), config, tmp_path / "broken", on_start=arm)
    train(model_config(), config, tmp_path / "broken", resume=True)
    same(tmp_path / "whole", tmp_path / "broken")


def start(out: Path, data, resume: bool, **settings) -> subprocess.Popen:
    """The same training in a process of its own, that can be killed."""
    code = (
        "import json, sys, torch; from pathlib import Path; torch.set_num_threads(1)\n"
        "from seq2seq.config import ModelConfig, TrainConfig; from seq2seq.training import train\n"
        "model, run, out, resume = json.loads(sys.argv[1])\n"
        "run = {k: tuple(v) if isinstance(v, list) else v for k, v in run.items()}\n"
        "train(ModelConfig(**model), TrainConfig(**run), Path(out), resume=resume)\n"
    )
    arguments = json.dumps([vars(model_config()), vars(short(data, **settings)), str(out), resume])
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", code, arguments], env=environment, stderr=subprocess.PIPE, text=True)


def kill_when(process: subprocess.Popen, ready, patience: float = 120) -> None:
    """SIGKILL as soon as `ready()`; the process must still have been at work."""
    until = time.monotonic() + patience
    while not ready():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it had ended before it was killed"


def test_killed_at_an_arbitrary_moment_and_resumed(data, tmp_path):
    """A real SIGKILL, twice: once before anything was saved, once somewhere behind the second save."""
    settings = {"max_steps": 160, "validate_every": 16, "patience": 100}
    out = tmp_path / "killed"
    kill_when(start(out, data, False, **settings), (out / "config.json").exists)
    assert not (out / "training" / STATE_FILE).exists() and not (out / "model.safetensors").exists()
    log = out / "training" / LOG_FILE
    moment: list[float] = []

    def ready() -> bool:
        if not moment and log.exists() and len(log.read_text().splitlines()) > 2:
            moment.append(time.monotonic() + random.random() * 0.1)
        return bool(moment) and time.monotonic() >= moment[0]

    kill_when(start(out, data, True, **settings), ready)
    assert (out / "training" / STATE_FILE).exists()
    resumed = train(model_config(), short(data, **settings), out, resume=True)
    assert resumed.progress.step == 160
    train(model_config(), short(data, **settings), tmp_path / "whole")
    same(tmp_path / "whole", out)


RENAMES = 2 + 4 + 4 * 2
"""At least so many are in a whole run: config and tokenizer; weights (twice) and config (twice); four times log and state."""
FEW = random.Random(9).sample(range(2, RENAMES), 5)


@pytest.mark.parametrize(
    "count", [pytest.param(count, marks=[] if count in FEW else pytest.mark.long) for count in range(RENAMES)]
)
def test_killed_between_any_two_renames_of_a_save(data, whole, tmp_path, count):
    """The process kills itself before it gives a file its name. What lies there then can be used, and no saved step is lost."""
    out, expected = tmp_path / "killed", whole("additive")

    def killed() -> None:
        left = [count]
        replace_file = os.replace

        def replace(*paths) -> None:
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            replace_file(*paths)

        os.replace = Path.replace = replace
        train(model_config(), short(data), out)

    process = multiprocessing.get_context("fork").Process(target=killed)
    process.start()
    process.join(300)
    assert process.exitcode == -signal.SIGKILL
    if (out / "model.safetensors").exists():
        assert Translator.from_checkpoint(out, "cpu").translate("the dog sees the cat .").target_words
    state, resumed_at = out / "training" / STATE_FILE, []
    saved = json.loads(safe_open(state, "pt").metadata()["progress"])["step"] if state.exists() else 0
    train(model_config(), short(data), out, resume=True, on_start=lambda run: resumed_at.append(run.progress.step))
    assert resumed_at == [saved]
    same(expected, out)
    assert not [path for path in out.rglob("*") if path.suffix in (".tmp", ".new")]


@pytest.mark.long
def test_killed_again_and_again_at_random_moments(data, tmp_path):
    """Thirty kills, at moments of a fixed seed, each behind what the one before had saved or not."""
    settings, out = {"max_steps": 320, "validate_every": 8, "patience": 100}, tmp_path / "killed"
    chance, kills = random.Random(31), 0
    while kills < 30:
        process = multiprocessing.get_context("fork").Process(
            target=train, args=(model_config(), short(data, **settings), out), kwargs={"resume": True}
        )
        process.start()
        process.join(0.3 + chance.random())
        if process.exitcode == 0:
            break
        process.kill()
        process.join()
        kills += 1
    train(model_config(), short(data, **settings), out, resume=True)
    train(model_config(), short(data, **settings), tmp_path / "whole")
    same(tmp_path / "whole", out)
    print(f"{kills} kills")


@DISKS
@pytest.mark.parametrize(("save", "count"), [("save_model", 1), ("save_state", 2)])
def test_a_full_disk_stops_the_run_and_loses_nothing(data, whole, tmp_path, save, count, disk):
    out, before = tmp_path / "disk" / "full", {}
    while_full = contextlib.ExitStack()
    file = "model.safetensors" if save == "save_model" else f"training/{STATE_FILE}"
    room = (whole("additive") / file).stat().st_size - 1  # what the tests print goes into files, too

    def arm(run):
        plain, calls = getattr(run, save), []

        def full():
            calls.append(1)
            if len(calls) == count:
                before.update(outcome(out) if count > 1 else {})
                while_full.enter_context(disk.full(room))
            plain()

        setattr(run, save, full)

    with disk.under(out.parent):
        with while_full, pytest.raises(OSError, match=disk.error) as caught:
            train(model_config(), short(data), out, on_start=arm)
        assert str(out) in caught.value.filename
        assert not [path for path in out.rglob("*") if path.suffix in (".tmp", ".new")]
        if count > 1:
            left = outcome(out)
            assert left.keys() == before.keys() and all(torch.equal(left[name], before[name]) for name in left)
            assert Translator.from_checkpoint(out, "cpu").translate("the dog sees the cat .").target_words
        train(model_config(), short(data), out, resume=True)
        same(whole("additive"), out)


def test_no_flipped_bit_of_a_state_is_resumed_from(data, whole, tmp_path):
    shutil.copytree(whole("additive"), tmp_path / "flipped")
    path = tmp_path / "flipped" / "training" / STATE_FILE
    raw = path.read_bytes()
    for bit in random.Random(5).sample(range(8 * len(raw)), 40):
        path.write_bytes(raw[: bit // 8] + bytes([raw[bit // 8] ^ 1 << bit % 8]) + raw[bit // 8 + 1 :])
        with pytest.raises(TrainingError, match=f"{STATE_FILE} (is damaged|cannot be read)"):
            _read_state(path)
    path.write_bytes(raw)
    assert _read_state(path)


def test_the_clock_may_jump(data, whole, tmp_path, monkeypatch):
    chance = random.Random(4)
    monkeypatch.setattr(time, "time", lambda: chance.uniform(-1e9, 1e9))
    run = train(model_config(), short(data), tmp_path / "out")
    seconds = [row["seconds"] for row in run.log]
    assert seconds == sorted(seconds) and min(seconds) >= 0 and all(row["tokens_per_second"] > 0 for row in run.log)
    same(whole("additive"), tmp_path / "out")
    translator = Translator.from_checkpoint(tmp_path / "out", "cpu")
    parts = [*translator.stream("the dog sees the cat ."), Batcher(translator).translate("the dog sees the cat .")]
    assert all(0 <= part.seconds < 100 for part in parts)


def test_a_run_can_be_made_longer(data, whole, tmp_path):
    train(model_config(), short(data, max_steps=12), tmp_path / "longer")
    train(model_config(), short(data, patience=9), tmp_path / "longer", resume=True)
    left, right = outcome(whole("additive")), outcome(tmp_path / "longer")
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_resuming_a_finished_run_changes_nothing(data, tmp_path):
    train(model_config(), short(data), tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    train(model_config(), short(data), tmp_path / "out", resume=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


# -- refusals ------------------------------------------------------------------------------------------------------


def test_an_existing_checkpoint_is_not_overwritten(data, tmp_path):
    train(model_config(), short(data), tmp_path / "out")
    before = outcome(tmp_path / "out")
    with pytest.raises(TrainingError, match="already holds a checkpoint.*--resume"):
        train(model_config(), short(data), tmp_path / "out")
    assert all(torch.equal(before[name], tensor) for name, tensor in outcome(tmp_path / "out").items())


def test_a_checkpoint_that_no_run_left_is_not_overwritten_by_resuming(data, tmp_path):
    """As those that ship: their runs' states are not part of them."""
    train(model_config(), short(data), tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "training")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(TrainingError, match="already holds a checkpoint, and no run to resume; choose another --out"):
        train(model_config(), short(data), tmp_path / "out", resume=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_run_of_a_newer_version_is_not_resumed_as_another(data, tmp_path, monkeypatch):
    settings = training.Run.settings.func
    with monkeypatch.context() as later:
        later.setattr(training.Run, "settings", property(lambda run: settings(run) | {"reward": 0.5}))
        train(model_config(), short(data, max_steps=6), tmp_path / "out")
    with pytest.raises(TrainingError, match="newer version: it knows reward; update"):
        train(model_config(), short(data, max_steps=6), tmp_path / "out", resume=True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"learning_rate": 0.5}, "learning_rate was 0.01, is 0.5"),
        ({"seed": 3}, "seed was 1, is 3"),
        ({"batch_tokens": 300, "clip_norm": 2.0}, r"batch_tokens was 200, is 300; clip_norm was 1.0, is 2.0"),
        ({"hidden_size": 10}, "hidden_size was 8, is 10"),
        ({"kind": "plain"}, "kind was additive, is plain"),
        ({"dropout": 0.3}, "dropout was 0.1, is 0.3"),
        ({"max_length": 12}, "max_length was 40, is 12"),
        ({"join": 0.2, "schedule": "cosine"}, "schedule was inverse-root, is cosine; join was 0.0, is 0.2"),
        ({"guide_weight": 0.5}, "guide_weight was 0.3, is 0.5"),
    ],
)
def test_resuming_with_other_settings_is_refused_naming_them(data, tmp_path, change, says):
    train(model_config(), short(data, max_steps=6), tmp_path / "out")
    before = outcome(tmp_path / "out")
    of_run = {name: value for name, value in change.items() if name in TrainConfig.__dataclass_fields__}
    of_model = {name: value for name, value in change.items() if name not in of_run}
    with pytest.raises(TrainingError, match=says):
        train(model_config(**of_model), short(data, max_steps=6, **of_run), tmp_path / "out", resume=True)
    assert all(torch.equal(before[name], tensor) for name, tensor in outcome(tmp_path / "out").items())


def test_a_run_is_not_resumed_on_another_text_of_the_same_name(data, tmp_path):
    copies = tuple(str(tmp_path / Path(path).name) for path in data)
    for path, copy in zip(data, copies):
        shutil.copy(path, copy)
    train(model_config(), short(copies, max_steps=6), tmp_path / "out")
    lines = Path(copies[0]).read_text(encoding="utf-8").splitlines(keepends=True)
    Path(copies[0]).write_text("".join(lines[::-1]), encoding="utf-8")
    with pytest.raises(TrainingError, match=r"corpus was [0-9a-f]{8}, is [0-9a-f]{8}"):
        train(model_config(), short(copies, max_steps=6), tmp_path / "out", resume=True)


def test_a_broken_state_is_named(data, tmp_path):
    train(model_config(), short(data, max_steps=6), tmp_path / "out")
    (tmp_path / "out" / "training" / STATE_FILE).write_bytes(b"\xff" * 100)
    with pytest.raises(TrainingError, match=f"{STATE_FILE} cannot be read"):
        train(model_config(), short(data, max_steps=6), tmp_path / "out", resume=True)


@pytest.mark.parametrize(
    ("content", "settings", "says"),
    [
        ("no tab here\n", {}, "bad.tsv, line 1: no tab"),
        ("", {}, "bad.tsv has no lines"),
        (None, {}, "bad.tsv: no such file"),
        ("a\tb\n", {"repeat": (1, 2, 3)}, "3 repeat counts for 1 data files"),
        ("the dog .\tle chien .\n", {"max_pieces": 2, "repeat": ()}, "no pair with at most 2 pieces"),
        ("the dog .\tle chien .\n", {"repeat": (0,)}, "no pair"),
    ],
)
def test_bad_data_is_refused_before_anything_is_written(data, tmp_path, content, settings, says):
    bad = tmp_path / "bad.tsv"
    if content is not None:
        bad.write_text(content)
    config = replace(short(data), **{"data": (str(bad),), "repeat": (), **settings})
    with pytest.raises(DataError, match=re.escape(says)):
        train(model_config(), config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [("no tab\n", "line 1: no tab"), ("a\tb\n" + "c" * 1001 + "\td\n", "bad.tsv, pair 2: The text has")],
)
def test_bad_validation_data_is_refused_before_anything_is_written(data, tmp_path, content, says):
    bad = tmp_path / "bad.tsv"
    bad.write_text(content)
    with pytest.raises(DataError, match=says):
        train(model_config(), replace(short(data), valid=(str(bad),)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["data", "valid"])
def test_no_files_at_all_is_said(data, tmp_path, name):
    with pytest.raises(DataError, match=f"--{name}"):
        train(model_config(), replace(short(data), repeat=(), **{name: ()}), tmp_path / "out")


def test_a_given_tokenizer_is_used_as_it_is(data, tmp_path):
    given = tmp_path / "tokenizer.json"
    given.write_text(Tokenizer.train([text for pair in TRAIN for text in pair], 45).to_json(), encoding="utf-8")
    run = train(model_config(), short(data, max_steps=1), tmp_path / "out", tokenizer=given)
    assert (tmp_path / "out" / "tokenizer.json").read_text() == given.read_text()
    assert run.plain_model.config.vocab_size == len(Tokenizer.load(given)) <= 45


# -- when it goes wrong --------------------------------------------------------------------------------------------


def test_a_poisoned_weight_stops_the_run_and_keeps_the_last_good_ones(data, tmp_path):
    kept: dict[str, torch.Tensor] = {}

    def arm(run):
        plain_update = run.update

        def update(indexes):
            if run.progress.step == 8:
                kept.update(outcome(tmp_path / "out"))
                with torch.no_grad():
                    run.plain_model.decoder.bias[7] = math.nan
            return plain_update(indexes)

        run.update = update

    with pytest.raises(
        TrainingError, match=r"stopped at step 9: the loss became nan.*last good weights stand in"
    ) as caught:
        train(model_config(), short(data), tmp_path / "out", on_start=arm)
    assert str(tmp_path / "out") in str(caught.value) and "\n" not in str(caught.value)
    left = outcome(tmp_path / "out")
    assert left.keys() == kept.keys() and all(torch.equal(left[name], kept[name]) for name in kept)
    assert all(tensor.isfinite().all() for tensor in left.values())


def test_a_giant_learning_rate_stops_the_run(data, tmp_path):
    """By its loss or by its weights, whichever a processor's rounding lets grow too large first."""
    stopped = r"stopped at step \d+: the (loss|weights) became .*no weights were written.*--learning-rate"
    with pytest.raises(TrainingError, match=stopped):
        train(model_config(), short(data, learning_rate=1e30, warmup_steps=0), tmp_path / "out")
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_a_diverging_loss_stops_the_run(data, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "DIVERGED_STEPS", 5)
    with pytest.raises(TrainingError, match=r"stopped at step \d+: the loss diverged to \d+"):
        train(model_config(), short(data, learning_rate=30.0, warmup_steps=0), tmp_path / "out")


class Full:
    """A model on a device whose memory has room for so many sentences."""

    def __init__(self, forward: Callable, room: int) -> None:
        self.forward, self.room, self.seen = forward, room, []

    def __call__(self, src, lengths, tgt):
        self.seen.append(len(src))
        if len(src) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return self.forward(src, lengths, tgt)


def test_a_full_gpu_is_trained_on_in_parts_with_the_same_outcome(data, links, tmp_path, monkeypatch, capsys):
    plain, settings = model_config(dropout=0.0, word_dropout=0.0), {"links": links, "guide_weight": 0.5}
    train(plain, short(data, **settings), tmp_path / "whole")
    made = []

    def start(run) -> None:
        run.model.forward = Full(run.model.forward, 7)
        made.append(run)

    train(plain, short(data, **settings), tmp_path / "parts", on_start=start)
    seen = made[0].model.forward.seen
    failed = [count for count in seen if count > 7]
    assert failed and made[0].parts == 2 ** len(failed), "each failure doubles the parts, and no part is tried again"
    assert capsys.readouterr().err.count("the memory of cpu is too small for a whole batch") == len(failed)
    one, other = outcome(tmp_path / "whole"), outcome(tmp_path / "parts")
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=2e-4, rtol=1e-3)
    logs = [pd.read_csv(tmp_path / folder / "training" / LOG_FILE) for folder in ("whole", "parts")]
    np.testing.assert_allclose(logs[0]["loss"], logs[1]["loss"], atol=2e-4)


def test_a_gpu_without_room_for_one_sentence_is_named_and_nothing_is_lost(data, whole, tmp_path):
    shutil.copytree(whole("additive"), tmp_path / "run")
    before = outcome(tmp_path / "run")
    longer = short(data, max_steps=short(data).max_steps + 5)
    with pytest.raises(
        TrainingError, match="the memory of cpu is too small; the last good weights stand in .*batch-tokens"
    ):
        train(
            model_config(), longer, tmp_path / "run", resume=True,
            on_start=lambda run: setattr(run.model, "forward", Full(run.model.forward, 0)),
        )  # fmt: skip
    after = outcome(tmp_path / "run")
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("mixed_precision", ["no", "bf16"])
def test_cuda_learns_and_resumes(data, tmp_path, mixed_precision):
    config = short(data, mixed_precision=mixed_precision)
    train(model_config(), replace(config, max_steps=12), tmp_path / "out")
    run = train(model_config(), config, tmp_path / "out", resume=True)
    assert run.log[-1]["loss"] < run.log[0]["loss"] and next(run.model.parameters()).is_cuda
