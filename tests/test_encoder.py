"""The encoder against a GRU written out, and the laws of its masks and dropout."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from seq2seq.config import EOS, PAD
from seq2seq.data import pad_ids
from seq2seq.encoder import Embedding, Encoder, PictureEncoder, with_place
from seq2seq.sources import SceneReader
from tests.conftest import tiny_config

SOURCES = [[4, 5, 6, EOS], [7, EOS], [8, 9, 4, 4, 5, EOS]]


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(1)
    config = tiny_config("plain", 12)
    return Encoder(config, Embedding(config, 12)).eval()


def encode(encoder: Encoder, sources: list[list[int]]):
    src, lengths = pad_ids(sources)
    with torch.no_grad():
        return encoder(src, lengths)


def gru(x: np.ndarray, hidden: np.ndarray, w_x, w_h, b_x, b_h) -> np.ndarray:
    """One step as PyTorch documents it: gates r, z, n stacked in that order."""
    gates_x, gates_h = np.split(w_x @ x + b_x, 3), np.split(w_h @ hidden + b_h, 3)
    r, z = (1 / (1 + np.exp(-(gates_x[i] + gates_h[i]))) for i in (0, 1))
    n = np.tanh(gates_x[2] + r * gates_h[2])
    return (1 - z) * n + z * hidden


def test_memory_and_summary_are_two_grus_one_from_each_side(encoder):
    weights = {name: p.detach().double().numpy() for name, p in encoder.rnn.named_parameters()}
    table = encoder.embedding.weight.detach().double().numpy() * encoder.embedding.embedding_dim**0.5
    encoded = encode(encoder, SOURCES)
    half = encoder.rnn.hidden_size
    for b, source in enumerate(SOURCES):
        ends = []
        for suffix, order in (("", range(len(source))), ("_reverse", reversed(range(len(source))))):
            hidden = np.zeros(half)
            part = slice(0, half) if not suffix else slice(half, 2 * half)
            names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
            for s in order:
                hidden = gru(table[source[s]], hidden, *(weights[name + suffix] for name in names))
                np.testing.assert_allclose(encoded.memory[b, s, part], hidden, atol=1e-5)
            ends.append(hidden)
        np.testing.assert_allclose(encoded.summary[b], np.concatenate(ends), atol=1e-5)


def test_padding_and_batch_order_change_nothing(encoder):
    together, backwards = encode(encoder, SOURCES), encode(encoder, SOURCES[::-1])
    for b, source in enumerate(SOURCES):
        alone = encode(encoder, [source])
        for other, row in ((together, b), (backwards, len(SOURCES) - 1 - b)):
            torch.testing.assert_close(other.memory[row, : len(source)], alone.memory[0])
            torch.testing.assert_close(other.summary[row], alone.summary[0])
            assert other.mask[row].tolist() == [s < len(source) for s in range(6)]
            assert not other.memory[row, len(source) :].any(), "nothing stands on padding"


def test_extra_columns_of_padding_change_nothing(encoder):
    src, lengths = pad_ids(SOURCES)
    wide = torch.cat([src, torch.full((3, 4), PAD)], dim=1)
    with torch.no_grad():
        narrow, widened = encoder(src, lengths), encoder(wide, lengths)
    torch.testing.assert_close(widened.memory[:, : src.size(1)], narrow.memory)
    torch.testing.assert_close(widened.summary, narrow.summary)
    assert not widened.mask[:, src.size(1) :].any()


def test_word_dropout_takes_whole_words_and_keeps_the_mean():
    torch.manual_seed(2)
    embedding = Embedding(tiny_config("plain", 12, dropout=0.0, word_dropout=0.25), 12).train()
    ids = torch.full((4000,), 5)
    with torch.no_grad():
        dropped = embedding(ids)
        whole = embedding.eval()(ids[:1])[0]
    gone = (dropped == 0).all(-1)
    assert torch.equal(gone, (dropped == 0).any(-1)), "all of a word or nothing"
    assert gone.float().mean() == pytest.approx(0.25, abs=0.03)
    torch.testing.assert_close(dropped[~gone][0], whole / 0.75)


def test_nothing_is_dropped_outside_training():
    config = tiny_config("plain", 12, dropout=0.9, word_dropout=0.9)
    encoder = Encoder(config, Embedding(config, 12)).eval()
    first, second = encode(encoder, SOURCES), encode(encoder, SOURCES)
    assert torch.equal(first.memory, second.memory) and torch.equal(first.summary, second.summary)


def test_padding_has_no_vector():
    embedding = Embedding(tiny_config("plain", 12), 12)
    assert not embedding(torch.tensor([PAD])).any()


# -- pictures ------------------------------------------------------------------------------------------------------

CODES = ("large red circle 11 11", "large red circle 53 53", "small blue star 32 10, small green square 50 53")


def encode_scenes(codes=CODES, **changes):
    torch.manual_seed(1)
    config = replace(tiny_config("plain", 12), encoder="picture", source_vocab_size=192, **changes)
    encoder = PictureEncoder(config, Embedding(config, 12)).eval()
    src, lengths = pad_ids([pieces.ids for pieces in SceneReader().encode_batch(codes)])
    with torch.no_grad():
        return encoder(src, lengths), encoder


def test_a_picture_is_encoded_like_a_sentence_of_its_places():
    encoded, encoder = encode_scenes()
    memory, mask, summary = encoded
    H = encoder.rounds[0][-1].out_channels
    assert memory.shape == (3, 64, H) and summary.shape == (3, H)
    assert mask.all() and mask.shape == (3, 64)


def test_the_summary_of_a_picture_is_of_all_its_places():
    """Each object by itself changes it, and so does where it stands."""
    first, other = "small blue star 10 10", "small green square 50 53"
    summaries = encode_scenes((first, other, f"{first}, {other}", "small blue star 50 53"))[0].summary
    distances = torch.cdist(summaries, summaries) + torch.eye(4)
    assert (distances > 1e-4).all()


def test_a_picture_has_the_same_vectors_in_any_batch():
    together, _ = encode_scenes()
    for i, code in enumerate(CODES):
        alone, _ = encode_scenes((code,))
        torch.testing.assert_close(alone.memory[0], together.memory[i])


def test_a_place_is_told_where_it_is():
    """Far from what is drawn all is blank, and still no two places have the same vector."""
    encoded, _ = encode_scenes(("large red circle 53 53",))
    blank = encoded.memory[0].view(8, 8, -1)[:3, :3].flatten(0, 1)
    distances = torch.cdist(blank, blank) + torch.eye(9)
    assert (distances > 1e-4).all()


def test_with_place_goes_from_corner_to_corner():
    made = with_place(torch.zeros(2, 3, 5, 4))
    assert made.shape == (2, 5, 5, 4)
    assert made[0, 3, :, 0].tolist() == [-1, -0.5, 0, 0.5, 1] and made[1, 4, 0, [0, 3]].tolist() == [-1, 1]


def test_gradients_reach_all_of_the_picture_encoder():
    _, encoder = encode_scenes()
    src, lengths = pad_ids([pieces.ids for pieces in SceneReader().encode_batch(CODES)])
    encoded = encoder(src, lengths)
    (encoded.memory.pow(2).sum() + encoded.summary.pow(2).sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


def test_a_picture_of_other_places_is_refused():
    with pytest.raises(ValueError, match="192"):
        config = replace(tiny_config("plain", 12), encoder="picture", source_vocab_size=48)
        PictureEncoder(config, Embedding(config, 12))
