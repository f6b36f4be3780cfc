"""The functions behind the panel Ask, and the API's questions, without a browser."""

from __future__ import annotations

import json
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

from seq2seq.demo import api, ask_panel, models
from seq2seq.search import Node
from seq2seq.translation import Translation

TEXT = "A man in a blue shirt is riding a bicycle."
LOOKING = [name for name in models.names() if models.translator(name).model.decoder.looks_back]


@pytest.fixture(scope="module")
def made() -> Translation:
    return models.translator(models.DEFAULT).translate(TEXT)


def test_controls_offer_the_words_of_the_translation(made: Translation) -> None:
    *answers, word, offered, struck, step, point, turn, _ = ask_panel.renewed(made)
    assert [index for _, index in word["choices"]] == list(range(len(made.target_words)))
    assert [text for text, _ in struck["choices"]] == [f"{i} {w}" for i, w in enumerate(made.source_words[:-1], 1)]
    assert point["choices"][0] == ("nowhere", -1) and len(point["choices"]) == len(made.source_words) + 1
    assert turn["value"] == 0 and step["choices"] == word["choices"] and not offered["choices"]
    assert len(ask_panel.renewed(None)) == len(ask_panel.renewed(made)) == len(ask_panel.UNCHANGED)
    tree, said, costs, picture = answers
    assert (tree, said, costs["visible"], picture) == ("", "", False, None), "none is left of another sentence"


def test_another_word_goes_on_from_its_candidate(made: Translation) -> None:
    for word in range(len(made.target_words)):
        shown = ask_panel.candidates(made, word)["choices"]
        assert len(shown) == 5 and shown[0][0].split()[-1].endswith("%")
    step = made.target_word_of.index(3)
    said, view = ask_panel.another_word(made, 3, 1)
    expected = api.ask(TEXT, start=" ".join([*made.target_words[:3], made.candidates[step][1][0].strip("▁")]))
    assert view["rows"] == expected["target_words"][:-1] and "<mark>" in said
    assert "Choose a word" in ask_panel.another_word(made, None, None)[0]


def test_without_words_is_what_the_api_says(made: Translation) -> None:
    said, view = ask_panel.without_words(made, [4, 5])
    assert view["rows"] == api.ask(TEXT, without="blue shirt")["target_words"][:-1]
    assert view["struck"] == [4, 5]
    assert view["warnings"][0] == "Without “blue”, “shirt”."
    assert ask_panel.without_words(made, []) == ("", None)


def test_own_french_is_scored_and_aligned(made: Translation) -> None:
    said, view = ask_panel.own_french(made, "Un homme avec une chemise bleue.")
    expected = api.ask(TEXT, target="Un homme avec une chemise bleue.")
    assert f"log-probability {expected['log_prob']:.2f}" in said
    assert view["rows"] == expected["target_words"][:-1]
    assert "message" in ask_panel.own_french(made, " ")[1]


@pytest.mark.parametrize("name", LOOKING)
def test_turned_attention_is_drawn_and_said_to_be(name: str) -> None:
    made = models.translator(name).translate(TEXT)
    said, view = ask_panel.turned(made, -1.0, 0, -1)
    assert any("overridden" in warning for warning in view["warnings"])
    words = api.ask(TEXT, name, dial=-1)["target_words"]  # a model that is misled may not come to an end
    assert view["rows"] == [word for word in words if word != "<eos>"]
    _, pointed = ask_panel.turned(made, 0.0, 1, 4)
    assert pointed["figure"]["data"][0]["z"][1][4] == pytest.approx(1, abs=1e-3)
    assert ask_panel.turned(made, 0.0, 1, -1) == ("", None)


def test_a_model_without_attention_says_that_there_is_nothing_to_turn() -> None:
    made = models.translator("en-fr-plain").translate(TEXT)
    assert "no attention" in ask_panel.turned(made, -1.0, 0, -1)[1]["message"]
    assert "takes attention" in ask_panel.matter(made)[0]
    assert "has no attention" in ask_panel.origins(made)[1]["message"]


def leaves(node: Node) -> list[Node]:
    return [leaf for child in node.children for leaf in leaves(child)] or [node]


def test_the_tree_ends_in_the_list(made: Translation) -> None:
    best, html, found = ask_panel.others(made, 4)
    answer = api.translate(TEXT, beam_size=4, n_best=4)
    texts = [answer["translation"], *(other["translation"] for other in answer["alternatives"])]
    assert (
        [translation.translation for translation in found]
        == texts
        == [t[3:].split("  (")[0] for t, _ in best["choices"]]
    )
    _, root = models.translator(models.DEFAULT).unfold(TEXT, 4)
    ranked = sorted((leaf.rank, leaf.total) for leaf in leaves(root) if leaf.rank is not None)
    assert [rank for rank, _ in ranked] == [0, 1, 2, 3]
    assert [total for _, total in ranked] == pytest.approx([t.log_prob for t in found], abs=1e-4)
    assert all(f"number {i}" in html for i in (1, 2, 3, 4))
    said, view = ask_panel.picked(made, found, 2)
    assert view["rows"] == list(found[2].target_words[:-1])
    assert ask_panel.picked(made, None, None) == ("", None)


def test_the_verdict_is_what_the_api_says(made: Translation) -> None:
    said, table, _ = ask_panel.matter(made)
    answer = json.loads(json.dumps(api.highlight(TEXT)))
    assert "The highlight matters" in answer["verdict"] and len(answer["words"]) == len(table["value"])
    for row, word in zip(table["value"].to_dict("records"), answer["words"]):
        assert row["word"] == word["target"] and row["most attended"] == word["source"]
        assert row["masked, it loses"] == pytest.approx(word["masked"], abs=0.0051)
        assert (row["matters"] == "yes") == word["matters"]


@pytest.mark.parametrize("name", LOOKING)
def test_where_words_were_read_is_what_the_api_says(name: str) -> None:
    made = models.translator(name).translate(TEXT)
    said, view = ask_panel.origins(made)
    answer = json.loads(json.dumps(api.ask(TEXT, name, posterior=True)))
    assert answer["posterior"] is True and answer["translation"] == made.translation
    weights = np.array(answer["attention"])[: len(view["rows"])]
    drawn = np.array(view["figure"]["data"][0]["z"])[:, : weights.shape[1]]
    np.testing.assert_allclose(drawn, weights, atol=1e-4)
    assert np.abs(drawn - made.attention[: len(drawn)]).max() > 1e-3
    assert "once written" in view["figure"]["data"][0]["hovertemplate"]
    assert any("not the model's attention" in warning for warning in view["warnings"])
    assert "read from" in said and "role='status'" in said


def test_where_words_of_a_given_translation_were_read() -> None:
    answer = api.ask(TEXT, target="Un homme fait du vélo.", posterior=True)
    assert answer["translation"] == "Un homme fait du vélo." and answer["posterior"]
    assert "posterior" not in api.ask(TEXT, target="Un homme fait du vélo.")


def test_nothing_to_ask_about_says_so() -> None:
    for shown in (
        ask_panel.asked(None, ""), ask_panel.another_word(None, 0, 0), ask_panel.matter(None)[:1],
        ask_panel.others(None, 5)[1:], ask_panel.origins(None),
    ):  # fmt: skip
        assert "no translation" in shown[0]


def test_words_are_text() -> None:
    assert ask_panel.marked(["<b>", "x"], [True, False]) == "<mark>&lt;b&gt;</mark> x"
    node = Node(2, 0.0, 0.0, children=[Node(7, -1.0, -1.0, rank=0)])
    assert "<img" not in ask_panel.tree_html(node, lambda id: "<img src=x>", "fr")


@pytest.mark.parametrize(
    "question",
    [
        {"without": "zebra"},
        {"dial": 3},
        {"dial": "1"},
        {"target": "Un chien.", "start": "Un"},
        {"start": ["Un"]},
        {"posterior": True, "without": "dog"},
        {"posterior": 1},
        {"posterior": True, "checkpoint": "en-fr-plain"},
    ],
)
def test_api_questions_that_make_no_sense_are_refused(question: dict) -> None:
    with pytest.raises(gr.Error):
        api.ask(TEXT, **question)


def test_a_sentence_that_would_take_too_long_is_refused() -> None:
    with pytest.raises(gr.Error, match="takes too long"):
        api.highlight("dog " * 70)
    with pytest.raises(gr.Error, match="takes too long"):
        api.ask("dog " * 70, posterior=True)


def test_a_click_chooses_the_word_it_is_on(made: Translation) -> None:
    def click(index: object, unit: str = "words", translation: Translation | None = made):
        return ask_panel.clicked(translation, unit, SimpleNamespace(index=index))

    assert click(3)[0] == 3 and click(3)[1]["choices"] == ask_panel.candidates(made, 3)["choices"]
    long = models.translator(models.DEFAULT).translate("Three birds are sleeping.")
    piece = next(i for i, of in enumerate(long.target_word_of) if of != i)
    assert click(piece, "pieces", long)[0] == long.target_word_of[piece]
    for nonsense in (99, -1, "3", None):
        assert click(nonsense) == (gr.skip(), gr.skip())
    assert click(0, "words", None) == (gr.skip(), gr.skip())


def test_old_choices_break_nothing(made: Translation) -> None:
    """A list may be older than the translation it is asked of."""
    assert ask_panel.candidates(made, 99)["choices"] == []
    assert "Choose a word" in ask_panel.another_word(made, 99, 0)[0]
    assert "Choose a word" in ask_panel.another_word(made, 0, 99)[0]
    assert ask_panel.turned(made, 0.0, 99, 0) == ("", None) == ask_panel.turned(made, 0.0, None, 0)
    other = models.translator(models.DEFAULT).translate("A dog sleeps.")
    assert ask_panel.picked(other, [made], 0) == ("", None) == ask_panel.picked(made, [made], 5)


def test_questions_of_a_beam_are_compared_with_greedy_search() -> None:
    translator = models.translator(models.DEFAULT)
    text = "The children who were playing outside when it started raining came back wet."
    beam, greedy = translator.translate(text, beam_size=5), translator.translate(text)
    said, _ = ask_panel.without_words(beam, [0])
    assert f"log-probability {greedy.log_prob:.2f}" in said


def test_a_deep_tree_is_cut() -> None:
    node = root = Node(2, 0.0, 0.0)
    for _ in range(600):
        node.children = [Node(5, -1.0, -1.0), Node(6, -2.0, -2.0)]
        node = node.children[0]
    html = ask_panel.tree_html(root, lambda id: "x", "fr")
    assert html.count("<details") == ask_panel.MAX_DEPTH and "…" in html
