"""The bench counts what a profiler counts, and its numbers fit together."""

from __future__ import annotations

import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from seq2seq import bench
from seq2seq.config import ModelConfig
from seq2seq.model import Seq2Seq
from tests.conftest import tiny_config


def test_operations_are_those_that_torch_counts(kind):
    S, T, B = 7, 5, 3
    config = tiny_config(kind, 50, embedding_size=12, hidden_size=16, attention_size=10)
    model = Seq2Seq(config).train()
    src, tgt = torch.randint(4, 50, (B, S)), torch.randint(4, 50, (B, T))
    with FlopCounterMode(display=False) as counter:
        logits, _ = model(src, torch.full((B,), S), tgt)
        forward = counter.get_total_flops()
        logits.sum().backward()
    per_token = bench.flops_per_token(config, S, T)
    assert forward / (B * T) == pytest.approx(per_token / 3, rel=0.02)
    # Backward is a little under twice the forward pass: nothing flows back into the first states.
    assert counter.get_total_flops() / (B * T) == pytest.approx(per_token, rel=0.1)


@pytest.fixture(scope="module")
def result():
    tiny = ModelConfig(vocab_size=60, embedding_size=8, hidden_size=8, attention_size=4)
    return bench.bench(torch.device("cpu"), tiny, seconds=0.02)


def test_numbers_fit_together(result):
    assert json.loads(json.dumps(result)) == result
    best = {p: max(row["gflops"] for row in result["matrix"] if row["precision"] == p) for p in ("float32", "bfloat16")}
    assert len(result["training"]) == 2 * len(result["decoding"])
    for row in result["training"]:
        assert row["gflops"] == pytest.approx(row["tokens_per_second"] * row["flops_per_token"] / 1e9, abs=0.01)
        assert row["share"] == pytest.approx(row["gflops"] / best[row["precision"]], rel=0.2, abs=0.01)
    for row in result["decoding"]:
        assert row["sentence_seconds"] > row["step_seconds"] > 0
        assert row["sentence_floor_seconds"] >= row["step_floor_seconds"] >= 0
    assert result["bandwidth_gb_s"] > 0 and result["memory"]["peak"] > 0


def test_table_names_every_measurement(result):
    text = bench.table(result)
    for row in (*result["training"], *result["decoding"]):
        assert row["kind"] in text
    for row in result["matrix"]:
        assert row["product"] in text
    assert "GB/s" in text and "share" in text and "floor" in text and result["counted"] in text
