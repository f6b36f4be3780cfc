"""Translations as pictures (Plotly) and as sentences. Knows results only: neither torch nor gradio.

The picture: source across the top, target down the side, each row one target word whose weights sum to 1. The colour
scale is fixed at 0 to 1 for every sentence; a scale fitted to each sentence would make doubt look like certainty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from seq2seq.translation import EOS, PADDING, Translation

# One hue, light = none, dark = strong; told apart by lightness alone, so safe for colour-blind readers. On a dark page the
# empty cell takes the page's tone and strength is brightness. "need" is the scale of occlusion maps, in another hue so that
# they are not taken for attention; "left" and "right" are the two models of a comparison. "faint", "middling" and "strong" are
# the inks of the numbers in cells (see INKS).
THEMES: dict[str, dict[str, Any]] = {
    "light": {
        "text": "#1f2933",
        "grid": "#d5dce4",
        "left": "#b45309",
        "right": "#1d6fb8",
        "need": [[0, "#fdf8f3"], [0.25, "#f6d3ae"], [0.5, "#e39b58"], [0.75, "#b45f1c"], [1, "#5c2a06"]],
        "scale": [[0, "#f6f9fc"], [0.25, "#c3dbef"], [0.5, "#7fb2dc"], [0.75, "#2f7dbd"], [1, "#08396b"]],
        **{"faint": "#000", "middling": "#000", "strong": "#fff"},
    },
    "dark": {
        "text": "#e6edf3",
        "grid": "#3a4450",
        "left": "#f0a35e",
        "right": "#6cb6f0",
        "need": [[0, "#221a14"], [0.25, "#573414"], [0.5, "#a05f22"], [0.75, "#dc9a58"], [1, "#ffe6cc"]],
        "scale": [[0, "#161d26"], [0.25, "#1d3f60"], [0.5, "#2b6ca3"], [0.75, "#5ba3dc"], [1, "#d3ebff"]],
        **{"faint": "#fff", "middling": "#000", "strong": "#000"},
    },
}
INKS = ((0.762, "strong"), (0.563, "middling"), (0, "faint"))
"""From which weight on a number has which ink: where "scale" of the light theme, and that of the dark one, passes the tone on
which black and white can be read equally well."""
CLEAR = "rgba(0,0,0,0)"
FONT = "system-ui, sans-serif"
NUMBERS_UP_TO = 12
"""Cells carry numbers in pictures of at most so many rows and columns."""
CELL, LEFT, TOP, AROUND = 44, 110, 90, 20
"""Pixels: of a cell, of the room for target labels and for source labels, and around."""
LABEL_LENGTH = 18
"""Longer words are cut in the labels, not in the data."""
ONE_WORD = "With one source word, 100 % is all its weight could be."


class Grid(NamedTuple):
    """What is drawn: row and column labels and weights (rows, columns), or None without attention.

    padding: whether the last column is no word but the weight that fell behind the sentence.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    weights: np.ndarray | None
    padding: bool = False


def grid(translation: Translation, *, pieces: bool = False, show_eos: bool = True) -> Grid:
    """Rows and columns of the picture. `show_eos` is about the row that writes `<eos>`; its column stays, or rows would no
    longer sum to 1."""
    if pieces:
        rows, columns, weights = translation.target_pieces, translation.source_pieces, translation.attention_pieces
    else:
        rows, columns, weights = translation.target_words, translation.source_words, translation.attention
    if not show_eos and rows and rows[-1] == EOS:
        rows, weights = rows[:-1], None if weights is None else weights[:-1]
    padding = translation.padding_weight is not None
    if padding:
        # Shown as what it is: renormalised, a row would look surer than the model was.
        columns, weights = (*columns, PADDING), np.column_stack([weights, (1 - weights.sum(axis=1)).clip(0, 1)])
    return Grid(tuple(rows), tuple(columns), weights, padding)


def label(word: str) -> str:
    """A word as an axis label: cut if long, and escaped, because Plotly renders `<b>` and drops `</s>`."""
    return escape(word if len(word) <= LABEL_LENGTH else word[: LABEL_LENGTH - 1] + "…", quote=False)


def percent(weight: float) -> str:
    """A weight as people write it: "87 %"."""
    return f"{100 * weight:.0f} %"


def heatmap(translation: Translation, *, pieces: bool = False, show_eos: bool = True, dark: bool = False) -> go.Figure:
    """The attention of a translation as a Plotly figure.

    pieces: draw pieces as the model saw them, instead of words (source pieces summed, target pieces averaged).
    show_eos: with the row in which the model decided to stop. dark: for a dark page.
    A model without attention gets a sentence that says so, never a map.
    """
    return go.Figure(
        painted(heatmap_spec(translation, pieces=pieces, show_eos=show_eos), THEMES["dark" if dark else "light"])
    )


def heatmap_spec(translation: Translation, *, pieces: bool = False, show_eos: bool = True) -> dict[str, Any]:
    """The same figure as plain values, {"data", "layout"}, so that a stream of them costs no validation. Colours that depend
    on the theme stand as names, "theme:text"; `painted` puts them in, on the page its twin in `plot.js`."""
    shown = grid(translation, pieces=pieces, show_eos=show_eos)
    # An empty template: Plotly's own would bring its colours, and 7 kB.
    base = {"template": {}, "paper_bgcolor": CLEAR, "font": {"color": "theme:text", "size": 13, "family": FONT}}
    if shown.weights is None:
        return {"data": [], "layout": base | _sentence(no_attention(translation))}
    T, S = len(shown.rows), len(shown.columns)
    weights = np.clip(shown.weights.astype(float), 0, 1).round(4)
    trace = {
        "type": "heatmap",
        "z": weights.tolist(),
        "zmin": 0,
        "zmax": 1,
        "colorscale": "theme:scale",
        "xgap": 1,
        "ygap": 1,
        "hovertemplate": "To write “%{y}”, the model put %{z:.0%} of its attention on “%{x}”.<extra></extra>",
        "colorbar": {
            "title": {"text": "weight", "side": "right"},
            "tickformat": ".0%",
            "thickness": 10,
            "outlinewidth": 0,
            "tickvals": [0, 0.5, 1],
        },
    }
    layout = base | {
        "width": LEFT + S * CELL + 90,
        "height": TOP + T * CELL + AROUND,
        "margin": {"l": LEFT, "r": 70, "t": TOP, "b": AROUND},
        "plot_bgcolor": "theme:grid",
        "hoverlabel": {"font": {"size": 14}},
        "xaxis": axis(shown.columns) | {"side": "top", "range": [-0.5, S - 0.5], "tickangle": -45},
        "yaxis": axis(shown.rows) | {"range": [T - 0.5, -0.5]},
    }
    return {"data": [trace, *([_numbers(weights)] if max(T, S) <= NUMBERS_UP_TO else [])], "layout": layout}


def _numbers(weights: np.ndarray) -> dict[str, Any]:
    """Percent on the cells, none where nothing would stand but 0. A trace of its own: the text of a heatmap has one colour,
    or one that Plotly chooses and that is too pale on middling tones."""
    cells = [(t, s) for t, s in np.ndindex(*weights.shape) if weights[t, s] >= 0.01]
    inks = [next(ink for least, ink in INKS if weights[cell] >= least) for cell in cells]
    return {
        "type": "scatter",
        "mode": "text",
        "x": [s for _, s in cells],
        "y": [t for t, _ in cells],
        "text": [f"{100 * weights[cell]:.0f}" for cell in cells],
        "textfont": {"size": 11, "color": [f"theme:{ink}" for ink in inks]},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def axis(words: Sequence[str]) -> dict[str, Any]:
    """An integer axis with its own tick text: words as categories would merge when they repeat."""
    return {
        "tickmode": "array",
        "tickvals": list(range(len(words))),
        "ticktext": [label(word) for word in words],
        "ticks": "",
        "ticklabelstandoff": 6,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }


def painted(spec: Any, theme: Mapping[str, Any]) -> Any:
    """A copy of plain values with "theme:NAME" replaced by the theme's colour or scale of that name."""
    if isinstance(spec, dict):
        return {key: painted(value, theme) for key, value in spec.items()}
    if isinstance(spec, list):
        return [painted(value, theme) for value in spec]
    if isinstance(spec, str) and spec.startswith("theme:"):
        return theme.get(spec.removeprefix("theme:"), spec)
    return spec


def _sentence(text: str) -> dict[str, Any]:
    """The layout of a figure that only says something."""
    note = {
        "text": escape(text, quote=False),
        "showarrow": False,
        "font": {"size": 15},
        "xref": "paper",
        "yref": "paper",
    }
    hidden = {"visible": False}
    return {
        "annotations": [note | {"x": 0.5, "y": 0.5}],
        "height": 140,
        "xaxis": hidden,
        "yaxis": hidden,
        "plot_bgcolor": CLEAR,
        "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
    }


def no_attention(translation: Translation) -> str:
    """What stands where the map would be, for a model that has none."""
    return (
        f"No attention exists here: all that the decoder was given of the sentence is one vector of "
        f"{translation.hidden_size} numbers, whatever its length."
    )


# -- the caption ---------------------------------------------------------------------------------------------------


def caption(translation: Translation, *, show_eos: bool = False) -> str:
    """The picture in words, for screen readers and for people in a hurry: order, swaps, doubt, words left unread."""
    shown = grid(translation, show_eos=show_eos)
    if shown.weights is None:
        return no_attention(translation)
    if not shown.rows:
        return "The model wrote nothing: its first step was to stop."
    beyond = float(shown.weights[:, -1].mean()) if shown.padding else 0.0
    beyond = beyond if beyond >= 0.005 else 0.0  # "0 %" is not worth saying
    if shown.padding:
        shown = Grid(shown.rows, shown.columns[:-1], shown.weights[:, :-1])
    words = [i for i, word in enumerate(shown.columns) if word != EOS]
    if len(words) == 1 and not beyond:
        return ONE_WORD
    best = shown.weights.argmax(axis=1)
    parts = [_order(best), *_swaps(best, shown.columns), *_unread(shown, words), *_doubt(shown)]
    if beyond:
        parts.append(
            f"on average {percent(beyond)} of the weight fell on padding, the empty places behind the sentence"
        )
    return "; ".join(parts) + "."


def _order(best: np.ndarray) -> str:
    """How often the eye moved on or stayed from one target word to the next."""
    if len(best) < 2:
        return "One word was written"
    forward = float(np.mean(np.diff(best) >= 0))
    if forward == 1:
        return "Read strictly from left to right"
    return "Read mostly from left to right" if forward >= 0.7 else "Read back and forth"


def _swaps(best: np.ndarray, columns: Sequence[str], limit: int = 2) -> list[str]:
    """Neighbouring target words that were read in the other order: "'blue' and 'car' swapped places"."""
    found = []
    for before, after in zip(best, best[1:]):
        if 0 < before - after <= 2 and EOS not in (columns[before], columns[after]):
            pair = f"‘{columns[after]}’ and ‘{columns[before]}’ swapped places"
            if pair not in found:
                found.append(pair)
    return found[:limit]


def _unread(shown: Grid, words: Sequence[int], share: float = 0.1, limit: int = 3) -> list[str]:
    """Source words that no target word was read from."""
    most = shown.weights.max(axis=0)
    unread = [shown.columns[i] for i in words if most[i] < share and any(c.isalnum() for c in shown.columns[i])]
    if not unread:
        return []
    more = f" and {len(unread) - limit} more words" if len(unread) > limit else ""
    return [f"{', '.join(f'‘{word}’' for word in unread[:limit])}{more} got almost no attention"]


def _doubt(shown: Grid, share: float = 0.4) -> list[str]:
    """The target word whose attention was most spread out, if it was."""
    strongest = shown.weights.max(axis=1)
    row = int(strongest.argmin())
    if strongest[row] >= share:
        return []
    column = shown.columns[int(shown.weights[row].argmax())]
    return [f"least sure for ‘{shown.rows[row]}’, with no more than {percent(strongest[row])} on ‘{column}’"]
