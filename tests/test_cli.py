"""The command line as its callers see it: results, exit codes, and one line on standard error for what went wrong."""

from __future__ import annotations

import csv
import inspect
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np
import pytest
from pptx import Presentation

from seq2seq import cli, comparison
from seq2seq.classic import CLASSIC, CLASSIC_SIZES
from seq2seq.config import ModelConfig, TrainConfig
from seq2seq.console import progress_notes, project_path
from seq2seq.data import read_links
from seq2seq.model import decoder_class, kinds
from seq2seq.options import HELP, expand_lists
from seq2seq.translation import OWN_FIELDS
from seq2seq.translator import Translator
from tests.conftest import ENGLISH, FRENCH, tiny_model

ROOT = Path(__file__).resolve().parent.parent
KEYS = (
    "text translation source_words target_words source_pieces target_pieces attention attention_pieces log_prob "
    "token_log_probs candidates checkpoint beam_size seconds warnings"
).split()
"""Of one line of `translate --json`."""
SCORES = (
    "bleu bleu_lower_tok chrf bleu_interval chrf_interval sentences by_length seconds tokens_per_second signature"
).split()
"""Of `evaluate --json`."""
TINY = "--vocab-size 120 --embedding-size 8 --hidden-size 8 --attention-size 4 --validate-every 2 --max-steps 4".split()


@pytest.fixture(scope="module")
def checkpoints(tokenizer, tmp_path_factory) -> Path:
    """A folder with an untrained checkpoint of each kind."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for kind in kinds():
        tiny_model(kind, len(tokenizer)).save_pretrained(folder / kind)
        (folder / kind / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "pairs.tsv"
    path.write_text("".join(f"{en}\t{fr}\n" for en, fr in zip(ENGLISH, FRENCH)), encoding="utf-8")
    return path


@pytest.fixture
def call(capsys, monkeypatch):
    """Runs a command in this process -> exit code, standard output, standard error."""

    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = cli.main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


def process(*arguments: str, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "seq2seq", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def assert_refused(result: tuple[int, str, str], *parts: str) -> None:
    code, out, err = result
    assert code == 2 and out == ""
    assert err.startswith("error: ") and err.count("\n") == 1 and "Traceback" not in err
    for part in parts:
        assert part in err


# -- every command -------------------------------------------------------------------------------------------------


def test_help_does_not_wait_for_torch():
    program = (
        "import sys; from seq2seq.cli import main; code = main(['train', '--help']); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "--batch-tokens" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "Missing command"),
        (["translat"], "translat"),
        (["translate", "--bogus"], "--bogus"),
        (["translate", "--beam", "many", "x"], "--beam"),
        (["translate", "--beam", "0", "x"], "beam"),
        (["translate", "--n-best", "3", "x"], "n_best"),
        (["translate", "--n-best", "3", "--beam", "3", "--target", "y", "x"], "--target"),
        (["translate", "--target", " ", "x"], "--target"),
        (["translate", "--checkpoint", "nowhere/at/all", "x"], "nowhere/at/all"),
        (["translate", "--device", "abacus", "x"], "abacus"),
        (["compare"], "TEXT"),
        (["compare", " "], "no text"),
        (["compare", "x", "--left", "nowhere/at/all"], "nowhere/at/all"),
        (["compare", "x", "--right", "nowhere/at/all"], "nowhere/at/all"),
        (["compare", "x", "--beam", "0"], "beam"),
        (["compare", "x", "--reference", "y" * 1001], "reference"),
        (["compare", "x", "--device", "abacus"], "abacus"),
        (["evaluate"], "--alignment"),
        (["evaluate", "--data", "a", "--alignment", "b"], "--alignment"),
        (["evaluate", "--data", "missing.tsv"], "missing.tsv"),
        (["train", "--data", "a", "--valid", "b"], "--out"),
        (["train", "--data", "missing.tsv", "--valid", "b", "--out", "c"], "missing.tsv"),
        (["train", "--data", "a", "--valid", "b", "--out", "c", "--kind", "transformer"], "additive"),
        (["train", "--data", "a", "--valid", "b", "--out", "c", "--dropout", "2"], "dropout"),
        (["train", "--data", "a", "--valid", "b", "--out", "c", "--max-steps", "0"], "max_steps"),
        (["train", "--data", "a", "--valid", "b", "--out", "c", "--schedule", "linear"], "schedule"),
        (["train", "--data", "a", "--valid", "b", "--out", "c", "--join", "1"], "join"),
        (["bench", "--device", "abacus"], "abacus"),
    ],
)
def test_wrong_calls_are_one_line_and_exit_2(call, checkpoints, tmp_path, monkeypatch, arguments, part):
    monkeypatch.chdir(tmp_path)
    if arguments[:1] == ["translate"] and "--checkpoint" not in arguments:
        arguments = [*arguments, "--checkpoint", str(checkpoints / "additive")]
    if arguments[:1] == ["compare"]:  # a later flag takes the place of an earlier one
        plain = str(checkpoints / "plain")
        arguments = ["compare", "--left", plain, "--right", plain, *arguments[1:]]
    assert_refused(call(*arguments), part)
    assert list(tmp_path.iterdir()) == []


def test_an_unforeseen_error_is_one_line_and_exit_1(call, checkpoints, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr(Translator, "translate", fail)
    code, out, err = call("translate", "--checkpoint", checkpoints / "plain", "A dog.")
    assert (code, out, err) == (1, "", "error: RuntimeError: out of memory\n")


def test_a_reader_that_goes_away_is_no_error(checkpoints):
    lines = ("The dog sleeps under the old tree.\n" * 600).encode()
    running = process("translate", "--json", "--checkpoint", checkpoints / "additive", stdin=subprocess.PIPE)
    running.stdin.write(lines)
    running.stdin.close()
    assert json.loads(running.stdout.readline())["source_words"][1] == "dog"
    running.stdout.close()
    assert running.wait(60) == 1
    assert running.stderr.read() == b""


# -- translate -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", kinds())
def test_json_has_the_promised_fields(call, checkpoints, kind):
    code, out, err = call("translate", "--json", "--checkpoint", checkpoints / kind, ENGLISH[0], ENGLISH[1])
    assert code == 0 and all(line.startswith("warning: ") for line in err.splitlines())
    made = [json.loads(line) for line in out.splitlines()]
    assert [one["text"] for one in made] == list(ENGLISH[:2])
    for one in made:
        assert list(one) == [*KEYS, *["padding_weight"] * (kind == "classic-attention")]
        assert one["checkpoint"] == kind and one["beam_size"] == 1
        assert one["source_words"][-1] == "<eos>"
        assert one["log_prob"] == pytest.approx(sum(one["token_log_probs"]), abs=1e-4)
        assert len(one["candidates"]) == len(one["target_pieces"]) == len(one["token_log_probs"])
        if not decoder_class(kind).looks_back:
            assert one["attention"] is None and one["attention_pieces"] is None
            continue
        assert np.shape(one["attention"]) == (len(one["target_words"]), len(one["source_words"]))
        assert np.shape(one["attention_pieces"]) == (len(one["target_pieces"]), len(one["source_pieces"]))
        np.testing.assert_allclose(np.sum(one["attention"], 1) + one.get("padding_weight", 0), 1, atol=1e-3)


@pytest.mark.parametrize("kind", ["additive", "classic-attention"])
def test_n_best_stands_under_alternatives(call, checkpoints, kind):
    arguments = ("--checkpoint", checkpoints / kind, "--beam", "4", "--n-best", "3", ENGLISH[0])
    [best] = map(json.loads, call("translate", "--json", *arguments)[1].splitlines())
    padding = ["padding_weight"] * (kind == "classic-attention")
    assert list(best) == [*KEYS, *padding, "alternatives"] and best["beam_size"] == 4
    own = [name for name in OWN_FIELDS if name in best]  # some fields stand there only where they say something
    assert ("padding_weight" in own) == bool(padding) and "copied_words" not in own
    assert [list(other) for other in best["alternatives"]] == [own] * 2
    rows = [line.split("\t") for line in call("translate", *arguments)[1].splitlines()]
    assert [row[2] for row in rows] == [best["translation"], *(other["translation"] for other in best["alternatives"])]
    assert float(rows[0][1]) == pytest.approx(best["log_prob"], abs=1e-4)


@pytest.mark.parametrize("kind", sorted(CLASSIC))
def test_a_line_that_is_cut_is_said_with_its_number(call, checkpoints, kind):
    long = " ".join(ENGLISH)
    stdin = f"{ENGLISH[0]}\n{long}\n".encode()
    code, out, err = call("translate", "--checkpoint", checkpoints / kind, stdin=stdin)
    warnings = Translator.from_checkpoint(checkpoints / kind, "cpu").translate(long).warnings
    said = [f"warning: line 2: {warning}" for warning in warnings]
    assert code == 0 and len(out.splitlines()) == 2
    assert "words were cut off unread" in said[0] and set(said) <= set(err.splitlines())
    assert not any(line.startswith("warning: line 1: This model reads") for line in err.splitlines())


def test_lines_of_standard_input_in_order(call, checkpoints):
    stdin = "\r\n".join([*ENGLISH, "", ""]).encode()
    code, out, _ = call("translate", "--checkpoint", checkpoints / "additive", stdin=stdin)
    whole = Translator.from_checkpoint(checkpoints / "additive", "cpu").translate(list(ENGLISH))
    assert code == 0
    assert out.splitlines() == [translation.translation for translation in whole]


@pytest.mark.parametrize(
    ("stdin", "parts"),
    [
        (b"A dog.\n\nA cat.\n", ["line 2", "no text"]),
        (b"A dog.\n" + b"a " * 600 + b"\n", ["line 2", "1,000"]),
        (b"A dog.\nUn \xe9t\xe9.\n", ["line 2", "UTF-8"]),
        (b"", ["nothing to translate"]),
        (b"\n\n", ["nothing to translate"]),
    ],
)
def test_bad_lines_are_named_before_anything_is_translated(call, checkpoints, stdin, parts):
    assert_refused(call("translate", "--checkpoint", checkpoints / "additive", stdin=stdin), *parts)


def test_a_bad_text_is_named(call, checkpoints):
    assert_refused(call("translate", "--checkpoint", checkpoints / "additive", "A dog.", " "), "text 2")


def test_target_is_scored_and_aligned(call, checkpoints):
    arguments = ("--checkpoint", checkpoints / "additive", "--target", FRENCH[1], ENGLISH[1])
    [one] = map(json.loads, call("translate", "--json", *arguments)[1].splitlines())
    wanted = Translator.from_checkpoint(checkpoints / "additive", "cpu").translate(ENGLISH[1], target=FRENCH[1])
    assert one["translation"] == FRENCH[1]
    assert one["log_prob"] == pytest.approx(wanted.log_prob, abs=1e-4)
    assert call("translate", *arguments)[1] == f"1\t{wanted.log_prob:.4f}\t{FRENCH[1]}\n"


@pytest.mark.parametrize("kind", ["additive", "classic-attention"])
def test_files_are_written_whole(call, checkpoints, tmp_path, kind):
    table, page, slides = tmp_path / "a.csv", tmp_path / "a.html", tmp_path / "a.pptx"
    files = ("--csv", table, "--html", page, "--pptx", slides)
    code, out, _ = call("translate", "--checkpoint", checkpoints / kind, *files, *ENGLISH[:2])
    assert code == 0 and len(out.splitlines()) == 2
    assert table.read_text(encoding="utf-8").startswith("sentence,")
    assert (",padding," in table.read_text(encoding="utf-8")) == (kind == "classic-attention")
    assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert len(Presentation(str(slides)).slides) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "a.html", "a.pptx"]


def test_a_comparison_is_written_too(call, checkpoints, tmp_path):
    page, slides = tmp_path / "a.html", tmp_path / "a.pptx"
    sides = ("--left", checkpoints / "plain", "--right", checkpoints / "additive")
    code, out, err = call("compare", ENGLISH[0], *sides, "--html", page, "--pptx", slides)
    assert code == 0 and out and f"wrote {page}" in err and f"wrote {slides}" in err
    assert page.read_text(encoding="utf-8").count('class="plot"') == 4, "the vector, the map, and twice what was needed"
    assert len(Presentation(str(slides)).slides) == 2
    assert_refused(call("compare", ENGLISH[0], *sides, "--pptx", tmp_path / "no" / "a.pptx"), "there is no folder")


def test_a_missing_target_folder_is_reported_before_the_work(call, tmp_path):
    refused = call("translate", "--csv", tmp_path / "no" / "a.csv", "--checkpoint", "nowhere/at/all", "A dog.")
    assert_refused(refused, "there is no folder")
    assert_refused(call("translate", "--html", tmp_path, "--checkpoint", "nowhere/at/all", "A dog."), "it is a folder")


# -- batch ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def sentences(tmp_path) -> Path:
    """A file with a blank line and a line that is too long."""
    path = tmp_path / "in" / "sentences.txt"
    path.parent.mkdir()
    path.write_text("\n".join([ENGLISH[0], "", "x" * 1001, ENGLISH[1]]), encoding="utf-8")
    return path


def test_batch_prints_a_table_and_goes_on_after_a_bad_line(call, checkpoints, sentences):
    code, out, err = call("batch", sentences, "--checkpoint", checkpoints / "additive", "--beam", 2)
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert [row["line"] for row in rows] == ["1", "2", "3", "4"]
    assert [bool(row["error"]) for row in rows] == [False, True, True, False]
    alone = call("translate", "--checkpoint", checkpoints / "additive", "--beam", 2, ENGLISH[0], ENGLISH[1])[1]
    assert [rows[0]["translation"], rows[3]["translation"]] == alone.splitlines()
    assert "2 of 4 lines could not be translated" in err


def test_batch_writes_both_files_whole(call, checkpoints, sentences, tmp_path):
    table, objects = tmp_path / "a.csv", tmp_path / "a.jsonl"
    table.write_text("old", encoding="utf-8")
    code, out, err = call(
        "batch", sentences, "--checkpoint", checkpoints / "additive", "--csv", table, "--jsonl", objects
    )
    assert (code, out) == (0, "") and f"wrote {table}" in err and f"wrote {objects}" in err
    assert len(table.read_text(encoding="utf-8").splitlines()) == 5
    made = [json.loads(line) for line in objects.read_text(encoding="utf-8").splitlines()]
    assert [one["line"] for one in made] == [1, 2, 3, 4] and set(KEYS) <= made[0].keys()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "a.jsonl", "in"]


def test_batch_that_fails_half_way_leaves_nothing(call, checkpoints, sentences, tmp_path, monkeypatch):
    table, objects = tmp_path / "a.csv", tmp_path / "a.jsonl"
    table.write_text("old", encoding="utf-8")
    translate = Translator.translate

    def once(self, texts, **settings):
        monkeypatch.setattr(Translator, "translate", lambda *_, **__: 1 / 0)
        return translate(self, texts, **settings)

    monkeypatch.setattr(Translator, "translate", once)
    monkeypatch.setattr("seq2seq.batch.BATCH_LINES", 1)
    code, out, err = call(
        "batch", sentences, "--checkpoint", checkpoints / "additive", "--csv", table, "--jsonl", objects
    )
    assert (code, out) == (1, "") and len(err.splitlines()) == 1
    assert table.read_text(encoding="utf-8") == "old", "what stood there before still does"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "in"]


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("a.txt", None, ["a.txt", "no such file"]),
        ("a.pdf", b"A dog.", ["a.pdf", ".txt"]),
        ("a.txt", b"", ["no lines"]),
        ("a.txt", b"caf\xe9", ["line 1", "UTF-8"]),
        ("a.txt", b"a\n" * 5001, ["5,001", "5,000"]),
    ],
)
def test_batch_refuses_a_bad_file_before_the_work(call, tmp_path, name, content, parts):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert_refused(call("batch", tmp_path / name, "--checkpoint", "nowhere/at/all"), *parts)


def test_batch_refuses_bad_calls(call, checkpoints, sentences, tmp_path):
    model = ("--checkpoint", checkpoints / "additive")
    assert_refused(call("batch", sentences, *model, "--beam", 0), "beam_size")
    assert_refused(call("batch", sentences, "--checkpoint", tmp_path / "none"), "none")
    assert_refused(call("batch", sentences, "--csv", tmp_path / "no" / "a.csv"), "there is no folder")
    assert_refused(call("batch", sentences, "--csv", sentences), "another name")
    assert_refused(call("batch", sentences, "--csv", tmp_path / "a", "--jsonl", tmp_path / "a"), "two names")
    assert call("batch")[0] == 2


def test_progress_is_one_line_on_a_terminal_and_rare_elsewhere(capsys, monkeypatch):
    progress_notes(["1 of 2", "2 of 2"])
    assert capsys.readouterr().err == ""
    progress_notes(["1 of 2", "2 of 2"], every=0)
    assert capsys.readouterr().err == "1 of 2\n2 of 2\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress_notes(["1 of 22", "2 of 2"])
    assert capsys.readouterr().err == "\r1 of 22\r2 of 2 \n"


def test_checkpoints_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Path(project_path("seq2seq")) == ROOT / "seq2seq"
    (tmp_path / "seq2seq").mkdir()
    assert project_path("seq2seq") == "seq2seq"
    assert project_path("somebody/on-the-hub") == "somebody/on-the-hub"


# -- compare -------------------------------------------------------------------------------------------------------


@pytest.fixture
def two(checkpoints) -> list[str]:
    return ["--left", str(checkpoints / "plain"), "--right", str(checkpoints / "additive")]


def test_compare_json_is_that_of_the_python_door(call, checkpoints, two):
    reference = FRENCH[0]
    code, out, err = call("compare", ENGLISH[0], *two, "--reference", reference, "--beam", "2", "--json")
    result = json.loads(out)
    assert code == 0 and out.count("\n") == 1
    sides = [Translator.from_checkpoint(checkpoints / kind, "cpu") for kind in ("plain", "additive")]
    expected = comparison.compare(*sides, ENGLISH[0], reference, 2).to_dict()
    for made in (result, expected):
        for side in ("left", "right"):
            assert made[side].pop("seconds") > 0
    assert result == expected and result["chrf"].keys() == {"left", "right"}
    assert result["left"]["attention"] is None and result["right"]["attention"]


def test_compare_for_people_names_both_and_where_they_part(call, two):
    code, out, _ = call("compare", ENGLISH[0], *two)
    lines = out.splitlines()
    assert code == 0 and lines[0].startswith("plain: ") and lines[2].startswith("additive: ")
    assert "part at word" in lines[-1] and "chrF" not in out
    code, out, err = call("compare", ENGLISH[0], *two, "--reference", ENGLISH[0])
    assert code == 0 and "chrF" in out and "warning: reference: " in err and "does not look translated" in err


def test_compare_of_one_checkpoint_with_itself(call, checkpoints):
    code, out, _ = call("compare", "A dog.", "--left", checkpoints / "plain", "--right", checkpoints / "plain")
    assert code == 0 and "same" in out


# -- evaluate ------------------------------------------------------------------------------------------------------


def test_evaluate_prints_and_saves_the_scores(call, checkpoints, pairs):
    folder = checkpoints / "plain"
    code, out, _ = call("evaluate", "--checkpoint", folder, "--data", pairs, "--json", "--save")
    result = json.loads(out)
    assert code == 0 and list(result) == SCORES
    assert result["sentences"] == len(ENGLISH)
    bins = ["from", "to", "sentences", "bleu", "chrf", "bleu_interval", "chrf_interval"]
    assert all(list(row) == bins for row in result["by_length"])
    saved = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["pairs"]
    assert {key: saved[key] for key in SCORES} == result
    assert saved["command"] == f"python -m seq2seq evaluate --checkpoint {folder} --data {pairs}"
    assert saved["command"] in (folder / "README.md").read_text(encoding="utf-8")
    code, out, _ = call("evaluate", "--checkpoint", folder, "--data", pairs, "--beam", "2", "--save")
    assert code == 0 and "bleu_lower_tok" in out
    assert set(json.loads((folder / "metrics.json").read_text(encoding="utf-8"))) == {"pairs", "pairs.beam2"}


def test_what_if_flags_are_those_of_python(call, checkpoints, kind):
    text, folder = "The dog sleeps.", checkpoints / kind
    translator = Translator.from_checkpoint(folder)
    without = call("translate", "--checkpoint", folder, "--json", "--without", "dog", text)
    assert without[0] == 0 and "Without “dog”" in without[2]
    made = translator.translate(text, without=[1])
    assert json.loads(without[1])["target_pieces"] == list(made.target_pieces)
    begun = call("translate", "--checkpoint", folder, "--json", "--start", "Le chien", text)
    start = translator.tokenizer.encode("Le chien").pieces[:-1]
    assert begun[0] == 0 and tuple(json.loads(begun[1])["target_pieces"][: len(start)]) == start
    dialled = call("translate", "--checkpoint", folder, "--json", "--dial", "-1", text)
    if decoder_class(kind).looks_back:
        assert len(set(json.loads(dialled[1])["attention_pieces"][0])) == 1, "uniform"
    else:
        assert_refused(dialled, "no attention")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--without", "cat"], "no word “cat”"),
        (["--point", "4"], "two numbers"),
        (["--point", "99=1"], "no word 99"),
        (["--dial", "1.5"], "turn is 1.5"),
        (["--dial", "0.5", "--beam", "3"], "greedy"),
        (["--without", "dog", "--target", "Le chien"], "greedy"),
        (["--without", "dog", "A dog."], "one text"),
    ],
)
def test_what_if_mistakes(call, checkpoints, flags, says):
    assert_refused(call("translate", "--checkpoint", checkpoints / "additive", "The dog sleeps.", *flags), says)


def test_faithfulness_is_saved_beside_the_scores(call, checkpoints, pairs, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(checkpoints / "additive", folder)
    for more in ([], ["--faithfulness"]):
        code, out, _ = call("evaluate", "--checkpoint", folder, "--data", pairs, "--json", "--save", *more)
        assert code == 0
    result = json.loads(out)
    assert list(result) == ["matters", "masked", "others", "words", "sentences", "seconds"]
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["pairs.faithfulness"]["matters"] == result["matters"] and "bleu" in metrics["pairs"]
    assert metrics["pairs.faithfulness"]["command"].endswith("--faithfulness")
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"| pairs | {result['words']:,} | {100 * result['matters']:.1f} % |" in card
    refused = call("evaluate", "--checkpoint", folder, "--data", pairs, "--faithfulness", "--beam", "2")
    assert_refused(refused, "--faithfulness")
    assert_refused(
        call("evaluate", "--checkpoint", checkpoints / "plain", "--data", pairs, "--faithfulness"), "no attention"
    )


def test_evaluate_alignment(call, checkpoints, tmp_path):
    path = tmp_path / "gold.tsv"
    path.write_text("The dog sleeps .\tLe chien dort .\t0-0 1-1 2-2\t3-3\n", encoding="utf-8")
    code, out, _ = call("evaluate", "--checkpoint", checkpoints / "additive", "--alignment", path, "--json")
    assert code == 0 and list(json.loads(out)) == ["aer", "precision", "recall", "sentences", "short", "posterior"]
    shown = call("evaluate", "--checkpoint", checkpoints / "additive", "--alignment", path)[1].splitlines()
    known = json.loads(out)["posterior"]
    assert shown[shown.index("the word known:") + 1].split() == ["aer", str(known["aer"])] and "{" not in "".join(shown)
    turned = tmp_path / "turned.tsv"
    turned.write_text("Le chien dort .\tThe dog sleeps .\t0-0 1-1 2-2\t3-3\n", encoding="utf-8")
    mine, theirs = (
        call("evaluate", "--checkpoint", checkpoints / "additive", "--alignment", *given, "--json")
        for given in ((path, "--reverse"), (turned,))
    )
    assert mine[:2] == theirs[:2] and mine[0] == 0
    for kind in kinds():
        made = call("evaluate", "--checkpoint", checkpoints / kind, "--alignment", path)
        if decoder_class(kind).looks_back:
            assert made[0] == 0
        else:
            assert_refused(made, "no attention")
    path.write_text("The dog\tLe chien\t0-0 1-2\t\n", encoding="utf-8")
    assert_refused(call("evaluate", "--checkpoint", checkpoints / "additive", "--alignment", path), "line 1")


def test_evaluate_the_other_direction(call, checkpoints, tmp_path):
    """The second column is the source, the first its reference, and the saved command says so."""
    folder, path, turned = tmp_path / "copy", tmp_path / "pairs.tsv", tmp_path / "turned.tsv"
    shutil.copytree(checkpoints / "additive", folder)
    path.write_text("A dog.\tUn chien.\tLe chien.\nA cat.\tUn chat.\n", encoding="utf-8")
    turned.write_text("Un chien.\tA dog.\nUn chat.\tA cat.\n", encoding="utf-8")
    scores = []
    for given in ((path, "--reverse", "--save"), (turned,)):
        code, out, _ = call("evaluate", "--checkpoint", folder, "--data", *given, "--json")
        assert code == 0
        scores.append({name: value for name, value in json.loads(out).items() if name not in CLOCK})
    assert scores[0] == scores[1]
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["pairs"]["command"].endswith("--reverse")


def test_joined_texts_are_scored_beside_the_others(call, checkpoints, tmp_path):
    folder, path = tmp_path / "copy", tmp_path / "pairs.tsv"
    shutil.copytree(checkpoints / "additive", folder)
    path.write_text("the dog sees the cat .\tle chien voit le chat .\n" * 12, encoding="utf-8")
    code, out, _ = call("evaluate", "--checkpoint", folder, "--data", path, "--joined", "--json", "--save")
    assert code == 0 and json.loads(out)["sentences"] == 2  # of five pairs each
    saved = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["pairs.joined"]
    assert saved["sentences"] == 2 and saved["command"].endswith("--joined") and "by_length" not in saved
    path.write_text("the dog .\tle chien .\n", encoding="utf-8")
    assert_refused(call("evaluate", "--checkpoint", folder, "--data", path, "--joined"), "too few pairs")
    gold = call("evaluate", "--checkpoint", folder, "--alignment", path, "--joined")
    assert_refused(gold, "--joined goes with --data")


def test_evaluate_names_the_pair_that_is_too_long(call, checkpoints, tmp_path):
    path = tmp_path / "long.tsv"
    path.write_text("A dog.\tUn chien.\n" + "a " * 600 + "\tun\n", encoding="utf-8")
    assert_refused(call("evaluate", "--checkpoint", checkpoints / "additive", "--data", path), "pair 2", "1,000")


CLOCK = ("seconds", "tokens_per_second")
"""What two equal evaluations do not share."""


# -- train ---------------------------------------------------------------------------------------------------------


def test_every_setting_is_a_flag_with_the_same_default():
    flags = inspect.signature(cli.train).parameters
    # A learned vocabulary is always joint; only imported models have one of the source alone.
    settings = [field for field in (*fields(ModelConfig), *fields(TrainConfig)) if field.name != "source_vocab_size"]
    for field in settings:
        default = flags[field.name].default
        if field.default is MISSING:
            assert default is inspect.Parameter.empty
        else:
            assert default == (list(field.default) if isinstance(field.default, tuple) else field.default)
    assert set(HELP) == {field.name for field in settings} and "source_vocab_size" not in flags
    assert all(kind in HELP["kind"] for kind in kinds())


@pytest.mark.parametrize("kind", kinds())
def test_classic_kinds_have_the_tutorials_settings_unless_told_otherwise(call, pairs, tmp_path, monkeypatch, kind):
    seen = []

    def refuse(model_config, *_, **__):
        seen.append(model_config)
        raise ValueError("that is enough")

    monkeypatch.setattr("seq2seq.training.train", refuse)
    arguments = ("train", "--data", pairs, "--valid", pairs, "--out", tmp_path / "made", "--kind", kind)
    assert_refused(call(*arguments), "that is enough")
    usual = CLASSIC_SIZES if kind in CLASSIC else {}
    assert seen.pop() == ModelConfig(kind=kind, **usual)
    told = {"embedding_size": 48, "hidden_size": 48, "dropout": 0.25, "max_length": 12}
    flags = [text for name, value in told.items() for text in ("--" + name.replace("_", "-"), value)]
    assert_refused(call(*arguments, *flags), "that is enough")
    assert seen.pop() == ModelConfig(kind=kind, **usual | told)
    # Also a value that happens to be the default of the other kinds is one that was told.
    same = [flag for name in ("embedding_size", "hidden_size") for flag in ("--" + name.replace("_", "-"), 512)]
    assert_refused(call(*arguments, *same), "that is enough")
    assert seen.pop().hidden_size == 512
    if kind in CLASSIC:
        assert_refused(call(*arguments, "--hidden-size", "64"), "embedding_size is 256 and hidden_size 64")


def test_a_list_flag_takes_values_in_a_row():
    assert expand_lists("train --data a b --seed 3 --repeat 4 1 --resume".split()) == (
        "train --data a --data b --seed 3 --repeat 4 --repeat 1 --resume".split()
    )
    assert expand_lists("translate a b --beam 2".split()) == "translate a b --beam 2".split()


def test_train_leaves_a_checkpoint_with_its_metrics(call, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "SHIPPED_LIMIT", 1000)
    monkeypatch.chdir(tmp_path)
    arguments = [
        "train",
        "--data",
        str(pairs),
        str(pairs),
        "--repeat",
        "2",
        "1",
        "--valid",
        str(pairs),
        "--out",
        "made",
    ]
    arguments += [*TINY, "--test", str(pairs)]
    code, out, err = call(*arguments)
    assert code == 0, err
    assert "warning: the weights will take" in err
    metrics = json.loads(out)
    made = tmp_path / "made"
    assert metrics == json.loads((made / "metrics.json").read_text(encoding="utf-8"))
    training = metrics["training"]
    assert training["command"] == "python -m seq2seq " + " ".join(arguments)
    assert training["data"] == ["pairs.tsv"] * 2 and training["steps"] == 4 and training["tokens"] > 0
    assert {
        "seconds",
        "tokens_per_second",
        "best_valid_bleu",
        "best_step",
        "seed",
        "parameters",
        "device",
        "torch",
    } <= set(training)
    assert set(SCORES) <= set(metrics["pairs"])
    names = {"config.json", "model.safetensors", "tokenizer.json", "metrics.json", "README.md", "training"}
    assert {path.name for path in made.iterdir()} == names
    assert call("translate", "--checkpoint", "made", "A dog.")[0] == 0

    assert_refused(call(*arguments), "--resume")
    assert_refused(call(*arguments, "--resume", "--seed", "2"), "seed")
    code, out, err = call(*arguments, "--max-steps", "6", "--resume")
    assert code == 0, err
    assert json.loads(out)["training"]["steps"] == 6


def test_a_training_begins_with_another(call, checkpoints, pairs, tmp_path):
    arguments = ("train", "--data", pairs, "--valid", pairs, *TINY, "--embedding-size", "6", "--attention-size", "5")
    code, _, err = call(*arguments, "--out", tmp_path / "made", "--start-from", checkpoints / "additive")
    assert code == 0, err
    assert "before" not in json.loads((tmp_path / "made" / "metrics.json").read_text(encoding="utf-8"))["training"]
    again = [*arguments, "--out", tmp_path / "again", "--start-from", tmp_path / "made"]
    assert call(*again)[0] == 0
    first, second = (
        json.loads((tmp_path / name / "metrics.json").read_text(encoding="utf-8"))["training"]
        for name in ("made", "again")
    )
    assert second["before"] == first, "what is known of the run before goes along"
    given, made = (folder / "tokenizer.json" for folder in (checkpoints / "additive", tmp_path / "made"))
    assert made.read_bytes() == given.read_bytes()
    for start, said in ((checkpoints / "plain", "other sizes"), (tmp_path / "none", "no checkpoint at")):
        assert_refused(call(*arguments, "--out", tmp_path / "other", "--start-from", start), str(start), said)
    assert not (tmp_path / "other").exists()


def test_an_interrupted_training_says_how_to_go_on(pairs, tmp_path):
    out = tmp_path / "made"
    tiny = [*TINY[:-1], "100000"]
    # Tests that run in the background of a shell inherit that Ctrl-C is ignored; a user's command does not.
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    running = process("train", "--data", pairs, "--valid", pairs, "--out", out, *tiny, "--patience", "100000", **heard)
    log = out / "training" / "state.safetensors"
    deadline = time.monotonic() + 90
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=60)
    assert running.returncode == 130 and output == b""
    assert "--resume goes on from step" in errors.decode().splitlines()[-1]
    assert b"Traceback" not in errors


# -- align ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def aligning(checkpoints, pairs, tmp_path, diagonal) -> tuple:
    """A call that aligns two files, by an aligner that is quick and simple."""
    other = tmp_path / "other.csv"
    other.write_text("The dog,Le chien dort\nA bike,Un vélo\n", encoding="utf-8")
    tokenizer = checkpoints / "plain" / "tokenizer.json"
    return "align", "--data", pairs, other, "--tokenizer", tokenizer, "--out", tmp_path / "made" / "links"


def test_align_writes_a_file_of_links_for_each_file_of_data(call, aligning, diagonal, tmp_path):
    folder = tmp_path / "made" / "links"
    code, out, err = call(*aligning)
    assert (code, out) == (0, "") and err.count("wrote ") == 2 and len(diagonal) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["other.links.gz", "pairs.links.gz"]
    assert read_links(folder / "other.links.gz") == [{(0, 0), (1, 1)}] * 2
    assert len(read_links(folder / "pairs.links.gz")) == len(ENGLISH)
    assert diagonal[0][0].splitlines()[:1] == ["a man rides a red bike ."]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert call(*aligning)[0] == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_train_takes_what_align_made(call, aligning, pairs, tmp_path):
    assert call(*aligning)[0] == 0
    files = [tmp_path / "made" / "links" / f"{name}.links.gz" for name in ("pairs", "other")]
    data = ("--data", pairs, tmp_path / "other.csv", "--valid", pairs)
    flags = ("--links", *files, "--join", "0.5", "--schedule", "cosine", "--guide-weight", "0.2")
    tokenizer = aligning[aligning.index("--tokenizer") + 1]
    code, out, err = call("train", *data, *TINY, *flags, "--tokenizer", tokenizer, "--out", tmp_path / "model")
    assert code == 0, err
    assert_refused(call("train", *data, *TINY, "--links", files[0], "--out", tmp_path / "none"), "1 link files for 2")
    swapped = call("train", *data, *TINY, "--links", *files[::-1], "--out", tmp_path / "none")
    assert_refused(swapped, "other.links.gz has 2 lines, but")
    assert not (tmp_path / "none").exists()


def test_align_scores_itself_on_links_that_people_made(call, aligning, diagonal, tmp_path):
    gold = tmp_path / "gold.tsv"
    gold.write_text("Mr. Speaker :\tle Orateur\t0-0 1-1\t\nThe dog\tLe chien\t1-0\t0-0\n", encoding="utf-8")
    code, out, _ = call(*aligning, "--gold", gold)
    # Found 4 links: 0-0 and 1-1 in either pair. Sure are 3, of which 2 were found; 1 more was possible.
    expected = {"aer": round(1 - (2 + 3) / (4 + 3), 4), "precision": 0.75, "recall": 0.6667, "sentences": 2}
    assert code == 0 and json.loads(out) == expected
    assert diagonal[0][0].splitlines()[-2:] == ["mr. speaker :", "the dog"], "the tokens that people linked"
    assert len(list((tmp_path / "made" / "links").iterdir())) == 2, "these are no training data"


def test_align_takes_the_words_of_the_default_checkpoint(call, pairs, tmp_path, diagonal, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("align", "--data", pairs, "--out", "here")[0] == 0
    assert diagonal[0][1].splitlines()[3] == "il pleut , mais elles jouent dans l' herbe aujourd'hui ."


@pytest.mark.parametrize(
    ("content", "flags", "says"),
    [
        ("A dog\tUn chien\n", ["--data", "pairs.csv"], "pairs.links.gz; rename one of the files"),
        ("A dog\tUn chien\nA\t\u200b\n", [], "pairs.tsv, line 2: source or reference has no words"),
        ("A dog\n", [], "pairs.tsv, line 1: no tab"),
        ("A dog\tUn chien\n", ["--data", "none.tsv"], "none.tsv: no such file"),
        ("A dog\tUn chien\n", ["--tokenizer", "pairs.tsv"], "pairs.tsv is not a tokenizer file"),
        ("A dog\tUn chien\n", ["--tokenizer", "none.json"], "none.json"),
        ("A dog\tUn chien\n", ["--gold", "pairs.tsv"], "line 1: expected source tokens"),
        ("A dog\tUn chien\n", ["--out", "pairs.tsv"], "pairs.tsv: File exists"),
        ("A dog\tUn chien\n", ["--out", "taken"], "it is a folder"),
    ],
)
def test_what_cannot_be_aligned_is_said_before_the_work(
    call, checkpoints, tmp_path, diagonal, monkeypatch, content, flags, says
):
    monkeypatch.chdir(tmp_path)
    for name, text in (("pairs.tsv", content), ("pairs.csv", "A dog,Un chien\n")):
        Path(name).write_text(text, encoding="utf-8")
    Path("taken/pairs.links.gz").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    tokenizer = ["--tokenizer", checkpoints / "plain" / "tokenizer.json"]
    assert_refused(call("align", "--data", "pairs.tsv", "--out", "links", *tokenizer, *flags), says)
    assert sorted(tmp_path.rglob("*")) == before and diagonal == []


def test_align_says_what_to_install(call, aligning, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "eflomal", None)
    assert_refused(call(*aligning), "pip install eflomal")
    assert not (tmp_path / "made").exists()


def test_where_words_were_read_from_stands_in_the_place_of_attention(call, checkpoints):
    typed = ("translate", "--json", "--checkpoint", checkpoints / "additive", ENGLISH[0])
    plainly, after = (json.loads(call(*typed, *flag)[1]) for flag in ((), ("--posterior",)))
    assert after["posterior"] is True and "posterior" not in plainly
    assert after["attention"] != plainly["attention"] and after["translation"] == plainly["translation"]
    assert all(sum(row) == pytest.approx(1, abs=1e-3) for row in after["attention"])
    assert_refused(call(*typed, "--posterior", "--dial", "1"), "leave the what-if flags out")
    assert_refused(
        call("translate", "--posterior", "--checkpoint", checkpoints / "plain", "A dog."), "has no attention"
    )
