"""Models of both directions on one page: which turns to which, and what follows the chosen one."""

from __future__ import annotations

import gradio as gr
import pytest

from seq2seq.demo import batch_tab, compare_tab, inside_tab, models, translate_tab
from seq2seq.demo.translate_tab import EXAMPLES, EXAMPLES_OF

ENGLISH, FRENCH = ("en", "fr"), ("fr", "en")


def test_every_model_has_a_direction_and_those_of_the_first_come_first() -> None:
    directions = [models.direction(name) for name in models.names()]
    assert set(directions) == {ENGLISH, FRENCH} and models.turns()
    assert directions == sorted(directions, key=lambda way: way != ENGLISH)
    assert models.direction("no such model") == ENGLISH
    assert set(models.of_direction(FRENCH)) == {"fr-en-additive", "fr-en-plain"}
    for name in models.names():
        config = models.translator(name).model.config
        assert models.direction(name) == (config.source_language, config.target_language)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("en-fr-additive", "fr-en-additive"),
        ("en-fr-plain", "fr-en-plain"),
        ("fr-en-plain", "en-fr-plain"),
        ("en-fr-classic-attention", "fr-en-additive"),  # there is none of its kind
    ],
)
def test_a_model_turns_to_the_one_most_like_it(name: str, other: str) -> None:
    assert models.counterpart(name) == other


def test_the_list_says_the_direction_that_is_not_the_first() -> None:
    said = {name: str(label) for label, name in models.choices()}
    assert said["fr-en-plain"] == "French → English: Without attention (plain)"
    assert not any("→" in said[name] for name in models.of_direction(ENGLISH))


def test_what_was_written_is_read_unless_the_visitor_wrote_since() -> None:
    made = models.translator("en-fr-plain").translate("A cat sleeps.")
    for text, checkpoint, result, expected in (
        ("A cat sleeps.", "fr-en-plain", made, made.translation),
        ("A cat sleeps. ", "fr-en-plain", made, made.translation),
        ("A dog sleeps.", "fr-en-plain", made, "A dog sleeps."),
        ("A cat sleeps.", "en-fr-additive", made, "A cat sleeps."),
        ("A cat sleeps.", "fr-en-plain", None, "A cat sleeps."),
    ):
        assert translate_tab.turned_text(text, checkpoint, result) == expected


def test_a_list_that_is_only_left_changes_nothing() -> None:
    same = translate_tab.turned("A cat.", "en-fr-plain", "en-fr-plain", None)
    assert all(value == gr.skip() for value in same) and len(same) == 4 + len(EXAMPLES)
    pair = ["en-fr-additive", "en-fr-plain"]
    assert all(v == gr.skip() for v in compare_tab.turned("en-fr-plain", "en-fr-additive", pair, "A cat.", "", None))


def test_label_and_examples_follow_the_model() -> None:
    chosen, sentence, target, *examples, due = translate_tab.turned("A cat.", "fr-en-plain", "en-fr-plain", None)
    assert chosen == "fr-en-plain" and sentence["label"] == "French" and target["label"] == "English" and due > 0
    assert tuple(example["value"] for example in examples) == EXAMPLES_OF["fr"]
    back = translate_tab.back("Un chat.", "fr-en-plain", None)
    assert back[:2] == ("en-fr-plain", "en-fr-plain") and back[2]["label"] == "English"


def test_both_sides_of_a_comparison_turn() -> None:
    before = ["en-fr-additive", "en-fr-plain"]
    chosen, other, reference, sentence, *_ = compare_tab.turned(
        "fr-en-additive", "en-fr-plain", before, "A cat.", "Un chat.", None
    )
    assert (chosen, other, reference) == (["fr-en-additive", "fr-en-plain"], "fr-en-plain", "")
    assert sentence["label"] == "French"
    # Another model of the same direction leaves the other side and the reference.
    kept = compare_tab.turned("en-fr-multiplicative", "en-fr-plain", before, "A cat.", "Un chat.", None)
    assert kept[1:3] == ("en-fr-plain", "Un chat.") and "value" not in kept[3]


@pytest.mark.parametrize(
    ("asked", "pair"),
    [
        ({}, ("en-fr-plain", "en-fr-additive")),
        ({"checkpoint": "fr-en-additive"}, ("fr-en-plain", "fr-en-additive")),
        ({"left": "fr-en-additive"}, ("fr-en-additive", "fr-en-additive")),
        ({"right": "en-fr-classic-plain"}, ("en-fr-plain", "en-fr-classic-plain")),
        ({"left": "fr-en-plain", "right": "en-fr-plain"}, ("fr-en-plain", "en-fr-plain")),  # refused, not guessed
    ],
)
def test_a_link_to_one_model_gets_another_of_its_direction(asked: dict[str, str], pair: tuple[str, str]) -> None:
    assert compare_tab.asked_pair(asked) == pair
    assert compare_tab.faced(*pair)[0] == sorted(pair)


def test_two_directions_are_refused_in_one_line() -> None:
    columns, comparison, _ = compare_tab.run("Un chat.", "", "fr-en-additive", "en-fr-plain", 1)
    assert comparison is None and "do not translate between the same languages" in columns["message"]


@pytest.mark.parametrize(("checkpoint", "label"), [("fr-en-plain", "French"), ("en-fr-plain", "English")])
def test_inside_names_the_box_after_what_is_read(checkpoint: str, label: str) -> None:
    assert inside_tab.look("Un chat.", checkpoint)[2]["label"] == label
    assert inside_tab.look(" ", checkpoint)[2]["label"] == label


def test_a_batch_says_in_which_language_each_cell_is() -> None:
    rows = batch_tab.read_text("Un chat dort.", "x")
    [step] = batch_tab.run_batch(models.translator("fr-en-plain"), rows)
    shown = batch_tab.table(step.rows, 3, 3)
    assert 'class="batch-source" lang="fr"' in shown and 'class="batch-translation" lang="en"' in shown
