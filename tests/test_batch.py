"""Files of sentences, translated in order, and what is written of them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq import batch
from seq2seq.batch import COLUMNS, MAX_LINES, Line, how_far, pharaoh, read_file, read_text, run_batch, save
from seq2seq.data import DataError
from seq2seq.figures import heatmap
from seq2seq.report import FORMULA_STARTS
from seq2seq.translator import MAX_CHARACTERS, SearchError, TextError, Translator, clean
from tests.conftest import ENGLISH, UNSEEN, tiny_model

LONG = "x" * (MAX_CHARACTERS + 1)


@pytest.fixture
def file(tmp_path):
    def write(content: bytes | str, name: str = "mine.txt"):
        path = tmp_path / name
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture(scope="module")
def additive(tokenizer) -> Translator:
    return Translator(tiny_model("additive", len(tokenizer)), tokenizer, "additive")


class Spy:
    """A translator that counts its calls."""

    def __init__(self, translator: Translator) -> None:
        self.inner, self.calls = translator, []

    def translate(self, texts, **settings):
        self.calls.append(texts)
        return self.inner.translate(texts, **settings)


def results(translator, lines, beam_size: int = 1) -> tuple[list[dict], list[dict]]:
    """The table and the objects that are written."""
    table, objects = io.StringIO(newline=""), io.StringIO()
    list(save(run_batch(translator, lines, beam_size), table, objects))
    return list(csv.DictReader(io.StringIO(table.getvalue(), newline=""))), [
        json.loads(line) for line in objects.getvalue().splitlines()
    ]


# -- lines ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ("A dog.\nA cat.\n", "a.txt", ["A dog.", "A cat."]),
        ("\ufeffA dog.\r\nA cat.\r\n\r\n \r\n", "A.TXT", ["A dog.", "A cat."]),
        ("A dog,\tor a cat.\n", "a.txt", ["A dog,\tor a cat."]),
        ("A dog.\tUn chien.\t7\nA cat.\n", "a.tsv", ["A dog.", "A cat."]),
        ('"A dog, asleep.",Un chien.\nA cat.\n', "a.csv", ["A dog, asleep.", "A cat."]),
        ('"A ""dog""\nsleeps.",x\n', "a.csv", ['A "dog"\nsleeps.']),
    ],
)
def test_the_sentence_is_the_line_of_a_text_and_the_first_column_of_a_table(file, content, name, expected):
    lines = read_file(file(content, name))
    assert [line.text for line in lines] == expected
    assert not any(line.error for line in lines)


def test_a_bad_line_carries_its_reason_and_its_number(file):
    lines = read_file(file(f"A dog.\n\n{LONG}\n\u200b\nA cat.\n\n\n"))
    assert [line.number for line in lines] == [1, 2, 3, 4, 5], "blank lines at the end do not count"
    assert [bool(line.error) for line in lines] == [False, True, True, True, False]
    assert "no text" in lines[1].error and "1,001" in lines[2].error and "no text" in lines[3].error
    assert len(lines[2].text) < 250, "a refused line may be megabytes long"
    assert [line.number for line in read_file(file("A dog.\n,x\nA cat.\n,y\n", "a.csv"))] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("content", "name", "parts"),
    [
        ("", "a.txt", ["no lines", "one sentence a line"]),
        (" \n\n", "a.txt", ["no lines"]),
        ("A dog.\nUn été\n".encode("latin-1"), "a.txt", ["line 2", "UTF-8"]),
        ("A dog.\n".encode("utf-16"), "a.txt", ["line 1", "UTF-8"]),
        ("A dog.\na\0b\n", "a.tsv", ["line 2", "NUL"]),
        ('A dog.\n"A cat', "a.csv", ["line 2", "CSV"]),
        ("a\n" * (MAX_LINES + 1), "a.txt", ["5,001", "5,000", "first"]),
        (("b " * 490 + "\n") * 1100, "a.txt", ["1,000,000", "part"]),
        ("x" * 5_000_001, "a.txt", ["5.1 MB", "limit is 5 MB", "part"]),
        ("A dog.", "a.pdf", ["unknown kind", ".txt"]),
    ],
)
def test_a_file_over_a_limit_is_refused_with_what_to_do(file, content, name, parts):
    path = file(content, name)
    with pytest.raises(DataError) as caught:
        read_file(path)
    message = str(caught.value)
    assert "\n" not in message and str(path.parent) not in message
    for part in (name, *parts):
        assert part in message


def test_the_limit_of_lines_is_the_last_that_passes(file):
    assert len(read_file(file("a\n" * MAX_LINES + "\n \n"))) == MAX_LINES
    assert len(read_text("a\n" * MAX_LINES + "\n\n")) == MAX_LINES
    with pytest.raises(DataError, match="the box has 5,001 rows; the limit is 5,000"):
        read_text("a\n" * (MAX_LINES + 1), "the box")
    with pytest.raises(DataError, match="limit is 500,000"):
        read_text("a" * 500_001)


@given(
    st.lists(st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), max_size=30), max_size=8)
)
def test_every_line_is_kept_in_order_whatever_stands_in_it(tmp_path_factory, texts):
    while texts and not texts[-1].strip():
        texts.pop()
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8", newline="")
    table = path.with_suffix(".csv")
    with table.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([text, "more"] for text in texts)
    if not texts:
        with pytest.raises(DataError):
            read_file(path)
        return
    read = read_file(path)
    assert [line.number for line in read] == list(range(1, len(texts) + 1))
    for line, text in zip(read, texts):
        try:
            clean(text)
            assert line == (line.number, text if line.number > 1 else text.removeprefix("\ufeff"), "")
        except TextError as error:
            assert line.error == str(error)
    assert read_text("\n".join(texts)) == read or texts[0].startswith("\ufeff")
    assert [line.error for line in read_file(table)] == [line.error for line in read]


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40))
def test_any_text_can_be_read_run_and_written(additive, text):
    """Lone surrogates too, which a browser can send and no file can hold."""
    lines = read_text(f"A dog.\n{text}\nA man.")
    table, objects = results(additive, lines)
    assert len(table) == len(objects) == len(lines)
    json.dumps(table, ensure_ascii=False).encode("utf-8")
    json.dumps(objects, ensure_ascii=False).encode("utf-8")


# -- translating ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beam_size", [1, 3])
def test_translations_stand_in_order_and_are_those_of_each_line_alone(additive, monkeypatch, beam_size):
    monkeypatch.setattr(batch, "BATCH_LINES", 6)
    texts = [*ENGLISH, "", *UNSEEN, LONG, ENGLISH[0], "A dog"]
    lines = read_text("\n".join(texts))
    steps = list(run_batch(additive, lines, beam_size))
    rows = [row for step in steps for row in step.rows]
    assert [row.line for row in rows] == lines
    for row, text in zip(rows, texts):
        if row.line.error:
            assert row.translation is None and text in ("", LONG)
        else:
            alone = additive.translate(text, beam_size=beam_size)
            assert row.translation.translation == alone.translation
            assert row.translation.log_prob == pytest.approx(alone.log_prob, abs=1e-4)
    assert [step.done for step in steps] == sorted({step.done for step in steps}) and steps[-1].done == len(lines)
    assert all(step.total == len(lines) for step in steps)
    assert steps[0].seconds_left > 0 and steps[-1].seconds_left == 0


def test_a_batch_of_long_lines_is_smaller(additive, monkeypatch):
    monkeypatch.setattr(batch, "BATCH_CHARACTERS", 60)
    spy = Spy(additive)
    list(run_batch(spy, read_text("\n".join(ENGLISH))))
    assert sum(map(len, spy.calls)) == len(ENGLISH) and len(spy.calls) > 2
    assert all(len(texts) == 1 or sum(map(len, texts)) <= 60 for texts in spy.calls)


def test_nothing_is_computed_after_a_cancel(additive, monkeypatch):
    monkeypatch.setattr(batch, "BATCH_LINES", 1)
    spy = Spy(additive)
    run = run_batch(spy, read_text("\n".join(ENGLISH)))
    assert not spy.calls
    next(run), next(run)
    run.close()
    assert len(spy.calls) == 2


def test_bad_calls_are_refused_before_work(additive):
    with pytest.raises(SearchError):
        run_batch(additive, [Line(1, "A dog.")], 0)
    with pytest.raises(ValueError, match="no lines"):
        run_batch(additive, [])


def test_how_far_it_is_in_words():
    assert how_far(batch.Step([], 640, 5000, 12.4)) == "640 of 5,000 lines, about 12 s left"
    assert how_far(batch.Step([], 640, 5000, 300)) == "640 of 5,000 lines, about 5 min left"
    assert how_far(batch.Step([], 5000, 5000, 0)) == "5,000 of 5,000 lines"


# -- results -------------------------------------------------------------------------------------------------------


def test_the_two_files_say_the_same(additive):
    lines = read_text("\n".join([ENGLISH[0], "", "A 😀 sleeps.", LONG]))
    table, objects = results(additive, lines)
    assert list(table[0]) == list(COLUMNS)
    for row, made, line in zip(table, objects, lines):
        assert int(row["line"]) == made["line"] == line.number
        assert row["error"] == made.get("error", "") == line.error
        if line.error:
            assert set(made) == {"line", "text", "error"}
            assert row["translation"] == row["log_prob"] == row["alignment"] == ""
            continue
        assert row["translation"].removeprefix("'") == made["translation"].removeprefix("'")
        assert float(row["log_prob"]) == pytest.approx(made["log_prob"], abs=1e-6)
        assert row["alignment"] == made["alignment"]
        assert row["warnings"] == " ".join(made["warnings"])
        expected = additive.translate(line.text).to_dict()
        assert set(made) == {*expected, "line", "alignment"}
        assert {k: made[k] for k in ("text", "translation", "target_words")} == {
            k: expected[k] for k in ("text", "translation", "target_words")
        }
    assert table[2]["warnings"], "the emoji is unknown"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["=", "+", "-", "@", "\t", "\r", "'", " =", ""]), st.text(max_size=12)), max_size=4
    )
)
def test_no_text_of_the_table_starts_a_formula(additive, parts):
    lines = read_text("\n".join(["=1+1", *(start + text for start, text in parts), "A dog."]))
    table, _ = results(additive, lines)
    for row in table:
        for name in ("source", "translation", "alignment", "warnings", "error"):
            assert not row[name].startswith(FORMULA_STARTS)
        float(row["log_prob"] or 0)


def test_a_translation_that_looks_like_a_formula_is_made_safe(additive):
    row = batch.Row(Line(1, "A dog."), replace(additive.translate("A dog."), translation="=1", warnings=("@x",)))
    table = io.StringIO(newline="")
    list(save([batch.Step([row], 1, 1, 0)], table))
    [read] = csv.DictReader(io.StringIO(table.getvalue(), newline=""))
    assert (read["translation"], read["warnings"]) == ("'=1", "'@x")


def test_links_are_the_darkest_cells_of_the_heatmap(translator):
    for made in translator.translate(list(ENGLISH)):
        if made.attention is None:
            assert pharaoh(made) == ""
            continue
        drawn = heatmap(made, show_eos=False).data[0]
        words = len(made.source_words) - 1
        assert made.source_words[-1] == "<eos>"
        cells = np.array(drawn.z)[:, :words]  # neither <eos> nor padding
        pairs = [tuple(map(int, link.split("-"))) for link in pharaoh(made).split()]
        assert [j for _, j in pairs] == [j for j in range(len(cells)) if made.attention[j, :words].any()]
        for i, j in pairs:
            assert cells[j, i] == pytest.approx(cells[j].max(), abs=1e-4)


def test_objects_that_grow_without_end_are_stopped(additive, monkeypatch):
    monkeypatch.setattr(batch, "MAX_OBJECTS", 1000)
    with pytest.raises(DataError, match="line 1: the results up to here have over .* Send a part"):
        results(additive, read_text(ENGLISH[0]))
    table = io.StringIO()
    assert list(save(run_batch(additive, read_text(ENGLISH[0])), table)), "a table alone stays small"
