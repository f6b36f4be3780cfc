"""Growth: a law is found again in numbers that follow it, and every point writes as much as it reads."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from seq2seq.bench import growth
from seq2seq.bench.clock import QUICK
from seq2seq.config import EOS
from seq2seq.model import TOKENIZER_FILE
from tests.conftest import tiny_model


@pytest.mark.parametrize("k", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law(k):
    values = [1, 2, 5, 20, 400]
    assert growth.exponent(values, [3.7 * value**k for value in values]) == pytest.approx(k, abs=1e-3)


def test_the_exponent_is_the_least_squares_line():
    values, measured = [1, 2, 4, 8], [1.0, 2.5, 3.5, 9.0]
    x, y = np.log(values), np.log(measured)
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    assert growth.exponent(values, measured) == pytest.approx(slope, abs=1e-3)


def test_one_point_has_no_exponent():
    assert growth.exponent([5], [0.1]) is None


def test_a_fixed_cost_weighs_less_in_the_upper_half_and_small_memory_counts_for_nothing():
    points = [
        {
            "value": value,
            "seconds": 10 + value,
            "seconds_per_target_piece": (10 + value) / value,
            "extra_memory_bytes": 1_000_000 * value if value > 4 else 0,
        }
        for value in (1, 2, 4, 8, 64, 512)
    ]
    found = growth.exponents(points)
    assert 0 < found["seconds_exponent"] < found["seconds_exponent_of_large"] < 1
    assert found["extra_memory_exponent"] == pytest.approx(1)


def test_as_many_pieces_are_written_as_read(kind, tokenizer):
    translator = growth.AsLong(tiny_model(kind, len(tokenizer), max_length=400), tokenizer)
    for axis, value in (("source_words", 3), ("source_words", 70), ("beam_size", 4), ("batch_size", 3)):
        arguments = growth.search_arguments(translator, axis, value)
        found = translator.search(**arguments)
        assert len(found) == len(arguments["sources"])
        for [hypothesis], source in zip(found, arguments["sources"]):
            assert len(hypothesis.ids) == len(source.ids)
            assert EOS not in hypothesis.ids


def test_an_axis_is_measured_in_a_process_of_its_own(tokenizer, tmp_path, monkeypatch):
    tiny_model("additive", len(tokenizer)).save_pretrained(tmp_path, dtype=torch.float32)
    (tmp_path / TOKENIZER_FILE).write_text(tokenizer.to_json(), encoding="utf-8")
    effort = growth.Effort(seconds=0, rounds=1)
    made = growth.measured_apart(str(tmp_path), "batch_size", (2, 8), torch.device("cpu"), effort)
    assert [point["value"] for point in made] == [2, 8]
    assert made[1]["target_pieces"] == 4 * made[0]["target_pieces"]
    assert made[1]["peak_memory_bytes"] >= made[0]["peak_memory_bytes"] > 1_000_000
    monkeypatch.setattr(growth.sys, "executable", shutil.which("false"))
    with pytest.raises(RuntimeError, match="beam_size"):
        growth.measured_apart(str(tmp_path), "beam_size", (1,), torch.device("cpu"), effort)


def test_every_axis_has_a_place_in_the_charts():
    from seq2seq.bench.plots import GROWING

    assert GROWING.keys() == growth.axes(QUICK).keys()
