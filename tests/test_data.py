"""What may be wrong with a data file, and laws of batches."""

from __future__ import annotations

import csv
import gzip
import random
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.config import BOS, EOS, PAD
from seq2seq.data import (
    JOINED_PAIRS,
    JOINED_PIECES,
    Corpus,
    DataError,
    Pair,
    make_batch,
    pad_ids,
    parse_links,
    read_links,
    read_pairs,
)

PAIRS = [Pair("a dog", ("un chien",)), Pair("a cat", ("un chat", "le chat")), Pair("été 👩‍👧", ("summer",))]
TSV = "a dog\tun chien\na cat\tun chat\tle chat\nété 👩‍👧\tsummer\n"


@pytest.fixture
def write(tmp_path):
    def write_(name: str, content: str | bytes):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_


# -- files that are read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", TSV),
        ("a.txt", TSV),
        ("no-ending", TSV.removesuffix("\n")),
        ("a.tsv", "\ufeff" + TSV),
        ("a.tsv", TSV.replace("\n", "\r\n")),
        ("a.tsv", TSV.replace("\t", " \t  ")),
        ("a.tsv.gz", gzip.compress(TSV.encode(), mtime=0)),
        ("a.csv", "a dog,un chien\na cat,un chat,le chat\nété 👩‍👧,summer\n"),
        ("a.csv", "\ufeff" + '"a dog","un chien"\r\n"a cat",un chat,"le chat"\r\nété 👩‍👧,summer\r\n'),
        ("a.csv.gz", gzip.compress("a dog,un chien\na cat,un chat,le chat\nété 👩‍👧,summer".encode(), mtime=0)),
    ],
)
def test_every_way_to_write_the_same_pairs(write, name, content):
    assert read_pairs(write(name, content)) == PAIRS


def test_csv_quoting(write):
    path = write("a.csv", 'one,"un, deux ""trois"""\n"two\nlines",deux\n')
    assert read_pairs(path) == [Pair("one", ('un, deux "trois"',)), Pair("two\nlines", ("deux",))]


def test_quotes_and_odd_line_ends_are_text_in_tsv(write):
    path = write("a.tsv", 'say "yes\tdis "oui\nx\u2028y\x85z\tt\n')
    assert read_pairs(path) == [Pair('say "yes', ('dis "oui',)), Pair("x\u2028y\x85z", ("t",))]


# -- files that are refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.tsv", "", "has no lines"),
        ("a.csv", "", "has no lines"),
        ("a.tsv.gz", gzip.compress(b"", mtime=0), "has no lines"),
        ("a.tsv", "a\tb\nc d\n", "line 2: no tab"),
        ("a.tsv", "a\tb\n\nc\td\n", "line 2: no tab"),
        ("a.csv", "a,b\nc d\n", "line 2: no comma"),
        ("a.tsv", "a\tb\nc\t \n", "line 2: source or reference is empty"),
        ("a.tsv", "\tb\n", "line 1: source or reference is empty"),
        ("a.tsv", b"a\tb\nc\td\n" + "é\tf".encode("latin-1"), "line 3: not UTF-8"),
        ("a.csv", b"a,b\n" + "é,f".encode("latin-1"), "line 2: not UTF-8"),
        ("a.tsv", TSV.encode("utf-16"), "line 1: not UTF-8"),
        ("a.tsv", "a\tb\nc\0\td\n", "line 2: holds a NUL"),
        ("a.tsv.gz", TSV, "cannot be read"),
        ("a.tsv.gz", gzip.compress(TSV.encode(), mtime=0)[:-12], "cannot be read"),
        ("a.tsv.gz", gzip.compress(TSV.encode(), mtime=0)[:10] + b"\xff" * 30, "cannot be read"),
        ("a.csv", 'a,b\nc,"d\n', "line 2: not CSV"),
        ("a.csv", 'a,b\n"c"x,d\n', "line 2: not CSV"),
    ],
)
def test_bad_files_are_named_with_the_line(write, name, content, says):
    path = write(name, content)
    with pytest.raises(DataError) as caught:
        read_pairs(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and says in message and "\n" not in message


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_pairs(tmp_path / "none.tsv")
    with pytest.raises(DataError, match="cannot be read"):
        read_pairs(tmp_path)


# -- links ---------------------------------------------------------------------------------------------------------


def test_links_are_read_a_line_a_pair(write):
    text = "0-0 1-2\n\n2-1\t10-3 2-1\n"
    expected = [{(0, 0), (1, 2)}, set(), {(2, 1), (10, 3)}]
    for name, content in (("a.links", text), ("a.links.gz", gzip.compress(text.replace("\n", "\r\n").encode()))):
        assert read_links(write(name, content)) == expected
    assert parse_links("") == parse_links("  ") == frozenset()


@pytest.mark.parametrize("link", ["0", "0-", "-1-0", "0--1", "0-1-2", "a-0", "0-1.5", "0:1", "0 - 1"])
def test_what_is_no_link_is_named_with_the_line(write, link):
    path = write("a.links", f"0-0\n1-1 {link}\n")
    with pytest.raises(DataError, match="line 2: a link is not two numbers") as caught:
        read_links(path)
    assert str(caught.value).startswith(str(path))


# -- batches -------------------------------------------------------------------------------------------------------

ids = st.lists(st.integers(4, 99), max_size=8).map(lambda body: (*body, EOS))
corpora = st.lists(st.tuples(ids, ids, st.integers(0, 3)), min_size=1, max_size=30).map(
    lambda rows: Corpus(tuple((s, t) for s, t, _ in rows), tuple(n for *_, n in rows))
)


@given(corpora, st.integers(1, 40), st.integers(0, 5), st.integers(0, 5))
def test_an_epoch_holds_every_pair_as_often_as_asked_within_the_limit(corpus, limit, seed, epoch):
    batches = corpus.batches(limit, seed, epoch)
    assert batches == corpus.batches(limit, seed, epoch) == corpus.batches(limit, seed, epoch, join=0.0)
    assert all(len(item) == 1 for batch in batches for item in batch)
    check_epoch(corpus, batches, limit)


def check_epoch(corpus, batches, limit):
    seen = Counter(i for batch in batches for item in batch for i in item)
    assert seen == Counter({i: times for i, times in enumerate(corpus.repeat) if times})
    for batch in batches:
        padded = max((length(corpus, item) for item in batch), default=0) * len(batch)
        assert padded <= limit or len(batch) == 1
        assert corpus.target_pieces(batch) == sum(length(corpus, item) for item in batch)


def length(corpus, item) -> int:
    """Target pieces of an item, of the `<eos>` of all its pairs only the last."""
    return sum(len(corpus.pairs[i][1]) for i in item) - len(item) + 1


long_ids = st.integers(0, JOINED_PIECES + 20).map(lambda n: (4,) * n + (EOS,))
long_corpora = st.lists(st.tuples(ids, long_ids, st.integers(0, 3)), min_size=1, max_size=30).map(
    lambda rows: Corpus(tuple((s, t) for s, t, _ in rows), tuple(n for *_, n in rows))
)


@given(long_corpora, st.integers(1, 400), st.integers(0, 5), st.integers(0, 5), st.sampled_from([0.01, 0.5, 0.99]))
def test_an_epoch_of_joined_pairs_holds_them_as_often_too(corpus, limit, seed, epoch, join):
    batches = corpus.batches(limit, seed, epoch, join)
    assert batches == corpus.batches(limit, seed, epoch, join)
    check_epoch(corpus, batches, limit)
    for item in (item for batch in batches for item in batch if len(item) > 1):
        assert len(item) <= JOINED_PAIRS and length(corpus, item) <= JOINED_PIECES


@pytest.mark.parametrize("join", [0.1, 0.5, 0.9])
def test_about_as_many_are_joined_as_asked(join):
    corpus = Corpus((((4, EOS), (4, 5, EOS)),) * 6000, (1,) * 6000)
    sizes = Counter(len(item) for batch in corpus.batches(500, 1, 0, join) for item in batch)
    items = sum(sizes.values())
    assert 1 - sizes[1] / items == pytest.approx(join, abs=0.04)
    several = [sizes[n] / (items - sizes[1]) for n in range(2, JOINED_PAIRS + 1)]
    assert several == pytest.approx([1 / len(several)] * len(several), abs=0.08), "each number about equally often"


def test_pairs_that_are_too_long_together_stay_alone():
    corpus = Corpus((((4, EOS), (4,) * (JOINED_PIECES // 2) + (EOS,)),) * 50, (1,) * 50)
    assert all(len(item) == 1 for batch in corpus.batches(500, 1, 0, 0.9) for item in batch)
    shorter = Corpus((((4, EOS), (4,) * (JOINED_PIECES // 2 - 1) + (EOS,)),) * 50, (1,) * 50)
    assert {len(item) for batch in shorter.batches(500, 1, 0, 0.9) for item in batch} == {1, 2}


@given(corpora, st.integers(1, 40), st.integers(0, 5), st.integers(0, 5))
def test_without_joining_a_run_of_before_sees_the_batches_it_saw(corpus, limit, seed, epoch):
    """Written as it was when a batch was a list of pairs: checkpoints of then can be resumed and made again."""
    order = [i for i, times in enumerate(corpus.repeat) for _ in range(times)]
    shuffle = random.Random(f"{seed} {epoch}")
    shuffle.shuffle(order)
    order.sort(key=lambda i: (len(corpus.pairs[i][1]), len(corpus.pairs[i][0])))
    batches = [[]]
    for i in order:
        if batches[-1] and len(corpus.pairs[i][1]) * (len(batches[-1]) + 1) > limit:
            batches.append([])
        batches[-1].append(i)
    shuffle.shuffle(batches)
    assert corpus.batches(limit, seed, epoch) == [[(i,) for i in batch] for batch in batches]


def test_epochs_and_seeds_differ():
    corpus = Corpus(tuple(((4, EOS), (4,) * (i % 7) + (EOS,)) for i in range(60)), (1,) * 60)
    for join in (0.0, 0.3):
        epochs = [corpus.batches(20, seed, epoch, join) for seed in (1, 2) for epoch in (0, 1, 2)]
        assert all(a != b for i, a in enumerate(epochs) for b in epochs[:i])


@given(st.lists(st.tuples(ids, ids), min_size=1, max_size=6))
def test_a_batch_is_its_pairs_padded(pairs):
    batch = make_batch(pairs)
    assert batch.src.shape == (len(pairs), max(len(s) for s, _ in pairs))
    assert batch.tgt.shape == (len(pairs), max(len(t) for _, t in pairs) + 1)
    for row, (source, target) in enumerate(pairs):
        n = int(batch.src_lengths[row])
        assert tuple(batch.src[row, :n].tolist()) == source and (batch.src[row, n:] == PAD).all()
        m = len(target) + 1
        assert tuple(batch.tgt[row, :m].tolist()) == (BOS, *target) and (batch.tgt[row, m:] == PAD).all()


def test_pad_ids_gives_lengths_and_whole_numbers():
    padded, lengths = pad_ids([(5,), (6, 7, 8)])
    assert padded.tolist() == [[5, PAD, PAD], [6, 7, 8]] and lengths.tolist() == [1, 3]
    assert padded.dtype == lengths.dtype == torch.long


def linked(row):
    """(source, target, links as (target place, source place), without those of `<eos>`) drawn for one pair"""
    source, target = row
    if len(source) == 1 or len(target) == 1:
        return st.just((source, target, []))
    link = st.tuples(st.integers(0, len(target) - 2), st.integers(0, len(source) - 2))
    return st.lists(link, max_size=8).map(lambda found: (source, target, found))


linked_pairs = st.lists(st.tuples(ids, ids).flatmap(linked), min_size=1, max_size=6)
items = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=1, max_size=5)


def linked_corpus(rows) -> Corpus:
    links = tuple(np.array([*found, (len(t) - 1, len(s) - 1)], dtype=np.int16) for s, t, found in rows)
    return Corpus(tuple((s, t) for s, t, _ in rows), (1,) * len(rows), links)


@given(linked_pairs, items)
def test_joined_pairs_are_one_text_with_one_end_and_links_that_moved_along(rows, chosen):
    items = [tuple(i % len(rows) for i in item) for item in chosen]
    batch = linked_corpus(rows).batch(items)
    assert batch.guide.shape == (len(items), batch.tgt.size(1) - 1, batch.src.size(1))
    for b, item in enumerate(items):
        source, target, links = [], [], set()
        for i in item:
            links |= {(len(target) + t, len(source) + s) for t, s in rows[i][2]}
            source += [id for id in rows[i][0] if id != EOS]
            target += [id for id in rows[i][1] if id != EOS]
        links.add((len(target), len(source)))  # `<eos>` to `<eos>`
        n = len(source) + 1
        assert batch.src_lengths[b] == n and batch.src[b, :n].tolist() == [*source, EOS]
        assert not batch.src[b, n:].any()
        m = len(target) + 2
        assert batch.tgt[b, :m].tolist() == [BOS, *target, EOS] and not batch.tgt[b, m:].any()
        assert {tuple(place) for place in batch.guide[b].nonzero().tolist()} == links


@given(linked_pairs)
def test_a_guide_shares_a_row_out_evenly(rows):
    guide = linked_corpus(rows).batch([(i,) for i in range(len(rows))]).guide
    assert guide.dtype == torch.float32
    for b, (_, target, links) in enumerate(rows):
        for t in range(guide.size(1)):
            found = {s for at, s in links if at == t}
            expected = len(found) if t < len(target) - 1 else int(t == len(target) - 1)
            assert guide[b, t].sum() == pytest.approx(1 if expected else 0, abs=1e-6)
            assert all(x == pytest.approx(1 / expected) for x in guide[b, t][guide[b, t] > 0].tolist())


def test_without_links_there_is_no_guide():
    batch = Corpus((((4, EOS), (5, EOS)),) * 2, (1, 1)).batch([(0, 1), (1,)])
    assert batch.guide is None and batch.to(torch.device("cpu")).guide is None
    assert batch.src.tolist() == [[4, 4, EOS], [4, EOS, PAD]] and batch.tgt.tolist() == [
        [2, 5, 5, EOS],
        [2, 5, EOS, PAD],
    ]


@given(
    st.binary(max_size=200) | st.text('ab\t,"\r\n\0é', max_size=60).map(str.encode),
    st.sampled_from(["tsv", "csv", "tsv.gz", "csv.gz"]),
)
def test_any_bytes_are_pairs_or_a_data_error(tmp_path_factory, raw, ending):
    path = tmp_path_factory.getbasetemp() / f"any.{ending}"
    for content in {raw, gzip.compress(raw)} if ending.endswith("gz") else {raw}:
        path.write_bytes(content)
        try:
            pairs = read_pairs(path)
        except DataError as error:
            assert "any." in str(error) and "\n" not in str(error).strip()
        else:
            assert pairs and all(pair.source.strip() and pair.references[0].strip() for pair in pairs)


cells = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(
    lambda text: text == text.strip() and text
)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_csv_that_is_written_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "mine.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    assert [(pair.source, pair.references[0]) for pair in read_pairs(path)] == rows
