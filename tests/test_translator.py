"""The door to a model: what goes in is checked, and what comes out is the model's own."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from seq2seq.attention import ATTENTIONS
from seq2seq.classic import CLASSIC
from seq2seq.config import BOS, EOS, UNK
from seq2seq.model import CheckpointError, Seq2Seq
from seq2seq.search import Deadline, Hypothesis, penalty
from seq2seq.sources import save_tokenizers
from seq2seq.tokenizer import SPACE, UNKNOWN_TEXT, Pieces, Tokenizer
from seq2seq.translator import (
    CANDIDATES,
    CAPITALS,
    MAX_BEAM_SIZE,
    MAX_CHARACTERS,
    ON_CPU,
    SMALLER,
    SearchError,
    TextError,
    Translator,
    choose_device,
    clean,
    copied,
    to_words,
)
from tests.conftest import ENGLISH, FRENCH, UNSEEN, tiny_model
from tests.test_search import never_end


def same(left, right) -> None:
    """Two translations that show the same, up to the seconds and to what another batch may change in the last digits."""
    one, two = left.to_dict(), right.to_dict()
    for name in ("text", "translation", "source_words", "target_words", "source_pieces", "target_pieces", "warnings"):
        assert one[name] == two[name]
    np.testing.assert_allclose(one["token_log_probs"], two["token_log_probs"], atol=2e-5)
    assert (one["attention"] is None) == (two["attention"] is None)
    if one["attention"] is not None:
        np.testing.assert_allclose(one["attention"], two["attention"], atol=2e-5)
        np.testing.assert_allclose(one["attention_pieces"], two["attention_pieces"], atol=2e-5)
    assert ("padding_weight" in one) == ("padding_weight" in two)
    if "padding_weight" in one:
        np.testing.assert_allclose(one["padding_weight"], two["padding_weight"], atol=2e-5)


# -- text ----------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(), max_size=80))
@example(SPACE)
def test_clean_text_is_one_line_without_controls_and_stays_as_it_is(text):
    try:
        cleaned = clean(text)
    except TextError:
        assert not any(unicodedata.category(c)[0] in "LNPSM" for c in text.replace(SPACE, " "))
        return
    assert cleaned == " ".join(cleaned.split()) and unicodedata.is_normalized("NFC", cleaned)
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in cleaned)
    cleaned.encode()
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\0", "\u200b\u200d", "\ud800"])
def test_nothing_to_translate(text):
    with pytest.raises(TextError, match="no text"):
        clean(text)


def test_the_limit_is_exact():
    assert clean("a" * MAX_CHARACTERS) == "a" * MAX_CHARACTERS
    with pytest.raises(TextError, match="1,001 characters; the limit is 1,000"):
        clean("a" * (MAX_CHARACTERS + 1))


def test_a_bad_text_among_good_ones_stops_all(translator, monkeypatch):
    monkeypatch.setattr(translator, "search", lambda *a, **k: pytest.fail("something was translated"))
    for bad in ("", "a" * (MAX_CHARACTERS + 1)):
        with pytest.raises(TextError):
            translator.translate(["A dog.", bad])
        with pytest.raises(TextError):
            next(translator.stream(bad))


# -- settings of a search ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"beam_size": 0}, f"beam_size is 0; choose one from 1 to {MAX_BEAM_SIZE}"),
        ({"beam_size": -3}, "beam_size is -3"),
        ({"beam_size": MAX_BEAM_SIZE + 1}, f"choose one from 1 to {MAX_BEAM_SIZE}"),
        ({"beam_size": 2.5}, "whole number"),
        ({"beam_size": "5"}, "whole number"),
        ({"beam_size": True}, "whole number"),
        ({"beam_size": 3, "n_best": 4}, "n_best is 4; choose one from 1 to beam_size, which is 3"),
        ({"n_best": 0}, "n_best is 0"),
        ({"length_penalty": -0.1, "beam_size": 2}, "length_penalty is -0.1"),
        ({"length_penalty": float("nan"), "beam_size": 2}, "length_penalty is nan"),
        ({"target": "Un chien.", "beam_size": 2, "n_best": 2}, "no alternatives"),
    ],
)
def test_searches_that_cannot_be_made(translator, settings, says):
    with pytest.raises(SearchError) as caught:
        translator.translate("A dog.", **settings)
    assert says in str(caught.value) and "\n" not in str(caught.value) and isinstance(caught.value, ValueError)


def test_the_widest_beam_works(translator):
    made = translator.translate("A dog.", beam_size=MAX_BEAM_SIZE, n_best=MAX_BEAM_SIZE)
    assert made.beam_size == MAX_BEAM_SIZE and len(made.alternatives) == MAX_BEAM_SIZE - 1


# -- translations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beam_size", (1, 3))
def test_many_texts_are_their_texts_one_by_one(translator, beam_size):
    texts = [*UNSEEN, *ENGLISH]
    together = translator.translate(texts, beam_size=beam_size)
    backwards = translator.translate(texts[::-1], beam_size=beam_size)[::-1]
    assert [made.text for made in together] == texts
    for text, one, other in zip(texts, together, backwards, strict=True):
        alone = translator.translate(text, beam_size=beam_size)
        same(one, alone)
        same(other, alone)
    assert translator.texts(texts, beam_size=beam_size) == [made.translation for made in together]


def test_batches_of_any_size_give_the_same(translator):
    sources = translator.tokenizer.encode_batch(UNSEEN + ENGLISH)
    for beam_size in (1, 3):
        whole = translator.search(sources, beam_size, batch_size=64)
        parts = translator.search(sources, beam_size, batch_size=2)
        assert [best[0].ids for best in whole] == [best[0].ids for best in parts]


def test_long_texts_share_a_batch_with_fewer(translator, monkeypatch):
    sources = translator.tokenizer.encode_batch([*UNSEEN, " ".join(ENGLISH), " ".join(ENGLISH * 2)])
    whole = translator.search(sources, 3)
    encode, seen = Translator._encode, []

    def spy(self, batch):
        seen.append([len(source.ids) for source in batch])
        return encode(self, batch)

    monkeypatch.setattr(Translator, "_encode", spy)
    monkeypatch.setattr("seq2seq.translator.SEARCHED_PIECES", 90)
    parts = translator.search(sources, 3)
    assert [best[0].ids for best in whole] == [best[0].ids for best in parts]
    assert sum(map(len, seen)) == len(sources) and len(seen[0]) > 1 and len(seen[-1]) == 1
    assert all(len(lengths) == 1 or 3 * len(lengths) * max(lengths) <= 90 for lengths in seen)


def test_no_text_gives_no_translation(translator):
    assert (
        translator.translate([])
        == []
        == translator.translate([], beam_size=3)
        == translator.translate([], target="Un.")
    )
    assert translator.texts([]) == []


def test_a_given_target_is_scored_by_the_model(translator):
    """Against the whole model's forward pass, one pair at a time."""
    for text, target in zip(ENGLISH, FRENCH, strict=True):
        made = translator.translate(text, target=target, beam_size=3)
        assert made.translation == target and made.beam_size == 1
        source, ids = (translator.tokenizer.encode(t).ids for t in (text, target))
        with torch.no_grad():
            logits, weights = translator.model(
                torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([[BOS, *ids[:-1]]])
            )
        expected = torch.log_softmax(logits[0], -1)[range(len(ids)), ids]
        np.testing.assert_allclose(made.token_log_probs, expected, atol=1e-5)
        if weights is None:
            assert made.attention_pieces is None
        else:
            assert weights.size(2) == (
                translator.model.config.max_length if made.padding_weight is not None else len(source)
            )
            np.testing.assert_allclose(made.attention_pieces, weights[0, :, : len(source)], atol=1e-6)


def test_alternatives_come_in_order_and_differ(translator):
    for made in translator.translate(list(UNSEEN), beam_size=5, n_best=5, length_penalty=0.9):
        every = (made, *made.alternatives)
        assert len({other.target_pieces for other in every}) == 5
        scores = [(o.target_pieces[-1] == "<eos>", o.log_prob / penalty(len(o.target_pieces), 0.9)) for o in every]
        assert scores == sorted(scores, reverse=True)
        assert all(not other.alternatives and other.beam_size == 5 for other in made.alternatives)
        for other in every:
            assert len(other.target_pieces) == len(other.token_log_probs) == len(other.candidates)
            assert all(len(step) == CANDIDATES for step in other.candidates)


def test_a_penalty_changes_the_order_but_no_log_prob(translator):
    decoder = translator.model.decoder
    with torch.no_grad():  # so likely an end that hypotheses are of many lengths: among equal ones no penalty decides
        (decoder.out.bias if translator.model.config.classic else decoder.bias)[EOS] = 3.0
    bare, punished = ({}, {})
    for found, alpha in ((bare, 0.0), (punished, 3.0)):
        for text in UNSEEN:
            best = translator.translate(text, beam_size=6, n_best=6, length_penalty=alpha)
            found |= {(text, other.target_pieces): other.log_prob for other in (best, *best.alternatives)}
    common = bare.keys() & punished.keys()
    assert common and list(bare) != list(punished)
    for key in common:
        assert bare[key] == pytest.approx(punished[key], abs=1e-5)


@pytest.mark.parametrize("kind", sorted(ATTENTIONS))
@pytest.mark.parametrize("beam_size", (1, 3))
def test_attention_rows_sum_to_one(translator, beam_size):
    for made in translator.translate([*UNSEEN, "🙂 ?"], beam_size=beam_size):
        assert made.attention.shape == (len(made.target_words), len(made.source_words))
        assert made.attention_pieces.shape == (len(made.target_pieces), len(made.source_pieces))
        np.testing.assert_allclose(made.attention.sum(1), 1, atol=1e-5)
        np.testing.assert_allclose(made.attention_pieces.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("kind", ["plain", "classic-plain"])
def test_a_plain_model_shows_no_attention(translator):
    made = translator.translate("A dog.", beam_size=2)
    assert made.attention is None and made.attention_pieces is None and made.padding_weight is None


@given(st.data())
def test_words_sum_source_pieces_and_average_target_pieces(data):
    def word_map() -> list[int]:
        sizes = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
        return [word for word, size in enumerate(sizes) for _ in range(size)]

    source, target = word_map(), word_map()
    weights = np.random.default_rng(len(source)).dirichlet(np.ones(len(source)), len(target)).astype(np.float32)
    made = to_words(weights, source, target)
    for t in range(max(target) + 1):
        rows = [i for i, word in enumerate(target) if word == t]
        for s in range(max(source) + 1):
            columns = [j for j, word in enumerate(source) if word == s]
            expected = sum(sum(weights[i][j] for j in columns) for i in rows) / len(rows)
            assert made[t, s] == pytest.approx(expected, abs=1e-6)


def test_unknown_words_and_cut_translations_are_said(translator):
    made = translator.translate("A 🙂 dog")
    assert [made.source_words[i] for i in made.unknown_words] == ["🙂"]
    assert any("🙂" in warning for warning in made.warnings)
    never_end(translator.model)
    for beam_size in (1, 3):
        cut = translator.translate("A dog", beam_size=beam_size)
        limit = 2 * len(cut.source_pieces) + 10
        assert len(cut.target_pieces) == limit and "<eos>" not in cut.target_words
        assert any(f"length limit of {limit} pieces" in warning for warning in cut.warnings)


def unknown_writer(translator: Translator) -> Translator:
    """The same, but it writes little else than the unknown piece."""
    decoder = translator.model.decoder
    bias = decoder.out.bias if translator.model.config.classic else decoder.bias
    with torch.no_grad():
        bias[UNK] = 1e3
    return translator


@pytest.mark.parametrize("beam_size", (1, 3))
def test_an_unknown_piece_is_copied_from_where_attention_pointed(translator, beam_size):
    """In words and text, marked, and the same in `texts` and in the stream; pieces stay what was written."""
    text = "A Łukasz ŧog"
    made = unknown_writer(translator).translate(text, beam_size=beam_size)
    at = [t for t, piece in enumerate(made.target_pieces) if piece == UNKNOWN_TEXT]
    said = [warning for warning in made.warnings if "Copied" in warning]
    if made.attention is None:
        assert made.copied_words == () and UNKNOWN_TEXT in made.translation and not said
    else:
        assert UNKNOWN_TEXT not in made.translation and len(said) == 1
        assert set(made.copied_words) == {made.target_word_of[t] for t in at}
        unknown = [s for s, id in enumerate(translator.tokenizer.encode(text).ids) if id == UNK]
        for t in at:
            looked = made.source_pieces[max(unknown, key=lambda s: made.attention_pieces[t, s])]
            word = made.target_words[made.target_word_of[t]]
            assert looked in word and word in made.translation and looked in said[0]
    assert translator.texts([text], beam_size=beam_size) == [made.translation]
    if beam_size == 1:
        *_, streamed = translator.stream(text)
        assert (streamed.translation, streamed.copied_words) == (made.translation, made.copied_words)
    assert made.to_dict().get("copied_words", []) == list(made.copied_words)


@pytest.mark.parametrize(("source", "expected"), [("Łx ŧ", "ŧ"), ("dogs sleep", "dogs")])
def test_unknown_pieces_are_copied_before_known_words(tokenizer, source, expected):
    """The unknown piece looked at most, however little; else the whole word looked at most; `<eos>` never."""
    read = tokenizer.encode(source)
    rows = (
        [np.linspace(0, 1, len(read.ids))]
        if UNK in read.ids
        else [np.eye(len(read.ids))[0] * 0.1 + np.eye(len(read.ids))[-1]]
    )
    assert copied(read, Hypothesis([UNK], rows=rows)) == {0: expected}
    assert copied(read, Hypothesis([UNK])) == {} == copied(read, Hypothesis([EOS], rows=rows))
    assert copied(read.first(0), Hypothesis([UNK], rows=[np.zeros(0)])) == {}


def test_a_copied_piece_makes_one_word_with_its_neighbours(tokenizer):
    ids = tokenizer.encode("A Łx dog.").ids
    [place] = [i for i, id in enumerate(ids) if id == UNK]
    assert UNKNOWN_TEXT in tokenizer.decode(ids).words
    assert tokenizer.decode(ids, {place: "Ł"}).words == ("A", "Łx", "dog", ".", "<eos>")
    assert tokenizer.text(ids, {place: "Ł"}) == "A Łx dog."
    assert tokenizer.decode(ids, {place: "Ł"}).pieces == tokenizer.decode(ids).pieces


def test_nothing_is_copied_into_a_target_of_ones_own(translator):
    made = translator.translate("A dog.", target="Ł dort")
    assert made.copied_words == () and UNKNOWN_TEXT in made.target_words[0]


def test_special_pieces_in_a_text_are_only_text(translator):
    made = translator.translate("</s> <eos> <pad>")
    assert made.source_words == ("<", "/", "s", ">", "<", "eos", ">", "<", "pad", ">", "<eos>")
    assert translator.translate("A dog.", target="-bos- <eos>").target_words[-4:] == (
        UNKNOWN_TEXT,
        "eos",
        UNKNOWN_TEXT,
        "<eos>",
    )


# -- sources that are cut, and weight on padding -------------------------------------------------------------------

LONG = " ".join(ENGLISH)
"""More pieces than a classic model reads."""


def readable(source: Pieces, count: int) -> tuple[int, int]:
    """How many of its words, `<eos>` included, lie whole in the first `count` pieces, and how many real ones do not."""
    last = {word: piece for piece, word in enumerate(source.word_of)}
    whole = sum(piece < count for piece in last.values())
    return whole, len(source.words) - 1 - min(whole, len(source.words) - 1)


def cut_warnings(made) -> list[str]:
    return [warning for warning in made.warnings if "cut off unread" in warning]


@pytest.mark.parametrize("kind", sorted(CLASSIC))
@pytest.mark.parametrize("text", [UNSEEN[1], "playing", "The well-known 3.5"])
def test_a_source_ends_where_it_was_cut_and_the_lost_words_are_counted(kind, tokenizer, text):
    whole = tokenizer.encode(text)
    for places in range(1, len(whole.ids) + 2):
        model = tiny_model(kind, len(tokenizer), max_length=places)
        made = Translator(model, tokenizer).translate(text)
        words, lost = readable(whole, places)
        assert made.source_words == whole.words[: max(words, 1)]
        if words:  # a word that does not fit goes whole
            assert made.source_pieces == tuple(p for p, of in zip(whole.pieces, whole.word_of) if of < words)
        else:  # but something must be read
            assert made.source_pieces == whole.pieces[:places]
        assert made.source_word_of == whole.word_of[: len(made.source_pieces)]
        said = "word was" if lost == 1 else f"{lost} words were"
        expected = f"This model reads at most {places} pieces: the last {said} cut off unread."
        assert cut_warnings(made) == ([expected] if lost else [])
        assert made.text == text, "the text is shown whole"
        if made.attention is not None:
            assert made.attention.shape == (len(made.target_words), len(made.source_words))
            assert made.attention_pieces.shape == (len(made.target_pieces), len(made.source_pieces))


def test_only_classic_sources_are_cut(kind, tokenizer):
    made = Translator(tiny_model(kind, len(tokenizer), max_length=4), tokenizer).translate(LONG)
    assert bool(cut_warnings(made)) == (kind in CLASSIC)
    assert (made.source_words == tokenizer.encode(LONG).words) == (kind not in CLASSIC)


@pytest.mark.parametrize("kind", sorted(CLASSIC))
def test_nothing_behind_the_cut_takes_part(translator):
    """Searched and forced alike, the translation is that of the words that were read."""
    [source] = translator.read([LONG])
    assert source.cut and len(source.ids) <= translator.model.config.max_length
    other = translator.tokenizer.text(source.ids) + " anticonstitutionnellement, and more."
    assert translator.read([other])[0].ids == source.ids
    for settings in ({}, {"beam_size": 3}, {"target": FRENCH[1]}):
        mine, theirs = translator.translate(LONG, **settings), translator.translate(other, **settings)
        assert mine.target_pieces == theirs.target_pieces and mine.token_log_probs == theirs.token_log_probs
    made = translator.translate(LONG, target=FRENCH[1])
    ids = translator.tokenizer.encode(FRENCH[1]).ids
    with torch.no_grad():
        lengths, prev = torch.tensor([len(source.ids)]), torch.tensor([[BOS, *ids[:-1]]])
        logits, _ = translator.model(torch.tensor([source.ids]), lengths, prev)
    expected = torch.log_softmax(logits[0], -1)[range(len(ids)), ids]
    np.testing.assert_allclose(made.token_log_probs, expected, atol=1e-5)


@pytest.mark.parametrize("kind", sorted(CLASSIC))
@pytest.mark.parametrize("beam_size", (1, 3))
def test_cut_sources_among_others_are_translated_as_alone(translator, beam_size):
    texts = [UNSEEN[0], LONG, UNSEEN[2], LONG + " " + LONG]
    together = translator.translate(texts, beam_size=beam_size)
    assert [len(cut_warnings(made)) for made in together] == [0, 1, 0, 1]
    for text, made in zip(texts, together, strict=True):
        same(made, translator.translate(text, beam_size=beam_size))
    assert translator.texts(texts, beam_size=beam_size) == [made.translation for made in together]


@pytest.mark.parametrize("kind", sorted(CLASSIC))
def test_the_stream_of_a_cut_source_ends_in_its_translation(translator):
    *parts, last = translator.stream(LONG)
    whole = translator.translate(LONG)
    same(last, whole)
    assert last.target_pieces == whole.target_pieces and last.token_log_probs == whole.token_log_probs
    assert last.candidates == whole.candidates and last.source_word_of == whole.source_word_of
    if whole.attention is not None:
        np.testing.assert_array_equal(last.attention, whole.attention)
        np.testing.assert_array_equal(last.padding_weight, whole.padding_weight)
    assert parts and all(cut_warnings(part) == cut_warnings(whole) != [] for part in parts), (
        "said from the first word on"
    )
    assert all(part.source_words == whole.source_words for part in parts)


@pytest.mark.parametrize("kind", ["classic-attention"])
@pytest.mark.parametrize("beam_size", (1, 3))
def test_rows_and_padding_together_are_all_the_weight(translator, beam_size):
    """Within 1e-6, in the arrays and in what is written as JSON."""
    for made in translator.translate([*UNSEEN, "🙂 ?", LONG], beam_size=beam_size, n_best=beam_size):
        for one in (made, *made.alternatives):
            assert one.attention.shape == (len(one.target_words), len(one.source_words))
            assert one.padding_weight.shape == (len(one.target_words),)
            assert (one.padding_weight >= 0).all() and (one.padding_weight <= 1).all()
            np.testing.assert_allclose(one.attention.sum(1) + one.padding_weight, 1, atol=1e-6)
        written = made.to_dict()
        for one in (written, *written.get("alternatives", ())):
            np.testing.assert_allclose(np.sum(one["attention"], 1) + one["padding_weight"], 1, atol=1e-6)


@pytest.mark.parametrize("kind", ["classic-attention"])
def test_padding_weight_is_what_the_decoder_put_behind_the_sentence(translator):
    """Against the model's own weights on all its places, one word at a time; the pieces of a target word averaged."""
    for text, target in zip((*UNSEEN, LONG), FRENCH, strict=True):
        made = translator.translate(text, target=target)
        [source] = translator.read([text])
        ids = translator.tokenizer.encode(target).ids
        with torch.no_grad():
            lengths, prev = torch.tensor([len(source.ids)]), torch.tensor([[BOS, *ids[:-1]]])
            _, weights = translator.model(torch.tensor([source.ids]), lengths, prev)
        behind = weights[0, :, len(source.ids) :].sum(1).numpy()
        for t in range(len(made.target_words)):
            own = [behind[i] for i, word in enumerate(made.target_word_of) if word == t]
            assert made.padding_weight[t] == pytest.approx(np.mean(own), abs=1e-6)


def test_a_full_memory_has_no_padding(tokenizer):
    places = len(tokenizer.encode(UNSEEN[1]).ids)
    made = Translator(tiny_model("classic-attention", len(tokenizer), max_length=places), tokenizer).translate(
        UNSEEN[1]
    )
    assert not made.padding_weight.round(6).any() and not cut_warnings(made)


# -- two vocabularies ----------------------------------------------------------------------------------------------

ENGLISH_WORDS = Tokenizer.of_words("a the dog tree eats sleeps under don't".split())
FRENCH_WORDS = Tokenizer.of_words("un le chien arbre mange dort sous l'herbe aujourd'hui ! ?".split())


@pytest.fixture
def bilingual(kind) -> Translator:
    model = tiny_model(kind, len(FRENCH_WORDS), source_vocab_size=len(ENGLISH_WORDS))
    return Translator(model, ENGLISH_WORDS, "two", FRENCH_WORDS)


@pytest.mark.parametrize("beam_size", (1, 3))
def test_each_language_has_its_own_pieces(bilingual, beam_size):
    made = bilingual.translate("the dog don't meow", beam_size=beam_size)
    assert made.source_words == ("the", "dog", "don't", "meow", "<eos>")
    assert [made.source_words[i] for i in made.unknown_words] == ["meow"] and "meow" in made.warnings[0]
    target = {FRENCH_WORDS.piece(id) for id in range(len(FRENCH_WORDS))}
    assert set(made.target_pieces) <= target
    assert {piece for step in made.candidates for piece, _ in step} <= target
    written = FRENCH_WORDS.text(FRENCH_WORDS.ids(made.target_pieces))
    assert made.translation == written.replace(UNKNOWN_TEXT, "meow" if made.copied_words else UNKNOWN_TEXT)
    assert bilingual.texts(["the dog don't meow"], beam_size=beam_size) == [made.translation]


def test_a_target_is_read_in_the_target_language(bilingual):
    made = bilingual.translate("a dog sleeps", target="un chien dort chat")
    assert made.target_words == ("un", "chien", "dort", UNKNOWN_TEXT, "<eos>")
    source, ids = ENGLISH_WORDS.encode("a dog sleeps").ids, FRENCH_WORDS.encode("un chien dort chat").ids
    assert ids[3] == UNK
    with torch.no_grad():
        lengths, prev = torch.tensor([len(source)]), torch.tensor([[BOS, *ids[:-1]]])
        logits, _ = bilingual.model(torch.tensor([source]), lengths, prev)
    expected = torch.log_softmax(logits[0], -1)[range(len(ids)), ids]
    np.testing.assert_allclose(made.token_log_probs, expected, atol=1e-5)


def test_the_stream_of_two_vocabularies_ends_in_the_translation(bilingual):
    last = list(bilingual.stream("the dog sleeps under a tree"))[-1]
    same(last, bilingual.translate("the dog sleeps under a tree"))


def test_a_checkpoint_keeps_both_vocabularies(bilingual, tmp_path):
    bilingual.model.save_pretrained(tmp_path / "two", dtype=torch.float32)
    path = tmp_path / "two" / "tokenizer.json"
    path.write_text(save_tokenizers(ENGLISH_WORDS, FRENCH_WORDS), encoding="utf-8")
    loaded = Translator.from_checkpoint(tmp_path / "two", device="cpu")
    same(loaded.translate("a dog eats"), bilingual.translate("a dog eats"))
    swapped, joint = save_tokenizers(FRENCH_WORDS, ENGLISH_WORDS), ENGLISH_WORDS.to_json()
    for content in (swapped, joint, '{"source": {}, "target": {}}'):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(CheckpointError, match="tokenizer.json"):
            Translator.from_checkpoint(tmp_path / "two", device="cpu")


# -- streaming -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("endless", (False, True))
def test_a_stream_grows_word_by_word_into_the_translation(translator, endless):
    if endless:
        never_end(translator.model)
    for text in UNSEEN:
        seen = list(translator.stream(text))
        whole = translator.translate(text)
        same(seen[-1], whole)
        assert seen[-1].target_pieces == whole.target_pieces and seen[-1].token_log_probs == whole.token_log_probs
        assert seen[-1].candidates == whole.candidates
        if whole.attention is not None:
            np.testing.assert_array_equal(seen[-1].attention, whole.attention)
        for before, after in zip(seen, seen[1:]):
            assert len(before.target_pieces) < len(after.target_pieces)
            assert after.target_pieces[: len(before.target_pieces)] == before.target_pieces
            assert not any("length limit" in warning for warning in before.warnings)
        if not endless:
            # Each word but the last appears by itself; the last comes with <eos>.
            assert [len(part.target_words) for part in seen[:-1]] == list(range(1, len(whole.target_words)))[
                : len(seen) - 1
            ]


def test_what_was_streamed_stays_as_it_was(translator):
    """Parts that were handed out must not grow with the search."""
    stream = translator.stream(UNSEEN[3])
    first = next(stream)
    shown = first.to_dict()
    list(stream)
    assert first.to_dict() == shown


# -- checkpoints and devices ---------------------------------------------------------------------------------------


@pytest.fixture
def folder(model, tokenizer, tmp_path):
    model.save_pretrained(tmp_path / "tiny")
    (tmp_path / "tiny" / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
    return tmp_path / "tiny"


def test_from_checkpoint(folder):
    loaded = Translator.from_checkpoint(folder, device="cpu")
    assert loaded.name == "tiny" and loaded.device.type == "cpu"
    made = loaded.translate(UNSEEN[0])
    assert made.checkpoint == "tiny" and made.hidden_size == loaded.model.config.hidden_size
    same(made, Translator.from_checkpoint(str(folder), device="cpu").translate(UNSEEN[0]))


def test_tokenizers_that_do_not_fit_are_named(folder):
    path = folder / "tokenizer.json"
    for content in (Tokenizer.train(ENGLISH * 3, 60).to_json(), "{}", "\0"):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(CheckpointError, match="tokenizer.json"):
            Translator.from_checkpoint(folder, device="cpu")
    path.unlink()
    with pytest.raises(CheckpointError, match="tokenizer.json"):
        Translator.from_checkpoint(folder, device="cpu")


def test_devices_that_are_not_here_are_named(monkeypatch):
    assert choose_device("cpu").type == "cpu"
    with pytest.raises(ValueError, match="unknown device 'tpu'"):
        choose_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device().type == "cpu"
    for missing in ("cuda", "mps"):
        with pytest.raises(ValueError, match=f"no {missing} device"):
            choose_device(missing)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device().type == "mps"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("beam_size", (1, 4))
def test_cuda_gives_the_translations_of_the_cpu(folder, beam_size):
    on_cpu, on_cuda = (Translator.from_checkpoint(folder, device=device) for device in ("cpu", "cuda"))
    for left, right in zip(
        on_cpu.translate(list(UNSEEN), beam_size=beam_size), on_cuda.translate(list(UNSEEN), beam_size=beam_size)
    ):
        assert left.target_pieces == right.target_pieces
        np.testing.assert_allclose(left.token_log_probs, right.token_log_probs, atol=1e-2)


TOKENIZER_OF_JSON = Tokenizer.train((ENGLISH + FRENCH) * 3, 150)
JSON_MODEL = Translator(tiny_model("additive", len(TOKENIZER_OF_JSON)), TOKENIZER_OF_JSON, "tiny")


@effort(max_examples=40, deadline=None)
@given(st.text(st.characters(), max_size=40), st.integers(1, 3))
def test_the_json_of_any_text_is_strict_and_its_rows_sum_to_1(text, beam_size):
    try:
        made = JSON_MODEL.translate(text, beam_size=beam_size, n_best=beam_size).to_dict()
    except TextError as error:
        assert "\n" not in str(error)
        return
    assert json.loads(json.dumps(made, allow_nan=False).encode()) == made
    for one in (made, *made.get("alternatives", ())):
        for rows in (one["attention"], one["attention_pieces"]):
            np.testing.assert_allclose(np.sum(rows, axis=1), 1, atol=1e-3)
        assert len(one["attention"]) == len(one["target_words"])


class Full:
    """A decoder of a GPU whose memory has room for so many rows; on the CPU's copy of the model it is not."""

    def __init__(self, step, rows: int) -> None:
        self.step, self.rows, self.seen = step, rows, []

    def __call__(self, prev, state, *notes):
        self.seen.append(len(prev))
        if len(prev) > self.rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return self.step(prev, state, *notes)


def equal(left, right) -> None:
    """In all that a full memory must not change; sums of batches of another size differ in the last digits."""
    for one, other in zip((left, *left.alternatives), (right, *right.alternatives), strict=True):
        assert one.target_pieces == other.target_pieces
        np.testing.assert_allclose(one.token_log_probs, other.token_log_probs, atol=1e-3)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("THE DOG SEES I CAT.", "The dog sees i cat."),
        ("ÉTÉ À PARIS", "Été à paris"),
        ("The DOG sees", ""),
        ("the dog", ""),
        ("USA", ""),
        ("I A", ""),
        ("42 17", ""),
    ],
)
def test_a_text_in_capitals_is_read_in_lower_case(tokenizer, text, read):
    translator = Translator(tiny_model("additive", len(tokenizer)), tokenizer)
    assert translator.lowered(text) == read
    made = translator.translate(text)
    assert made.text == text and (CAPITALS in made.warnings) == bool(read)
    assert made.source_words == tokenizer.encode(read or text).words
    assert made.translation == translator.translate(read or text).translation


def test_words_of_ones_own_vocabulary_are_read_as_they_are_spelled(bilingual):
    assert bilingual.lowered("THE DOG SEES") == "" and CAPITALS not in bilingual.translate("A DOG").warnings


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("room", [7, 4, 0], ids=["for two sentences", "for one", "for none"])
def test_a_full_gpu_makes_smaller_batches_and_at_last_the_cpu_does_it(translator, monkeypatch, caplog, beam_size, room):
    texts = [*UNSEEN, *ENGLISH]
    settings = {"beam_size": beam_size, "n_best": beam_size}
    expected = translator.translate(texts, **settings)
    full = Full(translator.model.decoder.step, room * beam_size // 3)
    monkeypatch.setattr(translator.model.decoder, "step", full)
    made = translator.translate(texts, **settings)
    for one, other in zip(made, expected, strict=True):
        equal(one, other)
    said = {warning for one in made for warning in one.warnings if "GPU" in warning}
    assert said == {ON_CPU if full.rows < beam_size else SMALLER}
    assert caplog.messages and max(full.seen) > full.rows, "the log tells of it"
    assert "GPU" not in " ".join(translator.on_cpu().translate(UNSEEN[0]).warnings)


def test_a_full_gpu_stops_neither_a_stream_nor_a_given_target(translator, monkeypatch):
    expected = translator.translate(UNSEEN[0]), translator.translate(UNSEEN[0], target=FRENCH[1])
    plain, steps = translator.model.decoder.step, []

    def second(*args):
        steps.append(args)
        if len(steps) > 1:
            raise torch.OutOfMemoryError
        return plain(*args)

    def forward(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(translator.model.decoder, "step", second)
    *_, last = translator.stream(UNSEEN[0])
    equal(last, expected[0])
    assert ON_CPU in last.warnings
    monkeypatch.setattr(translator.model.decoder, "forward", forward)
    scored = translator.translate(UNSEEN[0], target=FRENCH[1])
    equal(scored, expected[1])
    assert ON_CPU in scored.warnings


def test_a_gpu_without_room_for_the_weights_leaves_the_model_on_the_cpu(translator, tmp_path, monkeypatch, caplog):
    translator.model.save_pretrained(tmp_path, dtype=torch.float32)
    (tmp_path / "tokenizer.json").write_text(save_tokenizers(translator.tokenizer, translator.target_tokenizer))
    monkeypatch.setattr("seq2seq.translator.choose_device", lambda device: torch.device("meta"))

    def full(self, device):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Seq2Seq, "to", full)
    loaded = Translator.from_checkpoint(tmp_path)
    assert loaded.device == torch.device("cpu") and ON_CPU in caplog.messages
    equal(loaded.translate(UNSEEN[0]), translator.translate(UNSEEN[0]))


def test_an_unfolded_beam_is_the_beam(translator):
    found, root = translator.unfold(UNSEEN[1], 3)
    best = translator.translate(UNSEEN[1], beam_size=3, n_best=3)
    for one, expected in zip(found, (best, *best.alternatives), strict=True):
        assert one.target_pieces == expected.target_pieces and one.token_log_probs == expected.token_log_probs
    with pytest.raises(SearchError):
        translator.unfold(UNSEEN[1], 0)


def test_characters_are_counted_as_they_are_read():
    """Some characters become several when they are normalised."""
    with pytest.raises(TextError, match="limit"):
        clean("\ufb2c" * 500)


# -- deadlines -----------------------------------------------------------------------------------------------------


@pytest.fixture
def steps(translator: Translator, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each step of the decoder, which never ends by itself."""
    never_end(translator.model)
    decoder, made = type(translator.model.decoder), []
    step = decoder.step
    monkeypatch.setattr(decoder, "step", lambda *args, **named: made.append(1) or step(*args, **named))
    return made


ASKED = {
    "greedy": lambda t, **named: [t.translate(UNSEEN[1], **named)],
    "beam": lambda t, **named: [made := t.translate(UNSEEN[1], beam_size=3, n_best=3, **named), *made.alternatives],
    "many": lambda t, **named: t.translate(list(UNSEEN), **named),
    "stream": lambda t, **named: list(t.stream(UNSEEN[1], **named))[-1:],
    "what if": lambda t, **named: [t.translate(UNSEEN[1], without=[0], **named)],
}


@pytest.mark.parametrize("way", ASKED)
def test_a_decode_stops_at_its_deadline_with_what_it_has_and_says_so(translator, steps, way):
    ask = ASKED[way]
    whole = ask(translator)
    assert not any("time limit" in warning for made in whole for warning in made.warnings), "off by default"
    for deadline, expected in ((Deadline.after(0), 1), (Deadline.after(999, lambda: len(steps) >= 4), 4)):
        steps.clear()
        stopped = ask(translator, deadline=deadline)
        assert len(steps) == expected
        for before, made in zip(whole, stopped, strict=True):
            assert len(made.target_pieces) == expected
            if way != "beam":  # whose best hypotheses are others at the end
                assert made.target_pieces == before.target_pieces[:expected]
            assert made.warnings[-1] == (
                f"Stopped at the time limit after {expected} pieces: the translation is not finished."
            )
    translator.new_deadline = lambda: Deadline.after(0)
    steps.clear()
    assert len(ask(translator)) == len(whole) and len(steps) == 1, "a server sets it for all calls"


def test_an_unfolded_beam_stops_too_and_a_far_deadline_changes_nothing(translator, steps):
    whole = translator.translate(UNSEEN[1])
    same(translator.translate(UNSEEN[1], deadline=Deadline.after(999)), whole)
    translator.new_deadline = lambda: Deadline.after(0)
    steps.clear()
    found, root = translator.unfold(UNSEEN[1], 3)
    assert len(steps) == 1 and len(root.children) == 3
    assert all("time limit" in made.warnings[-1] for made in found)
