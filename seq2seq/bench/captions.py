"""Sentences like captions, made up here, so that the bench needs no file: seeded, 4 to 25 words, 12 in the mean."""

from __future__ import annotations

import random

TWELVE = "A man in a blue shirt is riding a red bicycle outside."
THIRTY = (
    "A young woman in a red coat is reading a book on a wooden bench in the park while two small dogs play "
    "with a yellow ball in the snow."
)
SINGLE = {12: TWELVE, 30: THIRTY}
"""One sentence each of so many words."""

WHO = ("A man", "A woman", "A boy", "A girl", "A dog", "The child", "An old man", "A young woman", "A black dog")
DOES = ("is running", "is sitting", "is waiting", "walks", "is standing alone", "jumps", "sleeps", "is looking up")
HOW = ("in a blue shirt", "with a red hat", "in a white dress", "with a small bag", "holding a ball", "with long hair")
WHERE = (
    "in the snow",
    "on a bench",
    "near the water",
    "in front of a house",
    "on the street",
    "at a market",
    "outside",
)
WHILE = ("while", "and", "as")
SHORTEST, LONGEST, DEVIATION = 4, 25, 4
AIM = 11
"""Words aimed at in the mean; the last phrase of a sentence mostly goes a word beyond."""


def captions(count: int, seed: int = 1) -> list[str]:
    """`count` sentences, the same every time; the first few of many are as the many are."""
    draw = random.Random(seed)
    return [caption(draw, min(LONGEST, max(SHORTEST, round(draw.gauss(AIM, DEVIATION))))) for _ in range(count)]


def caption(draw: random.Random, length: int) -> str:
    """A sentence of about `length` words, SHORTEST to LONGEST."""
    words: list[str] = []

    def clause(begin: str) -> None:
        who = draw.choice(WHO)
        words.extend((begin + (who[0].lower() + who[1:] if begin else who)).split())
        if length - len(words) > 5:
            words.extend(draw.choice(HOW).split())
        words.extend(draw.choice(DOES).split())

    clause("")
    while len(words) < length:
        if length - len(words) > 6:
            clause(draw.choice(WHILE) + " ")
        words.extend(draw.choice(WHERE).split())
    return " ".join(words[:LONGEST]) + "."
