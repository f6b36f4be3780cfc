"""What is taken away of the tab Pictures: the same as its boards show, whole, safe and in the visitor's language."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seq2seq.demo import models, pictures_tab
from seq2seq.demo.picture_files import FAINT, KINDS, NOTHING, VEIL, cells_named
from seq2seq.demo.picture_pairs import PAINTERS, Asked, captions, paintings
from seq2seq.report import FORMULA_STARTS
from seq2seq.scenes import CELLS, SIDE, painted
from seq2seq.sources import PLACES
from seq2seq.translation import EOS

CODE, TEXT = pictures_tab.SCENES[1], pictures_tab.DESCRIPTIONS[1]
WAYS = {"caption": (pictures_tab.of_captions, Asked(CODE)), "paint": (pictures_tab.of_paintings, TEXT)}
SVG = "{http://www.w3.org/2000/svg}"


def taken(way: str, kind: Any, asked: Any = 1) -> dict[str, Any]:
    make, source = WAYS[way]
    return make(source, SimpleNamespace(kind=kind, asked=asked))["file"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_is_made_for_both_directions(kind: str, way: str) -> None:
    make, source = WAYS[way]
    value = make(source, SimpleNamespace(kind=kind, asked=1))
    assert json.loads(json.dumps(value, allow_nan=False)) == value and value["kinds"] == [
        list(k) for k in KINDS.items()
    ]
    file = value["file"]
    start = "attention-lens-a-small-" + ("red-star" if way == "caption" else "yellow-circle")
    assert file["asked"] == 1 and file["name"].startswith(start) and file["name"].endswith(f".{kind}")
    assert "plotly" not in file and len(file["text"]) < 1_000_000


@pytest.mark.parametrize("way", WAYS)
def test_a_panel_a_word_shows_the_weights_on_the_fixed_scale(way: str) -> None:
    pair = captions(Asked(CODE)) if way == "caption" else paintings(TEXT)
    board = pair.boards[1]
    root = ElementTree.fromstring(taken(way, "svg")["text"])
    words = [element.text for element in root.iter(f"{SVG}text") if element.get("text-anchor") == "middle"][:-3]
    assert words == board["words"], "then the three marks of the scale"
    drawn = [
        group for group in root.iter(f"{SVG}g") if group.get("fill") and group.get("shape-rendering") == "crispEdges"
    ]
    assert len(drawn) == len(words)
    for group, weights in zip(drawn, board["weights"]):
        found = np.zeros(board["side"] ** 2)
        for rect in group.iter(f"{SVG}rect"):
            found[int(rect.get("y")) * board["side"] + int(rect.get("x"))] = rect.get("fill-opacity")
        assert np.allclose(found, np.interp(weights, *zip(*VEIL)), atol=0.013), "all but those under half a percent"
    assert [stop.get("stop-opacity") for stop in root.iter(f"{SVG}stop")] == [str(veil) for _, veil in VEIL]
    assert board["caption"] in root.find(f"{SVG}desc").text


def test_the_picture_is_in_the_drawing() -> None:
    root = ElementTree.fromstring(taken("caption", "svg")["text"])
    for image in root.iter(f"{SVG}image"):
        kind, data = image.get("{http://www.w3.org/1999/xlink}href").split(",")
        assert kind == "data:image/png;base64" and Image.open(io.BytesIO(base64.b64decode(data))).size == (448, 448)
    painting = ElementTree.fromstring(taken("paint", "svg")["text"])
    for number, made in enumerate(paintings(TEXT).made):
        cells = painting.findall(f".//{SVG}g[@id='picture{number}']/{SVG}rect")
        letters = painted(made.translation.split())
        assert len(cells) == sum(letter != "w" for letter in letters) > 0
    assert not list(painting.iter(f"{SVG}image")) and f'opacity="{FAINT}"' in taken("paint", "svg")["text"]


@pytest.mark.parametrize("way", WAYS)
def test_the_page_has_both_sides_the_panels_and_the_table_and_no_script(way: str) -> None:
    pair = captions(Asked(CODE)) if way == "caption" else paintings(TEXT)
    page = taken(way, "html")["text"]
    for board in pair.boards:
        assert f"<h3>{board['label']}</h3>" in page and board["caption"].split(";")[0] in page
    assert page.count("<figure>") == 2 + len(pair.boards[1]["words"]) and "No attention exists here" in page
    assert page.count("<table>") == 1 and page.count("<tr>") == 1 + len(pair.made[1].target_words)
    assert "<script" not in page and not re.search(r'(href|src)="(?!#|data:image/png)', page)
    assert "default-src 'none'" in page


@pytest.mark.parametrize("way", WAYS)
def test_the_numbers_are_the_models_own(way: str) -> None:
    pair = captions(Asked(CODE)) if way == "caption" else paintings(TEXT)
    saved = json.loads(taken(way, "json")["text"])
    for side, made in zip(("left", "right"), pair.made):
        assert {**saved[side], "seconds": 0} == {**made.to_dict(), "seconds": 0}
    text = taken(way, "csv")["text"]
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert not [cell for row in rows for cell in row.values() if cell.startswith(FORMULA_STARTS)]
    own = [row for row in rows if row["checkpoint"].endswith("additive")]
    weights = np.array([float(row["weight"]) for row in own]).reshape(pair.made[1].attention.shape)
    assert np.allclose(weights, pair.made[1].attention, atol=1e-6) and np.allclose(weights.sum(axis=1), 1, atol=1e-3)
    if way == "caption":
        assert [row["source_word"] for row in own[: SIDE * SIDE]] == list(PLACES)
    else:
        assert own[0]["target_word"] == "a1 white" and "c3 yellow" in {row["target_word"] for row in own}


def test_cells_are_named_as_far_as_they_are_painted() -> None:
    made = models.picture_model(PAINTERS[1]).translate("a large red circle in the middle", target="a1w bTr cTw")
    assert cells_named(made).target_words == ("a1 white", "b1 red", "c1 white", EOS)
    whole = cells_named(paintings(TEXT).made[1]).target_words
    assert len(whole) == CELLS * CELLS + 1 and whole[-2:] == ("p16 white", EOS)


def test_a_picture_of_one_s_own_is_taken_away_with_its_warning() -> None:
    asked = Asked("", np.full((64, 64, 3), 255, np.uint8), "This is <b>no</b> scene.")
    for kind in ("html", "svg"):
        text = pictures_tab.of_captions(asked, SimpleNamespace(kind=kind, asked=1))["file"]["text"]
        assert "This is &lt;b&gt;no&lt;/b&gt; scene." in text and "data:image/png" in text


def test_where_nothing_is_shown_there_is_nothing_to_take() -> None:
    for make in (pictures_tab.of_captions, pictures_tab.of_paintings):
        assert make(None, SimpleNamespace(kind="svg", asked=1))["file"]["error"] == NOTHING


@pytest.mark.parametrize("kind", ["pptx", "exe", None, ["html"], {"a": 1}])
def test_only_known_kinds(kind: Any) -> None:
    assert taken("caption", kind)["error"] == "There is no such file."


def test_no_description_floods_the_server() -> None:
    long = "a " * 400
    for kind in KINDS:
        file = pictures_tab.of_paintings(long, SimpleNamespace(kind=kind, asked=1))["file"]
        assert len(file["text"]) < 20_000_000
