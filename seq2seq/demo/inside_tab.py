"""The tab Inside: one sentence through one decoder, step by step, with every value on the way."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.events import Dependency

from seq2seq.demo import links, models
from seq2seq.demo.attention_view import message
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


def look(text: str, checkpoint: str) -> tuple[dict[str, Any], Translation | None]:
    """What the tab shows of a sentence, and the translation in it."""
    try:
        inside = open_up(models.translator(checkpoint), text)
        link = links.query(links.INSIDE, text=inside.translation.text, checkpoint=checkpoint)
        return inside_view(inside, models.label(checkpoint)) | {"link": link}, inside.translation
    except models.REFUSALS as error:
        return message(told(error)), None


def named(checkpoint: str) -> Any:
    """The label of the sentence that a model reads."""
    return gr.update(label=models.language_name(models.direction(checkpoint)[0]))


def turned(text: str, checkpoint: str, shown: Translation | None) -> Any:
    """The sentence after a model was chosen, in the language that it reads."""
    return named(checkpoint) | {"value": turned_text(text, checkpoint, shown)}


def entered(current: str, chosen: str, taken: str | None, checkpoint: str) -> tuple[Any, ...]:
    """On entering the tab: the sentence of Translate, if that is another than was taken last; else what stands here stays. With
    it the model that is chosen there, if the one here reads another language."""
    if current == taken or not current.strip():
        return (gr.skip(),) * 5
    if models.direction(checkpoint) != models.direction(chosen):
        checkpoint = chosen
    return named(checkpoint) | {"value": current}, checkpoint, current, *look(current, checkpoint)


def from_link(current: str, request: gr.Request) -> tuple[Any, ...]:
    """What `/?tab=inside&text=…&checkpoint=…` asks for: text, checkpoint, the sentence of Translate as taken, then as `look`."""
    asked = links.asked(request, links.INSIDE)
    if not asked:
        return (gr.skip(),) * 5
    checkpoint = asked.get("checkpoint", models.names()[0])
    known = checkpoint if checkpoint in models.names() else gr.skip()
    return named(checkpoint) | {"value": asked["text"]}, known, current, *look(asked["text"], checkpoint)


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
    taken, shown = gr.State(), gr.State()
    options: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": 4}
    looking: dict[str, Any] = {"fn": look, "inputs": [text, checkpoint], "outputs": [view, shown]} | options
    text.submit(trigger_mode="always_last", **looking)
    checkpoint.input(turned, [text, checkpoint, shown], text, **options).then(**looking)
    everything = [text, checkpoint, taken, view, shown]
    tab.select(entered, [sentence, model, taken, checkpoint], everything, **options)
    return page.load(from_link, sentence, everything, **options)
