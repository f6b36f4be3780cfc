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

from seq2seq.language import ENGLISH, FRENCH, Said, translate
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
HOVER = "To write “{y}”, the model put {share} of its attention on “{x}”."
HOVER_POSTERIOR = "“{y}”, once written, was read from “{x}” with a probability of {share}."
ONE_WORD = "With one source word, 100 % is all its weight could be."


NO_ATTENTION = (
    "No attention exists here: all that the decoder was given of the sentence is one vector of {count} numbers, whatever its "
    "length."
)
NOTHING = "The model wrote nothing: its first step was to stop."
ON_PADDING = "on average {share} of the weight fell on padding, the empty places behind the sentence"
UNREAD = (
    "‘{word1}’ got almost no attention",
    "‘{word1}’, ‘{word2}’ got almost no attention",
    "‘{word1}’, ‘{word2}’, ‘{word3}’ got almost no attention",
    "‘{word1}’, ‘{word2}’, ‘{word3}’ and one more word got almost no attention",
    "‘{word1}’, ‘{word2}’, ‘{word3}’ and {count} more words got almost no attention",
)
DOUBT = "least sure for ‘{target}’, with no more than {share} on ‘{source}’"


class Grid(NamedTuple):
    """What is drawn: row and column labels and weights (rows, columns), or None without attention.

    padding: whether the last column is no word but the weight that fell behind the sentence.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    weights: np.ndarray | None
    padding: bool = False


def grid(translation: Translation, *, pieces: bool = False, show_eos: bool = True, language: str = ENGLISH) -> Grid:
    """Rows and columns of the picture. `show_eos` is about the row that writes `<eos>`; its column stays, or rows would no
    longer sum to 1. language: in which the column of padding is named."""
    if pieces:
        rows, columns, weights = translation.target_pieces, translation.source_pieces, translation.attention_pieces
    else:
        rows, columns, weights = translation.target_words, translation.source_words, translation.attention
    if not show_eos and rows and rows[-1] == EOS:
        rows, weights = rows[:-1], None if weights is None else weights[:-1]
    padding = translation.padding_weight is not None
    if padding and weights is not None:
        # Shown as what it is: renormalised, a row would look surer than the model was.
        columns = (*columns, translate(PADDING, language))
        weights = np.column_stack([weights, (1 - weights.sum(axis=1)).clip(0, 1)])
    return Grid(tuple(rows), tuple(columns), weights, padding)


def label(word: str) -> str:
    """A word as an axis label: cut if long, and escaped, because Plotly renders `<b>` and drops `</s>`."""
    return escape(word if len(word) <= LABEL_LENGTH else word[: LABEL_LENGTH - 1] + "…", quote=False)


def percent(weight: float, language: str = ENGLISH) -> str:
    """A weight as people write it: "87 %"."""
    return translate("{percent:.0f} %", language, percent=100 * weight)


def separators(language: str) -> dict[str, str]:
    """What Plotly writes in numbers, for a layout: its default is English."""
    return {"separators": ",\u202f"} if language == FRENCH else {}


def heatmap(translation: Translation, *, pieces: bool = False, show_eos: bool = True, dark: bool = False) -> go.Figure:
    """The attention of a translation as a Plotly figure.

    pieces: draw pieces as the model saw them, instead of words (source pieces summed, target pieces averaged).
    show_eos: with the row in which the model decided to stop. dark: for a dark page.
    A model without attention gets a sentence that says so, never a map.
    """
    return go.Figure(
        painted(heatmap_spec(translation, pieces=pieces, show_eos=show_eos), THEMES["dark" if dark else "light"])
    )


def heatmap_spec(
    translation: Translation, *, pieces: bool = False, show_eos: bool = True, language: str = ENGLISH
) -> dict[str, Any]:
    """The same figure as plain values, {"data", "layout"}, so that a stream of them costs no validation. Colours that depend
    on the theme stand as names, "theme:text"; `painted` puts them in, on the page its twin in `plot.js`."""
    shown = grid(translation, pieces=pieces, show_eos=show_eos, language=language)
    # An empty template: Plotly's own would bring its colours, and 7 kB.
    base = {"template": {}, "paper_bgcolor": CLEAR, "font": {"color": "theme:text", "size": 13, "family": FONT}}
    base |= separators(language)
    if shown.weights is None:
        return {"data": [], "layout": base | _sentence(translate(no_attention(translation), language))}
    T, S = len(shown.rows), len(shown.columns)
    weights = np.clip(shown.weights.astype(float), 0, 1).round(4)
    # Plotly's own percent would stand without the space that French wants.
    share = "%{customdata}\u00a0%" if language == FRENCH else "%{z:.0%}"
    hover = translate(HOVER_POSTERIOR if translation.posterior else HOVER, language, x="%{x}", y="%{y}", share=share)
    trace = {
        "type": "heatmap",
        "z": weights.tolist(),
        "zmin": 0,
        "zmax": 1,
        "colorscale": "theme:scale",
        "xgap": 1,
        "ygap": 1,
        **({"customdata": (100 * weights).round().astype(int).tolist()} if language == FRENCH else {}),
        "hovertemplate": f"{hover}<extra></extra>",
        "colorbar": {
            "title": {
                "text": translate("probability" if translation.posterior else "weight", language),
                "side": "right",
            },
            "ticktext": [percent(weight, language) for weight in (0, 0.5, 1)],
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
    return Said(NO_ATTENTION, count=translation.hidden_size)


# -- the caption ---------------------------------------------------------------------------------------------------


def caption(translation: Translation, *, show_eos: bool = False, language: str = ENGLISH) -> str:
    """The picture in words, for screen readers and for people in a hurry: order, swaps, doubt, words left unread."""
    shown = grid(translation, show_eos=show_eos)
    if shown.weights is None:
        return translate(no_attention(translation), language)
    if not shown.rows:
        return translate(NOTHING, language)
    beyond = float(shown.weights[:, -1].mean()) if shown.padding else 0.0
    beyond = beyond if beyond >= 0.005 else 0.0  # "0 %" is not worth saying
    weights = shown.weights[:, :-1] if shown.padding else shown.weights
    shown = Grid(shown.rows, shown.columns[: weights.shape[1]], weights)
    words = [i for i, word in enumerate(shown.columns) if word != EOS]
    if len(words) == 1 and not beyond:
        return translate(ONE_WORD, language)
    best = weights.argmax(axis=1)
    parts = [
        _order(best),
        *_swaps(best, shown.columns),
        *([] if translation.posterior else _unread(weights, shown.columns, words)),  # of attention alone
        *_doubt(weights, shown),
    ]
    if beyond:
        parts.append(Said(ON_PADDING, share=_share(beyond)))
    clauses = translate("; ", language).join(translate(part, language) for part in parts)
    return translate("{clauses}.", language, clauses=clauses)


def _share(weight: float) -> Said:
    """As `percent`, in whatever language it will be read."""
    return Said("{percent:.0f} %", percent=100 * weight)


def _order(best: np.ndarray) -> Said:
    """How often the eye moved on or stayed from one target word to the next."""
    if len(best) < 2:
        return Said("One word was written")
    forward = float(np.mean(np.diff(best) >= 0))
    if forward == 1:
        return Said("Read strictly from left to right")
    return Said("Read mostly from left to right" if forward >= 0.7 else "Read back and forth")


def _swaps(best: np.ndarray, columns: Sequence[str], limit: int = 2) -> list[Said]:
    """Neighbouring target words that were read in the other order: "'blue' and 'car' swapped places"."""
    found = []
    for before, after in zip(best, best[1:]):
        if 0 < before - after <= 2 and EOS not in (columns[before], columns[after]):
            pair = Said("‘{first}’ and ‘{second}’ swapped places", first=columns[after], second=columns[before])
            if pair not in found:
                found.append(pair)
    return found[:limit]


def _unread(
    weights: np.ndarray, columns: Sequence[str], words: Sequence[int], share: float = 0.1, limit: int = 3
) -> list[Said]:
    """Source words that no target word was read from."""
    most = weights.max(axis=0)
    unread = [columns[i] for i in words if most[i] < share and any(c.isalnum() for c in columns[i])]
    if not unread:
        return []
    named = {f"word{i}": word for i, word in enumerate(unread[:limit], 1)}
    more = len(unread) - limit
    return [Said(UNREAD[min(len(unread), limit + 1 + (more > 1)) - 1], **named, count=more)]


def _doubt(weights: np.ndarray, shown: Grid, share: float = 0.4) -> list[Said]:
    """The target word whose attention was most spread out, if it was."""
    strongest = weights.max(axis=1)
    row = int(strongest.argmin())
    if strongest[row] >= share:
        return []
    column = shown.columns[int(weights[row].argmax())]
    return [Said(DOUBT, target=shown.rows[row], share=_share(strongest[row]), source=column)]
