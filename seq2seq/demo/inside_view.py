"""The diagram of a decoder on the page: a box for every value of a step, arrows for what is computed from what.

Left stands what was written before, right what the decoder remembers, in the middle all that is computed. Drawn by
`inside_view.js`, which walks the steps without asking the server again.
"""

from __future__ import annotations

from typing import Any

from seq2seq.demo.component import PageComponent
from seq2seq.inside import MAX_STEPS, Inside, Value


class InsideView(PageComponent):
    """Shows what `inside_view` made."""

    SCRIPT = "inside_view.js"


WRITTEN, COMPUTED, REMEMBERED = "left", "middle", "right"


def inside_view(inside: Inside, label: str) -> dict[str, Any]:
    """Everything the browser draws; `label`: what the page calls the model."""
    made = inside.to_dict() | {"label": label, "note": "", "scales": scales(inside)}
    if inside.all_steps > MAX_STEPS:
        made["note"] = f"The first {MAX_STEPS} of {inside.all_steps} steps are shown."
    lane = lanes(inside.values)
    boxes = [value | {"lane": lane[value["name"]]} for value in made.pop("values")]
    if inside.weights is None:
        first = next(i for i, box in enumerate(boxes) if box["lane"] == COMPUTED and box["sources"])
        boxes.insert(first, missing(inside.translation.hidden_size))
    return made | {"boxes": boxes}


def missing(hidden_size: int) -> dict[str, Any]:
    """What stands in a decoder without attention where others score and weigh the source words."""
    text = (
        "Missing here: scores, weights, and a context that changes with every step. This decoder cannot look back; all it "
        f"was given of the sentence is one vector of {hidden_size} numbers."
    )
    return {"name": "no attention", "missing": text, "lane": COMPUTED, "sources": []}


def lanes(values: tuple[Value, ...]) -> dict[str, str]:
    """Where each box stands: values that come from the last piece alone at the left, the old state at the right."""
    lane: dict[str, str] = {}
    for value in values:
        if value.name == "prev":
            lane[value.name] = WRITTEN
        elif value.name == "old hidden":
            lane[value.name] = REMEMBERED
        elif value.sources and all(lane[name] == WRITTEN for name in value.sources) and value.name == "embedded":
            lane[value.name] = WRITTEN
        else:
            lane[value.name] = COMPUTED
    return lane


def scales(inside: Inside) -> dict[str, float]:
    """For each value the size at which its colour is full, the same at every step: 1, or the largest number in it."""
    names = [value.name for value in inside.values if not value.over_vocabulary and value.name != "prev"]
    return {
        name: max(1.0, *(round(float(abs(numbers[name]).max()), 1) for numbers in inside.numbers)) for name in names
    }
