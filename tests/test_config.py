"""Settings that cannot work are refused with the name of the setting; the rest survives JSON."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, asdict

import pytest

from seq2seq.classic import CLASSIC
from seq2seq.config import BOS, EOS, PAD, UNK, ModelConfig, TrainConfig
from seq2seq.model import kinds
from seq2seq.tokenizer import SPECIALS

MODEL_BAD = {
    "vocab_size": 0,
    "embedding_size": -1,
    "hidden_size": 7,
    "attention_size": 0,
    "dropout": 1.0,
    "word_dropout": -0.1,
    "max_length": 0,
    "source_vocab_size": -1,
}
TRAIN_BAD = {
    "batch_tokens": 0,
    "max_steps": 0,
    "validate_every": 0,
    "patience": 0,
    "learning_rate": 0.0,
    "clip_norm": float("inf"),
    "label_smoothing": 1.0,
    "average_decay": -0.5,
    "repeat": (-1,),
    "mixed_precision": "fp8",
    "schedule": "linear",
    "guide_weight": float("inf"),
    "join": 1.0,
    "rename": 1.1,
    "casual": -0.1,
    "excerpt": 0.5,  # without links
}


@pytest.mark.parametrize("name", MODEL_BAD)
def test_a_bad_model_setting_is_named(name):
    with pytest.raises(ValueError, match=f"^{name} is "):
        ModelConfig(**{name: MODEL_BAD[name]})


@pytest.mark.parametrize("kind", ["plain", *CLASSIC])
def test_only_a_kind_with_a_query_is_asked_with_the_last_piece(kind):
    with pytest.raises(ValueError, match=f"^query_prev is set, but a {kind} decoder"):
        ModelConfig(kind=kind, embedding_size=8, hidden_size=8, query_prev=True)


@pytest.mark.parametrize("name", TRAIN_BAD)
def test_a_bad_training_setting_is_named(name):
    with pytest.raises(ValueError, match=f"^{name} is "):
        TrainConfig(data=("a",), valid=("b",), **{name: TRAIN_BAD[name]})


def test_classic_kinds_have_one_size_which_may_be_odd():
    with pytest.raises(ValueError, match="^embedding_size is 6 and hidden_size 8"):
        ModelConfig(kind="classic-attention", embedding_size=6, hidden_size=8)
    with pytest.raises(ValueError, match="^embedding_size is 256 and hidden_size 512"):
        ModelConfig(kind="classic-plain")
    assert ModelConfig(kind="classic-plain", embedding_size=7, hidden_size=7).hidden_size == 7


@pytest.mark.parametrize("kind", kinds())
def test_classic_is_told_by_the_kind(kind):
    assert ModelConfig(kind=kind, embedding_size=8, hidden_size=8).classic == (kind in CLASSIC)


def test_the_source_has_the_joint_vocabulary_or_its_own():
    assert ModelConfig(vocab_size=11).source_vocabulary == 11
    assert ModelConfig(vocab_size=11, source_vocab_size=7).source_vocabulary == 7


def test_a_config_of_before_the_classic_kinds_is_still_read():
    """Checkpoints that were written then have neither `max_length` nor `source_vocab_size`."""
    older = asdict(ModelConfig(vocab_size=11))
    del older["max_length"], older["source_vocab_size"]
    assert ModelConfig(**older) == ModelConfig(vocab_size=11)


def test_model_config_survives_json():
    config = ModelConfig(kind="plain", vocab_size=11, hidden_size=6, dropout=0.25)
    assert ModelConfig(**json.loads(json.dumps(asdict(config)))) == config


def test_configs_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        ModelConfig().hidden_size = 2
    with pytest.raises(FrozenInstanceError):
        TrainConfig(data=(), valid=()).seed = 2


def test_special_ids_are_those_of_the_tokenizer():
    assert [SPECIALS[i] for i in (PAD, UNK, BOS, EOS)] == ["<pad>", "<unk>", "<bos>", "<eos>"]
    assert sorted((PAD, UNK, BOS, EOS)) == list(range(len(SPECIALS)))
