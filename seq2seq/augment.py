"""More of what people type than a corpus has: names and numbers nobody has seen, sentences typed without care, single words."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from seq2seq.data import Links, Pair

WORD = re.compile(r"(?<![\w-])(?:[^\W\d_]{2,}|\d+)(?![\w-])")
ONSETS = "b br c ch d dr f fr g gr h j k kr l m n p pr qu r s sh st t tr v w z".split()
VOWELS = "a e i o u y ai ei ou é".split()
CODAS = ["", "", "", *"k l m n nd r rt s ska th v x z".split()]
RARE = "łŁşğőřčžåøñßþжДяλ王猫李ばん"
"""Letters of which a tokenizer for English and French knows few: the others are unknown pieces, to be copied as such."""
RARE_SHARE = 0.15
MOST_WORDS, LONGER = 4, 2
"""Most words of an excerpt's source, and by how many its target may be longer."""


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


def excerpt(
    pair: Pair, source: Sequence[str], target: Sequence[str], links: Links, draw: random.Random
) -> tuple[Pair, Links] | None:
    """A few words in a row of the source, and those of the target that they are linked to, if these stand in a row too and are
    linked to nothing else (a phrase pair, as Koehn et al. 2003 extract them), with the links between them.

    source, target: the words of both texts, without `<eos>`, as the links (source, target) count them. None if the draw, which
    is of one place, finds none there.
    """
    count = draw.randint(1, MOST_WORDS)
    start = draw.randint(0, max(0, len(source) - count))
    there = [j for i, j in links if start <= i < start + count]
    if not there:
        return None
    first, last = min(there), max(there)
    inside = frozenset((i - start, j - first) for i, j in links if first <= j <= last)
    ends = {i for i, _ in inside}
    if min(ends) != 0 or max(ends) != count - 1 or last - first >= count + LONGER:
        return None
    texts = cut_out(pair.source, source, start, start + count), cut_out(pair.references[0], target, first, last + 1)
    if not all(any(letter.isalpha() for letter in text) for text in texts):
        return None
    return Pair(texts[0], (texts[1],)), inside


def cut_out(text: str, words: Sequence[str], start: int, stop: int) -> str:
    """The text from word `start` to the one before `stop`, with what stands between them; empty if the words are not in it."""
    at, begin = 0, 0
    for number, word in enumerate(words[:stop]):
        found = text.find(word, at)
        if found < 0:
            return ""
        if number == start:
            begin = found
        at = found + len(word)
    return text[begin:at] if start < stop <= len(words) else ""
