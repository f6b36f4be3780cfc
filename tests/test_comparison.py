"""Two translators on one sentence: equal settings, where they part, scores as sacrebleu gives them."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
from sacrebleu import sentence_bleu, sentence_chrf

from seq2seq import comparison
from seq2seq.bottleneck import grow
from seq2seq.comparison import compare, different_words, log_prob_per_word, parted_at, reference_warnings
from seq2seq.data import Pair
from seq2seq.model import kinds
from seq2seq.translator import MAX_CHARACTERS, SearchError, TextError, Translator
from seq2seq.trial import run_trial
from tests.conftest import ENGLISH, FRENCH, UNSEEN, tiny_model


@pytest.fixture(scope="module")
def sides(tokenizer) -> tuple[Translator, Translator]:
    return tuple(Translator(tiny_model(kind, len(tokenizer)), tokenizer, kind) for kind in ("plain", "additive"))


class Spy:
    """A translator that remembers how it was called."""

    def __init__(self, translator: Translator) -> None:
        self.inner, self.model, self.name, self.calls = translator, translator.model, translator.name, []

    def translate(self, *arguments, **settings):
        self.calls.append((arguments, settings))
        return self.inner.translate(*arguments, **settings)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_both_sides_are_called_alike(sides, beam_size):
    left, right = map(Spy, sides)
    compare(left, right, UNSEEN[0], FRENCH[0], beam_size)
    assert left.calls == right.calls and len(left.calls) == 1
    assert left.calls[0][1]["beam_size"] == beam_size


def test_sides_are_the_translators_own_translations(sides):
    left, right = sides
    made = compare(left, right, UNSEEN[1], beam_size=2)
    for translator, side in ((left, made.left), (right, made.right)):
        alone = translator.translate(UNSEEN[1], beam_size=2)
        assert side.target_pieces == alone.target_pieces and side.checkpoint == translator.name
        assert side.log_prob == pytest.approx(alone.log_prob) and side.beam_size == 2
    assert made.left.attention is None and made.right.attention is not None
    assert made.parameters == {"left": left.model.parameter_count(), "right": right.model.parameter_count()}
    for name, side in (("left", made.left), ("right", made.right)):
        assert made.log_prob_per_word[name] == pytest.approx(side.log_prob / len(side.target_words))


def test_a_model_beside_itself_writes_the_same(translator):
    made = compare(translator, translator, ENGLISH[1])
    assert made.parted_at is None
    assert not any(map(any, different_words(made.left.target_words, made.right.target_words)))
    assert "same" in comparison.summary_lines(made)


def test_scores_are_sacrebleus(sides):
    made = compare(*sides, UNSEEN[0], "  " + FRENCH[0] + "\n")
    assert made.reference == FRENCH[0]
    for name, side in (("left", made.left), ("right", made.right)):
        assert made.chrf[name] == pytest.approx(sentence_chrf(side.translation, [FRENCH[0]]).score)
        expected = sentence_bleu(side.translation, [FRENCH[0]], use_effective_order=True).score
        assert made.bleu[name] == pytest.approx(expected)


def test_a_perfect_output_of_two_words_scores_100():
    assert comparison.bleu("Il pleut", "Il pleut") == pytest.approx(100)
    assert comparison.chrf("Il pleut", "Il pleut") == pytest.approx(100)
    assert comparison.bleu("", "Il pleut") == comparison.chrf("", "Il pleut") == 0


@pytest.mark.parametrize("reference", ["", "   ", "\n\t", "\x00", "\u200b"])
def test_a_blank_reference_is_none(sides, reference):
    made = compare(*sides, UNSEEN[0], reference)
    assert made.reference is made.chrf is made.bleu is None and made.warnings == ()
    assert made.to_dict()["chrf"] is None


def test_bad_input_is_refused(sides):
    with pytest.raises(TextError, match=r"The reference .* 1,000"):
        compare(*sides, "A dog.", "x" * (MAX_CHARACTERS + 1))
    with pytest.raises(TextError, match="The text"):
        compare(*sides, "x" * (MAX_CHARACTERS + 1), "Un chien.")
    with pytest.raises(TextError, match="no text"):
        compare(*sides, " ", "Un chien.")
    with pytest.raises(SearchError):
        compare(*sides, "A dog.", beam_size=0)


def test_json_is_that_of_the_interface(sides):
    made = compare(*sides, UNSEEN[0], FRENCH[0], 2)
    read = json.loads(json.dumps(made.to_dict()))
    assert read["left"] == made.left.to_dict() and read["right"] == made.right.to_dict()
    for name in ("chrf", "bleu", "parameters", "log_prob_per_word"):
        assert read[name].keys() == {"left", "right"}
    assert read["parted_at"] == made.parted_at and read["reference"] == FRENCH[0] and read["warnings"] == []
    assert read["chrf"]["left"] == pytest.approx(made.chrf["left"], abs=0.006)


def test_every_pair_of_kinds_can_be_compared(tokenizer):
    translators = [Translator(tiny_model(kind, len(tokenizer)), tokenizer, kind) for kind in kinds()]
    for left in translators:
        for right in translators:
            assert compare(left, right, "A dog.").to_dict()["left"]["checkpoint"] == left.name


def test_where_they_part():
    assert parted_at("a b <eos>".split(), "a b <eos>".split()) is None
    assert parted_at("a b <eos>".split(), "a c <eos>".split()) == 1
    assert parted_at("a <eos>".split(), "a b <eos>".split()) == 1, "one stopped where the other went on"
    assert parted_at("a b".split(), "a b <eos>".split()) == 2, "one was cut off, the other ended"
    assert parted_at([], ["a"]) == 0 and parted_at([], []) is None


def test_an_empty_output_has_numbers(sides):
    made = sides[0].translate("A dog.")
    only_end = replace(made, translation="", target_words=("<eos>",), target_pieces=("<eos>",), token_log_probs=(-2.0,))
    assert log_prob_per_word(only_end) == -2
    assert log_prob_per_word(replace(only_end, target_words=(), token_log_probs=())) == 0
    assert different_words([], ["a", "b"]) == ([], [True, True])


def test_different_words_are_those_outside_the_common_part():
    left, right = "Un homme fait du vélo . <eos>".split(), "Un homme noir fait de la course . <eos>".split()
    in_left, in_right = different_words(left, right)
    assert [w for w, differs in zip(left, in_left) if differs] == ["du", "vélo"]
    assert [w for w, differs in zip(right, in_right) if differs] == ["noir", "de", "la", "course"]
    # What is the same stands in the same order on both sides.
    assert [w for w, d in zip(left, in_left) if not d] == [w for w, d in zip(right, in_right) if not d]


def test_frequent_words_of_long_sentences_are_compared_too():
    words = ["et", "un", "chat"] * 100
    assert not any(different_words(words, words[:])[0])


SOURCE = "A man in a blue shirt is riding a bicycle."
OUTPUTS = ["Un homme en chemise bleue fait du vélo.", "Un homme en T-shirt est sur un vélo."]


@pytest.fixture
def warned(sides):
    """The warnings about a reference, of outputs that no model had to make."""

    def of(reference, source, outputs, languages=("en", "fr")):
        made = replace(sides[0].translate(source), source_language=languages[0], target_language=languages[1])
        return reference_warnings(reference, made, outputs)

    return of


@pytest.mark.parametrize(
    "reference",
    [SOURCE, SOURCE.upper(), "A man is riding a blue bicycle", "He has the keys of his house.", "Man riding bicycle"],
)
def test_an_english_reference_is_warned_of(warned, reference):
    assert warned(reference, SOURCE, OUTPUTS) == (comparison.UNTRANSLATED,)


@pytest.mark.parametrize(
    "reference", [*OUTPUTS, "Un cycliste en bleu.", "Il pleut.", "Je l'ai vu à Paris", "!?", "Qu'est-ce que c'est ?"]
)
def test_a_french_reference_is_not(warned, reference):
    assert warned(reference, SOURCE, OUTPUTS) == ()


@pytest.mark.parametrize("language", ["fr", "xx"])
def test_the_other_way_it_is_french_that_is_warned_of(warned, language):
    back = language, "en"
    assert warned(OUTPUTS[0], OUTPUTS[0], [SOURCE], back) and not warned(SOURCE, OUTPUTS[0], [SOURCE], back)
    assert bool(warned("Il est dans la maison.", OUTPUTS[0], [SOURCE], back)) == (language == "fr"), (
        "known by its words"
    )


def test_a_name_that_is_its_own_translation_is_no_english(warned):
    assert warned("Paris", "Paris", ["Paris", "Londres"]) == ()
    assert warned("Dog", "Dog", ["Chien", "Chat"])


def turned(translator):
    """The same translator, called one of the other direction."""
    model = copy.copy(translator.model)
    model.config = replace(model.config, source_language="fr", target_language="en")
    return Translator(model, translator.tokenizer, "turned")


def test_one_sentence_is_not_compared_in_two_directions(sides):
    other = turned(sides[1])
    for call in (compare, lambda *both: next(grow(*both)), lambda *both: next(run_trial(*both, [Pair("a", ("b",))]))):
        with pytest.raises(TextError, match="“plain” and “turned” do not translate between the same languages"):
            call(*((sides[0], other) if call is not compare else (sides[0], other, SOURCE)))


def test_the_warning_reaches_the_caller(sides):
    made = compare(*sides, SOURCE, SOURCE)
    assert made.warnings and made.to_dict()["warnings"] == list(made.warnings)


def test_lines_for_people_name_both_and_all_numbers(sides):
    made = compare(*sides, UNSEEN[0], FRENCH[0])
    text = comparison.summary_lines(made)
    for side in (made.left, made.right):
        assert f"{side.checkpoint}: {side.translation}" in text
    assert f"{made.chrf['left']:.1f}" in text and f"word {made.parted_at + 1}" in text
    assert "chrF" not in comparison.summary_lines(compare(*sides, UNSEEN[0]))
