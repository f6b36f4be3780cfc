"""The bench counts the products that the equations have."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from seq2seq.bench.flops import PIECES, Needed, flops_per_token
from seq2seq.classic import CLASSIC
from seq2seq.config import ModelConfig
from seq2seq.model import Seq2Seq
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
    assert flops_per_token(config, S, T) == pytest.approx(expected, rel=1e-9)


def test_operations_of_the_default_sizes_are_those_of_the_equations(kind):
    """The numbers that stand in the table."""
    config = ModelConfig(kind=kind, embedding_size=256, hidden_size=256 if kind in CLASSIC else 512)
    source, sentence, target = multiplications(config, PIECES)
    assert flops_per_token(config) == pytest.approx(3 * 2 * (source + sentence / PIECES + target), rel=1e-9)


@pytest.mark.parametrize("S", [1, 7, 23])
def test_decoding_needs_the_operations_of_its_equations(kind, S):
    """From two lengths to all; and of every weight four bytes."""
    config = shape(kind)
    needed = Needed(config)
    source, sentence, target = multiplications(config, S)
    assert needed.source_flops(S) == 2 * (S * source + sentence)
    assert needed.step_flops(S) == 2 * target
    assert needed.step_bytes(S) == 4 * target


def test_what_a_classic_model_cuts_needs_nothing():
    needed = Needed(shape("classic-attention"))
    assert needed.source_flops(23) == needed.source_flops(99) > needed.source_flops(22)


def test_recurrent_weights_of_the_encoder_are_read_for_every_piece(kind):
    config = shape(kind)
    needed, H = Needed(config), config.hidden_size
    recurrent = 3 * H * H if config.classic else 2 * 3 * (H // 2) ** 2
    source, sentence, _ = multiplications(config, 1)
    assert needed.source_bytes(1) == 4 * (source + sentence)
    assert needed.source_bytes(5) - needed.source_bytes(4) == 4 * recurrent


def test_a_batch_is_its_sentences_and_backward_is_twice_forward(kind):
    S, T, B = 7, 5, 3
    config = shape(kind)
    model = Seq2Seq(config).train()
    src, tgt = torch.randint(4, 50, (B, S)), torch.randint(4, 50, (B, T))
    with FlopCounterMode(display=False) as counter:
        logits, _ = model(src, torch.full((B,), S), tgt)
        forward = counter.get_total_flops()
        logits.sum().backward()
    per_token = flops_per_token(config, S, T)
    assert forward / (B * T) == pytest.approx(per_token / 3, rel=1e-9)
    # Backward is a little under twice the forward pass: nothing flows back into the first states.
    assert counter.get_total_flops() / (B * T) == pytest.approx(per_token, rel=0.1)
