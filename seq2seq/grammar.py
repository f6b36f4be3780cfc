"""Scenes in words: the one caption that a scene has in English or French, and back.

On the grid objects are told in reading order: the first by its place, each other one by where it stands seen from the one
before.
"""

from __future__ import annotations

import re
from itertools import pairwise

from seq2seq.language import Said
from seq2seq.scenes import COLOURS, GRID, KINDS, PLACES, SHAPES, SIZES, Scene, SceneError, Thing, middle


class Grammar:
    """The phrases of a language: `tell` makes a caption of them, `read` takes one apart."""

    sizes: dict[str, str]
    colours: dict[str, str]
    shapes: dict[str, str]
    places: tuple[str, ...]
    """Of the grid, row by row."""

    def object(self, thing: Thing) -> str:
        raise NotImplementedError

    def seen_from(self, before: tuple[int, int], place: tuple[int, int]) -> str:
        raise NotImplementedError

    def at(self, place: tuple[int, int]) -> str:
        return self.places[GRID * place[0] + place[1]]

    def tell(self, scene: Scene) -> str:
        """The one caption of a scene."""
        first, *others = scene.things
        clauses = [f"{self.object(first)} {self.at(first.place)}"]
        clauses += [f"{self.seen_from(a.place, b.place)} {self.object(b)}" for a, b in pairwise(scene.things)]
        return ", ".join(clauses)

    def read(self, caption: str) -> Scene:
        """The scene that a caption describes. Raises SceneError."""
        clauses = [" ".join(clause.lower().split()) for clause in caption.split(",")]
        objects = {self.object(Thing(*kind, 0, 0)): kind for kind in KINDS}
        things: list[Thing] = []
        for clause in clauses:
            ways = [(f"{phrase} {self.at(place)}", kind, place) for phrase, kind in objects.items() for place in PLACES]
            if things:
                before = things[-1].place
                ways = [
                    (f"{self.seen_from(before, place)} {phrase}", kind, place)
                    for phrase, kind in objects.items()
                    for place in PLACES
                    if place > before
                ]
            found = [(kind, place) for phrase, kind, place in ways if phrase == clause]
            if not found:
                raise SceneError(Said("“{clause}” does not fit here.", clause=clause[:60]))
            kind, (row, column) = found[0]
            things.append(Thing(*kind, middle(column), middle(row)))
        return Scene(tuple(things))

    def words(self) -> frozenset[str]:
        """Every word that a caption may have."""
        phrases = [self.object(Thing(*kind, 0, 0)) for kind in KINDS]
        phrases += [self.at(place) for place in PLACES]
        phrases += [self.seen_from(a, b) for a in PLACES for b in PLACES if b > a]
        return frozenset(word for phrase in phrases for word in phrase.split())


class English(Grammar):
    sizes = {name: name for name in SIZES}
    colours = {name: name for name in COLOURS}
    shapes = {name: name for name in SHAPES}
    places = (
        "at the top left", "at the top", "at the top right", "at the left", "in the middle", "at the right",
        "at the bottom left", "at the bottom", "at the bottom right",
    )  # fmt: skip

    def object(self, thing: Thing) -> str:
        return f"a {thing.size} {thing.colour} {thing.shape}"

    def seen_from(self, before: tuple[int, int], place: tuple[int, int]) -> str:
        down, right = place[0] - before[0], place[1] - before[1]
        below = "far " * (down > 1) + "below" if down else ""
        beside = "far " * (abs(right) > 1) + ("right of" if right > 0 else "left of") if right else ""
        return " and ".join(filter(None, (below, beside))) + " it"


class French(Grammar):
    sizes = {"small": "petit", "large": "grand"}
    colours = {
        "red": "rouge", "green": "vert", "blue": "bleu", "yellow": "jaune", "purple": "violet", "black": "noir",
    }  # fmt: skip
    shapes = {"circle": "cercle", "square": "carré", "triangle": "triangle", "star": "étoile"}
    feminine = {"vert": "verte", "bleu": "bleue", "violet": "violette", "noir": "noire"} | {
        "petit": "petite",
        "grand": "grande",
    }
    places = (
        "en haut à gauche", "en haut", "en haut à droite", "à gauche", "au milieu", "à droite",
        "en bas à gauche", "en bas", "en bas à droite",
    )  # fmt: skip

    def object(self, thing: Thing) -> str:
        size, colour, shape = self.sizes[thing.size], self.colours[thing.colour], self.shapes[thing.shape]
        if thing.shape != "star":
            return f"un {size} {shape} {colour}"
        return f"une {self.feminine[size]} {shape} {self.feminine.get(colour, colour)}"

    def seen_from(self, before: tuple[int, int], place: tuple[int, int]) -> str:
        down, right = place[0] - before[0], place[1] - before[1]
        below = "loin " * (down > 1) + "en dessous" if down else ""
        beside = "loin " * (abs(right) > 1) + ("à droite" if right > 0 else "à gauche") if right else ""
        return " et ".join(filter(None, (below, beside)))


GRAMMARS: dict[str, Grammar] = {"en": English(), "fr": French()}
WORDS = {language: grammar.words() for language, grammar in GRAMMARS.items()}
"""Every word that a caption in a language may have."""
SIZE_NAMES = frozenset({*French.sizes.values(), *English.sizes.values(), "petite", "grande"})
NAMES = SIZE_NAMES.union(
    English.colours, English.shapes, French.colours.values(), French.shapes.values(), French.feminine.values()
)
"""Words of both languages that name what an object is like, and not where it is."""


def caption_of(scene: Scene, language: str = "en") -> str:
    """The one caption of a scene."""
    return GRAMMARS[language].tell(scene)


END = " .!?"
"""What a description may end with; it means nothing."""
WORD = re.compile(r"[^\s,]+")


def check_words(caption: str) -> None:
    """Raises SceneError that names the words of a description which are in no grammar, and for one without words."""
    found = WORD.findall(caption.rstrip(END))
    if not found:
        raise SceneError("There are no words in this description.")
    if unknown := [word for word in dict.fromkeys(found) if not any(word.lower() in known for known in WORDS.values())]:
        words = ", ".join(word[:30] for word in unknown[:10])
        raise SceneError(Said("These words are not in the grammar of the scenes: {words}.", words=words))


def read_caption(caption: str) -> Scene:
    """The scene that a caption in either language describes. Raises SceneError, as `check_words` and for no sentence."""
    check_words(caption)
    caption = caption.rstrip(END)
    used = {word.lower() for word in WORD.findall(caption)}
    for language, known in WORDS.items():
        if used <= known:
            return GRAMMARS[language].read(caption)
    raise SceneError("Some of these words are English and some are French; write all of them in one language.")


def content_words(caption: str, sizes: bool = True) -> dict[int, int]:
    """The words for shape, colour and, if asked for, size in a caption, whose words are counted with each comma as one:
    index -> which object it names, from 0."""
    content = NAMES if sizes else NAMES - SIZE_NAMES
    found, number = {}, 0
    for i, word in enumerate(re.findall(r"[^\s,]+|,", caption.lower())):
        number += word == ","
        if word in content:
            found[i] = number
    return found
