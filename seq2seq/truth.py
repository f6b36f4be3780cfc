"""The truth about scenes: we drew them, so what a model says or paints of one is right or wrong, and so is where it looked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from seq2seq.data import DataError, Pair
from seq2seq.grammar import NAMES, caption_of, content_words, read_caption
from seq2seq.scenes import (
    CELLS,
    COLOURS,
    HELD_OUT,
    SHAPES,
    SIZES,
    Scene,
    SceneError,
    cells_of_place,
    painted,
    parse_code,
)
from seq2seq.translation import Translation
from seq2seq.translator import Translator

ATTRIBUTES = ("size", "colour", "shape", "where")
KNOWN = {"size": SIZES, "colour": COLOURS, "shape": SHAPES}
"""The words for each of them but the last."""


def evaluate_truth(translator: Translator, pairs: Sequence[Pair]) -> dict[str, Any]:
    """The object of `evaluate --truth --json`, for a model that captions scenes or one that paints them: shares from 0
    to 1, over all and by number of objects. Raises DataError if the pairs are no scenes of that kind."""
    paints = bool(translator.model.config.target_pieces)
    read, judge = (read_caption, judge_painting) if paints else (parse_code, judge_caption)
    try:
        scenes = [read(pair.source) for pair in pairs]
    except SceneError as error:
        raise DataError(f"these pairs are no scenes of that kind: {error}") from None
    began = time.perf_counter()
    made = translator.translate([pair.source for pair in pairs])
    seconds = time.perf_counter() - began
    judged = [judge(scene, one) for scene, one in zip(scenes, made, strict=True)]
    counts = sorted({len(scene.things) for scene in scenes})
    rows = {n: [row for row, scene in zip(judged, scenes) if len(scene.things) == n] for n in counts}
    by_objects = [{"objects": n, "scenes": len(some), **shares(some)} for n, some in rows.items()]
    return shares(judged) | {"scenes": len(scenes), "by_objects": by_objects, "seconds": round(seconds, 2)}


Judged = dict[str, tuple[int, int]]
"""For each measure how many were right, and of how many."""


def shares(judged: Iterable[Judged]) -> dict[str, float]:
    """Of many scenes the share that was right; a measure that no scene has is left out."""
    totals: dict[str, list[int]] = {}
    for row in judged:
        for name, (right, count) in row.items():
            total = totals.setdefault(name, [0, 0])
            total[0] += right
            total[1] += count
    return {name: round(right / count, 4) for name, (right, count) in totals.items() if count}


def judge_caption(scene: Scene, made: Translation) -> Judged:
    """exact: the whole caption. new: objects of HELD_OUT of which all that is told is right. ATTRIBUTES: of the n-th object
    told, against the n-th of the scene; "where" is its place or how it stands to the one before. pointing: words for shape and
    colour whose highest weight falls on a place in the box of the object they name, the n-th again."""
    said = [clause.split() for clause in made.translation.split(",")]
    truth = [clause.split() for clause in caption_of(scene).split(",")]
    right, whole = dict.fromkeys(ATTRIBUTES, 0), []
    for n, (thing, clause) in enumerate(zip(scene.things, truth)):
        words = said[n] if n < len(said) else []
        whole.append(words == clause)
        own = {"size": thing.size, "colour": thing.colour, "shape": thing.shape}
        for name, word in own.items():
            right[name] += [one for one in words if one in KNOWN[name]] == [word]
        rest = [[word for word in side if word not in own.values()] for side in (words, clause)]
        # A wrong word for an attribute is not a wrong place.
        right["where"] += [w for w in rest[0] if w not in NAMES] == rest[1]
    count = len(scene.things)
    judged = {"exact": (int(made.translation == caption_of(scene)), 1)}
    judged |= new_ones(scene, whole)
    judged |= {k: (v, count) for k, v in right.items()}
    if made.attention is None:
        return judged
    naming = content_words(made.translation, sizes=False)
    hits = [
        number < count and int(made.attention[i].argmax()) in scene.things[number].looked_at
        for i, number in naming.items()
    ]
    return judged | {"pointing": (sum(hits), len(hits))}


def new_ones(scene: Scene, right: Sequence[bool]) -> Judged:
    """right: whether each object is. -> of those of HELD_OUT, if there are any."""
    found = [good for thing, good in zip(scene.things, right) if thing[:3] in HELD_OUT]
    return {"new": (sum(found), len(found))} if found else {}


def judge_painting(scene: Scene, made: Translation) -> Judged:
    """exact: the whole painting. cells: single cells. painted: those that are not background in the truth. whole: places of
    objects of which every cell is right; new: those of HELD_OUT among them. pointing: cells of objects whose highest weight
    falls on a word that names this object."""
    truth, found = scene.cells(), painted(made.translation.split())
    right = [a == b for a, b in zip(truth, found)]
    own = [i for i, letter in enumerate(truth) if letter != "w"]
    objects = [all(right[i] for i in cells_of_place(thing.place)) for thing in scene.things]
    judged = {
        "exact": (int(all(right)), 1),
        "cells": (sum(right), len(right)),
        "painted": (sum(right[i] for i in own), len(own)),
        "whole": (sum(objects), len(objects)),
    } | new_ones(scene, objects)
    if made.attention is None:
        return judged
    naming = content_words(made.text)
    hits = [
        naming.get(int(made.attention[row * CELLS + column].argmax())) == number
        for number, thing in enumerate(scene.things)
        for row, column in thing.cells
        if row * CELLS + column < len(made.attention)
    ]
    return judged | {"pointing": (sum(hits), len(hits))}
