"""Laws of text, pieces and words that hold for any text and for anything a model may write."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.config import BOS, EOS, PAD, UNK
from seq2seq.tokenizer import SPACE, SPECIALS, UNKNOWN_TEXT, Pieces, Tokenizer
from seq2seq.translator import TextError, clean
from tests.conftest import ENGLISH, FRENCH

TOKENIZER = Tokenizer.train((ENGLISH + FRENCH) * 3, vocab_size=150)
"""Not the fixture: hypothesis runs a test many times with one fixture, and this is the same every time."""

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
    with pytest.raises(OSError):
        Tokenizer.load(tmp_path / "none.json")
