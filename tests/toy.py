"""A toy language for training tests: a word-for-word lexicon, adjectives after nouns, and the verb at the end."""

from __future__ import annotations

import random

ADJECTIVES = {"red": "rouge", "small": "petit", "old": "vieux", "kind": "doux"}
NOUNS = {"dog": "chien", "cat": "chat", "bird": "oiseau", "horse": "cheval", "fox": "renard"}
VERBS = {"sees": "voit", "likes": "aime", "hears": "entend"}


def sentence(chance: random.Random) -> tuple[str, str]:
    """One or two noun phrases around a verb, and their translation."""

    def phrase() -> tuple[str, str]:
        noun = chance.choice(sorted(NOUNS))
        if chance.random() < 0.3:
            return f"the {noun}", f"le {NOUNS[noun]}"
        adjective = chance.choice(sorted(ADJECTIVES))
        return f"the {adjective} {noun}", f"le {NOUNS[noun]} {ADJECTIVES[adjective]}"

    (who, qui), (whom, que), verb = phrase(), phrase(), chance.choice(sorted(VERBS))
    return f"{who} {verb} {whom} .", f"{qui} {que} {VERBS[verb]} ."


def links(source: str, target: str) -> frozenset[tuple[int, int]]:
    """(source word, target word) that mean the same: a word stands as often in either, and in the same order."""
    lexicon = {"the": "le", ".": ".", **ADJECTIVES, **NOUNS, **VERBS}
    words, found = target.split(), set()
    seen: dict[str, int] = {}
    for i, word in enumerate(source.split()):
        seen[word] = seen.get(word, 0) + 1
        places = [j for j, other in enumerate(words) if other == lexicon[word]]
        found.add((i, places[seen[word] - 1]))
    return frozenset(found)


def corpus(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """`count` different pairs, the same every time."""
    chance, found = random.Random(seed), {}
    while len(found) < count:
        source, target = sentence(chance)
        found[source] = target
    return list(found.items())


def write(path, pairs: list[tuple[str, str]]):
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return path


def tiny_scenes(paints: bool, kind: str = "additive"):
    """A translator of scenes with random weights, which captions or paints."""
    import torch

    from seq2seq.config import ModelConfig
    from seq2seq.model import Seq2Seq
    from seq2seq.scene_data import caption_tokenizer
    from seq2seq.scenes import cell_words
    from seq2seq.sources import SceneReader
    from seq2seq.tokenizer import Tokenizer
    from seq2seq.translator import Translator

    words = caption_tokenizer()
    source, target = (words, Tokenizer.of_words(cell_words())) if paints else (SceneReader(), words)
    sizes = {"vocab_size": len(target), "source_vocab_size": len(source), "target_pieces": 257 * paints}
    sizes |= {"embedding_size": 8, "hidden_size": 8, "attention_size": 8, "encoder": "words" if paints else "picture"}
    torch.manual_seed(1)
    return Translator(Seq2Seq(ModelConfig(kind=kind, **sizes)), source, kind, target)
