"""The model card tells what metrics.json holds and nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from seq2seq.card import model_card
from seq2seq.checkpoint import read_config
from seq2seq.classic import CLASSIC
from seq2seq.config import ModelConfig
from seq2seq.model import decoder_class, kinds
from seq2seq.results import data_name, read_metrics, write_metrics
from tests.conftest import tiny_config

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"

TRAINING = {
    "command": "python -m seq2seq train --data data/multi30k.train.tsv.gz data/tatoeba.train.tsv.gz --out here",
    "data": ["multi30k.train.tsv.gz", "tatoeba.train.tsv.gz"],
    "valid": ["multi30k.val.tsv.gz"],
    "seconds": 3456.7,
    "steps": 7654,
    "tokens": 98765432,
    "tokens_per_second": 4321.0,
    "best_valid_bleu": 45.67,
    "best_step": 6543,
    "seed": 17,
    "parameters": 3987654,
    "device": "cpu, 2 threads",
    "torch": "2.13.0",
}
SCORED = {
    "bleu": 51.23,
    "bleu_lower_tok": 52.34,
    "chrf": 67.89,
    "sentences": 1000,
    "command": "python -m seq2seq evaluate",
}
ALIGNED = {
    "aer": 0.345,
    "precision": 0.678,
    "recall": 0.789,
    "sentences": 224,
    "short": {"to": 15, "aer": 0.234, "precision": 0.765, "recall": 0.876, "sentences": 99},
    "posterior": {
        "aer": 0.145,
        "precision": 0.878,
        "recall": 0.889,
        "sentences": 224,
        "short": {"to": 15, "aer": 0.134, "precision": 0.865, "recall": 0.866, "sentences": 99},
    },
}


def test_front_matter_is_yaml_that_the_hub_reads():
    card = model_card("x", ModelConfig(), {"training": TRAINING, "multi30k.test_2016_flickr": SCORED})
    front = yaml.safe_load(card.split("---")[1])
    assert front["language"] == ["en", "fr"] and front["license"] == "other"
    assert front["datasets"] == ["multi30k", "tatoeba"] and "attention" in front["tags"]
    assert "license" not in yaml.safe_load(model_card("x", ModelConfig(), {}).split("---")[1])


def test_sources_are_named_with_their_terms():
    card = model_card("x", ModelConfig(), {"training": TRAINING})
    for part in ("non-commercial", "tatoeba.org", "manythings.org/anki", "CC BY 2.0 FR", "Multi30k"):
        assert part in card
    assert "Tatoeba" not in model_card("x", ModelConfig(), {"training": {**TRAINING, "data": ["mine.tsv"]}})


def test_every_score_stands_with_its_command():
    metrics = {"training": TRAINING, "multi30k.test_2016_flickr": SCORED, "hansards.dev": ALIGNED}
    card = model_card("x", ModelConfig(), metrics)
    for value in (
        "51.23",
        "52.34",
        "67.89",
        "0.345",
        "0.678",
        "0.789",
        "0.234",
        "0.145",
        "0.134",
        "7,654",
        "98,765,432",
        "3,987,654",
        "45.67",
    ):
        assert value in card
    assert TRAINING["command"] in card and SCORED["command"] in card


def test_a_run_that_began_with_another_tells_of_both():
    """Both commands and what either took; and a card names its direction."""
    first = TRAINING | {"command": "python -m seq2seq train --out first", "steps": 1234}
    card = model_card("x", ModelConfig(), {"training": TRAINING | {"before": first, "reverse": True}})
    assert first["command"] in card and TRAINING["command"] in card and "1,234 updates" in card and "7,654" in card
    assert "A French to English translator" in card and "Un homme fait du vélo." in card
    assert "An English to French translator" in model_card("x", ModelConfig(), {"training": TRAINING})


def test_no_number_without_a_measurement(kind):
    sizes = {"embedding_size": 44 if kind in CLASSIC else 22, "hidden_size": 44, "attention_size": 55, "max_length": 66}
    body = model_card("x", ModelConfig(kind=kind, vocab_size=11, **sizes), {})
    years = {"2014", "2015"}  # of the papers
    widths = {"16", "32"}  # float16, float32
    own = {"11", "44", "66"} if kind in CLASSIC else {"11", "22", "44", "55"}
    assert set(re.findall(r"\d+", body)) <= own | {"2"} | years | widths


@pytest.mark.parametrize("kind", kinds())
def test_a_card_names_the_sizes_its_kind_has(kind):
    """Only an additive model compares in a layer of `attention_size`, and only a classic one has a limited memory."""
    config = tiny_config(kind, 11, attention_size=555, max_length=666)
    card = model_card("x", config, {})
    assert ("555" in card) == (kind == "additive") and ("666" in card) == (kind in CLASSIC)
    tags = yaml.safe_load(card.split("---")[1])["tags"]
    assert ("attention" in tags) == decoder_class(kind).looks_back


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_is_described(kind):
    assert decoder_class(kind).describe(kind) in model_card("x", tiny_config(kind, 9), {})


def test_the_card_says_what_is_sure_how_long_who_wrote_and_who_guided():
    first = TRAINING | {"command": "train --out first"}
    second = TRAINING | {"command": "train --links a", "data": ["multi30k.back.tsv"], "before": first}
    third = TRAINING | {"command": "train --out third", "before": second}
    row = {"from": 8, "to": 14, "sentences": 710, "bleu": 57.1, "chrf": 73.4, "bleu_interval": [55.2, 59.0]}
    scored = SCORED | {"bleu_interval": [49.1, 53.2], "by_length": [row]}
    card = model_card("x", ModelConfig(), {"training": third, "a": scored, "a.beam5": scored})
    places = [card.index(run["command"]) for run in (first, second, third)]
    assert places == sorted(places) and "of the one before" in card
    assert "51.23 (49.1 to 53.2)" in card and card.count("| 8 to 14 | 710 | 57.1 (55.2 to 59.0) | 73.4 |") == 1
    assert "by people" in card and "`multi30k.back.tsv`" in card and "guided by the links" in card
    plain = model_card("x", ModelConfig(), {"training": TRAINING})
    assert "by people" not in plain and "guided" not in plain and "of the one before" not in plain
    assert "captions of photographs" in plain and "learners of a language" in plain and "greetings" in plain


def test_links_of_scenes_are_no_aligner_s():
    training = TRAINING | {"command": "train --links a", "links": ["a"]}
    card = model_card("x", ModelConfig(encoder="picture", source_vocab_size=192), {"training": training})
    assert "what is known of the scenes" in card and "word aligner" not in card


def test_the_cards_that_ship_say_what_is_known():
    for folder in sorted(path.parent for path in CHECKPOINTS.glob("*/config.json")):
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert card == model_card(folder.name, read_config(folder / "config.json"), read_metrics(folder)), folder.name


def test_data_names():
    assert data_name("data/multi30k.test_2016_flickr.tsv.gz") == "multi30k.test_2016_flickr"
    assert data_name("mine.csv", 5) == "mine.beam5"


def test_metrics_and_card_are_written_together(tmp_path, kind):
    folder = tmp_path / "en-fr"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(asdict(tiny_config(kind, 9))), encoding="utf-8")
    assert read_metrics(folder) == {}
    write_metrics(folder, {"mine": SCORED})
    assert read_metrics(folder) == {"mine": SCORED}
    assert "# en-fr\n" in (folder / "README.md").read_text(encoding="utf-8")
    (folder / "metrics.json").write_text("[1", encoding="utf-8")
    with pytest.raises(ValueError, match=r"metrics\.json"):
        read_metrics(folder)
