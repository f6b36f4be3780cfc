"""More of what people type than a corpus has: names and numbers nobody has seen, and sentences typed without care."""

from __future__ import annotations

import random
import re

from seq2seq.data import Pair

WORD = re.compile(r"(?<![\w-])(?:[^\W\d_]{2,}|\d+)(?![\w-])")
ONSETS = "b br c ch d dr f fr g gr h j k kr l m n p pr qu r s sh st t tr v w z".split()
VOWELS = "a e i o u y ai ei ou é".split()
CODAS = ["", "", "", *"k l m n nd r rt s ska th v x z".split()]
RARE = "łŁşğőřčžåøñßþжДяλ王猫李ばん"
"""Letters of which a tokenizer for English and French knows few: the others are unknown pieces, to be copied as such."""
RARE_SHARE = 0.15


def renamed(pair: Pair, draw: random.Random) -> Pair | None:
    """The pair with other names and numbers in the place of those that stand on both sides; None if there are none.

    What a translator should do with them is to copy them, so one can be taken for another.
    """
    source, target = pair.source, pair.references[0]
    shared = set(WORD.findall(source)) & set(WORD.findall(target))
    shared = sorted(word for word in shared if word.isdigit() or word.istitle())
    if not shared:
        return None
    instead = {word: made_up_number(word, draw) if word.isdigit() else made_up_name(draw) for word in shared}
    source, target = (WORD.sub(lambda m: instead.get(m[0], m[0]), text) for text in (source, target))
    return Pair(source, (target,))


def made_up_name(draw: random.Random) -> str:
    """One to three syllables, now and then with a letter from elsewhere."""
    syllables = [draw.choice(ONSETS) + draw.choice(VOWELS) for _ in range(draw.randint(1, 3))]
    name = "".join(syllables) + draw.choice(CODAS)
    if draw.random() < RARE_SHARE:
        at = draw.randint(0, len(name))
        name = name[:at] + draw.choice(RARE) + name[at:]
    return name[:1].upper() + name[1:]


def made_up_number(like: str, draw: random.Random) -> str:
    """As many digits."""
    return draw.choice("123456789") + "".join(draw.choice("0123456789") for _ in like[1:])


def casual(pair: Pair, draw: random.Random) -> Pair:
    """The pair with its source as somebody in a hurry types it: small letters, no full stop, all capitals, or a slip."""
    source = pair.source
    how = draw.choice(("small", "open", "small open", "slip", "small slip", "capitals", "capitals"))
    if "open" in how:
        source = source.rstrip(".!? ") or source
    if "slip" in how:
        source = slipped(source, draw)
    source = source.lower() if "small" in how else source.upper() if how == "capitals" else source
    return Pair(source, pair.references)


def slipped(text: str, draw: random.Random) -> str:
    """Two letters inside a word swapped, one left out, or one doubled."""
    words = [match for match in WORD.finditer(text) if len(match[0]) > 3 and not match[0].isdigit()]
    if not words:
        return text
    word = draw.choice(words)
    at = draw.randrange(word.start() + 1, word.end() - 1)
    a, b = text[at], text[at + 1]
    return text[:at] + draw.choice((b + a, b, a + a + b)) + text[at + 2 :]
