"""Files of scenes, and both directions through the same command line as translators: train, evaluate, translate."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.checkpoint import SEAL
from seq2seq.cli import main
from seq2seq.data import read_links, read_pairs
from seq2seq.grammar import GRAMMARS, caption_of, content_words
from seq2seq.scene_data import caption_links, caption_tokenizer, painting_links
from seq2seq.scenes import CELLS, HELD_OUT, PIXELS, SIDE, parse_code, scenes
from seq2seq.sources import PLACES
from tests.test_scenes import SEEDS, scene_of

SIZES = ["--embedding-size", "8", "--hidden-size", "8", "--attention-size", "8", "--batch-tokens", "1100"]
STEPS = ["--max-steps", "4", "--warmup-steps", "2", "--validate-every", "2", "--validation-sentences", "2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    assert main(["scenes", "--out", str(folder), "--count", "12", "--held", "4"]) == 0
    return folder


def test_the_files_are_the_same_for_the_same_seed(data: Path, tmp_path: Path) -> None:
    main(["scenes", "--out", str(tmp_path), "--count", "12", "--held", "4"])
    names = sorted(path.name for path in data.iterdir())
    assert len(names) == 12 and names == sorted(path.name for path in tmp_path.iterdir())
    assert all((data / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)
    main(["scenes", "--out", str(tmp_path), "--count", "12", "--held", "4", "--seed", "2"])
    name = "scenes-caption.train.tsv.gz"
    assert gzip.decompress((data / name).read_bytes()) != gzip.decompress((tmp_path / name).read_bytes())


def test_both_directions_are_of_the_same_scenes(data: Path) -> None:
    for split, count in (("train", 12), ("valid", 4), ("test", 4), ("heldout", 4)):
        captions, paintings = (read_pairs(data / f"scenes-{way}.{split}.tsv.gz") for way in ("caption", "draw"))
        assert len(captions) == len(paintings) == count
        for number, (caption, painting) in enumerate(zip(captions, paintings)):
            scene = parse_code(caption.source)
            assert caption.references == (caption_of(scene),)
            assert painting.source == caption_of(scene, list(GRAMMARS)[number % 2])
            assert any((t.size, t.colour, t.shape) in HELD_OUT for t in scene.things) == (split == "heldout")
    for way in ("caption", "draw"):
        assert len(read_links(data / f"scenes-{way}.train.links.gz")) == 12


def test_every_word_of_both_grammars_is_one_piece() -> None:
    tokenizer = caption_tokenizer()
    for word in GRAMMARS["en"].words() | GRAMMARS["fr"].words():
        assert len(tokenizer.encode(word).ids) == 2, word  # and the end mark
    scene = next(iter(scenes("test")))
    for language in GRAMMARS:
        pieces = tokenizer.encode(caption_of(scene, language))
        assert len(pieces.words) == len(pieces.ids)


@given(SEEDS, st.sampled_from(list(GRAMMARS)))
def test_links_go_from_what_is_named_to_what_names_it(seed: int, language: str) -> None:
    scene = scene_of(seed)
    words = caption_of(scene, language).replace(",", " ,").split()
    owners = content_words(caption_of(scene, language))
    assert sorted(owners.values()) == sorted([*range(len(scene.things))] * 3)
    for link in painting_links(scene, language).split():
        word, cell = map(int, link.split("-"))
        assert divmod(cell, CELLS) in scene.things[owners[word]].cells and words[word] != ","
    told = content_words(caption_of(scene))
    for link in caption_links(scene).split():
        place, word = map(int, link.split("-"))
        assert place in scene.things[told[word]].looked_at


@pytest.mark.parametrize("kind", ["additive", "multiplicative", "plain"])
@pytest.mark.parametrize("way", ["caption", "draw"])
def test_a_model_is_trained_scored_and_asked(data: Path, tmp_path: Path, capsys, way: str, kind: str) -> None:
    out = tmp_path / f"scenes-{way}-{kind}"
    own = ["--encoder", "picture"] if way == "caption" else ["--target-pieces", "257", "--max-pieces", "300"]
    links = [] if kind == "plain" else ["--links", str(data / f"scenes-{way}.train.links.gz")]
    files = ["--data", str(data / f"scenes-{way}.train.tsv.gz"), "--valid", str(data / f"scenes-{way}.valid.tsv.gz")]
    command = ["train", "--kind", kind, "--out", str(out), "--tokenizer", str(data / f"scenes-{way}.tokenizer.json")]
    assert main([*command, *files, *links, *own, *SIZES, *STEPS]) == 0
    assert main([*command, *files, *links, *own, *SIZES, *STEPS, "--resume"]) == 0
    assert SEAL in json.loads((out / "config.json").read_text())
    capsys.readouterr()

    test = data / f"scenes-{way}.heldout.tsv.gz"
    assert main(["evaluate", "--checkpoint", str(out), "--data", str(test), "--truth", "--save", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["scenes"] == 4 and not (kind == "plain" and "pointing" in found)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics[f"scenes-{way}.heldout.truth"]["by_objects"] == found["by_objects"]
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "not photographs" in card and "--truth" in card and "translator of" not in card
    assert ("trained towards" in card) == (kind != "plain")

    pair = read_pairs(test)[0]
    assert main(["translate", "--checkpoint", str(out), "--json", pair.source]) == 0
    made = json.loads(capsys.readouterr().out)
    assert len(made["source_words"]) == 64 or way == "draw"
    if kind != "plain":
        assert {len(row) for row in made["attention"]} == {len(made["source_words"])}
        assert all(abs(sum(row) - 1) < 1e-3 for row in made["attention"])


def test_what_is_no_scene_is_one_line(data: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "model"
    files = ["--data", str(data / "scenes-caption.train.tsv.gz"), "--valid", str(data / "scenes-caption.valid.tsv.gz")]
    tokenizer = ["--tokenizer", str(data / "scenes-caption.tokenizer.json"), "--encoder", "picture"]
    assert main(["train", "--out", str(out), *files, *tokenizer, *SIZES, *STEPS]) == 0
    capsys.readouterr()
    assert main(["translate", "--checkpoint", str(out), "A man rides a bike."]) == 2
    assert "“A man rides a bike.” is no object" in capsys.readouterr().err
    wrong = str(data / "scenes-draw.test.tsv.gz")
    assert main(["evaluate", "--checkpoint", str(out), "--data", wrong, "--truth"]) == 2
    assert "no scenes of that kind" in capsys.readouterr().err
    assert main(["evaluate", "--checkpoint", str(out), "--data", wrong, "--truth", "--beam", "3"]) == 2
    assert "--truth goes with --data and greedy search" in capsys.readouterr().err


def test_a_place_taken_away_is_blank(capsys) -> None:
    """Without the places of the blue square the captioner sees a picture of the star alone."""
    _, square = parse_code("small red star 10 10, large blue square 53 32").things
    left, top, right, bottom = (side * SIDE // PIXELS for side in square.box)
    touched = [PLACES[SIDE * row + column] for row in range(top, bottom + 1) for column in range(left, right + 1)]
    asked = [word for place in touched for word in ("--without", place)]
    model = ["translate", "--checkpoint", "checkpoints/scenes-caption-additive"]
    assert main([*model, *asked, "small red star 10 10, large blue square 53 32"]) == 0
    assert capsys.readouterr().out == "a small red star at the top left\n"
    assert main([*model, "--without", "star", "small red star 10 10"]) == 2
    assert "no word “star” to take away; choose from a1 b1" in capsys.readouterr().err


def test_a_word_taken_away_from_a_description(capsys) -> None:
    model = ["translate", "--checkpoint", "checkpoints/scenes-draw-additive", "--without", "circle"]
    assert main([*model, "a large red circle in the middle"]) == 0
    said = capsys.readouterr()
    assert len(said.out.split()) == CELLS * CELLS and "Without “circle”" in said.err
