"""The tab Inside: one sentence through one decoder, step by step, with every value on the way."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.events import Dependency

from seq2seq.demo import links, models
from seq2seq.demo.attention_view import message
from seq2seq.demo.inside_view import InsideView, inside_view
from seq2seq.demo.visitor import told
from seq2seq.inside import open_up

ABOUT = (
    "One step of the decoder for each piece that it writes. Each box is a value with its formula, its shape in letters and in "
    "numbers, and its numbers as colours. B is the batch (1 here), S the source pieces, E the embedding, H the hidden "
    "state, V the vocabulary. Walk with the slider, the pieces, or the keys ← and →."
)


def look(text: str, checkpoint: str) -> dict[str, Any]:
    """What the tab shows of a sentence."""
    try:
        inside = open_up(models.translator(checkpoint), text)
        link = links.query(links.INSIDE, text=inside.translation.text, checkpoint=checkpoint)
        return inside_view(inside, models.label(checkpoint)) | {"link": link}
    except models.REFUSALS as error:
        return message(told(error))


# On entering the tab: the sentence of Translate, if that is another than was taken last; else what stands here stays. In
# the browser, as the server's answer could come when somebody already types here, and would replace that.
ENTERED = """(current, text, taken, asked) =>
    current.trim() && current !== taken ? [current, current, Date.now()] : [text, taken, asked]"""
# Whoever writes here has seen that sentence: it does not come back over this one.
TYPED = "(current) => current"


def from_link(current: str, request: gr.Request) -> tuple[Any, ...]:
    """What `/?tab=inside&text=…&checkpoint=…` asks for: text, checkpoint, the sentence of Translate as taken, picture."""
    asked = links.asked(request, links.INSIDE)
    if not asked:
        return (gr.skip(),) * 4
    checkpoint = asked.get("checkpoint", models.names()[0])
    known = checkpoint if checkpoint in models.names() else gr.skip()
    return asked["text"], known, current, look(asked["text"], checkpoint)


def inside_tab(page: gr.Blocks, tab: gr.Tab, sentence: gr.Textbox) -> Dependency:
    """Lays the tab out inside `tab` and wires it. sentence: where the current sentence of the page stands.

    Returns the event that fills the tab from a link: only after it may the tab be entered, or it would take that sentence.
    """
    gr.Markdown(ABOUT, elem_classes="help")
    with gr.Row():
        text = gr.Textbox(
            "", label="English", placeholder="Type an English sentence and press Enter", submit_btn="Open up",
            lines=1, max_lines=4, elem_id="inside-text", scale=3,
        )  # fmt: skip
        checkpoint = gr.Dropdown(
            models.choices(), value=models.names()[0], label="Decoder", elem_id="inside-model", scale=2, min_width=240
        )
    view = InsideView(None, elem_id="inside-view")
    taken, asked = gr.Textbox("", visible="hidden"), gr.Number(0, visible="hidden")
    options: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": 4}
    asking = [text.submit, checkpoint.input, asked.change]
    gr.on(asking, look, [text, checkpoint], view, trigger_mode="always_last", **options)
    tab.select(None, [sentence, text, taken, asked], [text, taken, asked], js=ENTERED, api_visibility="private")
    text.input(None, sentence, taken, js=TYPED, api_visibility="private")
    return page.load(from_link, sentence, [text, checkpoint, taken, view], **options)
