"""What may be wrong with a data file, and laws of batches."""

from __future__ import annotations

import gzip
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.config import BOS, EOS, PAD
from seq2seq.data import Corpus, DataError, Pair, make_batch, pad_ids, read_pairs

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
        ("a.tsv.gz", gzip.compress(TSV.encode())),
        ("a.csv", "a dog,un chien\na cat,un chat,le chat\nété 👩‍👧,summer\n"),
        ("a.csv", "\ufeff" + '"a dog","un chien"\r\n"a cat",un chat,"le chat"\r\nété 👩‍👧,summer\r\n'),
        ("a.csv.gz", gzip.compress("a dog,un chien\na cat,un chat,le chat\nété 👩‍👧,summer".encode())),
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
        ("a.tsv.gz", gzip.compress(b""), "has no lines"),
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
        ("a.tsv.gz", gzip.compress(TSV.encode())[:-12], "cannot be read"),
        ("a.tsv.gz", gzip.compress(TSV.encode())[:10] + b"\xff" * 30, "cannot be read"),
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


# -- batches -------------------------------------------------------------------------------------------------------

ids = st.lists(st.integers(4, 99), max_size=8).map(lambda body: (*body, EOS))
corpora = st.lists(st.tuples(ids, ids, st.integers(0, 3)), min_size=1, max_size=30).map(
    lambda rows: Corpus(tuple((s, t) for s, t, _ in rows), tuple(n for *_, n in rows))
)


@given(corpora, st.integers(1, 40), st.integers(0, 5), st.integers(0, 5))
def test_an_epoch_holds_every_pair_as_often_as_asked_within_the_limit(corpus, limit, seed, epoch):
    batches = corpus.batches(limit, seed, epoch)
    seen = Counter(i for batch in batches for i in batch)
    assert seen == Counter({i: times for i, times in enumerate(corpus.repeat) if times})
    for batch in batches:
        padded = max((len(corpus.pairs[i][1]) for i in batch), default=0) * len(batch)
        assert padded <= limit or len(batch) == 1
    assert batches == corpus.batches(limit, seed, epoch)


def test_epochs_and_seeds_differ():
    corpus = Corpus(tuple(((4, EOS), (4,) * (i % 7) + (EOS,)) for i in range(60)), (1,) * 60)
    epochs = [corpus.batches(20, seed, epoch) for seed in (1, 2) for epoch in (0, 1, 2)]
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
