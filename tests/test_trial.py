"""Files that anybody may send, and two translators run over them."""

from __future__ import annotations

import csv
import gzip
import io
import time

import pandas as pd
import pytest
from sacrebleu import corpus_bleu, corpus_chrf, sentence_chrf

from seq2seq.data import DataError, Pair
from seq2seq.evaluation import bootstrap_difference
from seq2seq.report import FORMULA_STARTS
from seq2seq.translator import SearchError, Translator
from seq2seq.trial import MAX_ROWS, Progress, Trial, read_test, run_trial
from seq2seq.upload import MAX_BYTES
from tests.conftest import ENGLISH, FRENCH, tiny_model

PAIRS = [Pair(en, (fr,)) for en, fr in zip(ENGLISH, FRENCH)]
PAIRS[1] = Pair(ENGLISH[1], (FRENCH[1], "Sous le vieil arbre dort le chien."))
FORMULA = "=cmd|' /C calc'!A0"


@pytest.fixture
def file(tmp_path):
    def write(content: bytes | str, name: str = "mine.tsv"):
        path = tmp_path / name
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture(scope="module")
def sides(tokenizer) -> tuple[Translator, Translator]:
    return tuple(Translator(tiny_model(kind, len(tokenizer)), tokenizer, kind) for kind in ("plain", "additive"))


class Spy:
    """A translator that remembers how it was called."""

    def __init__(self, translator: Translator) -> None:
        self.inner, self.model, self.name, self.calls = translator, translator.model, translator.name, []

    def texts(self, *arguments, **settings):
        self.calls.append((arguments, settings))
        return self.inner.texts(*arguments, **settings)


# -- the file ------------------------------------------------------------------------------------------------------


def test_good_files_are_read(file):
    expected = [Pair("A dog, asleep.", ("Un chien.", "Le chien.")), Pair("It rains.", ("Il pleut.",))]
    assert read_test(file("A dog, asleep.\tUn chien.\tLe chien.\nIt rains.\tIl pleut.\n")) == expected
    as_csv = '\ufeff"A dog, asleep.",Un chien.,Le chien.\r\nIt rains.,Il pleut.,'
    assert read_test(file(as_csv, "a.csv")) == read_test(file(as_csv, "A.CSV")) == expected
    assert read_test(str(file("A dog, asleep.\tUn chien.\tLe chien.\nIt rains.\tIl pleut.\n", "a.txt"))) == expected


@pytest.mark.parametrize(
    ("content", "name", "parts"),
    [
        ("", "a.tsv", ["no lines", "pair"]),
        ("only one column\n", "a.tsv", ["line 1", "tab"]),
        ("a\tb\nonly one column\n", "a.tsv", ["line 2", "tab"]),
        ("a,b\nonly one column\n", "a.csv", ["line 2", "comma"]),
        ("a\tb\nc\t \n", "a.tsv", ["line 2", "empty"]),
        ("a\tb\n\x00c\td\n", "a.tsv", ["line 2", "NUL"]),
        ("A dog\tUn été\n".encode("latin-1"), "a.tsv", ["line 1", "UTF-8"]),
        ("A dog\tUn été\n".encode("utf-16"), "a.tsv", ["line 1", "UTF-8"]),
        ("a\tb\nc\t" + "x" * 50_000, "a.tsv", ["line 2", "50,000", "1,000", "Split"]),
        ("a\tb\n" + "x" * 50_000 + "\tb", "a.tsv", ["line 2", "50,000"]),
        ('a,b\n"two\nlines",' + "x" * 1001, "a.csv", ["line 3", "1,001"]),
        ("a," + "x" * 200_000, "a.csv", ["line 1"]),
        ('a,"b\n', "a.csv", ["CSV"]),
        ("a\tb\n\u200b\tb\n", "a.tsv", ["line 2", "no text"]),
        ("a\tb\n" * (MAX_ROWS + 1), "a.tsv", ["2,001", "2,000", "first"]),
        (gzip.compress(b"a\tb\n", mtime=0), "a.tsv.gz", ["a.tsv.gz", ".csv"]),
        (b"PK\x03\x04", "a.xlsx", ["a.xlsx", ".csv"]),
    ],
)
def test_bad_files_are_refused_with_what_to_do(file, content, name, parts):
    path = file(content, name)
    with pytest.raises(DataError) as caught:
        read_test(path)
    message = str(caught.value)
    assert "\n" not in message and str(path.parent) not in message, "a server does not tell where it keeps files"
    for part in (name, *parts):
        assert part in message


def test_2000_rows_are_not_too_many(file):
    assert len(read_test(file("a\tb\n" * MAX_ROWS))) == MAX_ROWS


def test_a_file_of_1_gb_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "large.tsv"
    with path.open("wb") as out:
        out.truncate(10**9)
    monkeypatch.setattr("seq2seq.data.Path.read_bytes", lambda self: pytest.fail("it was read"))
    began = time.perf_counter()
    with pytest.raises(DataError, match=r"large.tsv has 1,000.0 MB; the limit is 5 MB"):
        read_test(path)
    assert time.perf_counter() - began < 1


def test_the_limit_of_size_is_the_last_that_passes(file):
    line = "a\tb" + " " * (MAX_BYTES - 4) + "\n"
    assert read_test(file(line)) == [Pair("a", ("b",))]
    with pytest.raises(DataError, match="MB"):
        read_test(file(line + "\n"))


@pytest.mark.parametrize("name", ["missing.tsv", "folder.tsv"])
def test_what_is_no_file_is_refused(tmp_path, name):
    (tmp_path / "folder.tsv").mkdir()
    with pytest.raises(DataError, match=name):
        read_test(tmp_path / name)


# -- the trial -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_progress_after_each_batch_and_the_trial_last(sides, batch):
    *progress, trial = run_trial(*sides, PAIRS, batch=batch)
    expected = [min(start + batch, len(PAIRS)) for start in range(0, len(PAIRS), batch)]
    assert progress == [Progress(done, len(PAIRS)) for done in expected]
    assert isinstance(trial, Trial)


@pytest.mark.parametrize("beam_size", [1, 2])
def test_the_table_holds_what_the_translators_wrote(sides, beam_size):
    *_, trial = run_trial(*sides, PAIRS, beam_size, batch=2)
    table = trial.table
    assert list(table.columns) == ["source", "reference", "left", "right", "chrf_left", "chrf_right", "words"]
    assert list(table["source"]) == list(ENGLISH) and list(table["reference"]) == list(FRENCH)
    for name, translator in zip(("left", "right"), sides):
        alone = [translator.translate(pair.source, beam_size=beam_size).translation for pair in PAIRS]
        assert list(table[name]) == alone
        expected = [sentence_chrf(output, list(pair.references)).score for output, pair in zip(alone, PAIRS)]
        assert list(table[f"chrf_{name}"]) == pytest.approx(expected)
    assert list(table["words"]) == [len(en.split()) for en in ENGLISH]


def test_scores_are_sacrebleus_and_the_bootstraps(sides):
    *_, trial = run_trial(*sides, PAIRS)
    streams = [list(FRENCH), [pair.references[1] if len(pair.references) > 1 else None for pair in PAIRS]]
    assert trial.scores["sentences"] == len(PAIRS)
    for metric, score in (("bleu", corpus_bleu), ("chrf", corpus_chrf)):
        made = trial.scores[metric]
        for side in ("left", "right"):
            assert made[side] == pytest.approx(score(list(trial.table[side]), streams).score)
        expected = bootstrap_difference(metric, list(trial.table["left"]), list(trial.table["right"]), PAIRS)
        assert (made["difference"], *made["interval"]) == pytest.approx(expected)
        assert made["difference"] == pytest.approx(made["right"] - made["left"])


def test_both_sides_are_called_alike(sides):
    left, right = map(Spy, sides)
    list(run_trial(left, right, PAIRS, 3, batch=2))
    assert left.calls == right.calls and len(left.calls) == 3
    assert all(settings == {"beam_size": 3} for _, settings in left.calls)


def test_nothing_is_computed_after_a_cancel(sides):
    left, right = map(Spy, sides)
    run = run_trial(left, right, PAIRS, batch=1)
    assert not left.calls
    next(run), next(run)
    run.close()
    assert len(left.calls) == len(right.calls) == 2


def test_bad_calls_are_refused_before_work(sides):
    with pytest.raises(SearchError):
        run_trial(*sides, PAIRS, 0)
    with pytest.raises(ValueError, match="no pairs"):
        run_trial(*sides, [])
    with pytest.raises(ValueError, match="batch"):
        run_trial(*sides, PAIRS, batch=0)


def test_exported_cells_never_start_a_formula(file, sides):
    path = file(f'{FORMULA}\t{FORMULA}\n+1\t-1\n@x\t=1+1\nA dog, "asleep".\tUn chien.\n')
    *_, trial = run_trial(*sides, read_test(path))
    assert trial.table["source"][0] == FORMULA, "on the page it is shown as it was sent"
    rows = list(csv.DictReader(io.StringIO(trial.to_csv())))
    assert len(rows) == 4 and list(rows[0]) == list(trial.table.columns)
    for row, kept in zip(rows, trial.table.to_dict("records")):
        for name in ("source", "reference", "left", "right"):
            assert not row[name].startswith(FORMULA_STARTS)
            assert row[name].removeprefix("'") == kept[name].removeprefix("'")
        assert float(row["chrf_left"]) == pytest.approx(kept["chrf_left"], abs=0.006)
        assert int(row["words"]) == kept["words"]


def test_outputs_that_look_like_formulas_are_made_safe_too():
    row = {"source": "x", "reference": "y", "left": "=1", "right": "@a", "chrf_left": 1.0, "chrf_right": 2.0}
    [read] = csv.DictReader(io.StringIO(Trial(pd.DataFrame([row]), {}).to_csv()))
    assert (read["left"], read["right"]) == ("'=1", "'@a")
