"""The bench counts the products that the equations have, and its numbers fit together."""

from __future__ import annotations

import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from seq2seq import bench
from seq2seq.classic import CLASSIC
from seq2seq.config import EOS, ModelConfig
from seq2seq.model import Seq2Seq, kinds
from tests.conftest import tiny_config


def gru(inputs: int, hidden: int) -> int:
    """Three gates, each a product with the input and one with the old state."""
    return 3 * hidden * (inputs + hidden)


def multiplications(config: ModelConfig, S: int) -> tuple[int, int, int]:
    """Written down from the equations: products of numbers in a forward pass for each of S source pieces, once a sentence,
    and for each target piece. A product of matrices is also as many additions."""
    V, E, H = config.vocab_size, config.embedding_size, config.hidden_size
    A, N = config.attention_size, config.max_length
    if config.kind in CLASSIC:
        source, target = gru(H, H), gru(H, H) + H * V
        if config.kind == "classic-attention":
            target += 2 * H * N + N * H + 2 * H * H  # attn, weights · memory over all places, attn_combine
        return source, 0, target
    source = 2 * gru(E, H // 2)
    target = gru(E + H, H) + (2 * H + E) * E + E * V
    if config.kind == "additive":
        source += H * A  # U h
        target += H * A + S * A + S * H  # W s, vᵀ tanh, weights · memory
    if config.kind == "multiplicative":
        source += H * H  # W h
        target += 2 * S * H  # sᵀ (W h), weights · memory
    return source, H * H, target


def shape(kind: str) -> ModelConfig:
    """Sizes of which no two are equal, but for E = H in the classic kinds."""
    E = 16 if kind in CLASSIC else 12
    return tiny_config(kind, 50, embedding_size=E, hidden_size=16, attention_size=10, max_length=23)


@pytest.mark.parametrize(("S", "T"), [(7, 5), (1, 1), (4, 9)])
def test_operations_are_those_of_the_equations(kind, S, T):
    """Two for each multiplication: it and its addition. Three times: forward once, backward twice."""
    config = shape(kind)
    source, sentence, target = multiplications(config, S)
    expected = 3 * 2 * (S * source + sentence + T * target) / T
    assert bench.flops_per_token(config, S, T) == pytest.approx(expected, rel=1e-9)


def test_operations_of_the_default_sizes_are_those_of_the_equations(kind):
    """The numbers that stand in the table."""
    config = ModelConfig(kind=kind, embedding_size=256, hidden_size=256 if kind in CLASSIC else 512)
    source, sentence, target = multiplications(config, bench.PIECES)
    assert bench.flops_per_token(config) == pytest.approx(3 * 2 * (source + sentence / bench.PIECES + target), rel=1e-9)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_step_has_the_operations_of_its_equations(kind, mode):
    """From which the floor of a decoding step is computed."""
    S = 7
    config = shape(kind)
    model = Seq2Seq(config).eval()
    source, sentence, target = multiplications(config, S)
    src, lengths, prev = torch.full((1, S), EOS), torch.tensor([S]), torch.full((1,), EOS)
    with mode():
        state = model.decoder.init_state(model.encoder(src, lengths))
        begun = bench.operations(lambda: model.decoder.init_state(model.encoder(src, lengths)))
        assert begun == 2 * (S * source + sentence)
        assert bench.operations(lambda: model.decoder.step(prev, state)) == 2 * target


def test_a_batch_is_its_sentences_and_backward_is_twice_forward(kind):
    S, T, B = 7, 5, 3
    config = shape(kind)
    model = Seq2Seq(config).train()
    src, tgt = torch.randint(4, 50, (B, S)), torch.randint(4, 50, (B, T))
    with FlopCounterMode(display=False) as counter:
        logits, _ = model(src, torch.full((B,), S), tgt)
        forward = counter.get_total_flops()
        logits.sum().backward()
    per_token = bench.flops_per_token(config, S, T)
    assert forward / (B * T) == pytest.approx(per_token / 3, rel=1e-9)
    # Backward is a little under twice the forward pass: nothing flows back into the first states.
    assert counter.get_total_flops() / (B * T) == pytest.approx(per_token, rel=0.1)


def test_the_floors_are_the_bytes_of_the_weights_at_the_rate_of_reading_them(kind, monkeypatch):
    """Four bytes a weight, each read once; at so low a rate that nothing is lost in rounding."""
    read = []
    monkeypatch.setattr(bench, "bandwidth", lambda device, size, seconds: read.append(size) or 1e-3)
    made = bench.decoding_speed(torch.device("cpu"), shape(kind), seconds=0.001)
    source, sentence, target = multiplications(shape(kind), bench.PIECES)
    assert read == [4 * target]
    assert made["step_floor_seconds"] == pytest.approx(4 * target / 1e6, abs=1e-6)
    steps = bench.PIECES * 4 * target
    low, high = (steps + 4 * source) / 1e6, (steps + 4 * (source + sentence)) / 1e6
    assert low - 1e-5 <= made["sentence_floor_seconds"] <= high + 1e-5


@pytest.fixture(scope="module")
def result():
    tiny = ModelConfig(vocab_size=60, embedding_size=8, hidden_size=8, attention_size=4)
    return bench.bench(torch.device("cpu"), tiny, seconds=0.02)


def test_numbers_fit_together(result):
    assert json.loads(json.dumps(result)) == result
    best = {p: max(row["gflops"] for row in result["matrix"] if row["precision"] == p) for p in ("float32", "bfloat16")}
    assert [row["kind"] for row in result["decoding"]] == list(kinds())
    assert [(row["kind"], row["precision"]) for row in result["training"]] == [
        (kind, precision) for kind in kinds() for precision in ("float32", "bfloat16")
    ]
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
