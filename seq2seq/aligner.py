"""Which word fits which: a statistical aligner's links over a whole corpus, towards which attention can be trained.

The aligner is eflomal (Östling & Tiedemann 2016), an extra of this project: `pip install eflomal`. Its two directions are
made into one set of links by grow-diag-final-and (Koehn et al. 2003; Och & Ney 2003), in which links that all the text speaks
against give way to better ones.
"""

from __future__ import annotations

import gzip
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from seq2seq.data import DataError, Links, numbered_pairs, read_links
from seq2seq.tokenizer import Tokenizer

NEIGHBOURS = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))
LIKELIER = 10
"""How many times as well another word must go with a target word to take its link over."""
WordPairs = list[tuple[Sequence[str], Sequence[str]]]
"""Sentence pairs as the words of their source and those of their target."""


def words(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[str]]:
    """The words of each text as the page shows them, without `<eos>`; lower-cased, as fewer kinds align better."""
    # Around characters that cannot be seen a word may hold spaces, and what reads the file would count two words.
    return [["".join(word.lower().split()) for word in one.words[:-1]] for one in tokenizer.encode_batch(texts)]


def read_words(path: str | Path, tokenizer: Tokenizer) -> WordPairs:
    """The words of all pairs of a file, of each the first reference, as in training. Raises DataError."""
    rows = numbered_pairs(path)
    sides = [words(tokenizer, texts) for texts in zip(*((pair.source, pair.references[0]) for _, pair in rows))]
    for (number, _), *both in zip(rows, *sides):
        if not all(both):
            raise DataError(f"{path}, line {number}: source or reference has no words; fill or remove the line")
    return list(zip(*sides))


def load_eflomal() -> ModuleType:
    """The aligner's module. Raises DataError if it is not installed."""
    try:
        import eflomal
    except ImportError:
        raise DataError("aligning needs eflomal; install it with: pip install eflomal") from None
    return eflomal


def align_together(corpora: Sequence[Sequence[tuple[Sequence[str], Sequence[str]]]]) -> list[list[Links]]:
    """The links of several corpora that are aligned as one, because each teaches something about the others' words."""
    found = iter(align(*zip(*(pair for corpus in corpora for pair in corpus))))
    return [[next(found) for _ in corpus] for corpus in corpora]


def align(sources: Sequence[Sequence[str]], targets: Sequence[Sequence[str]]) -> list[Links]:
    """Word lists of sentence pairs -> their links. The more pairs, the better: it learns from these alone.

    Raises DataError if eflomal is not installed. Two calls give slightly different links: eflomal samples, without a seed.
    """
    eflomal = load_eflomal()
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("source", "target", "forward", "backward")]
        for path, sentences in zip(files, (sources, targets)):
            path.write_text("".join(" ".join(one) + "\n" for one in sentences), encoding="utf-8")
        with files[0].open(encoding="utf-8") as source, files[1].open(encoding="utf-8") as target:
            eflomal.Aligner().align(
                source, target, links_filename_fwd=str(files[2]), links_filename_rev=str(files[3]), quiet=True
            )
        forward, backward = map(read_links, files[2:])
    links = [grow_diag_final_and(f, b) for _, f, b in zip(sources, forward, backward, strict=True)]
    return taken_over(sources, targets, links)


def grow_diag_final_and(forward: Links, backward: Links) -> Links:
    """The links of both directions; then their neighbours in either one, wherever a word still has none; then what is left of
    either direction between two words that both have none (Koehn et al. 2003)."""
    either = forward | backward
    links = set(forward & backward)
    sources, targets = {i for i, _ in links}, {j for _, j in links}
    grown = True
    while grown:
        grown = False
        for i, j in sorted(links):
            for di, dj in NEIGHBOURS:
                new = (i + di, j + dj)
                if new in either and new not in links and (new[0] not in sources or new[1] not in targets):
                    links.add(new)
                    sources.add(new[0])
                    targets.add(new[1])
                    grown = True
    for direction in (forward, backward):
        for i, j in sorted(direction):
            if i not in sources and j not in targets:
                links.add((i, j))
                sources.add(i)
                targets.add(j)
    return frozenset(links)


def taken_over(
    sources: Sequence[Sequence[str]], targets: Sequence[Sequence[str]], links: Sequence[Links]
) -> list[Links]:
    """Links of words that seldom go together, moved to a source word that has none and goes LIKELIER times as well with the
    target word.

    Where one language drops a word, the aligner may link it for want of anything better: "in a shirt" is "en chemise", so "a"
    has nothing, and "chemise" is linked with it as often as with "shirt". How well two words go together is the Dice
    coefficient of their links in all pairs: 2 n(e, f) / (n(e) + n(f)).
    """
    together: Counter[tuple[str, str]] = Counter()
    of_source: Counter[str] = Counter()
    of_target: Counter[str] = Counter()
    for source, target, linked in zip(sources, targets, links):
        for i, j in linked:
            together[source[i], target[j]] += 1
            of_source[source[i]] += 1
            of_target[target[j]] += 1

    def dice(e: str, f: str) -> float:
        both = together[e, f]
        return 2 * both / (of_source[e] + of_target[f]) if both else 0.0

    made = []
    for source, target, linked in zip(sources, targets, links):
        free = set(range(len(source))) - {i for i, _ in linked}
        moved = set()
        for i, j in sorted(linked):
            # Of equally good ones the nearest, then the first.
            best = max(free, key=lambda k: (dice(source[k], target[j]), -abs(k - i), -k), default=i)
            if dice(source[best], target[j]) > LIKELIER * dice(source[i], target[j]):
                free.remove(best)
                moved.add((best, j))
            else:
                moved.add((i, j))
        made.append(frozenset(moved))
    return made


def to_lines(links: Iterable[Links]) -> str:
    """One line a pair, `0-0 1-2`, as aligners write them (the Pharaoh format)."""
    return "".join(" ".join(f"{i}-{j}" for i, j in sorted(one)) + "\n" for one in links)


def link_paths(data: Sequence[str | Path], folder: Path) -> list[Path]:
    """Where the links of each data file go: multi30k.train.tsv.gz -> folder/multi30k.train.links.gz. Raises DataError."""
    found: dict[Path, str | Path] = {}
    for path in data:
        name = Path(path).name.removesuffix(".gz")
        for ending in (".tsv", ".csv", ".txt"):
            name = name.removesuffix(ending)
        made = folder / f"{name}.links.gz"
        if made in found:
            raise DataError(f"the links of {found[made]} and of {path} would both be {made}; rename one of the files")
        found[made] = path
    return list(found)


def write_links(files: Mapping[Path, Iterable[Links]]) -> None:
    """Writes all files or none: each beside its final name first. Equal links make equal bytes: no time is in them."""
    beside = {path: path.with_name(path.name + ".tmp") for path in files}
    try:
        for path, links in files.items():
            beside[path].write_bytes(gzip.compress(to_lines(links).encode(), mtime=0))
        for path, written in beside.items():
            os.replace(written, path)
    finally:
        for written in beside.values():
            written.unlink(missing_ok=True)
