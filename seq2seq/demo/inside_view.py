"""The diagram of a decoder on the page: a box for every value of a step, arrows for what is computed from what.

Left stands what was written before, right what the decoder remembers, in the middle all that is computed. Drawn by
`inside_view.js`, which walks the steps without asking the server again.
"""

from __future__ import annotations

import json
from typing import Any

from seq2seq.demo.component import PageComponent
from seq2seq.demo.visitor import say
from seq2seq.inside import MAX_STEPS, Inside


class InsideView(PageComponent):
    """Shows what `inside_view` made."""

    SCRIPT = "inside_view.js"

    def postprocess(  # ty: ignore[incompatible-method-override]: the script takes a text
        self, value: dict[str, Any] | None
    ) -> str:
        """As text: at every event of the page Gradio copies all values in it, number by number, and here are very many."""
        return json.dumps(value) if value else ""

    def api_info(self) -> dict[str, Any]:
        return {"type": "string"}


MISSING = (
    "Missing here: scores, weights, and a context that changes with every step. This decoder cannot look back; all it was "
    "given of the sentence is one vector of {count} numbers."
)
WRITTEN, COMPUTED, REMEMBERED = "left", "middle", "right"
LANES = {"prev": WRITTEN, "embedded": WRITTEN, "old hidden": REMEMBERED}
"""Where a box stands; all others are in the middle."""


def inside_view(inside: Inside, label: str) -> dict[str, Any]:
    """Everything the browser draws; `label`: what the page calls the model."""
    made: dict[str, Any] = inside.to_dict() | {
        "label": label,
        "note": "",
        "warnings": [say(warning) for warning in inside.translation.warnings],
        "scales": scales(inside),
    }
    if inside.all_steps > MAX_STEPS:
        made["note"] = say("The first {count} of {total} steps are shown.", count=MAX_STEPS, total=inside.all_steps)
    boxes = [value | {"lane": LANES.get(value["name"], COMPUTED)} for value in made.pop("values")]
    if inside.weights is None:
        first = next(i for i, box in enumerate(boxes) if box["lane"] == COMPUTED and box["sources"])
        boxes.insert(first, missing(inside.translation.hidden_size))
    return made | {"boxes": boxes}


def missing(hidden_size: int) -> dict[str, Any]:
    """What stands in a decoder without attention where others score and weigh the source words."""
    return {"name": "no attention", "missing": say(MISSING, count=hidden_size), "lane": COMPUTED, "sources": []}


def scales(inside: Inside) -> dict[str, float]:
    """For each value the size at which its colour is full, the same at every step: 1, or the largest number in it."""
    names = [value.name for value in inside.values if not value.over_vocabulary and value.name != "prev"]
    return {
        name: max(1.0, *(round(float(abs(numbers[name]).max()), 1) for numbers in inside.numbers)) for name in names
    }
