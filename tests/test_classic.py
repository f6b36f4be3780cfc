"""The tutorial's systems, against their equations written out number by number: Python floats, one sentence, one word."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from seq2seq.classic import CLASSIC
from seq2seq.config import BOS, EOS, PAD, UNK, ModelConfig
from seq2seq.data import pad_ids
from seq2seq.model import Seq2Seq
from seq2seq.search import beam, forced, greedy
from seq2seq.translator import Translator
from seq2seq.tutorial import import_tutorial

Vector, Matrix = list[float], list[list[float]]
DRAWS = 100
CLOSE = 1e-5
START, END = 0, 1
"""Ids of the tutorial."""
KINDS = pytest.mark.parametrize("kind", CLASSIC)

# -- the equations -------------------------------------------------------------------------------------------------


def linear(weight: Matrix, bias: Vector, x: Vector) -> Vector:
    return [sum(w * number for w, number in zip(row, x)) + b for row, b in zip(weight, bias)]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def relu(x: Vector) -> Vector:
    return [max(number, 0.0) for number in x]


def softmax(x: Vector) -> Vector:
    raised = [math.exp(number - max(x)) for number in x]
    return [number / sum(raised) for number in raised]


def gru(p: dict[str, Any], x: Vector, h: Vector) -> Vector:
    """Reset gate r, update gate z, new gate n, in this order in the rows of a weight, as `torch.nn.GRU` documents them."""
    given = linear(p["gru.weight_ih_l0"], p["gru.bias_ih_l0"], x)
    kept = linear(p["gru.weight_hh_l0"], p["gru.bias_hh_l0"], h)
    H, new = len(h), []
    for i in range(H):
        r = sigmoid(given[i] + kept[i])
        z = sigmoid(given[H + i] + kept[H + i])
        n = math.tanh(given[2 * H + i] + r * kept[2 * H + i])
        new.append((1 - z) * n + z * h[i])
    return new


def encode(p: dict[str, Any], ids: Sequence[int], max_length: int) -> tuple[Matrix, Vector]:
    """The encoder's outputs, zeros behind the sentence up to `max_length`, and its last state."""
    H = len(p["gru.weight_hh_l0"][0])
    hidden, outputs = [0.0] * H, [[0.0] * H for _ in range(max_length)]
    for place, id in enumerate(ids):
        hidden = gru(p, p["embedding.weight"][id], hidden)
        outputs[place] = hidden
    return outputs, hidden


def decode(p: dict[str, Any], id: int, hidden: Vector, outputs: Matrix) -> tuple[Vector, Vector, Vector]:
    """One step: log-probabilities, the new state, and weights over all places, of which DecoderRNN has none."""
    x, weights = p["embedding.weight"][id], []
    if "attn.weight" in p:
        weights = softmax(linear(p["attn.weight"], p["attn.bias"], x + hidden))
        applied = [sum(w * output[i] for w, output in zip(weights, outputs)) for i in range(len(hidden))]
        x = linear(p["attn_combine.weight"], p["attn_combine.bias"], x + applied)
    hidden = gru(p, relu(x), hidden)
    return [math.log(share) for share in softmax(linear(p["out.weight"], p["out.bias"], hidden))], hidden, weights


@dataclass
class Numbers:
    """Everything that a pair of encoder and decoder computes for one sentence: memory (N, H), summary (H), and for each of
    T steps log-probabilities (T, V), states (T, H) and weights (T, N), which are (T, 0) without attention."""

    memory: np.ndarray
    summary: np.ndarray
    log_probs: np.ndarray
    hidden: np.ndarray
    weights: np.ndarray

    def distance(self, other: Numbers) -> float:
        """The largest absolute difference."""
        pairs = [(part, getattr(other, name)) for name, part in vars(self).items()]
        assert all(one.shape == two.shape for one, two in pairs)
        return max(float(np.abs(one - two).max(initial=0)) for one, two in pairs)


def by_hand(read: dict[str, Any], written: dict[str, Any], source, target, max_length: int) -> Numbers:
    """The equations for ids `source`, while the decoder is given ids `target`."""
    outputs, summary = encode(read, source, max_length)
    hidden, steps = summary, []
    for id in target:
        step = decode(written, id, hidden, outputs)
        hidden = step[1]
        steps.append(step)
    return Numbers(np.array(outputs), np.array(summary), *map(np.array, zip(*steps)))


# -- random weights ------------------------------------------------------------------------------------------------


def random_states(
    kind: str, seed: int, source: int, target: int, H: int, max_length: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What `state_dict()` gives for the tutorial's encoder and decoder with `source` and `target` words."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    def both(words: int) -> dict[str, Tensor]:
        return {
            "embedding.weight": normal(words, H),
            "gru.weight_ih_l0": normal(3 * H, H),
            "gru.weight_hh_l0": normal(3 * H, H),
            "gru.bias_ih_l0": normal(3 * H),
            "gru.bias_hh_l0": normal(3 * H),
        }

    read, written = both(source), both(target) | {"out.weight": normal(target, H), "out.bias": normal(target)}
    if kind == "classic-attention":
        written |= {"attn.weight": normal(max_length, 2 * H), "attn.bias": normal(max_length)}
        written |= {"attn_combine.weight": normal(H, 2 * H), "attn_combine.bias": normal(H)}
    return read, written


@dataclass
class Draw:
    """Random weights of random sizes, and sentences of mixed lengths, one of them as long as can be, in any ids but 0."""

    kind: str
    max_length: int
    sizes: tuple[int, int, int]
    read: dict[str, Tensor]
    written: dict[str, Tensor]
    sources: list[list[int]]
    targets: list[list[int]]

    @classmethod
    def of(cls, kind: str, seed: int) -> Draw:
        random = np.random.default_rng(seed)
        N, *sizes = (int(number) for number in random.integers((1, 4, 4, 1), (7, 9, 9, 7)))
        lengths = [*random.integers(1, N + 1, size=2), N, 1]
        sources = [random.integers(1, sizes[0], size=length).tolist() for length in lengths]
        targets = random.integers(1, sizes[1], size=(len(lengths), random.integers(1, 6))).tolist()
        return cls(kind, N, tuple(sizes), *random_states(kind, seed, *sizes, N), sources, targets)

    def by_hand(self) -> list[Numbers]:
        lists = [
            {key: tensor.double().tolist() for key, tensor in state.items()} for state in (self.read, self.written)
        ]
        return [by_hand(*lists, *pair, self.max_length) for pair in zip(self.sources, self.targets)]

    def model(self) -> Seq2Seq:
        Vs, Vt, H = self.sizes
        sizes = {"vocab_size": Vt, "source_vocab_size": Vs, "embedding_size": H, "hidden_size": H}
        model = Seq2Seq(ModelConfig(kind=self.kind, max_length=self.max_length, **sizes)).eval()
        parts = {"encoder": self.read, "decoder": self.written}
        model.load_state_dict({f"{part}.{key}": value for part, state in parts.items() for key, value in state.items()})
        return model

    def imported(self, folder: Path) -> Path:
        """The folder of the checkpoint that `import-tutorial` makes of the weights; the word of id 5 is w5."""
        for name, state, size in zip(("encoder", "decoder"), (self.read, self.written), self.sizes):
            torch.save(state, folder / f"{name}.pt")
            (folder / f"{name}.txt").write_text("".join(f"w{id}\n" for id in range(size)), encoding="utf-8")
        names = ("encoder.pt", "decoder.pt", "encoder.txt", "decoder.txt")
        import_tutorial(*(folder / name for name in names), self.max_length, folder / "made")
        return folder / "made"


def by_model(model: Seq2Seq, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> list[Numbers]:
    """What the model computes for one batch; targets are equally long."""
    with torch.inference_mode():
        encoded = model.encoder(*pad_ids(sources))
        state, steps = model.decoder.init_state(encoded), []
        for prev in torch.tensor(targets).unbind(1):
            step = model.decoder.step(prev, state)
            state = step.state
            weights = torch.zeros(len(prev), 0) if step.weights is None else step.weights
            steps.append((step.logits, state.hidden, weights))
    made = [torch.stack(part, 1).numpy() for part in zip(*steps)]
    return [Numbers(*one) for one in zip(encoded.memory.numpy(), encoded.summary.numpy(), *made)]


def distance(model: Seq2Seq, sources, targets, expected: Sequence[Numbers], first: int = 0) -> float:
    """How far the model is from the equations, in one batch as well as alone; `first`: id of the first piece they know."""
    made = by_model(model, sources, targets)
    made += [one for pair in zip(sources, targets) for one in by_model(model, pair[:1], pair[1:])]
    for one in made:
        one.log_probs = one.log_probs[:, first:]
    return max(one.distance(other) for one, other in zip(made, [*expected, *expected]))


def test_the_equations_are_those_of_torch():
    """The oracle is held to a third party once, so that a mistake in it is not found in the model."""
    read, _ = random_states("classic-plain", 1, 9, 9, 5, 7)
    reference = torch.nn.GRU(5, 5).double()
    reference.load_state_dict(
        {key.removeprefix("gru."): value for key, value in read.items() if key.startswith("gru.")}
    )
    ids = [3, 8, 1, 3]
    outputs, last = reference(read["embedding.weight"][ids].double())
    by_list = encode({key: tensor.double().tolist() for key, tensor in read.items()}, ids, 7)
    np.testing.assert_allclose(by_list[0][:4], outputs.detach(), atol=1e-12)
    np.testing.assert_allclose(by_list[1], last[0].detach(), atol=1e-12)
    assert by_list[0][4:] == [[0.0] * 5] * 3


@KINDS
def test_numbers_are_those_of_the_equations(kind: str):
    for seed in range(DRAWS):
        draw = Draw.of(kind, seed)
        assert distance(draw.model(), draw.sources, draw.targets, draw.by_hand()) < CLOSE, seed


@KINDS
def test_numbers_are_those_of_the_equations_after_import(kind: str, tmp_path: Path):
    for seed in range(DRAWS):
        draw, folder = Draw.of(kind, seed), tmp_path / str(seed)
        folder.mkdir()
        model = Seq2Seq.from_pretrained(draw.imported(folder))
        sources, targets = ([[id + BOS for id in row] for row in rows] for rows in (draw.sources, draw.targets))
        assert distance(model, sources, targets, draw.by_hand(), first=BOS) < CLOSE, seed
        for one in by_model(model, sources, targets):
            assert not np.exp(one.log_probs[:, [PAD, UNK]]).any(), "pieces that the tutorial has not got no share"


@KINDS
def test_what_is_longer_than_the_memory_is_cut(kind: str):
    draw = Draw.of(kind, 3)
    assert draw.max_length > 1
    whole = draw.sources[2]
    longer = [*whole, 1, 2, 3]
    [cut], [kept] = (by_model(draw.model(), [source], [[1, 2]]) for source in (longer, whole))
    assert cut.distance(kept) == 0
    in_batch = by_model(draw.model(), [longer, draw.sources[3]], [[1, 2]] * 2)[0]
    assert in_batch.distance(kept) < CLOSE


def test_weights_go_to_every_place_and_sum_to_1():
    seen = 0
    for seed in range(20):
        draw = Draw.of("classic-attention", seed)
        for source, one in zip(draw.sources, by_model(draw.model(), draw.sources, draw.targets)):
            assert one.weights.shape[1] == draw.max_length
            np.testing.assert_allclose(one.weights.sum(1), 1, atol=1e-6)
            padding = one.weights[:, len(source) :]
            assert (padding > 0).all()
            seen += padding.size
    assert seen


# -- what the rest of the project makes of them ---------------------------------------------------------------------


def text_of(ids: Sequence[int]) -> str:
    return " ".join(f"w{id}" for id in ids)


def greedy_by_hand(draw: Draw, source: Sequence[int], limit: int) -> tuple[list[int], list[float], Matrix]:
    """The likeliest word each time, except the start word, which no search of ours writes."""
    read, written = (
        {key: tensor.double().tolist() for key, tensor in state.items()} for state in (draw.read, draw.written)
    )
    outputs, hidden = encode(read, source, draw.max_length)
    ids, log_probs, rows = [START], [], []
    while len(ids) <= limit and ids[-1] != END:
        step, hidden, weights = decode(written, ids[-1], hidden, outputs)
        ids.append(max(range(1, len(step)), key=lambda id: step[id]))
        log_probs.append(step[ids[-1]])
        rows.append(weights)
    return ids[1:], log_probs, rows


@KINDS
def test_a_translation_is_that_of_the_equations(kind: str, tmp_path: Path):
    ended = cut = 0
    for seed in range(20):
        draw, folder = Draw.of(kind, seed), tmp_path / str(seed)
        folder.mkdir()
        translator = Translator.from_checkpoint(draw.imported(folder), "cpu")
        for words in (source for source in draw.sources if END not in source):
            read = [*words, END][: draw.max_length]
            cut += len(read) == len(words)
            made = translator.translate(text_of(words))
            ids, log_probs, rows = greedy_by_hand(draw, read, 2 * len(read) + 10)
            assert list(made.source_words) == [f"w{id}" for id in words] + ["<eos>"] * (len(read) > len(words))
            assert made.target_pieces == tuple("<eos>" if id == END else f"▁w{id}" for id in ids)
            np.testing.assert_allclose(made.token_log_probs, log_probs, atol=CLOSE)
            ended += ids[-1] == END
            if kind == "classic-attention":
                np.testing.assert_allclose(made.attention_pieces, np.array(rows)[:, : len(read)], atol=CLOSE)
                behind = np.array(rows)[:, len(read) :].sum(1)
                np.testing.assert_allclose(made.padding_weight, behind, atol=CLOSE)
    assert ended and cut, "both cases are to be among them"


@KINDS
def test_greedy_forced_and_a_beam_of_1_agree_on_an_imported_checkpoint(kind: str, tmp_path: Path):
    draw = Draw.of(kind, 5)
    model = Seq2Seq.from_pretrained(draw.imported(tmp_path))
    src, lengths = pad_ids([[id + BOS for id in source] for source in draw.sources])
    state = model.decoder.init_state(model.encoder(src, lengths))
    limits = [9] * len(draw.sources)
    chosen = greedy(model.decoder, state, lengths.tolist(), limits)
    beamed = [best for [best] in beam(model.decoder, state, lengths.tolist(), limits, beam_size=1)]
    scored = forced(model.decoder, state, lengths.tolist(), [one.ids for one in chosen])
    for one, *others in zip(chosen, beamed, scored):
        assert UNK not in one.ids and (one.ids[-1] == EOS or len(one.ids) == 9)
        for other in others:
            assert other.ids == one.ids
            np.testing.assert_allclose(other.log_probs, one.log_probs, atol=CLOSE)
            if kind == "classic-attention":
                np.testing.assert_allclose(other.weights, one.weights, atol=CLOSE)


@KINDS
def test_dropout_is_only_in_training_and_only_on_what_attends(kind: str):
    draw = Draw.of(kind, 7)
    model = draw.model()
    made = by_model(model, draw.sources, draw.targets)
    assert model.config.dropout > 0
    model.train()
    torch.manual_seed(0)
    trained = [by_model(model, draw.sources, draw.targets) for _ in range(20)]
    for many in trained:
        for one, other in zip(many, made):
            np.testing.assert_array_equal(one.memory, other.memory)
            np.testing.assert_array_equal(one.summary, other.summary)
    changed = any(one.distance(other) > CLOSE for many in trained for one, other in zip(many, made))
    assert changed == (kind == "classic-attention")
    model.eval()
    assert all(one.distance(other) == 0 for one, other in zip(by_model(model, draw.sources, draw.targets), made))
