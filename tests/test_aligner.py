"""Links between words: what two directions are made into, the files they stand in, and that eflomal finds them."""

from __future__ import annotations

import gzip
import json
import sys
from itertools import product
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seq2seq import aligner
from seq2seq.aligner import (
    align,
    align_together,
    grow_diag_final_and,
    link_paths,
    read_words,
    taken_over,
    to_lines,
    words,
    write_links,
)
from seq2seq.data import DataError, Links, read_links
from seq2seq.evaluation import alignment_scores
from seq2seq.tokenizer import Tokenizer
from tests import toy
from tests.conftest import ENGLISH, FRENCH

N = 6
links = st.frozensets(st.tuples(st.integers(0, N - 1), st.integers(0, N - 1)), max_size=12)
more_links = st.frozensets(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=5)


# -- words ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def older(tokenizer) -> Tokenizer:
    """As those were that shipped first: they joined spaces before they took out what cannot be seen between them."""
    made = json.loads(tokenizer.to_json())
    steps = made["normalizer"]["normalizers"]
    steps[2], steps[3] = steps[3], steps[2]
    return Tokenizer.from_json(json.dumps(made))


@given(st.text(st.sampled_from("aÉ1 \u200b\u200d\u2028\x85\t\r\x1c\x01▁'’-.,\u0301\u00a0👩"), max_size=10) | st.text())
@example("1\t\u200b\t1")
@example("a \u200b\r'")
def test_a_file_of_words_has_as_many_as_the_tokenizer_made(tokenizer, older, text):
    """Split on spaces again, as an aligner does, they are the same; also around characters that cannot be seen."""
    for one in (tokenizer, older):
        [made] = words(one, [text])
        assert len(made) == len(one.encode(text).words) - 1
        assert " ".join(made).split() == made and [word.lower() for word in made] == made


def test_words_of_a_file_are_those_of_the_first_reference(tokenizer, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("The old  Dog!\tL'herbe\tle chien\nIt's a\tUn\n", encoding="utf-8")
    assert read_words(path, tokenizer) == [(["the", "old", "dog", "!"], ["l'", "herbe"]), (["it's", "a"], ["un"])]
    path.write_text("a\tb\n\u200b\tb\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2: source or reference has no words"):
        read_words(path, tokenizer)


# -- two directions into one ---------------------------------------------------------------------------------------


def covered(found: Links) -> int:
    """How many words, of either side, have a link."""
    return len({i for i, _ in found}) + len({j for _, j in found})


@given(links, links)
def test_what_is_grown_lies_between_what_both_say_and_what_either_says(forward, backward):
    made = grow_diag_final_and(forward, backward)
    both, either = forward & backward, forward | backward
    assert both <= made <= either
    assert len(made) - len(both) <= covered(made) - covered(both), "each further link reaches a word that had none"
    sources, targets = {i for i, _ in made}, {j for _, j in made}
    assert all(i in sources or j in targets for i, j in either), "no link is left between two words without one"
    assert grow_diag_final_and(forward, forward) == forward


@given(links, links)
def test_growing_is_koehns_loops(forward, backward):
    """Written out over tables of N x N; each round goes through the links in the order of source and target words."""
    union = [[(i, j) in forward | backward for j in range(N)] for i in range(N)]
    table = [[(i, j) in forward & backward for j in range(N)] for i in range(N)]

    def free_source(i):
        return not any(table[i])

    def free_target(j):
        return not any(row[j] for row in table)

    before = None
    while before != table:
        before = [list(row) for row in table]
        for i, j in product(range(N), range(N)):
            if not before[i][j]:
                continue
            for di, dj in ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)):
                a, b = i + di, j + dj
                if 0 <= a < N and 0 <= b < N and union[a][b] and (free_source(a) or free_target(b)):
                    table[a][b] = True
    for direction in (forward, backward):
        for i, j in product(range(N), range(N)):
            if (i, j) in direction and free_source(i) and free_target(j):
                table[i][j] = True
    assert grow_diag_final_and(forward, backward) == {(i, j) for i, j in product(range(N), range(N)) if table[i][j]}


def test_growing_by_hand():
    # 1-1 grows to its neighbour 2-2 and from there to 2-3; 0-3 only says more of words that have links; 5-5 is final.
    forward, backward = frozenset({(1, 1), (2, 2), (0, 0), (5, 5)}), frozenset({(1, 1), (2, 3), (0, 0), (0, 3)})
    assert grow_diag_final_and(forward, backward) == {(0, 0), (1, 1), (2, 2), (2, 3), (5, 5)}


# -- links that all the text speaks against ------------------------------------------------------------------------


def test_a_link_moves_to_a_free_word_that_goes_with_it_far_better():
    """French drops an article, and the aligner gave its noun to it in one pair of many."""
    usual = [(["shirt"], ["chemise"])] * 30 + [(["a"], ["un"])] * 30
    odd = (["in", "a", "shirt"], ["en", "chemise"])
    made = taken_over(*zip(*usual, odd), [frozenset({(0, 0)})] * 60 + [frozenset({(0, 0), (1, 1)})])
    assert made == [frozenset({(0, 0)})] * 60 + [frozenset({(0, 0), (2, 1)})]


def test_a_link_stays_where_the_better_word_has_one_or_is_only_a_little_better():
    usual = [(["shirt"], ["chemise"])] * 30
    taken = (["a", "shirt"], ["la", "chemise"]), frozenset({(0, 1), (1, 0)})
    near = (["blouse", "shirt"], ["chemise"]), frozenset({(0, 0)})
    more = [(["blouse"], ["chemise"])] * 20
    pairs = [*usual, *more, taken[0], near[0]]
    links = [frozenset({(0, 0)})] * 50 + [taken[1], near[1]]
    assert taken_over(*zip(*pairs), links) == links


@given(st.lists(links, min_size=1, max_size=4))
def test_taking_over_keeps_the_number_of_links_and_what_is_linked_of_the_target(found):
    words = [[f"{side}{i}" for i in range(N)] for side in "ef"]
    made = taken_over([words[0]] * len(found), [words[1]] * len(found), found)
    for before, after in zip(found, made):
        assert len(before) == len(after) and sorted(j for _, j in before) == sorted(j for _, j in after)


# -- files ---------------------------------------------------------------------------------------------------------


def test_files_of_links_are_named_after_their_data(tmp_path):
    data = ["a/multi30k.train.tsv.gz", Path("tatoeba.csv"), "plain.txt.gz", "no-ending", "odd.en-fr"]
    names = ["multi30k.train", "tatoeba", "plain", "no-ending", "odd.en-fr"]
    assert link_paths(data, tmp_path) == [tmp_path / f"{name}.links.gz" for name in names]
    for other in ("b/multi30k.train.csv", "a/multi30k.train.tsv.gz"):
        with pytest.raises(DataError, match="would both be .*multi30k.train.links.gz; rename"):
            link_paths([*data, other], tmp_path)


@given(found=st.lists(more_links, min_size=1, max_size=5))
def test_links_survive_being_written(tmp_path_factory, found):
    path = tmp_path_factory.mktemp("links") / "a.links.gz"
    write_links({path: found})
    assert read_links(path) == found
    first = path.read_bytes()
    write_links({path: list(found)})
    assert path.read_bytes() == first and [p.name for p in path.parent.iterdir()] == ["a.links.gz"]


def test_no_clock_is_in_the_bytes(tmp_path, monkeypatch):
    made = []
    for now in (1e9, 2e9):
        monkeypatch.setattr("time.time", lambda now=now: now)
        write_links({tmp_path / "a.links.gz": [frozenset({(0, 1), (0, 0)})]})
        made.append((tmp_path / "a.links.gz").read_bytes())
    assert made[0] == made[1] and gzip.decompress(made[0]) == b"0-0 0-1\n"


def test_all_files_are_written_or_none(tmp_path):
    def broken():
        yield frozenset({(1, 1)})
        raise OSError("no space left")

    old = tmp_path / "a.links.gz"
    write_links({old: [frozenset({(0, 0)})]})
    with pytest.raises(OSError, match="no space"):
        write_links({old: [frozenset({(1, 1)})], tmp_path / "b.links.gz": broken()})
    assert read_links(old) == [{(0, 0)}] and [path.name for path in tmp_path.iterdir()] == ["a.links.gz"]


# -- the aligner itself --------------------------------------------------------------------------------------------


def test_corpora_are_aligned_as_one_and_taken_apart_again(diagonal):
    one = [("a b c".split(), "d e".split()), (["f"], "g h".split())]
    made = align_together([one, [], [("i j".split(), "k l".split())]])
    assert made == [[{(0, 0), (1, 1)}, {(0, 0)}], [], [{(0, 0), (1, 1)}]]
    assert diagonal == [("a b c\nf\ni j\n", "d e\ng h\nk l\n")], "one call, of all text"


def test_links_for_too_few_pairs_are_no_links(diagonal, monkeypatch):
    monkeypatch.setattr(aligner, "read_links", lambda path: [frozenset()])
    with pytest.raises(ValueError, match="shorter|longer"):
        align([["a"], ["b"]], [["c"], ["d"]])


def test_without_eflomal_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "eflomal", None)
    with pytest.raises(DataError, match="pip install eflomal"):
        align([["a"]], [["b"]])


def test_eflomal_finds_the_links_of_a_toy_language(tokenizer):
    """Its words stand in another order there: nouns before adjectives, the verb last.

    eflomal samples without a seed: of 120 runs the worst had an AER of 0.08.
    """
    pytest.importorskip("eflomal", reason="needs eflomal, which needs a C compiler to be installed")
    pairs = toy.corpus(300)
    corpus = [tuple(side.split() for side in pair) for pair in pairs]
    text = list(zip(words(tokenizer, ENGLISH), words(tokenizer, FRENCH)))
    found, others = align_together([corpus, text])
    # "the" and "." stand in all sentences, so that nothing tells what they mean.
    telling = [{i for i, word in enumerate(source) if word not in ("the", ".")} for source, _ in corpus]
    right, made, diagonals = (
        [frozenset(link for link in one if link[0] in kept) for one, kept in zip(links, telling)]
        for links in (
            [toy.links(*pair) for pair in pairs],
            found,
            [frozenset((i, i) for i in range(len(source))) for source, _ in corpus],
        )
    )
    nothing = [frozenset()] * len(pairs)
    assert (
        alignment_scores(made, right, nothing)["aer"] < 0.2 < 0.4 < alignment_scores(diagonals, right, nothing)["aer"]
    )
    assert len(others) == len(text) and any(others)
    for (source, target), one in zip(text, others):
        assert all(i < len(source) and j < len(target) for i, j in one)
    assert to_lines(found).count("\n") == len(pairs)
