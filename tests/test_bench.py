"""The bench on a tiny model: its object has what it promises, its numbers fit together, and nothing is said of speed."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import torch

from seq2seq import bench
from seq2seq.bench import floors, growth
from seq2seq.bench.captions import LONGEST, SHORTEST, SINGLE, captions
from seq2seq.bench.clock import in_turn, launch_bound_share, spread
from seq2seq.bench.plots import figures, write_plots
from seq2seq.cli import main
from seq2seq.model import TOKENIZER_FILE, kinds
from seq2seq.translator import Translator
from tests.conftest import tiny_model

TINY = bench.Effort(
    seconds=0.0,
    rounds=1,
    sentences=6,
    tutorial_sentences=(2, 1),
    batch_sizes=(1, 64),
    source_words=(2, 4),
    beam_sizes=(1, 2),
    batches=(1, 3),
    many_sentences=(1, 2),
)
COMPUTED = tuple(part for part in bench.PARTS if part != "app")


@pytest.fixture(scope="module")
def result(tokenizer):
    """All that is computed, on one tiny model; growth without its processes, which `tests/test_bench_growth.py` starts."""

    def here(folder, axis, values, device, effort):
        return list(growth.points(growth.AsLong.from_checkpoint(folder, "cpu"), axis, values, 0.0, 1))

    translator = Translator(tiny_model("additive", len(tokenizer)), tokenizer, "tiny")
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(growth, "measured_apart", here)
        patch.setattr(floors, "LARGE", 1_000_000)
        made = bench.bench(translator, TINY, COMPUTED, said.append)
    assert said == [f"{part}, cpu" for part in COMPUTED]
    return made


def test_it_is_json_with_units_in_its_names(result):
    assert json.loads(json.dumps(result)) == result
    assert result["parts"] == list(COMPUTED) and result["app"] is None
    [device] = result["devices"]
    assert (device["type"], device["checkpoint"], device["kind"]) == ("cpu", "tiny", "additive")
    assert all(device[part] for part in COMPUTED) and device["memory"]["peak_bytes"] > 0
    if not torch.cuda.is_available():
        assert result["cuda"] == bench.NO_CUDA


def test_floors_are_above_nothing(result):
    found = result["devices"][0]["floors"]
    assert {row["precision"] for row in found["matrix"]} == {"float32", "bfloat16"}
    names = {row["product"] for row in found["matrix"]}
    assert "square" in names and "output layer, training" in names
    assert all(row["gflops"] > 0 for row in found["matrix"])
    assert found["weights_gb_s"] > 0 and found["memory_gb_s"] > 0 and found["small_call_seconds"] > 0


def test_latency_has_both_sentences_and_both_searches(result):
    rows = result["devices"][0]["latency"]
    assert [(row["words"], row["beam_size"]) for row in rows] == [(12, 1), (12, 5), (30, 1), (30, 5)]
    for row in rows:
        assert row["same_translation"]
        assert 0 < row["p50_seconds"] <= row["p95_seconds"]
        assert row["times_tutorial"] == pytest.approx(row["tutorial_p50_seconds"] / row["p50_seconds"], rel=0.02)
        assert row["floor_seconds"] > 0 and row["launch_bound_share"] is None


def test_throughput_fits_together(result):
    found = result["devices"][0]["throughput"]
    assert [(row["beam_size"], row["batch_size"]) for row in found["rows"]] == [(1, 1), (1, 64), (5, 1), (5, 64)]
    for row in found["rows"]:
        assert row["sentences_per_second"] == pytest.approx(row["sentences"] / row["seconds"], rel=0.01)
        assert row["matrix_share"] == pytest.approx(row["gflops"] / found["matrix_gflops"], rel=0.02, abs=1e-3)
    assert found["rows"][1]["sentences"] == TINY.sentences
    for row, few in zip(found["tutorial"], TINY.tutorial_sentences):
        assert row["sentences"] == row["same_translations"] == few
    assert found["tutorial"][0]["steps_per_target_token"] == 1 < found["tutorial"][1]["steps_per_target_token"]
    assert [row["batch_size"] for row in found["beam_over_greedy"]] == [1, 64]


def test_growth_has_every_axis(result):
    found = result["devices"][0]["growth"]
    assert found.keys() == growth.axes(TINY).keys()
    for axis, values in growth.axes(TINY).items():
        assert [point["value"] for point in found[axis]["points"]] == list(values)
        assert all(point["seconds"] > 0 for point in found[axis]["points"])
        assert isinstance(found[axis]["seconds_exponent"], float)


def test_training_has_every_kind_and_precision(result):
    rows = result["devices"][0]["training"]
    assert [(row["kind"], row["precision"]) for row in rows] == [
        (kind, precision) for kind in kinds() for precision in ("float32", "bfloat16")
    ]
    for row in rows:
        assert row["gflops"] == pytest.approx(row["tokens_per_second"] * row["flops_per_token"] / 1e9, rel=0.01)
        assert row["matrix_share"] == pytest.approx(row["gflops"] / row["matrix_gflops"], rel=0.02, abs=1e-3)
        expected = row["tokens_per_second"] / row["tutorial_tokens_per_second"]
        assert row["times_tutorial"] == pytest.approx(expected, rel=0.01)


def test_the_table_names_every_measurement(result):
    text = bench.table(result)
    [device] = result["devices"]
    for row in (*device["training"], *device["floors"]["matrix"]):
        assert row.get("kind", row.get("product")) in text
    for name in ("12 words", "beam 5", "tutorial", "source_words 4", "exponent", bench.NO_CUDA, result["counted"]):
        assert name in text


def test_charts_are_offline_and_share_one_plotly(result, tmp_path):
    lines = write_plots(result, tmp_path / "made" / "here")
    pages = list((tmp_path / "made" / "here").glob("*.html"))
    assert len(pages) == len(figures(result)) == 6
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "plotly.min.js" in text and "https://cdn" not in text and len(text) < 100_000
    assert (tmp_path / "made" / "here" / "plotly.min.js").stat().st_size > 1_000_000
    assert len(lines) == 2 and "PNG" in lines[1]


def test_only_some_parts():
    assert bench.check_parts(()) == bench.PARTS
    assert bench.check_parts(["training", "latency"]) == ("latency", "training")
    with pytest.raises(ValueError, match="'speed'.*choose from floors"):
        bench.check_parts(["speed"])


def test_the_command_gives_json(tokenizer, tmp_path, monkeypatch, capsys):
    tiny_model("plain", len(tokenizer)).save_pretrained(tmp_path)
    (tmp_path / TOKENIZER_FILE).write_text(tokenizer.to_json(), encoding="utf-8")
    monkeypatch.setattr(floors, "LARGE", 1_000_000)
    wanted = ("bench", "--checkpoint", str(tmp_path), "--device", "cpu", "--quick", "--json")
    assert main([*wanted, "--only", "floors", "latency"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["parts"] == ["floors", "latency"] and found["quick"] and "measuring latency" in err
    assert main([*wanted, "--only", "speed"]) == 2
    out, err = capsys.readouterr()
    assert not out and "no part 'speed'" in err and len(err.splitlines()) == 1


def test_works_are_measured_in_turn():
    called = []
    times = in_turn({name: lambda n=name: called.append(n) for name in "ABC"}, torch.device("cpu"), 0.0, rounds=3)
    assert "".join(called) == "ABC" * 4  # the first round warms up
    assert {name: len(taken) for name, taken in times.items()} == {"A": 3, "B": 3, "C": 3}


def test_median_and_95th_percentile():
    found = spread([0.001 * i for i in range(101)])
    assert found == {"p50_seconds": 0.05, "p95_seconds": 0.095, "runs": 101}


def test_without_cuda_nothing_is_said_of_launches():
    assert launch_bound_share(lambda: None, torch.device("cpu"), 1.0) is None


def test_captions_are_the_same_every_time_and_as_long_as_captions():
    made = captions(1000)
    assert made == captions(1000) and made[:5] == captions(5) and len(set(made)) > 900
    lengths = [len(text.split()) for text in made]
    assert SHORTEST <= min(lengths) and max(lengths) <= LONGEST
    assert 11.5 < sum(lengths) / len(lengths) < 12.5 and len(Counter(lengths)) > 15
    assert {words: len(text.split()) for words, text in SINGLE.items()} == {12: 12, 30: 30}
