"""The tab Pictures: what its boards show is what the models said, and what cannot be shown is refused with a reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from seq2seq.demo import api, links, models, pictures_tab
from seq2seq.demo.picture_pairs import Asked
from seq2seq.demo.scene_editor import editor
from seq2seq.grammar import caption_of, read_caption
from seq2seq.scenes import BACKGROUND, CELLS, COLOURS, LETTERS, SIDE, SceneError, parse_code
from seq2seq.upload import MAX_PIXELS
from tests.demo.test_links import opened

ALL = (*pictures_tab.CAPTIONERS, *pictures_tab.PAINTERS)
CODE, TEXT = pictures_tab.SCENES[1], pictures_tab.DESCRIPTIONS[0]


def test_scenes_are_no_translators() -> None:
    assert not set(ALL) & set(models.names())
    assert all(models.kind(name) in ("plain", "additive") for name in ALL)


@pytest.mark.parametrize("code", pictures_tab.SCENES)
def test_a_caption_board_shows_what_the_model_says(code: str) -> None:
    plain, additive, table, _ = pictures_tab.describe(Asked(code))
    json.dumps([plain, additive], allow_nan=False)
    for board, name in zip((plain, additive), pictures_tab.CAPTIONERS):
        made = models.picture_model(name).translate(code)
        assert " ".join(board["words"]).replace(" ,", ",") == board["said"] == made.translation
        assert board["picture"].startswith("data:image/png;base64,") and len(board["places"]) == SIDE * SIDE
    assert plain["weights"] is None and "one vector of" in plain["note"]
    weights = np.array(additive["weights"])
    assert weights.shape == (len(additive["words"]), SIDE * SIDE) and not additive["note"]
    assert np.allclose(weights.sum(axis=1), 1, atol=0.01)
    assert list(table.iloc[:, 0]) == additive["words"] and plain["link"].endswith("tab=pictures")


@pytest.mark.parametrize("place", [0, 1])
def test_the_api_answers_with_what_is_shown(place: int) -> None:
    boards, painted = pictures_tab.describe(Asked(CODE))[place], pictures_tab.paint(TEXT)[place]
    answer = api.caption(CODE, pictures_tab.CAPTIONERS[place])
    assert (answer["text"], answer["translation"]) == (CODE, boards["said"])
    cells = api.paint(TEXT, pictures_tab.PAINTERS[place])
    colours = {letter: COLOURS[name] for name, letter in LETTERS.items()} | {BACKGROUND: "#ffffff"}
    found = [colours[word[-1]] for word in cells["translation"].split()]
    assert found == [painted["palette"][cell] for cell in painted["cells"]]
    for answered, board in ((answer, boards), (cells, painted)):
        assert (answered["attention"] is None) == (board["weights"] is None) == (place == 0)
        json.dumps(answered, allow_nan=False)
    if place:
        assert np.allclose(np.array(answer["attention"])[:-1], boards["weights"], atol=1e-4)
        assert np.allclose(np.array(cells["attention"])[: CELLS * CELLS, :-1].T, painted["weights"], atol=1e-4)


def test_the_api_refuses_in_a_line() -> None:
    for ask, wrong in (
        (lambda: api.caption("a dog"), "is no object"),
        (lambda: api.caption(CODE, "en-fr-additive"), "Choose one of: scenes-caption-plain, scenes-caption-additive"),
        (lambda: api.caption(CODE, "../checkpoints/scenes-caption-plain"), "There is no model"),
        (lambda: api.paint("a pink elephant"), "pink, elephant"),
        (lambda: api.paint(" "), "Type a description first"),
        (lambda: api.paint(TEXT, pictures_tab.CAPTIONERS[0]), "There is no model"),
        (lambda: api.paint(["a"]), "text must be a string"),
    ):
        with pytest.raises(gr.Error, match=wrong):
            ask()
    assert any("not a sentence of the grammar" in said for said in api.paint("red circle a")["warnings"])


@pytest.mark.parametrize("text", pictures_tab.DESCRIPTIONS)
def test_a_painting_board_shows_what_the_model_paints(text: str) -> None:
    plain, additive, table, _ = pictures_tab.paint(text)
    json.dumps([plain, additive], allow_nan=False)
    for board, name in zip((plain, additive), pictures_tab.PAINTERS):
        letters = [word[-1] for word in models.picture_model(name).translate(text).translation.split()]
        assert [board["palette"].index("#ffffff") == cell for cell in board["cells"]][: len(letters)] == [
            letter == "w" for letter in letters
        ]
        assert (
            board["side"] == CELLS
            and len(board["cells"]) == CELLS * CELLS
            and "objects are painted right" in board["caption"]
        )
    weights = np.array(additive["weights"])
    assert weights.shape == (len(additive["words"]), CELLS * CELLS) and len(table) == CELLS * CELLS
    assert (weights.sum(axis=0) < 1.02).all() and plain["weights"] is None


def test_a_new_scene_is_what_was_asked_for() -> None:
    for count in (1, 5):
        _, composing, _, board, *_ = pictures_tab.new_scene(count, True)
        assert board["words"] and len(composing["things"]) == count and not composing["asked"]
    codes = {links_code(pictures_tab.new_scene(3, False)[2]["link"]) for _ in range(3)}
    assert len(codes) == 3 and all(len(parse_code(code).things) == 3 for code in codes)


def links_code(link: str) -> str:
    return opened(link).query_params["text"]


def test_words_outside_of_the_grammar_are_named_and_refused() -> None:
    board, other, table, text = pictures_tab.paint("a small pink elephant at the top")
    assert (
        board["message"] == "These words are not in the grammar of the scenes: pink, elephant."
        and other is table is text is None
    )


def test_a_description_of_known_words_is_painted_with_a_warning() -> None:
    board, *_ = pictures_tab.paint("red circle in the middle")
    assert any("not a sentence of the grammar" in warning for warning in board["warnings"])
    assert not board["caption"] and len(board["cells"]) == 256


@pytest.mark.parametrize("text", ["", "  ", "x" * 2000, "\ud800", "!" * 20, "a" * 900])
def test_no_text_is_a_traceback(text: str) -> None:
    board, *_ = pictures_tab.paint(text)
    assert board["message"] and "\n" not in board["message"]


@pytest.mark.parametrize("code", ["", "a red dog", "large red circle 1 1", "large red circle 32 32" * 300])
def test_a_scene_that_is_none_is_refused(code: str) -> None:
    board, *_ = pictures_tab.describe(Asked(code))
    assert board["message"] and "\n" not in board["message"]


def test_a_picture_of_one_s_own_is_described_with_a_warning(tmp_path: Path) -> None:
    scene = parse_code(CODE)
    path = tmp_path / "mine.png"
    scene.draw(5).save(path)
    chosen, plain, additive, *_ = pictures_tab.describe_file(str(path))
    assert chosen["value"] is None
    for board in (plain, additive):
        assert any("off the training path" in warning for warning in board["warnings"]) and not board["caption"]
    # Drawn by us and only larger, it is read as the scene it is.
    assert additive["said"] == models.picture_model(pictures_tab.CAPTIONERS[1]).translate(CODE).translation


def test_bad_pictures_are_refused_with_a_reason(tmp_path: Path) -> None:
    gif, svg = tmp_path / "a.gif", tmp_path / "b.svg"
    Image.new("RGB", (9, 9)).save(gif)
    svg.write_text("<svg/>")
    for path in (gif, svg):
        _, board, *_ = pictures_tab.describe_file(str(path))
        assert "is no PNG or JPEG picture" in board["message"] and str(tmp_path) not in board["message"]
    huge = tmp_path / "c.png"
    Image.new("1", (5000, MAX_PIXELS // 5000 + 1)).save(huge)
    assert "16 million" in pictures_tab.describe_file(str(huge))[1]["message"]


def test_links_open_both_directions() -> None:
    link = pictures_tab.describe(Asked(CODE))[0]["link"]
    shown = pictures_tab.from_link(opened(link))
    assert shown[0] is True and shown[2]["link"] == link and shown[-3:-1] == (pictures_tab.DESCRIPTIONS[1], CODE)
    assert [thing["shape"] for thing in shown[1]["things"]] == [thing.shape for thing in parse_code(CODE).things]
    link = pictures_tab.paint(TEXT)[0]["link"]
    shown = pictures_tab.from_link(opened(link))
    assert shown[6]["link"] == link and shown[-3] == TEXT and not shown[-1]["visible"]
    assert not links.asked(opened(link), links.TRANSLATE)


@pytest.mark.parametrize("way", [links.CAPTION, links.PAINT])
def test_a_text_of_another_tab_shows_the_tab_s_own_first_scene(way: str) -> None:
    request = opened(links.query(links.PICTURES, text="A man in a blue shirt is riding a bicycle.", way=way))
    _, composing, caption, _, _, _, painting, *_, text, chosen, note = pictures_tab.from_link(request)
    assert chosen == pictures_tab.SCENES[3] and text == pictures_tab.DESCRIPTIONS[1]
    assert "message" not in caption and "message" not in painting and len(composing["things"]) == 4
    with pytest.raises(SceneError, match="not in the grammar of the scenes: man,") as refused:
        read_caption("A man in a blue shirt is riding a bicycle.")
    assert note["value"] == pictures_tab.NO_SCENE.format(reason=refused.value) and note["visible"]


def test_what_is_wrong_with_a_scene_of_a_link_is_said() -> None:
    for code, reason in (
        ("large red circle 10 10, small blue square 12 12", "same place"),
        ("small red star 9", "no object"),
    ):
        assert reason in pictures_tab.from_link(opened(links.query(links.PICTURES, text=code)))[-1]["value"]


def test_a_description_in_a_link_is_a_scene_too() -> None:
    shown = pictures_tab.from_link(opened(links.query(links.PICTURES, text=TEXT)))
    assert links_code(shown[2]["link"]) == read_caption(TEXT).centred().code and not shown[-1]["visible"]


def test_a_list_that_is_left_changes_nothing_beside_a_composed_scene() -> None:
    assert all(value == gr.skip() for value in pictures_tab.picked(None))
    chosen = pictures_tab.picked(pictures_tab.SCENES[0])
    assert len(chosen) == len(pictures_tab.picked(None)) and chosen[0] == editor(parse_code(pictures_tab.SCENES[0]))


def test_a_code_that_is_presented_is_described() -> None:
    chosen, composing, _, board, *_ = pictures_tab.sent(CODE)
    assert chosen["value"] == CODE and len(composing["things"]) == 3 and board["said"] == caption_of(parse_code(CODE))
    assert pictures_tab.sent("small red star 32 32")[0]["value"] is None
    assert (
        pictures_tab.sent("2 circles")[2]["message"]
        == "“2 circles” is no object; write it as “large red circle 32 10”."
    )


def test_what_is_prepared_is_told_apart_by_its_numbers() -> None:
    """As `present.js` does."""
    for text in pictures_tab.PREPARED:
        assert (text in pictures_tab.SCENES) == any(letter.isdigit() for letter in text)


def test_what_is_composed_is_described() -> None:
    chosen, composing, _, board, *_ = pictures_tab.compose(SimpleNamespace(code=CODE, asked=7))
    assert composing["asked"] == 7 and chosen["value"] is None and board["said"] == caption_of(parse_code(CODE))


@pytest.mark.parametrize("code", [None, 5, "x", "large red circle 1 1", "large red circle 32 32, " * 1000])
def test_what_a_program_composes_is_refused(code: object) -> None:
    _, _, board, other, table, _ = pictures_tab.compose(SimpleNamespace(code=code, asked="x"))
    assert board["message"] and "\n" not in board["message"] and other is table is None


def test_a_drawing_is_described_with_a_warning() -> None:
    """A large red square in the middle, as one would fill it in."""
    rows = ["w" * 64] * 23 + ["w" * 23 + "r" * 18 + "w" * 23] * 18 + ["w" * 64] * 23
    chosen, plain, additive, *_ = pictures_tab.describe_sketch(SimpleNamespace(letters="".join(rows)))
    assert chosen["value"] is None
    assert additive["said"] == "a large red square in the middle"
    for board in (plain, additive):
        assert any("off the training path" in warning for warning in board["warnings"]) and not board["caption"]


@pytest.mark.parametrize("letters", [None, "", "w" * 4095, "z" * 4096, ["w"] * 4096])
def test_what_is_no_drawing_is_refused(letters: object) -> None:
    _, board, *_ = pictures_tab.describe_sketch(SimpleNamespace(letters=letters))
    assert board["message"] == "This is no drawing of 64 × 64 pixels."


def test_the_charts_are_of_the_metrics() -> None:
    caption, paint = pictures_tab.charts()
    for chart, names, measure in ((caption, pictures_tab.CAPTIONERS, "exact"), (paint, pictures_tab.PAINTERS, "whole")):
        for trace, name in zip(chart["figure"]["data"], names):
            [known] = [value for key, value in models.picture_metrics(name).items() if key.endswith("heldout.truth")]
            assert trace["x"] == [1, 2, 3, 4, 5]
            assert trace["y"] == [round(100 * row[measure], 1) for row in known["by_objects"]]
    assert len(pictures_tab.numbers()) == 4


def test_without_the_checkpoints_the_tab_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(models.CHECKPOINTS / "en-fr-plain", tmp_path / "en-fr-plain")
    monkeypatch.setattr(models, "CHECKPOINTS", tmp_path)
    models.picture_model.cache_clear()
    pictures_tab.scores.cache_clear()
    try:
        assert "scenes-caption-plain" in pictures_tab.describe(Asked(CODE))[0]["message"]
        assert pictures_tab.charts()[0]["figure"] is None
    finally:
        models.picture_model.cache_clear()
        pictures_tab.scores.cache_clear()


def test_what_ships_is_as_right_as_the_readme_says() -> None:
    """On scenes of three objects that were never seen in training."""
    captioner, painter = (models.picture_model(names[1]) for names in (pictures_tab.CAPTIONERS, pictures_tab.PAINTERS))
    scene = parse_code(pictures_tab.SCENES[1])
    assert captioner.translate(scene.code).translation == caption_of(scene)
    text = pictures_tab.DESCRIPTIONS[0]
    assert [w[-1] for w in painter.translate(text).translation.split()] == list(read_caption(text).cells())
