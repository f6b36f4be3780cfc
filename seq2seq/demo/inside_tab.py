"""The tab Inside: one sentence through one decoder, step by step, with every value on the way."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr
from gradio.events import Dependency

from seq2seq.demo import links, models
from seq2seq.demo.attention_view import message
from seq2seq.demo.component import EVENT
from seq2seq.demo.inside_view import InsideView, inside_view
from seq2seq.demo.translate_tab import turned_text
from seq2seq.demo.visitor import told
from seq2seq.inside import open_up
from seq2seq.translation import Translation

ABOUT = (
    "One step of the decoder for each piece that it writes. Each box is a value with its formula, its shape in letters and in "
    "numbers, and its numbers as colours. B is the batch (1 here), S the source pieces, E the embedding, H the hidden "
    "state, V the vocabulary. Walk with the slider, the pieces, or the keys ← and →."
)


def look(text: str, checkpoint: str) -> tuple[dict[str, Any], Translation | None, Any]:
    """What the tab shows of a sentence, the translation in it, and the box that the sentence is typed into, named after the
    language that the model reads."""
    box = gr.update(label=models.language_name(models.direction(checkpoint)[0]))
    try:
        inside = open_up(models.translator(checkpoint), text)
        link = links.query(links.INSIDE, text=inside.translation.text, checkpoint=checkpoint)
        return inside_view(inside, models.label(checkpoint)) | {"link": link}, inside.translation, box
    except models.REFUSALS as error:
        return message(told(error)), None, box


# On entering the tab: the sentence of Translate, if that is another than was taken last, with the model that is chosen there
# if the one here reads another language; else what stands here stays. In the browser, as the server's answer could come when
# somebody already types here, and would replace that. %s: the direction of each model.
ENTERED = """(current, model, text, checkpoint, taken, asked) => {
    const direction = %s;
    if (!current.trim() || current === taken) return [text, checkpoint, taken, asked];
    return [current, direction[model] === direction[checkpoint] ? checkpoint : model, current, Date.now()];
}"""
# Whoever writes here has seen that sentence: it does not come back over this one.
TYPED = "(current) => current"
NOW = "() => Date.now()"


def from_link(current: str, request: gr.Request) -> tuple[Any, ...]:
    """What `/?tab=inside&text=…&checkpoint=…&step=…` asks for: text, checkpoint, the sentence of Translate as taken, the
    picture, its translation."""
    asked = links.asked(request, links.INSIDE)
    if not asked:
        return (gr.skip(),) * 5
    checkpoint = asked.get("checkpoint", models.names()[0])
    known = checkpoint if checkpoint in models.names() else gr.skip()
    picture, translation, box = look(asked["text"], checkpoint)
    return box | {"value": asked["text"]}, known, current, picture | {"step": links.step(asked)}, translation


def inside_tab(page: gr.Blocks, tab: gr.Tab, sentence: gr.Textbox, model: gr.Dropdown) -> Dependency:
    """Lays the tab out inside `tab` and wires it. sentence, model: of Translate.

    Returns the event that fills the tab from a link: only after it may the tab be entered, or it would take that sentence.
    """
    gr.Markdown(ABOUT, elem_classes="help")
    with gr.Row():
        text = gr.Textbox(
            "", label="English", placeholder="Type a sentence and press Enter", submit_btn="Open up",
            lines=1, max_lines=4, elem_id="inside-text", scale=3,
        )  # fmt: skip
        checkpoint = gr.Dropdown(
            models.choices(), value=models.names()[0], label="Decoder", elem_id="inside-model", scale=2, min_width=240
        )
    view = InsideView(None, elem_id="inside-view")
    shown, taken, asked = gr.State(), gr.Textbox("", visible="hidden"), gr.Number(0, visible="hidden")
    looked = [view, shown, text]
    gr.on([text.submit, asked.change], look, [text, checkpoint], looked, **EVENT)
    turning = checkpoint.input(turned_text, [text, checkpoint, shown], text, **EVENT)
    turning.then(None, None, asked, js=NOW, api_visibility="private")
    ways = json.dumps({name: "-".join(models.direction(name)) for name in models.names()})
    entered = [text, checkpoint, taken, asked]
    tab.select(None, [sentence, model, *entered], entered, js=ENTERED % ways, api_visibility="private")
    text.input(None, sentence, taken, js=TYPED, api_visibility="private")
    return page.load(from_link, sentence, [text, checkpoint, taken, view, shown], **EVENT)
