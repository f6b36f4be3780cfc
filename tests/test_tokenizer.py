"""Laws of text, pieces and words that hold for any text and for anything a model may write."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.config import BOS, EOS, PAD, UNK
from seq2seq.sources import load_tokenizers, save_tokenizers
from seq2seq.tokenizer import SPACE, SPECIALS, UNKNOWN_TEXT, Pieces, Tokenizer
from seq2seq.translator import TextError, clean
from tests.conftest import ENGLISH, FRENCH

TOKENIZER = Tokenizer.train((ENGLISH + FRENCH) * 3, vocab_size=150)
"""Not the fixture: hypothesis runs a test many times with one fixture, and this is the same every time."""

WORDS = "the dog don't l'herbe aujourd'hui well-known x'y'z 3.5 a.b ! ?! ... « été <eos> <pad>".split()
"""What `Tokenizer.of_words` is given here: some of these a trained tokenizer would cut in two."""
OF_WORDS = Tokenizer.of_words(WORDS)

any_text = st.text(max_size=60)
"""Any text that can be UTF-8; lone surrogates are taken out before the tokenizer is reached."""
nasty_text = st.lists(
    st.sampled_from(
        (
            "</s>",
            "<eos>",
            "<pad>",
            "<bos>",
            "<unk>",
            " ",
            "\u200b",
            "\u00a0",
            "\u3000",
            SPACE,
            "'",
            "’",
            "-",
            "man",
            "dog",
        )
        + (
            "é",
            "e\u0301",
            "l'herbe",
            "don't",
            "\u200d",
            "👩‍👧",
            "ﬁ",
            "\ufeff",
            "\n",
            "\t",
            "3.5",
            "가",
            ".",
            "ß",
            "\u0344",
        )
    ),
    max_size=12,
).map("".join)
any_ids = st.lists(st.sampled_from([UNK, *range(len(SPECIALS), len(TOKENIZER))]), max_size=20)


def check_map(pieces: Pieces) -> None:
    """Pieces map onto words in order, and no word is without a piece."""
    assert len(pieces.ids) == len(pieces.pieces) == len(pieces.word_of)
    assert list(pieces.word_of) == sorted(pieces.word_of)
    assert set(pieces.word_of) == set(range(len(pieces.words)))
    assert all(pieces.words)


@given(any_text | nasty_text)
def test_any_text_maps_onto_its_words(text):
    pieces = TOKENIZER.encode(text)
    check_map(pieces)
    assert pieces.words[-1] == SPECIALS[EOS] and pieces.word_of.count(len(pieces.words) - 1) == 1


@given(any_text | nasty_text)
def test_text_never_becomes_a_special_piece(text):
    ids = TOKENIZER.encode(text).ids
    assert ids[-1] == EOS
    assert not {PAD, BOS, EOS} & set(ids[:-1])


@given(any_text | nasty_text)
def test_words_are_the_text_they_were_cut_from(text):
    """In order and whole: only spaces and invisible marks may be lost between them."""
    try:
        text = clean(text)
    except TextError:
        return
    words = TOKENIZER.encode(text).words[:-1]

    def visible(s: str) -> str:
        return "".join(c for c in s if not c.isspace() and c != SPACE and unicodedata.category(c) != "Cf")

    assert visible("".join(words)) == visible(text)


@given(any_ids, st.booleans())
def test_anything_a_model_writes_maps_onto_words(ids, ended):
    ids = ids + [EOS] * ended
    pieces = TOKENIZER.decode(ids)
    check_map(pieces)
    assert pieces.ids == tuple(ids)
    words = pieces.words[:-1] if ended else pieces.words
    assert "".join(words).replace(SPACE, "") == TOKENIZER.text(ids).replace(" ", "")


@pytest.mark.parametrize("text", ENGLISH + FRENCH)
def test_known_text_comes_back(text):
    encoded = TOKENIZER.encode(text)
    assert UNK not in encoded.ids
    assert TOKENIZER.text(encoded.ids) == text
    decoded = TOKENIZER.decode(encoded.ids)
    assert (decoded.words, decoded.word_of, decoded.ids) == (encoded.words, encoded.word_of, encoded.ids)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("don't stop", ["don't", "stop"]),
        ("it's l'herbe", ["it's", "l'", "herbe"]),
        ("jusqu'au bout", ["jusqu'", "au", "bout"]),
        ("aujourd'hui", ["aujourd'hui"]),
        ("un T-shirt, est-ce?", ["un", "T-shirt", ",", "est-ce", "?"]),
        ("3.14 et 1,000", ["3.14", "et", "1,000"]),
        ("quoi ?!", ["quoi", "?", "!"]),
        ("l’herbe", ["l’", "herbe"]),
        ("a \u200b b", ["a", "b"]),
        ("</s><eos>", ["<", "/", "s", ">", "<", "eos", ">"]),
    ],
)
def test_words_are_what_a_reader_would_point_at(text, words):
    assert list(TOKENIZER.encode(text).words) == [*words, "<eos>"]


def test_unknown_characters_are_shown_as_typed_and_written_as_a_mark():
    encoded = TOKENIZER.encode("dog 🙂")
    assert encoded.pieces[encoded.ids.index(UNK)] == "🙂"
    assert TOKENIZER.text(encoded.ids) == f"dog {UNKNOWN_TEXT}"
    assert TOKENIZER.decode(encoded.ids).words == ("dog", UNKNOWN_TEXT, "<eos>")


def test_a_batch_is_its_texts_one_by_one():
    texts = [*ENGLISH, "", "🙂"]
    assert TOKENIZER.encode_batch(texts) == [TOKENIZER.encode(text) for text in texts]


@settings(max_examples=30)
@given(any_text)
def test_saved_and_loaded_is_the_same(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "tokenizer.json"
    if not path.exists():
        path.write_text(TOKENIZER.to_json(), encoding="utf-8")
    loaded = Tokenizer.load(path)
    assert loaded.encode(text) == TOKENIZER.encode(text) and len(loaded) == len(TOKENIZER)


def test_training_is_deterministic():
    again = Tokenizer.train((ENGLISH + FRENCH) * 3, vocab_size=150)
    assert again.to_json() == TOKENIZER.to_json()
    assert len(again) <= 150


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"version": "1.0"}'])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="tokenizer.json"):
        Tokenizer.load(path)


def test_a_tokenizer_with_other_special_ids_is_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(TOKENIZER.to_json().replace('"<pad>"', '"<filler>"'))
    with pytest.raises(ValueError, match="<pad>"):
        Tokenizer.load(path)


def test_a_missing_file_is_an_os_error(tmp_path):
    for load in (Tokenizer.load, load_tokenizers):
        with pytest.raises(OSError):
            load(tmp_path / "none.json")


# -- the beginning of a text ---------------------------------------------------------------------------------------


@given(any_text | nasty_text, st.integers(1, 70))
def test_the_first_pieces_are_whole_words_and_as_many_as_fit(text, count):
    whole = TOKENIZER.encode(text)
    first = whole.first(count)
    kept = len(first.ids)
    assert kept <= count
    assert (first.ids, first.pieces, first.word_of) == (whole.ids[:kept], whole.pieces[:kept], whole.word_of[:kept])
    assert first.words == whole.words[: len(first.words)]
    check_map(first)
    if kept < len(whole.ids):
        if whole.word_of[kept] == whole.word_of[kept - 1]:
            assert kept == count and len(first.words) == 1, "a word is broken only if nothing would be left without it"
        else:
            assert kept + whole.word_of.count(whole.word_of[kept]) > count, "the next word would not have fitted"


@given(any_text | nasty_text, st.integers(1, 70))
def test_every_word_that_is_not_whole_is_counted(text, count):
    whole = TOKENIZER.encode(text)
    first = whole.first(count)
    real = range(len(whole.words) - 1)  # `<eos>` is no loss
    assert first.cut == sum(first.word_of.count(word) < whole.word_of.count(word) for word in real)
    assert whole.cut == 0


def test_the_first_pieces_of_known_words():
    whole = OF_WORDS.encode("the dog don't well-known")
    assert whole.first(5) is whole.first(9) is whole
    assert whole.first(4).words == ("the", "dog", "don't", "well-known") and whole.first(4).cut == 0, "<eos> goes first"
    assert whole.first(3).words == ("the", "dog", "don't") and whole.first(3).cut == 1
    pieces = TOKENIZER.encode("playing trees")
    long = pieces.word_of.count(0)
    assert long > 2, "a word of several pieces"
    assert pieces.first(long).words == ("playing",) and pieces.first(long).cut == 1
    broken = pieces.first(long - 1)
    assert broken.words == ("playing",) and broken.pieces == pieces.pieces[: long - 1] and broken.cut == 2


@given(any_text | nasty_text, st.integers(1, 70))
def test_cutting_again_changes_nothing(text, count):
    first = TOKENIZER.encode(text).first(count)
    assert first.first(count) == first


# -- whole words as they are ---------------------------------------------------------------------------------------


def test_words_take_the_ids_after_the_special_pieces():
    assert len(OF_WORDS) == len(WORDS) + 4 == len(WORDS) + len(SPECIALS)
    for number, word in enumerate(WORDS):
        encoded = OF_WORDS.encode(word)
        assert encoded.ids == (4 + number, EOS) and encoded.words == (word, "<eos>")
        assert OF_WORDS.piece(4 + number) == SPACE + word
    assert [OF_WORDS.piece(id) for id in (PAD, BOS, EOS)] == ["<pad>", "<bos>", "<eos>"]
    assert len(Tokenizer.of_words([])) == 4 and Tokenizer.of_words([]).encode("a b").ids == (UNK, UNK, EOS)


@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_words_come_back_each_as_one(words):
    """Encoded, decoded and as text, whatever apostrophes and punctuation they hold."""
    text = " ".join(words)
    encoded = OF_WORDS.encode(text)
    assert encoded.words == (*words, "<eos>") and encoded.word_of == tuple(range(len(words) + 1))
    assert encoded.ids == (*(4 + WORDS.index(word) for word in words), EOS)
    decoded = OF_WORDS.decode(encoded.ids)
    assert (decoded.words, decoded.word_of, decoded.ids) == (encoded.words, encoded.word_of, encoded.ids)
    assert OF_WORDS.decode(encoded.ids[:-1]).words == tuple(words), "also without an end"
    assert OF_WORDS.text(encoded.ids) == text
    assert OF_WORDS.ids(decoded.pieces) == encoded.ids


@given(any_text | nasty_text)
def test_any_cleaned_text_is_split_on_its_spaces(text):
    try:
        text = clean(text)
    except TextError:
        return
    pieces = OF_WORDS.encode(text)
    check_map(pieces)
    assert pieces.words == (*text.split(" "), "<eos>")
    assert pieces.ids == (*(4 + WORDS.index(w) if w in WORDS else UNK for w in text.split(" ")), EOS)


@given(st.lists(st.sampled_from([UNK, *range(len(SPECIALS), len(OF_WORDS))]), max_size=12), st.booleans())
def test_each_word_that_is_written_is_one_word(ids, ended):
    ids = ids + [EOS] * ended
    pieces = OF_WORDS.decode(ids)
    check_map(pieces)
    assert len(pieces.words) == len(ids) and pieces.ids == tuple(ids)
    assert pieces.words == tuple("<eos>" if i == EOS else UNKNOWN_TEXT if i == UNK else WORDS[i - 4] for i in ids)


def test_an_unknown_word_is_shown_as_typed_and_written_as_a_mark_of_its_own():
    encoded = OF_WORDS.encode("the 🙂 cat. dog")
    assert encoded.ids[1:3] == (UNK, UNK) and encoded.pieces[1:3] == encoded.words[1:3] == ("🙂", "cat.")
    assert OF_WORDS.decode(encoded.ids).words == ("the", UNKNOWN_TEXT, UNKNOWN_TEXT, "dog", "<eos>")
    assert OF_WORDS.text(encoded.ids) == f"the {UNKNOWN_TEXT} {UNKNOWN_TEXT} dog"


@pytest.mark.parametrize("word", ["", " ", "a b", " a", "a ", "a\u00a0b", "a\n", "\t", SPACE, SPACE + "a"])
def test_what_is_not_one_word_is_refused(word):
    with pytest.raises(ValueError, match="not one word"):
        Tokenizer.of_words(["the", word])


def test_a_word_that_stands_there_twice_is_refused():
    with pytest.raises(ValueError, match="'dog' stands there twice"):
        Tokenizer.of_words(["dog", "Dog", "dog"])


# -- two vocabularies in one file ----------------------------------------------------------------------------------


@given(any_text | nasty_text)
def test_two_tokenizers_come_back_as_they_were(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "two.json"
    if not path.exists():
        path.write_text(save_tokenizers(TOKENIZER, OF_WORDS), encoding="utf-8")
    source, target = load_tokenizers(path)
    assert source.encode(text) == TOKENIZER.encode(text) and target.encode(text) == OF_WORDS.encode(text)
    assert (len(source), len(target)) == (len(TOKENIZER), len(OF_WORDS))


def test_a_joint_tokenizer_is_both(tmp_path):
    path = tmp_path / "tokenizer.json"
    for one in (TOKENIZER, OF_WORDS):
        path.write_text(one.to_json(), encoding="utf-8")
        source, target = load_tokenizers(path)
        assert source is target and source.to_json() == one.to_json()


def test_a_file_of_two_is_no_joint_tokenizer(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(save_tokenizers(TOKENIZER, OF_WORDS), encoding="utf-8")
    with pytest.raises(ValueError, match="tokenizer.json is not a tokenizer file"):
        Tokenizer.load(path)


BAD_SIDE = json.dumps({"source": json.loads(OF_WORDS.to_json()), "target": {}})
FOREIGN_SIDE = json.dumps(
    {"source": json.loads(OF_WORDS.to_json()), "target": json.loads(OF_WORDS.to_json().replace('"<pad>"', '"<x>"'))}
)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "tokenizer.json is not a tokenizer file"),
        (b"{", "tokenizer.json is not a tokenizer file"),
        (b"null", "tokenizer.json is not a tokenizer file"),
        (b"[]", "tokenizer.json is not a tokenizer file"),
        (b'{"source": 1}', "tokenizer.json is not a tokenizer file"),
        (b'{"source": 1, "target": 2}', "tokenizer.json, source, is not a tokenizer file"),
        (BAD_SIDE.encode(), "tokenizer.json, target, is not a tokenizer file"),
        (FOREIGN_SIDE.encode(), "<pad> has id None, not 0"),
        (b"\xff\xfe", "utf-8"),
    ],
)
def test_files_that_are_no_tokenizers_are_refused(tmp_path, content, says):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=says):
        load_tokenizers(path)
