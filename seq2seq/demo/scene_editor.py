"""A scene that is composed by hand: objects are dragged, or moved with the arrow keys; drawn by `scene_editor.js`."""

from __future__ import annotations

from typing import Any

from seq2seq.demo.component import PageComponent
from seq2seq.grammar import GRAMMARS
from seq2seq.scenes import COLOURS, CORNERS, GRID, MOST, PIXELS, SHAPES, SIZES, Scene, middle

MAX_CODE = 300
"""Characters of a scene's code that are read; five objects need half of them."""


class SceneEditor(PageComponent):
    """Shows what `editor` made. A change is the event `compose`, with the scene's code and a number."""

    SCRIPT = "scene_editor.js"


def editor(scene: Scene, asked: int = 0) -> dict[str, Any]:
    """The scene to go on with. asked: the number of the change that this answers; 0 if it is another scene."""
    return {
        "things": [thing._asdict() for thing in scene.things],
        "asked": asked,
        "pixels": PIXELS,
        "middles": [middle(place) for place in range(GRID)],
        "places": GRAMMARS["en"].places,
        "most": MOST,
        "sizes": SIZES,
        "colours": COLOURS,
        "shapes": list(SHAPES),
        "corners": CORNERS,
    }


def composed(event: Any) -> tuple[str, int]:
    """The code and the number of a change, whatever a program sends."""
    code, asked = getattr(event, "code", None), getattr(event, "asked", None)
    return (code[:MAX_CODE] if isinstance(code, str) else ""), (asked if isinstance(asked, int) else 0)
