"""The tab Compare: two models, one sentence, the same settings; what each one saw, and where one vector is not enough."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import gradio as gr
import numpy as np

from seq2seq.comparison import Comparison, clean_reference, compare
from seq2seq.demo import links, models
from seq2seq.demo.attention_view import AttentionView, message, occlusion_view, strip_view, view
from seq2seq.demo.bottleneck_panel import bottleneck_panel
from seq2seq.demo.component import EVENT
from seq2seq.demo.duet import Duet, duet
from seq2seq.demo.links import BEAMS
from seq2seq.demo.long_view_panel import long_view_panel
from seq2seq.demo.own_test_panel import own_test_panel
from seq2seq.demo.take_away import of_comparison, take_away
from seq2seq.demo.translate_tab import turned_text
from seq2seq.demo.visitor import language, say, told
from seq2seq.explain import agreement, check_occlusion, occlusion, summary
from seq2seq.translation import Translation
from seq2seq.translator import TextError, clean

EXAMPLES = (
    "A man in a blue shirt is riding a bicycle.",
    "A man in a blue shirt is riding a bicycle while a woman with a red hat is reading a book on a bench in the park.",
    "Two girls are playing with a black dog, an old man is selling fruit, and three boys are swimming in the lake behind "
    "the white house.",
)
EXAMPLES_OF = {
    "en": EXAMPLES,
    "fr": (
        "Un homme en chemise bleue fait du vélo.",
        "Un homme en chemise bleue fait du vélo pendant qu'une femme au chapeau rouge lit un livre sur un banc dans le parc.",
        "Deux filles jouent avec un chien noir, un vieil homme vend des fruits et trois garçons nagent dans le lac derrière la "
        "maison blanche.",
    ),
}
"""By the language that the chosen models read."""
AGREEMENT = (
    "**{percent:.0f} % agreement** ({model}): the share of words whose most attended word is also the one they "
    "could least do without."
)
SAW, NEEDED = "What it looked at", "What it needed"
QUESTION = (
    "**What it looked at** is what the model itself says: attention weights, if it has any. **What it needed** puts the same "
    "question to both: each word is hidden in turn, and the map shows how much less likely each word of the "
    "translation becomes."
)


# -- functions -----------------------------------------------------------------------------------------------------


def run(
    text: str,
    reference: str,
    left: str,
    right: str,
    beam_size: float,
    question: str = SAW,
    made: Comparison | None = None,
    looked: str | None = None,
) -> tuple[Any, Comparison | None, str]:
    """Both translations: the columns, the comparison behind them or, if refused, a message and None; and the question of their
    link. made: the comparison that stands there, for the question `looked`; for the other it is not made again."""
    try:
        asked = clean(text), clean_reference(reference), left, right, beam_size
        if made is None or looked == question or asked_for(made) != asked:
            sides = models.translator(left), models.translator(right)
            made = compare(*sides, text, reference, beam_size=int(beam_size))
    except models.REFUSALS as error:
        return message(told(error)), None, question
    return columns_of(made, question), made, question


def asked_for(comparison: Comparison) -> tuple[str, str | None, str, str, int]:
    """Text, reference, both checkpoints and beam, as the controls say them."""
    left, right = comparison.left, comparison.right
    return left.text, comparison.reference, left.checkpoint, right.checkpoint, left.beam_size


def columns_of(comparison: Comparison, question: str) -> dict[str, Any]:
    """Both translations, and the link to them and to the question that the maps below answer."""
    left, right = comparison.left, comparison.right
    named = {"left": left.checkpoint, "right": right.checkpoint, "beam": left.beam_size}
    named |= {"reference": comparison.reference or "", "show": links.NEEDED if question == NEEDED else links.LOOKED}
    link = links.query(links.COMPARE, text=left.text, **named)
    return duet(comparison, models.labels(left.checkpoint, right.checkpoint)) | {"link": link}


def saw(comparison: Comparison | None, question: str) -> tuple[Any, Any, str]:
    """The map of each side and, where need was asked for, how far the attention agrees with it."""
    if comparison is None:
        return None, None, ""
    sides = comparison.left, comparison.right
    if question == SAW:
        return _looked_at(sides[0]), _looked_at(sides[1]), ""
    try:
        for side in sides:
            check_occlusion(side)
    except TextError as error:
        return message(told(error)), message(told(error)), ""
    lost = [occlusion(models.translator(side.checkpoint), side) for side in sides]
    agreements = filter(None, map(_agreement, sides, lost))
    left, right = map(occlusion_view, sides, lost)
    return left, right, "\n\n".join(agreements)


def everything(text: str, reference: str, left: str, right: str, beam_size: float, question: str) -> tuple[Any, ...]:
    """All that a comparison changes on the page: as `run`, the two maps, their agreement."""
    columns, comparison, looked = run(text, reference, left, right, beam_size, question)
    return columns, comparison, looked, *saw(comparison, question)


def _looked_at(translation: Translation) -> dict[str, Any]:
    if translation.attention is None:
        return strip_view(translation, summary(models.translator(translation.checkpoint), translation.text))
    return view(translation)


def _agreement(translation: Translation, lost: np.ndarray) -> str:
    """One number for a side with attention: does it look where it must?"""
    share = agreement(translation.attention, lost, finished=translation.target_words[-1] == "<eos>")
    if share is None:
        return ""
    return say(AGREEMENT, percent=100 * share, model=models.label(translation.checkpoint))


def faced(left: str, right: str) -> tuple[Any, ...]:
    """After a link has chosen the models: both by their names, then as `facing`."""
    return sorted((left, right)), *facing(left)


def facing(left: str) -> tuple[Any, ...]:
    """What the models' direction changes: the label of the sentence, the examples."""
    source = models.direction(left)[0]
    examples = EXAMPLES_OF.get(source, EXAMPLES)
    return gr.update(label=models.language_name(source)), *(gr.update(value=example) for example in examples)


def turned(
    one: str, other: str, chosen: list[str], text: str, reference: str, comparison: Comparison | None
) -> tuple[Any, ...]:
    """After a model was chosen on one side: both, the other side's, which must translate the same way, the reference, sentence
    and examples in that direction, and a new number, which asks for the comparison. chosen: the two before, by their names; a
    list reports a choice when it is only left, too."""
    if sorted((one, other)) == chosen:
        return (gr.skip(),) * (5 + len(EXAMPLES))
    sentence, *examples = facing(one)
    if models.direction(one) != models.direction(other):
        other, reference = models.counterpart(other), ""
        sentence |= {"value": turned_text(text, one, comparison.right if comparison else None)}
    return sorted((one, other)), other, reference, sentence, *examples, time.monotonic()


def example() -> tuple[Any, ...]:
    """The comparison that stands there when the page opens, made once for all visitors of a language."""
    return _example(language())


@cache
def _example(_: str) -> tuple[Any, ...]:
    return everything(EXAMPLES[1], "", *models.default_pair(), 1, SAW)


def asked_pair(asked: dict[str, str]) -> tuple[str, str]:
    """The models that a link names; where it names one, the other translates in the same direction."""
    left, right = models.default_pair()
    named_left, named_right = asked.get("left"), asked.get("right", asked.get("checkpoint"))
    way = models.direction(named_left or named_right or left)
    if way != models.direction(left):
        left, right = models.counterpart(left), models.counterpart(right)
    return named_left or left, named_right or right


def opened(request: gr.Request) -> tuple[Any, ...]:
    """What the page opens with: text, reference, models, beam and question for the controls, then as `everything`. A link,
    `/?tab=compare&text=…&left=…&right=…&beam=…&reference=…&show=needed`, says what; without one it is the example.
    `checkpoint`, as links to Translate have it, is the right model."""
    asked = links.asked(request, links.COMPARE)
    if not asked:
        return *(gr.skip(),) * 6, *example()
    pair = asked_pair(asked)
    known = [name if name in models.names() else gr.skip() for name in pair]
    text, reference, beam = asked["text"], asked.get("reference", ""), links.beam_size(asked)
    question = NEEDED if asked.get("show") == links.NEEDED else SAW
    return text, reference, *known, beam, question, *everything(text, reference, *pair, beam, question)


# -- layout and wiring ---------------------------------------------------------------------------------------------


def compare_tab(page: gr.Blocks) -> None:
    """Lays the tab out inside an open `gr.Blocks` and wires it."""
    pair = models.default_pair()

    text = gr.Textbox(
        EXAMPLES[1], label="English", placeholder="Type a sentence and press Enter", submit_btn="Compare",
        lines=1, max_lines=6, elem_id="compare-text",
    )  # fmt: skip
    with gr.Row(elem_classes="examples"):
        examples = [gr.Button(example, size="sm", variant="secondary") for example in EXAMPLES]
    asked = gr.Number(0, visible="hidden")  # changes when something other than the controls asks for a comparison
    with gr.Accordion("Models, beam, reference", open=False):
        with gr.Row():
            left = gr.Dropdown(models.choices(), value=pair[0], label="Left", elem_id="left")
            right = gr.Dropdown(models.choices(), value=pair[1], label="Right", elem_id="right")
            beam = gr.Slider(1, BEAMS, value=1, step=1, label="Beam (1 = greedy), for both", buttons=[])
        reference = gr.Textbox(
            "",
            label="Reference translation (optional): both outputs are scored against it",
            max_lines=4,
            elem_id="reference",
        )
    columns = Duet(None, elem_id="duet")
    result, looked = gr.State(), gr.State()

    gr.Markdown("### What each one saw")
    question = gr.Radio([SAW, NEEDED], value=SAW, show_label=False, container=False, elem_id="question")
    with gr.Row(elem_classes="maps"):
        left_map = AttentionView(None, elem_id="left-map")
        right_map = AttentionView(None, elem_id="right-map")
    agreeing = gr.Markdown("", elem_id="agreement")
    gr.Markdown(QUESTION, elem_classes="help")
    take_away(of_comparison, [result], "take-both")

    inputs, made = [text, reference, left, right, beam, question], [columns, result, looked]
    maps = [left_map, right_map, agreeing]
    # One event for all that ask, so that one comparison runs after the other and the last asked for is what is shown. The maps,
    # which may take seconds, come after it; they are made of the comparison that stands there then.
    asking = [text.submit, reference.submit, beam.input, question.input, asked.change]
    gr.on(asking, run, [*inputs, result, looked], made, **EVENT).then(saw, [result, question], maps, **EVENT)
    for button in examples:
        # Another sentence, so the reference of the old one goes.
        fill = "(example) => [example, '', Date.now()]"
        button.click(None, button, [text, reference, asked], js=fill, api_visibility="private")
    chosen = gr.State(sorted(pair))
    due = gr.Number(0, visible="hidden")
    for one, other in ((left, right), (right, left)):
        facings = [other, reference, text, *examples, due]
        turning = one.input(turned, [one, other, chosen, text, reference, result], [chosen, *facings], **EVENT)
        turning.then(None, due, asked, js="(due) => due", api_visibility="private")
    opening = page.load(opened, None, [*inputs, *made, *maps], **EVENT)
    if models.turns():
        opening.then(faced, [left, right], [chosen, text, *examples], **EVENT)

    bottleneck_panel(left, right, beam)
    long_view_panel(page)
    own_test_panel(left, right, beam, open_in=[text, reference, asked])
