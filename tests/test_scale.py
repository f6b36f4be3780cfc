"""Replicas on Ray Serve: what one computes, what is said where Ray is missing, and a real trial with one of two killed."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2seq import cli, scale
from seq2seq.demo import models
from seq2seq.scale import RAY, Search, Searcher
from seq2seq.search import Deadline, Hypothesis
from seq2seq.tokenizer import Pieces
from seq2seq.translator import Translator
from tests.hosting import ROOT
from tests.scale import NO_RAY, RAY_IS_HERE, trial

TEXTS = ("A dog sleeps.", "Two girls are playing in the garden with a red ball.", "A man rides a bike.")


def test_the_extra_is_the_version_that_is_named() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["optional-dependencies"]["scale"] == [RAY]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), f"serve needs Ray, which is not installed; install it with: pip install '{RAY}'"),
        (("--replicas", "0"), "--replicas is 0; it must be at least 1"),
        (("--port", "70000"), "'--port'"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(arguments, said, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    assert cli.main(["serve", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and said in err and err.count("\n") == 1


def test_without_replicas_the_page_searches_by_itself() -> None:
    assert type(models.translator(models.DEFAULT)) is Translator


@pytest.mark.parametrize("seconds", [None, 30.0])
def test_a_replica_answers_each_search_of_a_mixed_batch_as_a_translator_does(seconds, monkeypatch) -> None:
    """Two checkpoints and two kinds of search, shuffled: what is alike is computed together, and none gets another's answer."""
    loaded = {name: models.translator(name) for name in (models.DEFAULT, "en-fr-plain")}
    wanted, expected = [], []
    for text in TEXTS:
        for name, translator in loaded.items():
            for beam_size, n_best in ((1, 1), (3, 2)):
                [source] = translator.read([text])
                wanted.append(Search(str(models.CHECKPOINTS / name), source, beam_size, n_best, 0.6, 2, seconds))
                expected += translator.search([source], beam_size, n_best, 0.6, 2)
    together = []
    search = Translator.search

    def counted(self: Translator, sources: Sequence[Pieces], *args: Any, **settings: Any) -> list[list[Hypothesis]]:
        together.append(len(sources))
        return search(self, sources, *args, **settings)

    monkeypatch.setattr(Translator, "search", counted)
    found = Searcher().search(wanted)
    assert together == [len(TEXTS)] * 4, "one call for each checkpoint and kind of search"
    assert [[h.ids for h in best] for best in found] == [[h.ids for h in best] for best in expected]
    for best, others in zip(found, expected, strict=True):
        for one, other in zip(best, others, strict=True):
            np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-4)
            assert len(one.rows) == len(other.rows) and all(
                map(np.allclose, one.rows, other.rows, [0] * 99, [1e-4] * 99)
            )


def test_the_time_of_each_search_begins_when_it_does(monkeypatch) -> None:
    """Not when its batch was sorted: those before it may have taken all of that."""
    now, begun = [0.0], []

    class Slow:
        def search(self, sources: Sequence[Pieces], deadline: Deadline, **settings: Any) -> list[list[Hypothesis]]:
            begun.append((len(sources), now[0], deadline.at))
            now[0] += 20
            return [[Hypothesis()] for _ in sources]

    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(Translator, "from_checkpoint", lambda checkpoint: Slow())
    [source] = models.translator(models.DEFAULT).read(TEXTS[:1])
    wanted = [Search("any", source, beam_size, 1, 0.6, 1, seconds=30.0) for beam_size in (1, 2, 1, 3)]
    assert Searcher().search(wanted) == [[Hypothesis()]] * 4
    assert begun == [(2, 0, 30), (1, 20, 50), (1, 40, 70)]


def test_when_no_replica_answers_the_page_searches_by_itself(monkeypatch, caplog) -> None:
    class Gone:
        def remote(self, wanted: Search) -> None:
            raise ConnectionError("the cluster has ended")

    monkeypatch.setattr(scale, "_replicas", Gone())
    away = scale.load(models.CHECKPOINTS / models.DEFAULT)
    made = away.translate(list(TEXTS), beam_size=2)
    expected = models.translator(models.DEFAULT).translate(list(TEXTS), beam_size=2)
    assert [one.to_dict() | {"seconds": 0} for one in made] == [one.to_dict() | {"seconds": 0} for one in expected]
    assert "the cluster has ended" in caplog.text


def test_a_search_that_waited_in_vain_for_replicas_has_all_of_its_time_here(monkeypatch) -> None:
    """The wait for an answer, `ANSWER_SECONDS`, is longer than the page lets a search take."""
    now = [0.0]

    class Stuck:
        def remote(self, wanted: Search) -> None:
            now[0] += scale.ANSWER_SECONDS
            raise TimeoutError

    away = scale.load(models.CHECKPOINTS / models.DEFAULT)
    expected = models.translator(models.DEFAULT).translate(TEXTS[0])
    monkeypatch.setattr(scale, "_replicas", Stuck())
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    away.new_deadline = lambda: Deadline.after(30)
    made = away.translate(TEXTS[0])
    assert (made.translation, made.warnings) == (expected.translation, ())


@pytest.mark.skipif(not RAY_IS_HERE, reason=NO_RAY)
def test_no_request_is_lost_with_a_replica(tmp_path: Path) -> None:
    found = trial(tmp_path, count=2, callers=8, calls=6)
    assert len(found.answers) == 48 and found.wrong == []
    assert len(found.after) == 2 and found.killed not in found.after and found.after != found.before
    assert not [line for line in found.lines if "done here" in line], "replicas answered, not the page in their place"
