"""The tab Pictures: the same decoders put a picture into words, and paint one from words. Drawn scenes, not photographs."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

import gradio as gr
import numpy as np
import pandas as pd
from gradio.events import Dependency

from seq2seq.card import MEASURES
from seq2seq.charts import right_by_objects
from seq2seq.demo import links, models
from seq2seq.demo.chart import Chart
from seq2seq.demo.component import EVENT
from seq2seq.demo.picture_board import PictureBoard
from seq2seq.demo.picture_files import KINDS, of_pair
from seq2seq.demo.picture_pairs import CAPTIONERS, PAINTERS, Asked, captions, described, label, paintings
from seq2seq.demo.scene_editor import SceneEditor, composed, editor
from seq2seq.demo.sketch import Sketch, drawn, sketch
from seq2seq.demo.take_away import take_away
from seq2seq.demo.visitor import language, say, told
from seq2seq.grammar import caption_of, read_caption
from seq2seq.scenes import MOST, PIXELS, Scene, SceneError, parse_code, random_scene
from seq2seq.upload import read_picture

HELD_OUT_SCORES = ("scenes-caption.heldout.truth", "scenes-draw.heldout.truth")
"""Where their metrics hold what the charts show."""
ABOUT = (
    "A decoder does not care where its memory comes from. Here the very same decoders look at 8 × 8 places of a picture "
    "while they "
    "write its caption, and at the words of a description while they paint 16 × 16 cells. These are **drawn scenes, not "
    "photographs**: since we drew them, it is known what is right, and where a word should have looked."
)
CAPTION_HEAD = "### A picture, put into words"
PAINT_HEAD = "### Words, painted"
TRUTH_HEAD = "### How often they are right"
TRUTH = (
    "1,000 scenes, each with a size, colour and shape that the models never saw together: small yellow circles, large purple "
    "squares, small red triangles, large blue stars. Left: captions without a single wrong word. Right: objects of which every "
    "cell is right. One object of each scene is such a one, and the others are not, so the share of new ones falls where there "
    "are more objects."
)
GUIDED = (
    "The models with attention were trained towards it: for the words that name an object they were shown its box, and for its "
    "cells the words that name it (guided alignment), as the model cards say. So each pair differs in more than attention: in "
    "this teaching, and the painters in dropout too."
)
HOW_TO_WRITE = (
    "Write as the examples do: each object with its size, its colour and its shape; the first one with its place, each other "
    "one with where it stands seen from the one before."
)
TO_PAINTING = (
    f"() => new URLSearchParams(location.search).get('way') === '{links.PAINT}' && "
    "setTimeout(() => document.querySelector('#description')?.scrollIntoView(), 300)"
)
"""A link to a painting opens where it is, once its tab is shown."""
OFF_PATH = (
    "This picture is off the training path: the models know drawn scenes of circles, squares, triangles and stars on "
    "white, and will "
    "name such things whatever is in the picture. They see it at {side} × {side} pixels."
)
SKETCHED = (
    "This drawing is off the training path: the models know circles, squares, triangles and stars with straight edges and "
    "smooth curves, and will name such things whatever is drawn."
)
NO_SCENE = "The text of this link is no description of a scene, so this tab shows its own first one. {reason}"
SCENES = (
    "large yellow circle 32 32, small blue square 53 32",
    "small red star 10 10, large green square 53 10, large blue triangle 32 53",
    "large purple square 11 11, small red circle 32 12, small yellow triangle 11 53",
    "small black circle 9 30, large red square 33 32, small green triangle 55 34, large yellow star 32 54",
    "large blue star 11 10, small purple circle 50 8, small red triangle 34 31, large green circle 11 53, "
    "small black square 54 55",
    "small green star 12 9, large black triangle 32 11, large purple square 53 32, small blue circle 9 55, "
    "large red circle 32 53",
)
DESCRIPTIONS = (
    "a large red circle in the middle",
    "a small yellow circle at the top left, far right of it a large blue square, below it a small green star",
    "une grande étoile bleue en haut à gauche, en dessous et à droite un petit carré violet",
    "a large green triangle at the top left, right of it a small black star, below and left of it a large purple square, "
    "far right of it a small red circle, below it a large yellow star",
)
PREPARED = (*SCENES, *DESCRIPTIONS)
"""What is presented, as long as the visitor has not written another list."""


# -- pure functions ------------------------------------------------------------------------------------------------


def failed(error: Exception) -> tuple[Any, ...]:
    """The reason in the place of both boards, no table, and nothing to take away."""
    return {"message": told(error)}, None, None, None


def describe(asked: Asked, play: bool = True) -> tuple[Any, ...]:
    """A picture -> both boards, the table of weights, and the picture again, for what is taken away."""
    try:
        _, boards = captions(asked, play)
        return *boards, looks(boards[1]), asked
    except models.REFUSALS as error:
        return failed(error)


def show(code: str, asked: int = 0, play: bool = True) -> tuple[Any, ...]:
    """As `describe`, and before it the editor with that scene. asked: as in `editor`."""
    try:
        composing = editor(parse_code(code), asked)
    except SceneError:  # the boards say why
        composing = gr.skip()
    return composing, *describe(Asked(code), play)


def picked(code: str | None) -> tuple[Any, ...]:
    """As `show`, of the list's scene. A list that is left reports what stands in it: nothing, beside a composed scene."""
    return show(code) if code else (gr.skip(),) * 5


def sent(code: str) -> tuple[Any, ...]:
    """The code that a presenter has come to: the choice from the list, then as `show`."""
    return gr.update(value=code if code in SCENES else None), *show(code)


def compose(event: gr.EventData) -> tuple[Any, ...]:
    """What somebody has composed: none of the list is chosen any more, then as `show`."""
    return gr.update(value=None), *show(*composed(event))


def describe_sketch(event: gr.EventData) -> tuple[Any, ...]:
    """What somebody has drawn: none of the list is chosen any more, then as `describe`."""
    try:
        return gr.update(value=None), *describe(Asked("", drawn(event), say(SKETCHED)))
    except models.REFUSALS as error:
        return gr.skip(), *failed(error)


def describe_file(path: str | None) -> tuple[Any, ...]:
    """A picture that somebody sent: none of the list is chosen any more, then as `describe`."""
    if not path:
        return (gr.skip(),) * 5
    try:
        pixels = np.asarray(read_picture(path, PIXELS))
        return gr.update(value=None), *describe(Asked("", pixels, say(OFF_PATH, side=PIXELS)))
    except models.REFUSALS as error:
        return gr.skip(), *failed(error)


def new_scene(count: float, unseen: bool) -> tuple[Any, ...]:
    """A scene that nobody has seen: none of the list, then as `show`."""
    code = random_scene(random.Random(), bool(unseen), int(count)).code
    return gr.update(value=None), *show(code)


def paint(text: str, play: bool = True) -> tuple[Any, ...]:
    """A description -> both boards, the table of weights, and the description again, for what is taken away."""
    try:
        _, boards = paintings(text, play)
        return *boards, looks(boards[1]), text
    except models.REFUSALS as error:
        return failed(error)


def of_captions(asked: Asked | None, event: gr.EventData) -> dict[str, Any]:
    """A file of both captions."""
    return of_pair(captions(asked) if asked else None, say(CAPTION_HEAD), "", event)


def of_paintings(text: str | None, event: gr.EventData) -> dict[str, Any]:
    """A file of both paintings."""
    return of_pair(paintings(text) if text else None, say(PAINT_HEAD), text or "", event)


def looks(board: dict[str, Any]) -> pd.DataFrame:
    """The weights behind a board: for each word, or painted cell, where the strongest lay."""
    if not board.get("weights"):
        return pd.DataFrame()
    weights = np.array(board["weights"])
    names, others = board["words"], board["places"]
    if board["paints"]:
        names, others, weights = others, names, weights.T
    heads = [say("cell"), say("word")] if board["paints"] else [say("word"), say("place")]
    rows = [
        (name, others[row.argmax()], say("{percent:.0f} %", percent=100 * row.max()))
        for name, row in zip(names, weights)
    ]
    return pd.DataFrame(rows, columns=[heads[0], say("strongest: {what}", what=heads[1]), say("weight")])


@cache
def scores() -> dict[str, dict[str, Any]]:
    """Of each of the four what `evaluate --truth` found on combinations that were held out; empty where nothing is known."""
    found = {}
    for names, data in zip((CAPTIONERS, PAINTERS), HELD_OUT_SCORES):
        for name in names:
            found[name] = models.picture_metrics(name).get(data, {})
    return found


def charts() -> tuple[Any, Any]:
    """Exact captions, and whole objects painted right, by number of objects."""
    made = []
    for names, measure in ((CAPTIONERS, "exact"), (PAINTERS, "whole")):
        rows = {label(name): scores()[name].get("by_objects", []) for name in names}
        known = any(rows.values())
        made.append({"figure": right_by_objects(rows, measure, language()) if known else None, "note": ""})
    return made[0], made[1]


def numbers() -> pd.DataFrame:
    """The measures of the four, but for the share of single cells: most are background, and the table would be too wide."""
    shown = [key for key in MEASURES if key != "cells"]
    rows = [
        [name, *(say("{percent:.1f} %", percent=100 * known[key]) if key in known else "" for key in shown)]
        for name, known in scores().items()
    ]
    return pd.DataFrame(rows, columns=[say("model"), *(say(MEASURES[key]) for key in shown)])


def scene_of(text: str) -> Scene:
    """The scene of a code, or of a description, which has no numbers. Raises SceneError."""
    if any(letter.isdigit() for letter in text):
        return parse_code(text)
    return read_caption(text).centred()


def filled(code: str = SCENES[3], text: str = DESCRIPTIONS[1]) -> tuple[Any, ...]:
    """All of the tab: the editor and boards of a scene, those of a description, and what is known of the models."""
    return *show(code, play=False), *paint(text, False), *charts(), numbers()


def entered(opened: bool) -> tuple[Any, ...]:
    """On entering the tab for the first time: examples in both directions."""
    return (gr.skip(),) * 13 if opened else (True, *filled())


def from_link(request: gr.Request) -> tuple[Any, ...]:
    """What `/?tab=pictures&text=…` asks for, a scene's code or, with `way=paint`, a description: as `entered`, then the
    description, the scene that is chosen from the list, and what is to be said of a text that is neither."""
    asked = links.asked(request, links.PICTURES)
    if not asked:
        return (gr.skip(),) * 16
    code, text, note = SCENES[3], DESCRIPTIONS[1], ""
    try:
        if asked.get("way") == links.PAINT:
            described(asked["text"])
            text = asked["text"]
        else:
            code = scene_of(asked["text"]).code
    except models.REFUSALS as error:  # as the sentence of another tab
        note = say(NO_SCENE, reason=told(error))
    return True, *filled(code, text), text, code if code in SCENES else None, gr.update(value=note, visible=bool(note))


# -- layout and wiring ---------------------------------------------------------------------------------------------


def pictures_tab(tab: gr.Tab, after: Dependency) -> Dependency:
    """Lays the tab out inside `tab` and wires it. after: the event after which a link fills it.

    Returns the event that does: only after it may the tab be entered, or its own first scene would stand there.
    """
    opened = gr.State(False)
    gr.Markdown(ABOUT, elem_classes="help")
    note = gr.Markdown("", visible=False, elem_id="link-note")

    gr.Markdown(CAPTION_HEAD)
    with gr.Row():
        chosen = gr.Dropdown(
            [(caption_of(parse_code(code)), code) for code in SCENES], value=SCENES[3], label="A scene from the list",
            elem_id="scene", scale=3, min_width=260,
        )  # fmt: skip
        count = gr.Slider(1, MOST, value=3, step=1, label="Objects", buttons=[], min_width=140, scale=1)
        unseen = gr.Checkbox(False, label="With a combination never seen in training", min_width=160, scale=1)
        new = gr.Button("New scene", variant="primary", elem_id="new-scene", min_width=120, scale=1)
    with gr.Accordion("Compose a scene", open=False, elem_id="compose"):
        composing = SceneEditor(editor(parse_code(SCENES[3])), elem_id="scene-editor")
    with gr.Accordion("Draw by hand", open=False, elem_id="draw"):
        sheet = Sketch(sketch(), elem_id="sketch")
    with gr.Accordion("Your own picture", open=False):
        file = gr.File(
            label="A PNG or JPEG picture", file_count="single", file_types=[".png", ".jpg", ".jpeg"], height=120,
            elem_id="own-picture",
        )  # fmt: skip
    code = gr.Textbox(submit_btn=True, visible="hidden", elem_id="scene-code")  # for present.js
    with gr.Row(elem_classes="boards", elem_id="caption-boards"):
        captioned = [PictureBoard(None, elem_id=f"caption-{side}") for side in ("plain", "additive")]
    with gr.Accordion("The weights as a table", open=False):
        caption_table = gr.Dataframe(interactive=False, wrap=True, elem_id="caption-table")
    pictured, described = gr.State(), gr.State()
    take_away(of_captions, [pictured], "take-caption", KINDS)

    gr.Markdown(PAINT_HEAD)
    gr.Markdown(HOW_TO_WRITE, elem_classes="help")
    text = gr.Textbox(
        DESCRIPTIONS[1], label="A description, in English or French", submit_btn="Paint", lines=1, max_lines=6,
        elem_id="description",
    )  # fmt: skip
    with gr.Row(elem_classes="examples"):
        examples = [gr.Button(example, size="sm", variant="secondary") for example in DESCRIPTIONS]
    asked = gr.Number(0, visible="hidden")
    with gr.Row(elem_classes="boards", elem_id="paint-boards"):
        painted = [PictureBoard(None, elem_id=f"paint-{side}") for side in ("plain", "additive")]
    with gr.Accordion("The weights as a table", open=False):
        paint_table = gr.Dataframe(interactive=False, wrap=True, elem_id="paint-table")
    take_away(of_paintings, [described], "take-paint", KINDS)

    gr.Markdown(TRUTH_HEAD)
    gr.Markdown(TRUTH, elem_classes="help")
    with gr.Row(elem_classes="boards"):
        bars = [Chart({"figure": None, "note": ""}, elem_id=f"{way}-chart") for way in ("caption", "paint")]
    table = gr.Dataframe(interactive=False, wrap=True, elem_id="truth-table")
    gr.Markdown(GUIDED, elem_classes="help")

    captioned, painted = [*captioned, caption_table, pictured], [*painted, paint_table, described]
    shown = [composing, *captioned]
    chosen.input(picked, chosen, shown, **EVENT)
    new.click(new_scene, [count, unseen], [chosen, *shown], **EVENT)
    code.submit(sent, code, [chosen, *shown], **EVENT)
    composing.compose(compose, None, [chosen, *shown], **EVENT)
    sheet.draw(describe_sketch, None, [chosen, *captioned], **EVENT)
    file.upload(describe_file, file, [chosen, *captioned], **EVENT)
    gr.on([text.submit, asked.change], paint, text, painted, **EVENT)
    for button, example in zip(examples, DESCRIPTIONS):
        fill = f"() => [{json.dumps(example)}, Date.now()]"
        button.click(None, None, [text, asked], js=fill, api_visibility="private")
    everything = [opened, *shown, *painted, *bars, table]
    tab.select(entered, opened, everything, **EVENT)
    return after.then(from_link, None, [*everything, text, chosen, note], **EVENT)
