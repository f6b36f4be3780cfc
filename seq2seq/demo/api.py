"""The HTTP API: plain JSON, the same objects as `python -m seq2seq … --json`."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from seq2seq import comparison
from seq2seq.batch import read_file
from seq2seq.demo import models, picture_pairs
from seq2seq.demo.batch_tab import OBJECTS_FILE, RUNS, TABLE_FILE, written
from seq2seq.demo.picture_pairs import CAPTIONERS, PAINTERS
from seq2seq.demo.visitor import message_of
from seq2seq.explain import read_from, verdict, weigh, what_if
from seq2seq.inside import open_up
from seq2seq.scenes import parse_code
from seq2seq.translation import DIGITS
from seq2seq.translator import SearchError, TextError
from seq2seq.upload import ENDINGS


def check_strings(**arguments: Any) -> None:
    """Gradio does not hold callers to the type hints: a list of texts would pass by every limit."""
    for name, value in arguments.items():
        if not isinstance(value, str):
            raise gr.Error(f"{name} must be a string.", print_exception=False)


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """What is refused reaches the caller as one line."""
    try:
        yield
    except models.REFUSALS as error:
        raise gr.Error(str(message_of(error)), print_exception=False) from error


def whole(number: Any) -> Any:
    """3.0 is 3: JSON does not tell them apart. Anything else is left for the search to judge."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def translate(text: str, checkpoint: str = models.DEFAULT, beam_size: int = 1, n_best: int = 1) -> dict[str, Any]:
    """Translate a text, with the attention weights behind every word.

    Parameters:
        text: The sentence, in the language that the checkpoint reads.
        checkpoint: The model, by the name of its folder.
        beam_size: 1 for greedy search, more for beam search.
        n_best: How many hypotheses of the beam; those after the first stand under "alternatives".
    """
    check_strings(text=text, checkpoint=checkpoint)
    with refusals():
        settings = {"beam_size": whole(beam_size), "n_best": whole(n_best)}
        return models.batcher(checkpoint).translate(text, **settings).to_dict()


def ask(
    text: str,
    checkpoint: str = models.DEFAULT,
    target: str = "",
    start: str = "",
    without: str = "",
    dial: float = 0.0,
    posterior: bool = False,
) -> dict[str, Any]:
    """What if? Translate again: begun otherwise, without some words, or with other attention; or score a target.

    Parameters:
        text: The sentence, in the language that the checkpoint reads.
        checkpoint: The model, by the name of its folder.
        target: A translation of your own to score and align; then the other questions must be empty.
        start: How the translation has to begin.
        without: words of the sentence that are taken away, with spaces between them.
        dial: Attention from -1 (uniform) over 0 (as learned) to 1 (one-hot).
        posterior: Give in the place of attention where each word was read from, now that it is known; also with a target.
    """
    check_strings(text=text, checkpoint=checkpoint, target=target, start=start, without=without)
    if not isinstance(dial, (int, float)) or isinstance(dial, bool) or not -1 <= dial <= 1:
        raise gr.Error("dial must be a number from -1 to 1.", print_exception=False)
    if not isinstance(posterior, bool):
        raise gr.Error("posterior must be true or false.", print_exception=False)
    with refusals():
        translator = models.translator(checkpoint)
        if target.strip() or posterior:
            if start.strip() or without.strip() or dial:
                alone = "target" if target.strip() else "posterior"
                raise SearchError(f"{alone} goes alone; leave start, without and dial out.")
            made = translator.translate(text, target=target if target.strip() else None)
            return (read_from(translator, made)[0] if posterior else made).to_dict()
        return what_if(translator, text, start=start, without=without.split(), turn=float(dial)).to_dict()


def highlight(text: str, checkpoint: str = models.DEFAULT) -> dict[str, Any]:
    """Does the highlight matter? For each word of the translation, what masking its most attended word costs, and another's.

    Parameters:
        text: The sentence, in the language that the checkpoint reads.
        checkpoint: The model, by the name of its folder.
    """
    check_strings(text=text, checkpoint=checkpoint)
    with refusals():
        translator = models.translator(checkpoint)
        made = translator.translate(text)
        found = weigh(translator, made)
    answer: dict[str, Any] = {"translation": made.translation, "verdict": verdict(made, found), "words": None}
    if found is not None:
        rows = zip(made.target_words, found.words, found.masked, found.others, found.matters)
        answer["words"] = [
            {
                "target": target,
                "source": made.source_words[source],
                "masked": round(float(masked), DIGITS),
                "others": round(float(others), DIGITS),
                "matters": bool(matters),
            }
            for target, source, masked, others, matters in rows
        ]
    return answer


def inside(text: str, checkpoint: str = models.DEFAULT) -> dict[str, Any]:
    """Translate a text and give every value of every decoding step, with its formula and shape.

    Parameters:
        text: The sentence, in the language that the checkpoint reads.
        checkpoint: The model, by the name of its folder.
    """
    check_strings(text=text, checkpoint=checkpoint)
    with refusals():
        return open_up(models.translator(checkpoint), text).to_dict()


def compare(text: str, left: str = "en-fr-plain", right: str = models.DEFAULT, reference: str = "") -> dict[str, Any]:
    """Translate one text with two models under equal settings, and score both against a reference if one is given.

    Parameters:
        text: The sentence, in the language that the checkpoint reads.
        left: The first model, by the name of its folder.
        right: The second model, by the name of its folder.
        reference: A right translation to score both against; may be empty.
    """
    check_strings(text=text, left=left, right=right, reference=reference)
    with refusals():
        sides = models.translator(left), models.translator(right)
        return comparison.compare(*sides, text, reference).to_dict()


def caption(scene: str, checkpoint: str = CAPTIONERS[-1]) -> dict[str, Any]:
    """Put a drawn scene into words, and say at which of 8 × 8 places of the picture each word was read.

    Parameters:
        scene: Its objects, each with the pixel of 64 × 64 in its middle: "small red star 10 10, large blue square 53 32".
        checkpoint: The model, by the name of its folder: scenes-caption-additive or scenes-caption-plain.
    """
    check_strings(scene=scene, checkpoint=checkpoint)
    with refusals():
        return picture_pairs.caption(checkpoint, parse_code(scene)).to_dict()


def paint(text: str, checkpoint: str = PAINTERS[-1]) -> dict[str, Any]:
    """Paint a description of a scene in 16 × 16 cells, row by row, and say by which of its words each cell was painted.

    A word of the translation is a cell, and its last letter is the colour: w, r, g, b, y, p, k for white, red, green, blue,
    yellow, purple and black.

    Parameters:
        text: The description, in English or French, in the words of the page's examples.
        checkpoint: The model, by the name of its folder: scenes-draw-additive or scenes-draw-plain.
    """
    check_strings(text=text, checkpoint=checkpoint)
    with refusals():
        return picture_pairs.painting(checkpoint, picture_pairs.described(text)).to_dict()


def batch(
    file: str | None, checkpoint: str = models.DEFAULT, beam_size: int = 1
) -> Iterator[tuple[str | None, str | None]]:
    """Translate a file of up to 5,000 lines, in order: a table (CSV) and JSON Lines (JSONL), each line with its word links.

    Both are UTF-8; the table begins with a byte-order mark, for Excel.

    Until the files are there it answers with nothing after each batch, and stops when nobody asks any more.

    Parameters:
        file: A UTF-8 file: .txt with one sentence a line; .tsv or .csv, no heading, with it in the first column.
        checkpoint: The model, by the name of its folder.
        beam_size: 1 for greedy search, more for beam search.
    """
    check_strings(checkpoint=checkpoint)
    with refusals(), tempfile.TemporaryDirectory(prefix="attention-lens-") as folder:
        if not file:
            raise TextError("There is no file; send one.")
        for step in written(read_file(file), checkpoint, whole(beam_size), Path(folder)):
            if step.done < step.total:
                yield None, None
        yield str(Path(folder) / TABLE_FILE), str(Path(folder) / OBJECTS_FILE)


def batch_endpoint() -> None:
    """`/batch`. It takes components, not `gr.api`: it is gr.File that refuses what was not uploaded, such as a path."""
    invisible: dict[str, Any] = {"visible": False}
    inputs = [
        gr.File(label="file", file_count="single", file_types=list(ENDINGS), **invisible),
        gr.Textbox(models.DEFAULT, label="checkpoint", **invisible),
        gr.Number(1, label="beam_size", **invisible),
    ]
    outputs = [gr.File(label="CSV", **invisible), gr.File(label="JSONL", **invisible)]
    gr.Button(visible=False).click(batch, inputs, outputs, api_name="batch", show_progress="hidden", **RUNS)
