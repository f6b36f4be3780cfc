"""A tiny language, tokenizer and models that all tests share. Nothing here needs a file or a network."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import hypothesis
import pytest
import torch

from seq2seq.config import EOS, ModelConfig
from seq2seq.model import Seq2Seq, kinds
from seq2seq.tokenizer import Tokenizer
from seq2seq.translator import Translator

torch.set_num_threads(1)
hypothesis.settings.register_profile("untimed", deadline=None)  # no test depends on how busy the machine is
hypothesis.settings.load_profile("untimed")

ENGLISH = (
    "A man rides a red bike.",
    "The dog sleeps under the old tree.",
    "Two girls don't eat the green apples.",
    "It's raining, but they're playing in the garden.",
    "She bought 3.5 kilos of well-known cheese!",
)
FRENCH = (
    "Un homme fait du vélo rouge.",
    "Le chien dort sous le vieil arbre.",
    "Deux filles ne mangent pas les pommes vertes.",
    "Il pleut, mais elles jouent dans l'herbe aujourd'hui.",
    "Qu'est-ce qu'elle achète : 3,5 kilos d'un fromage connu !",
)
UNSEEN = (
    "The red dog rides.",
    "Two girls sleep under the tree, don't they?",
    "A cheese!",
    "They eat the old bike in the garden.",
)
"""Sentences of those words in an order that the tokenizer was not trained on, of different lengths."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes take one file after the other, one that takes minutes must not come last, alone."""
    items.sort(key=lambda item: item.path.name != "test_training.py")


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.train((ENGLISH + FRENCH) * 3, vocab_size=150)


def tiny_config(kind: str, vocab_size: int, **settings) -> ModelConfig:
    sizes = {"embedding_size": 8 if kind.startswith("classic") else 6, "hidden_size": 8, "attention_size": 5} | settings
    return ModelConfig(kind=kind, vocab_size=vocab_size, **sizes)


def tiny_model(kind: str, vocab_size: int, seed: int = 0, sharp: float = 2.5, **settings) -> Seq2Seq:
    """Random weights, larger than a fresh model's, so that its distributions are far from even and ties do not occur."""
    torch.manual_seed(seed)
    model = Seq2Seq(tiny_config(kind, vocab_size, **settings)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * sharp / parameter.size(-1) ** 0.5)
        bias = model.decoder.out.bias if model.config.classic else model.decoder.bias
        bias[EOS] = 1.0  # some translations should end before their limit
    return model


@pytest.fixture(params=kinds())
def kind(request: pytest.FixtureRequest) -> str:
    """Every decoder there is, so that a new one is tested by itself."""
    return request.param


@pytest.fixture
def model(kind: str, tokenizer: Tokenizer) -> Seq2Seq:
    return tiny_model(kind, len(tokenizer))


@pytest.fixture
def translator(model: Seq2Seq, tokenizer: Tokenizer) -> Translator:
    return Translator(model, tokenizer, "tiny")


@pytest.fixture
def diagonal(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Puts an aligner in the place of eflomal that links the first words, the second words, and so on.

    -> what it was given at each call: the text of the sources and that of the targets.
    """
    calls = []

    class Aligner:
        def align(self, source, target, links_filename_fwd, links_filename_rev, quiet):
            calls.append((source.read(), target.read()))
            lines = ""
            for pair in zip(*(text.splitlines() for text in calls[-1]), strict=True):
                lines += " ".join(f"{i}-{i}" for i in range(min(len(side.split()) for side in pair))) + "\n"
            for path in (links_filename_fwd, links_filename_rev):
                Path(path).write_text(lines)

    monkeypatch.setitem(sys.modules, "eflomal", SimpleNamespace(Aligner=Aligner))
    return calls
