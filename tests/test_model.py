"""A checkpoint folder: what is written, that it comes back, and what is said when it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest
import torch
from safetensors.torch import load_file, save_file

from seq2seq.checkpoint import SEAL, read_config, seal
from seq2seq.classic import CLASSIC
from seq2seq.config import BOS, EOS, ModelConfig
from seq2seq.model import CONFIG_FILE, WEIGHTS_FILE, CheckpointError, Seq2Seq, checkpoint_file, kinds, write_beside
from tests.conftest import tiny_config, tiny_model

SRC, LENGTHS = torch.tensor([[4, 5, EOS], [6, EOS, 0]]), torch.tensor([3, 2])
PREV = torch.tensor([[BOS, 4], [BOS, 5]])


@pytest.fixture
def folder(tmp_path, kind):
    tiny_model(kind, 12).save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def test_round_trip(kind, folder):
    model, loaded = tiny_model(kind, 12), Seq2Seq.from_pretrained(folder)
    assert loaded.config == model.config and not loaded.training
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    for (name, mine), (other, theirs) in zip(model.named_parameters(), loaded.named_parameters(), strict=True):
        assert name == other and torch.equal(mine.half().float(), theirs)
    with torch.no_grad():
        torch.testing.assert_close(loaded(SRC, LENGTHS, PREV)[0], model(SRC, LENGTHS, PREV)[0], atol=0.05, rtol=0.01)


def test_saving_what_was_loaded_changes_no_bit(folder, tmp_path):
    Seq2Seq.from_pretrained(folder).save_pretrained(tmp_path / "again")
    for name in (WEIGHTS_FILE, CONFIG_FILE):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_weights_are_half_precision_and_tied_ones_stand_once(kind, folder):
    stored = load_file(folder / WEIGHTS_FILE)
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    model = Seq2Seq.from_pretrained(folder)
    assert sum(tensor.numel() for tensor in stored.values()) == model.parameter_count()
    embeddings = [name for name in stored if name.endswith("embedding.weight")]
    if model.config.classic:  # as in the tutorial, each side has its own
        assert model.decoder.embedding.weight is not model.encoder.embedding.weight
        assert sorted(embeddings) == ["decoder.embedding.weight", "encoder.embedding.weight"]
    else:
        assert model.decoder.embedding.weight is model.encoder.embedding.weight
        assert embeddings == ["encoder.embedding.weight"]
    modes = {path.stat().st_mode for path in folder.iterdir()}
    assert len(modes) == 1, "whoever may read the config may read the weights"
    assert not list(folder.glob("*.tmp")) and not [p for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".pkl")]


def test_a_source_vocabulary_of_its_own_comes_back(kind, tmp_path):
    """Then the source has its own embedding; output and target still share theirs where they did."""
    model = tiny_model(kind, 12, source_vocab_size=9)
    model.save_pretrained(tmp_path, dtype=torch.float32)
    loaded = Seq2Seq.from_pretrained(tmp_path)
    assert loaded.config == model.config and loaded.config.source_vocabulary == 9
    stored = load_file(tmp_path / WEIGHTS_FILE)
    assert len(stored["encoder.embedding.weight"]) == 9 and len(stored["decoder.embedding.weight"]) == 12
    assert sum(tensor.numel() for tensor in stored.values()) == loaded.parameter_count()
    with torch.no_grad():
        expected, made = model(SRC, LENGTHS, PREV)[0], loaded(SRC, LENGTHS, PREV)[0]
    assert made.shape == (2, 2, 12) and torch.equal(made, expected)


def test_config_file_is_the_config(kind, folder):
    assert read_config(folder / CONFIG_FILE) == tiny_config(kind, 12)
    assert json.loads((folder / CONFIG_FILE).read_text()).keys() == {*asdict(tiny_config(kind, 12)), SEAL}


@pytest.mark.parametrize("name", [CONFIG_FILE, WEIGHTS_FILE])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        Seq2Seq.from_pretrained(folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"additive"',
        '{"kind": "nonsense"}',
        '{"hidden_size": "big"}',
        '{"hidden_size": 7}',
        '{"kind": "classic-plain", "embedding_size": 4, "hidden_size": 8}',
        '{"max_length": 0}',
        '{"heads": 8}',
    ],
)
def test_a_bad_config_is_named(folder, text):
    (folder / CONFIG_FILE).write_text(text)
    with pytest.raises(CheckpointError, match=CONFIG_FILE) as caught:
        Seq2Seq.from_pretrained(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "spoil", [lambda raw: b"", lambda raw: raw[:-10], lambda raw: b"\xff" * 40, lambda raw: raw[:5]]
)
def test_corrupt_weights_are_named(folder, spoil):
    path = folder / WEIGHTS_FILE
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(CheckpointError, match=WEIGHTS_FILE):
        Seq2Seq.from_pretrained(folder)


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_weights_that_do_not_fit_are_named(kind, folder, change):
    weights = load_file(folder / WEIGHTS_FILE)
    bias = "decoder.out.bias" if kind in CLASSIC else "decoder.bias"
    assert weights[bias].shape == (12,)
    if change == "extra":
        weights["decoder.surplus"] = torch.zeros(2)
    elif change == "missing":
        del weights[bias]
    else:
        weights[bias] = torch.zeros(13)
    save_file(weights, folder / WEIGHTS_FILE)
    seal(folder)
    with pytest.raises(CheckpointError, match=f"{CONFIG_FILE}: {'decoder.surplus' if change == 'extra' else bias}$"):
        Seq2Seq.from_pretrained(folder)


@pytest.mark.parametrize("other", kinds())
def test_weights_of_another_kind_are_refused(kind, folder, other):
    """A config that names another decoder than the weights are of is never half believed."""
    config = json.dumps(asdict(tiny_config(other, 12, embedding_size=8)))
    tiny_model(kind, 12, embedding_size=8).save_pretrained(folder)
    (folder / CONFIG_FILE).write_text(config)
    if other == kind:
        assert Seq2Seq.from_pretrained(folder).config.kind == kind
        return
    with pytest.raises(CheckpointError, match=f"{WEIGHTS_FILE} does not fit"):
        Seq2Seq.from_pretrained(folder)


@pytest.mark.parametrize("where", ["./none", "/none/at/all", "checkpoints/none", "none", "a/b/c", "~/none"])
def test_no_checkpoint_there(where):
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        Seq2Seq.from_pretrained(where)


def test_a_hub_id_that_cannot_be_fetched(tmp_path):
    with pytest.raises(CheckpointError, match="could not be fetched from the hub") as caught:
        checkpoint_file("nobody/no-such-model", CONFIG_FILE, cache_dir=tmp_path, local_files_only=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("unknown", ["nonsense", "classic-nonsense", ""])
def test_an_unknown_kind_lists_the_known_ones(kind, unknown):
    with pytest.raises(ValueError, match=kind):
        Seq2Seq(ModelConfig(kind=unknown, embedding_size=8, hidden_size=8))


def test_files_are_replaced_whole(tmp_path):
    path = tmp_path / "a.json"
    for text in ("old", "new, and longer"):
        write_beside(path, text)
        assert path.read_text() == text and os.listdir(tmp_path) == ["a.json"]


def test_a_killed_save_leaves_the_old_weights(folder, monkeypatch):
    before = (folder / WEIGHTS_FILE).read_bytes()

    def killed(file: int) -> None:
        os.truncate(file, os.fstat(file).st_size // 2)
        raise KeyboardInterrupt

    monkeypatch.setattr("seq2seq.checkpoint.os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        Seq2Seq.from_pretrained(folder).save_pretrained(folder)
    assert (folder / WEIGHTS_FILE).read_bytes() == before


def test_forward_needs_no_gradient_tricks(kind):
    """Every parameter is trained by the loss: none is forgotten on the way."""
    model = tiny_model(kind, 12, sharp=1.0).train()
    logits, _ = model(SRC, LENGTHS, PREV)
    logits.log_softmax(-1)[..., 5].sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_the_same_seed_gives_the_same_model(kind):
    one, two = tiny_model(kind, 12, 3), tiny_model(kind, 12, 3)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_importing_the_package_needs_neither_gradio_nor_plotly():
    code = (
        "import sys, seq2seq\n"
        "[getattr(seq2seq, name) for name in seq2seq.__all__]\n"
        "print(sorted({'gradio', 'plotly', 'seq2seq.translator'} & sys.modules.keys()))"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() == "['seq2seq.translator']"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_numbers_of_the_cpu(kind):
    model = tiny_model(kind, 12)
    with torch.no_grad():
        expected, weights = model(SRC, LENGTHS, PREV)
        logits, rows = model.cuda()(SRC.cuda(), LENGTHS, PREV.cuda())
    torch.testing.assert_close(logits.cpu(), expected, atol=1e-3, rtol=1e-3)
    assert weights is None or torch.allclose(rows.cpu(), weights, atol=1e-3)
