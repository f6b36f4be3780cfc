"""Files of scenes for `train` and `evaluate`: pairs, links and tokenizers of both directions."""

from __future__ import annotations

import gzip
from itertools import cycle, islice
from pathlib import Path

from seq2seq.checkpoint import write_beside
from seq2seq.grammar import GRAMMARS, caption_of, content_words
from seq2seq.scenes import CELLS, SPLITS, Scene, cell_words, painting, scenes
from seq2seq.sources import DescriptionReader, SceneReader, save_tokenizers
from seq2seq.tokenizer import Tokenizer

CAPTION, DRAW = "scenes-caption", "scenes-draw"
"""The two directions, as their files begin."""
TRAINED_WORDS = 2000
"""Scenes whose captions the tokenizer learns its words from; there are fewer than a hundred."""


def caption_tokenizer() -> Tokenizer:
    """Every word of both languages is one piece of it."""
    some = list(islice(scenes("train"), TRAINED_WORDS))
    return Tokenizer.train((caption_of(scene, language) for scene in some for language in GRAMMARS), 1000)


def lines(split: str, count: int, seed: int) -> tuple[list[str], list[str], list[str], list[str]]:
    """For each scene: caption pair and its links, painting pair and its links. Descriptions to paint are in either
    language in turn."""
    captions, looks, paintings, reads = [], [], [], []
    for scene, language in zip(islice(scenes(split, seed), count), cycle(GRAMMARS)):
        captions.append(f"{scene.code}\t{caption_of(scene)}")
        looks.append(caption_links(scene))
        paintings.append(f"{caption_of(scene, language)}\t{painting(scene)}")
        reads.append(painting_links(scene, language))
    return captions, looks, paintings, reads


def caption_links(scene: Scene) -> str:
    """For `train --links`: the places of each object's box, for the English words that name it."""
    words = content_words(caption_of(scene))
    return " ".join(f"{place}-{i}" for i, number in words.items() for place in sorted(scene.things[number].looked_at))


def painting_links(scene: Scene, language: str) -> str:
    """For `train --links`: the words that name an object, for each of its cells."""
    words = content_words(caption_of(scene, language))
    owners = {row * CELLS + column: n for n, thing in enumerate(scene.things) for row, column in thing.cells}
    return " ".join(f"{i}-{cell}" for cell, owner in sorted(owners.items()) for i, n in words.items() if n == owner)


def write_scenes(out: Path, counts: dict[str, int], seed: int = 1) -> list[Path]:
    """Writes the files of all of SPLITS, `counts` scenes of each -> their paths. Raises OSError."""
    out.mkdir(parents=True, exist_ok=True)
    made: dict[Path, bytes] = {}
    for split in SPLITS:
        captions, looks, paintings, reads = lines(split, counts[split], seed)
        for name, pairs, links in ((CAPTION, captions, looks), (DRAW, paintings, reads)):
            made[out / f"{name}.{split}.tsv.gz"] = packed(pairs)
            if split == "train":
                made[out / f"{name}.{split}.links.gz"] = packed(links)
    words = caption_tokenizer()
    readers = {CAPTION: (SceneReader(), words), DRAW: (DescriptionReader(words), Tokenizer.of_words(cell_words()))}
    for name, both in readers.items():
        made[out / f"{name}.tokenizer.json"] = save_tokenizers(*both).encode()
    for path, content in made.items():
        write_beside(path, content)
    return list(made)


def packed(rows: list[str]) -> bytes:
    """Lines as gzip, the same bytes for the same lines."""
    return gzip.compress("".join(row + "\n" for row in rows).encode(), mtime=0)
