"""The panel Ask: what-if questions about the translation above it, answered with another translation beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr
import pandas as pd
from gradio.components import Component

from seq2seq.comparison import different_words
from seq2seq.demo import models
from seq2seq.demo.attention_view import AttentionView, message, view
from seq2seq.demo.component import EVENT
from seq2seq.demo.links import BEAMS, PIECES
from seq2seq.demo.visitor import say, told
from seq2seq.dial import LEARNED, ONE_HOT, UNIFORM, Dial
from seq2seq.explain import read_from, verdict, weigh
from seq2seq.search import Node
from seq2seq.translation import Translation

ABOUT = (
    "Questions about the sentence above. Each is answered below, beside what the model wrote by itself. A click on a word of "
    "the translation above chooses it here."
)
QUESTIONS = (
    "Another word",
    "Without a word",
    "Your translation",
    "Other sentences",
    "Turn the attention",
    "Does it matter?",
    "Read from where?",
)
BAYES = (
    "Attention has to choose before the word is chosen. Here is where each word was read from, now that it is known: the "
    "weight of a place, times how likely the word is where only that place is read (Bayes' rule)."
)
MAX_DEPTH = 40
"""Branchings of the drawn tree, one inside the other."""
Shown = tuple[str, dict[str, Any] | None]
"""An answer: HTML, and the picture of the new translation."""
CHOOSE = "Choose a word, then what to write in its place."
FOUND = "{rank}. {text}  ({value:.2f})"
NOTHING = "There is no translation above to ask about. Translate a sentence first."


# -- pure functions ------------------------------------------------------------------------------------------------


def word_choices(words: Sequence[str]) -> list[tuple[str, int]]:
    """Words with their places, because the same word may stand twice."""
    return [(f"{i} {word}", i - 1) for i, word in enumerate(words, 1)]


def renewed(translation: Translation | None) -> tuple[Any, ...]:
    """The panel when another translation stands above: no answers (tree, words, costs, picture), and what can be chosen of it:
    target word, its candidates, source words to take away, step and source word to point, turn, sentences found."""
    source = word_choices(translation.source_words) if translation else []
    target = word_choices(translation.target_words) if translation else []
    pointing = [(say("nowhere"), -1), *source]
    return (
        "",
        "",
        gr.update(value=pd.DataFrame(), visible=False),
        None,
        gr.update(choices=target, value=None),
        gr.update(choices=[], value=None),
        gr.update(choices=source[:-1] if source and source[-1][0].endswith("<eos>") else source, value=[]),
        gr.update(choices=target, value=0 if target else None),
        gr.update(choices=pointing, value=-1),
        gr.update(value=LEARNED),
        gr.update(choices=[], value=None),
    )


UNCHANGED = (gr.skip(),) * 11


def step_of(translation: Translation | None, word: int | None) -> int | None:
    """The step that wrote the first piece of a target word; None if there is no such word: the list it was chosen from may be
    older than the translation."""
    if translation is None or word is None or word not in translation.target_word_of:
        return None
    return translation.target_word_of.index(word)


def candidates(translation: Translation | None, word: int | None) -> Any:
    """What the model could have written at the first piece of a target word, with probabilities."""
    step = step_of(translation, word)
    if translation is None or step is None:
        return gr.update(choices=[], value=None)
    offered = translation.candidates[step]
    shown = [
        (f"{piece.replace('▁', ' ').strip() or '␣'} {say('{percent:.1f} %', percent=100 * math.exp(lp))}", i)
        for i, (piece, lp) in enumerate(offered)
    ]
    return gr.update(choices=shown, value=None)


def clicked(translation: Translation | None, unit: str, event: gr.EventData) -> tuple[Any, Any]:
    """A click on a word of the translation above, or on a piece of one, puts that word into the first question."""
    if translation is None:
        return gr.skip(), gr.skip()
    shown = translation.target_word_of if unit == PIECES else range(len(translation.target_words))
    if not isinstance(event.index, int) or not 0 <= event.index < len(shown):
        return gr.skip(), gr.skip()
    word = shown[event.index]
    return word, candidates(translation, word)


def answer(before: Translation, after: Translation, title: str) -> Shown:
    """Both translations, words that differ marked, which screen readers read out; and the picture of the new one."""
    differ = different_words(before.target_words, after.target_words)
    lines = [
        f"<p><span class='ask-who'>{escape(who)}</span> "
        f"<span lang='{made.target_language}'>{marked(made.target_words, marks)}</span> "
        f"<small>{say('log-probability {value:.2f}', value=made.log_prob)}</small></p>"
        for who, made, marks in ((say("The model by itself:"), before, differ[0]), (title, after, differ[1]))
    ]
    same = "" if any(differ[0]) or any(differ[1]) else f"<p>{say('No word changes.')}</p>"
    return f"<div role='status'>{''.join(lines)}{same}</div>", view(after)


def marked(words: Sequence[str], differs: Sequence[bool]) -> str:
    """Words as HTML; those that are not in the other translation are marked, and said to be to a screen reader."""
    return " ".join(f"<mark>{escape(w)}</mark>" if d else escape(w) for w, d in zip(words, differs) if w != "<eos>")


def asked(translation: Translation | None, title: str, **question: Any) -> Shown:
    """The same text again under a question of `Translator.translate`."""
    if translation is None:
        return escape(say(NOTHING)), None
    try:
        translator = models.translator(translation.checkpoint)
        made = translator.translate(translation.text, **question)
        # The questions are answered by greedy search, so that is what they are compared with.
        before = translation if translation.beam_size == 1 else translator.translate(translation.text)
    except models.REFUSALS as error:
        return "", message(told(error))
    return answer(before, made, title)


def another_word(translation: Translation | None, word: int | None, candidate: int | None) -> Shown:
    """Decoding goes on from a candidate in the place of a target word."""
    step = step_of(translation, word)
    if translation is None or step is None or candidate is None or candidate >= len(translation.candidates[step]):
        return escape(say(NOTHING if translation is None else CHOOSE)), None
    piece = translation.candidates[step][candidate][0]
    start = (*translation.target_pieces[:step], piece)
    return asked(translation, say("From there it goes on:"), start=start)


def without_words(translation: Translation | None, words: Sequence[int]) -> Shown:
    """The source with words taken away."""
    if not words:
        return "", None
    said, shown = asked(translation, say("Without what you struck:"), without=list(words))
    return said, shown and shown | {"struck": list(words)}


def own_french(translation: Translation | None, target: str) -> Shown:
    """A target of the visitor's, scored and aligned."""
    return asked(translation, say("Your translation:"), target=target)


def turned(translation: Translation | None, turn: float, step: int | None, word: int) -> Shown:
    """Attention overridden at every step, or at the first piece of one target word by hand."""
    at = step_of(translation, step)
    pointed = {at: word} if at is not None and word >= 0 else {}
    if turn == LEARNED and not pointed:
        return "", None
    return asked(translation, say("With overridden weights:"), dial=Dial(turn, pointed))


def others(translation: Translation | None, beam_size: float) -> tuple[Any, str, list[Translation] | None]:
    """The n-best list of a beam as choices, and the whole beam as a tree."""
    if translation is None:
        return gr.update(choices=[], value=None), escape(say(NOTHING)), None
    translator = models.translator(translation.checkpoint)
    found, root = translator.unfold(translation.text, int(beam_size))
    choices = [
        (say(FOUND, rank=i, text=made.translation, value=made.log_prob), i - 1) for i, made in enumerate(found, 1)
    ]
    return (
        gr.update(choices=choices, value=None),
        tree_html(root, translator.target_tokenizer.piece, translation.target_language),
        found,
    )


def picked(translation: Translation | None, found: list[Translation] | None, index: int | None) -> Shown:
    """One of the n-best list."""
    if translation is None or not found or index is None or index >= len(found):
        return "", None
    if (found[0].text, found[0].checkpoint) != (translation.text, translation.checkpoint):
        return "", None  # the list is of an older sentence
    return answer(translation, found[index], say("Number {rank} of the beam:", rank=index + 1))


def tree_html(node: Node, name: Any, language: str, depth: int = 0) -> str:
    """The beam as nested lists that unfold; pieces that nothing branched off stand in one line. What lies deeper than
    MAX_DEPTH is left out: no browser could show it."""
    top = depth == 0
    pieces, last = [], node
    while True:
        pieces.append("" if last is node and top else name(last.id).replace("▁", " "))
        if len(last.children) != 1:
            break
        last = last.children[0]
    text = escape("".join(pieces).strip() or say("start"))
    rank = "" if last.rank is None else f" <b>→ {say('number {rank}', rank=last.rank + 1)}</b>"
    line = f"<span lang='{language}'>{text}</span> <small>{say('{value:.2f}', value=last.total)}</small>{rank}"
    if last.children and depth == MAX_DEPTH:
        line += " …"
    if not last.children or depth == MAX_DEPTH:
        return f"<li>{line}</li>" if not top else f"<p>{line}</p>"
    inner = "".join(tree_html(child, name, language, depth + 1) for child in last.children)
    body = f"<details{' open' if top else ''}><summary>{line}</summary><ul>{inner}</ul></details>"
    return body if top else f"<li>{body}</li>"


def matter(translation: Translation | None) -> tuple[str, Any, None]:
    """Does the highlight matter? The verdict in words, and for each target word what masking costs."""
    nothing = gr.update(value=pd.DataFrame(), visible=False)
    if translation is None:
        return escape(say(NOTHING)), nothing, None
    try:
        found = weigh(models.translator(translation.checkpoint), translation)
    except models.REFUSALS as error:
        return escape(told(error)), nothing, None
    said = f"<p role='status'>{escape(say(verdict(translation, found)))}</p>"
    if found is None:
        return said, nothing, None
    rows = pd.DataFrame(
        {
            say("word"): list(translation.target_words[: len(found.words)]),
            say("most attended"): [translation.source_words[i] for i in found.words],
            say("masked, it loses"): found.masked.round(2) + 0.0,  # no zero with a sign
            say("another masked"): found.others.round(2) + 0.0,
            say("matters"): [say("yes" if yes else "no") for yes in found.matters],
        }
    )
    return said, gr.update(value=rows, visible=True), None


def origins(translation: Translation | None) -> Shown:
    """Where each word was read from, now that it is known: in a sentence, and as a picture."""
    if translation is None:
        return escape(say(NOTHING)), None
    try:
        after, said = read_from(models.translator(translation.checkpoint), translation)
    except models.REFUSALS as error:
        return "", message(told(error))
    return f"<p role='status'>{escape(say(said))}</p>", view(after)


# -- layout and wiring ---------------------------------------------------------------------------------------------


def ask_panel(result: gr.State, above: AttentionView, unit: gr.Radio) -> list[Component]:
    """Lays the panel out and wires it to the translation in `result`, whose picture is `above`, of words or of
    pieces as `unit` says.

    Returns the components that another translation changes, in the order of `renewed`.
    """
    with gr.Accordion("Ask the model", open=False, elem_id="ask"):
        gr.Markdown(ABOUT, elem_classes="help")
        # Not tabs: on a phone Gradio would fold all but one of them into a menu.
        question = gr.Radio(
            QUESTIONS, value=QUESTIONS[0], label="Question", show_label=False, container=False, elem_id="ask-question"
        )
        columns = [gr.Column(visible=name == QUESTIONS[0]) for name in QUESTIONS]
        another, without, french, sentences, turning, mattering, reading = columns
        with another:
            word = gr.Dropdown([], value=None, label="In the place of the word", elem_id="ask-word")
            offered = gr.Radio([], label="write", elem_id="ask-candidate")
        with without:
            struck = gr.CheckboxGroup([], label="Take words away", elem_id="ask-without")
        with french:
            own = gr.Textbox(
                "",
                label="A translation of your own",
                submit_btn="Score it",
                max_lines=4,
                elem_id="ask-target",
            )
        with sentences:
            size = gr.Slider(2, BEAMS, value=5, step=1, label="Beam", buttons=[], elem_id="ask-beam")
            search = gr.Button("Search", elem_id="ask-search")
            best = gr.Radio([], label="Found, best first (log-probability)", elem_id="ask-best")
            grown = gr.HTML("", elem_id="ask-tree")
        with turning:
            turn = gr.Slider(
                UNIFORM, ONE_HOT, value=LEARNED, step=0.1, buttons=[], elem_id="ask-turn",
                label="−1 uniform · 0 as learned · 1 one-hot",
            )  # fmt: skip
            with gr.Row():
                step = gr.Dropdown([], value=None, label="While writing", elem_id="ask-step")
                point = gr.Dropdown([("nowhere", -1)], value=-1, label="look only at", elem_id="ask-point")
        with mattering:
            gr.Markdown("The most attended word of each step is masked, against the others masked in turn.")
            test = gr.Button("Test the highlight", elem_id="ask-matter")
            costs = gr.Dataframe(interactive=False, visible=False, elem_id="ask-costs")
        with reading:
            gr.Markdown(BAYES)
            read = gr.Button("Show where", elem_id="ask-origins")
        said = gr.HTML("", elem_id="ask-said")
        picture = AttentionView(None, elem_id="ask-view")
    found = gr.State()
    shown = [said, picture]
    question.input(lambda asked: [gr.update(visible=name == asked) for name in QUESTIONS], question, columns, **EVENT)
    above.pick(clicked, [result, unit], [word, offered], **EVENT)
    word.input(candidates, [result, word], offered, **EVENT)
    offered.input(another_word, [result, word, offered], shown, **EVENT)
    struck.input(without_words, [result, struck], shown, **EVENT)
    own.submit(own_french, [result, own], shown, **EVENT)
    gr.on([turn.input, step.input, point.input], turned, [result, turn, step, point], shown, **EVENT)
    search.click(others, [result, size], [best, grown, found], **EVENT)
    best.input(picked, [result, found, best], shown, **EVENT)
    read.click(origins, result, shown, **EVENT)
    test.click(matter, result, [said, costs, picture], **EVENT)
    return [grown, said, costs, picture, word, offered, struck, step, point, turn, best]
