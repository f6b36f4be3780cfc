"""The tab Translate: a sentence in, its translation word by word, and where each word was read from."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import gradio as gr
import pandas as pd

from seq2seq.demo import links, models
from seq2seq.demo.ask_panel import UNCHANGED, ask_panel, renewed
from seq2seq.demo.attention_view import MAX_CELLS, AttentionView, message, view
from seq2seq.demo.component import EVENT
from seq2seq.demo.links import BEAMS, PIECES, WORDS
from seq2seq.demo.take_away import of_translation, take_away
from seq2seq.demo.visitor import language, say, told
from seq2seq.figures import grid
from seq2seq.translation import Translation
from seq2seq.translator import clean

EXAMPLES = (
    "A man in a blue shirt is riding a bicycle.",
    "Two young girls are playing with a black dog in the snow.",
    "I don't know where she lives.",
    "An old woman is selling fresh fruit at an outdoor market.",
    "We have never seen such a beautiful house.",
)
EXAMPLES_OF = {
    "en": EXAMPLES,
    "fr": (
        "Un homme en chemise bleue fait du vélo.",
        "Deux petites filles jouent avec un chien noir dans la neige.",
        "Je ne sais pas où elle habite.",
        "Une vieille femme vend des fruits frais sur un marché en plein air.",
        "Nous n'avons jamais vu une si belle maison.",
    ),
}
"""By the language that the chosen model reads."""
SECONDS_A_WORD, FRAME, LATE_FRAME = 0.055, 0.045, 0.25
"""A sentence is decoded faster than the eye follows, so words are slowed down to SECONDS_A_WORD, and to FRAME, the least time
between two pictures, when there are many. A long sentence is not slowed down; after a second of it pictures are rare."""
SLOWED_WORDS = 30
HELP = (
    "Each row of the picture is one word of the translation, and its weights over the words of the sentence sum to 100 %. The "
    "colours mean the same in every sentence. `<eos>` is the end mark that both sentences carry. A word is cut into pieces for "
    "the model; among words, the weights of source pieces are summed and those of target pieces averaged. The additive "
    "and the multiplicative models were also taught where to look, by the links that a word aligner found in their training "
    "text; the others only learned to translate."
)

Shown = tuple[Any, ...]
"""What a translation changes on the page: view, translation, result, weights table, candidates table, the switches with which
it is drawn, and the panel Ask."""


# -- pure functions ------------------------------------------------------------------------------------------------


def show(translation: Translation, unit: str, eos: bool) -> Shown:
    """A finished translation as everything the tab shows."""
    return *standing(translation, unit, eos), *renewed(translation)


def standing(translation: Translation, unit: str, eos: bool) -> Shown:
    """As `show`, without the panel Ask."""
    drawn = picture(translation, unit, eos), translation.translation, translation
    return *drawn, *tables(translation, unit, eos), (unit, eos)


def picture(translation: Translation, unit: str, eos: bool) -> dict[str, Any]:
    """The view of a finished translation, with the link that opens it."""
    made, beam = translation.checkpoint, translation.beam_size
    link = links.query(links.TRANSLATE, text=translation.text, checkpoint=made, beam=beam, unit=unit, eos=bool(eos))
    return view(translation, pieces=unit == PIECES, show_eos=eos) | {"link": link}


def failed(error: Exception) -> Shown:
    """Why nothing was translated, where the picture would stand."""
    return message(told(error)), "", None, pd.DataFrame(), pd.DataFrame(), None, *renewed(None)


def tables(translation: Translation, unit: str, eos: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The numbers behind the picture: weights in percent, and the likeliest pieces at each step with their probability."""
    shown = grid(translation, pieces=unit == PIECES, show_eos=eos, language=language())
    weights = pd.DataFrame()
    if shown.weights is not None and shown.weights.size <= MAX_CELLS:
        weights = pd.DataFrame((100 * shown.weights).round(1), columns=_distinct(shown.columns))
        weights.insert(0, say("to write"), shown.rows)
    steps = [
        {say("step"): i, say("written"): piece, say("probability"): _probability(log_prob)}
        | {say("candidate {rank}", rank=k): f"{p} {_probability(lp)}" for k, (p, lp) in enumerate(candidates, 1)}
        for i, (piece, log_prob, candidates) in enumerate(
            zip(translation.target_pieces, translation.token_log_probs, translation.candidates), 1
        )
    ]
    return weights, pd.DataFrame(steps)


def _probability(log_prob: float) -> str:
    return say("{percent:.1f} %", percent=100 * math.exp(log_prob))


def _distinct(words: tuple[str, ...]) -> list[str]:
    """Column names must differ; a repeated word gets its place: the, the (5)."""
    return [f"{word} ({i})" if word in words[: i - 1] else word for i, word in enumerate(words, 1)]


def translate(
    text: str,
    checkpoint: str,
    beam_size: float,
    unit: str,
    eos: bool,
    made: Translation | None = None,
    drawn: tuple[str, bool] | None = None,
) -> Iterator[Shown]:
    """Translates word by word; each item is what the page shows now. made: the translation that stands there, with the
    switches `drawn`; the same with others is not made again."""
    try:
        if made is not None and drawn != (unit, eos) and asked_for(made) == (clean(text), checkpoint, beam_size):
            yield *standing(made, unit, eos), *UNCHANGED
            return
        translator = models.translator(checkpoint)
        if beam_size > 1:
            # A beam decides between sentences only at the end, so nothing can be shown before.
            yield show(translator.translate(text, beam_size=int(beam_size)), unit, eos)
            return
        last, panel = None, renewed(None)
        for last in paced(translator.stream(text)):
            growing = view(last, pieces=unit == PIECES, show_eos=eos, growing=True)
            yield growing, last.translation, *(gr.skip(),) * 4, *panel
            panel = UNCHANGED
        assert last is not None, "a stream ends with the whole translation"
        yield show(last, unit, eos)
    except models.REFUSALS as error:
        yield failed(error)


def asked_for(translation: Translation) -> tuple[str, str, int]:
    """Text, checkpoint and beam, as the controls say them."""
    return translation.text, translation.checkpoint, translation.beam_size


def paced(growing: Iterator[Translation]) -> Iterator[Translation]:
    """A short sentence slowed down to a pace that can be watched; of a long one only as many steps as can be drawn. The
    last step always comes."""
    began = shown = time.monotonic() - SECONDS_A_WORD
    last = None
    for last in growing:
        words = len(last.source_words)
        if words <= SLOWED_WORDS:
            pace = max(FRAME, min(SECONDS_A_WORD, 0.75 / words))  # twelve words in less than a second
            time.sleep(max(0.0, shown + pace - time.monotonic()))
        now = time.monotonic()
        if words <= SLOWED_WORDS or now - shown >= (FRAME if now - began <= 1 else LATE_FRAME):
            shown = now
            yield last
            last = None
    if last is not None:
        yield last


def facing(checkpoint: str) -> tuple[Any, ...]:
    """What a model's direction changes: the label of the sentence, that of the translation, the examples."""
    source, target = models.direction(checkpoint)
    named = gr.update(label=models.language_name(source)), gr.update(label=models.language_name(target))
    return *named, *(gr.update(value=example) for example in EXAMPLES_OF.get(source, EXAMPLES))


def faced(request: gr.Request) -> tuple[Any, ...]:
    """The model that the page opens with, as a link may ask, then as `facing`."""
    asked = links.asked(request, links.TRANSLATE).get("checkpoint")
    checkpoint = asked if asked in models.names() else models.names()[0]
    return checkpoint, *facing(checkpoint)


def turned(text: str, checkpoint: str, chosen: str, result: Translation | None) -> tuple[Any, ...]:
    """After a model was chosen: its name, sentence and labels in its direction, and a new number, which asks for the
    translation once all that is there. chosen: the one before; a list reports a choice when it is only left, too."""
    if checkpoint == chosen:
        return (gr.skip(),) * (4 + len(EXAMPLES))
    sentence, target, *examples = facing(checkpoint)
    return checkpoint, sentence | {"value": turned_text(text, checkpoint, result)}, target, *examples, time.monotonic()


def turned_text(text: str, checkpoint: str, made: Translation | None) -> str:
    """What a model has to translate: if it reads what the last one wrote, that, unless the visitor has written since."""
    if made is None or made.source_language == models.direction(checkpoint)[0] or text.strip() != made.text:
        return text
    return made.translation


def back(text: str, checkpoint: str, result: Translation | None) -> tuple[Any, ...]:
    """Turns to the model of the opposite direction: its name, then as `turned`."""
    other = models.counterpart(checkpoint)
    return other, *turned(text, other, checkpoint, result)


def example() -> Shown:
    """The example that stands there when the page opens, translated once for all visitors of a language."""
    made = _example(language())
    return *made, *renewed(made[2])


@cache
def _example(_: str) -> Shown:
    return standing(models.translator(models.names()[0]).translate(EXAMPLES[0]), WORDS, False)


def opened(request: gr.Request) -> Iterator[Shown]:
    """What the page opens with: text, checkpoint, beam and switches for the controls, then as `translate`. A link,
    `/?text=…&checkpoint=…&beam=…&unit=pieces&eos=1`, says what; without one it is the example, which stands in the controls
    already."""
    asked = links.asked(request, links.TRANSLATE)
    if not asked:
        try:
            yield (*(gr.skip(),) * 5, *example())
        except models.REFUSALS as error:
            yield (*(gr.skip(),) * 5, *failed(error))
        return
    checkpoint = asked.get("checkpoint", models.names()[0])
    settings = links.beam_size(asked), *links.switches(asked)
    known = checkpoint if checkpoint in models.names() else gr.skip()
    controls = asked["text"], known, *settings
    for shown in translate(asked["text"], checkpoint, *settings):
        yield *controls, *shown
        controls = (gr.skip(),) * 5  # once: somebody may already change them


# -- layout and wiring ---------------------------------------------------------------------------------------------


def translate_tab(page: gr.Blocks) -> tuple[gr.Textbox, gr.Dropdown]:
    """Lays the tab out inside an open `gr.Blocks` and wires it; the page's address may fill it when it loads. Returns the box
    in which the sentence stands, and the choice of the model."""
    text = gr.Textbox(
        EXAMPLES[0], label="English", placeholder="Type a sentence and press Enter", submit_btn="Translate",
        lines=1, max_lines=4, autofocus=False, elem_id="source-text",
    )  # fmt: skip
    with gr.Row(elem_classes="examples"):
        examples = [gr.Button(example, size="sm", variant="secondary") for example in EXAMPLES]
    asked = gr.Number(0, visible="hidden")  # changes when something other than the controls asks for a translation
    with gr.Row(elem_id="settings"):
        checkpoint = gr.Dropdown(
            models.choices(), value=models.names()[0], label="Model", elem_id="checkpoint", scale=2
        )
        turn = gr.Button("⇄ Turn around", elem_id="turn", size="sm", min_width=130, scale=0, visible=models.turns())
        beam = gr.Slider(
            1, BEAMS, value=1, step=1, label="Beam (1 = greedy)", elem_id="beam", scale=1, min_width=200, buttons=[]
        )
    written = gr.Textbox("", label="French", interactive=False, buttons=["copy"], elem_id="target-text")
    heatmap = AttentionView(None, elem_id="attention-view")
    with gr.Row(elem_id="switches"):
        unit = gr.Radio([WORDS, PIECES], value=WORDS, show_label=False, container=False, elem_id="unit", min_width=200)
        eos = gr.Checkbox(False, label="show the <eos> row", container=False, elem_id="eos", min_width=200)
    gr.Markdown(HELP, elem_classes="help")
    with gr.Accordion("The numbers behind the picture", open=False, elem_id="numbers"):
        weights = gr.Dataframe(label="Attention in percent", interactive=False, elem_id="weights")
        candidates = gr.Dataframe(label="Likeliest pieces at each step", interactive=False, elem_id="candidates")
    result = gr.State()
    take_away(of_translation, [result, unit, eos], "take")
    panel = ask_panel(result, heatmap, unit)
    drawn = gr.State()

    inputs = [text, checkpoint, beam, unit, eos]
    outputs = [heatmap, written, result, weights, candidates, drawn, *panel]
    # One event for all that ask, so that one translation runs after the other and the last asked for is what is shown.
    asking = [text.submit, beam.input, asked.change, unit.input, eos.input]
    gr.on(asking, translate, [*inputs, result, drawn], outputs, **EVENT)
    for button in examples:
        button.click(None, button, [text, asked], js="(example) => [example, Date.now()]", api_visibility="private")
    chosen = gr.State(models.names()[0])
    facings = [text, written, *examples]
    due = gr.Number(0, visible="hidden")
    for turning in (
        checkpoint.input(turned, [text, checkpoint, chosen, result], [chosen, *facings, due], **EVENT),
        turn.click(back, [text, checkpoint, result], [checkpoint, chosen, *facings, due], **EVENT),
    ):
        turning.then(None, due, asked, js="(due) => due", api_visibility="private")
    page.load(opened, None, [*inputs, *outputs], **EVENT)
    if models.turns():
        page.load(faced, None, [chosen, *facings], **EVENT)
    return text, checkpoint
