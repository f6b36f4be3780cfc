"""The charts of the comparison as plain Plotly values, {"data", "layout"}: strip, occlusion map, growth, length, scatter.

Colours that depend on the theme stand as names, "theme:text", for `figures.painted`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq.figures import CLEAR, FONT, Grid, axis, separators
from seq2seq.language import ENGLISH, translate

if TYPE_CHECKING:
    import pandas as pd

    from seq2seq.bottleneck import Point

Spec = dict[str, Any]
NEED_TOP = 4.0
"""Log-probability lost at which an occlusion map is darkest, for every sentence and both models: e⁻⁴ is one in fifty-five."""
BAHDANAU = (
    "For comparison, Bahdanau et al. (2015) report BLEU 17.82 for RNNencdec-50 (no attention) and 26.75 for RNNsearch-50 "
    "(attention) on WMT14 English–French. The two are not the same measurement: theirs are news sentences, large models and "
    "vocabularies of 30,000 words; ours are captions and everyday sentences, and small models. What can be compared is the "
    "shape: in their figure 2 the model without attention falls off as sentences get longer."
)
SENTENCES = "{count} sentences, 95 % interval {low:.1f} to {high:.1f}"
RIGHT = {"exact": "captions without a mistake, %", "whole": "whole objects right, %"}
SIDES = ("left", "right")
LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
MARKS = {"left": {"symbol": "square", "dash": "dot"}, "right": {"symbol": "circle", "dash": "solid"}}
"""The two models are told apart by mark and dash, not by colour alone."""


def _layout(language: str, **more: Any) -> Spec:
    return {
        "template": {},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"color": "theme:text", "size": 13, "family": FONT},
        "hoverlabel": {"font": {"size": 13}, "align": "left"},
        **separators(language),
    } | more


def _axis(title: str, **more: Any) -> Spec:
    line = {
        "gridcolor": "theme:grid",
        "zeroline": False,
        "linecolor": "theme:grid",
        "fixedrange": True,
        "automargin": True,
    }
    return line | {"title": {"text": title, "standoff": 8}} | more


def occlusion_map(shown: Grid, language: str = ENGLISH) -> Spec:
    """What each target word loses when a source word is masked; `shown.weights` holds log-probabilities lost."""
    hover = translate(
        "Without “{x}”, “{y}” loses {amount} of its log-probability.", language, x="%{x}", y="%{y}", amount="%{z:.2f}"
    )
    trace = {
        "type": "heatmap",
        "z": np.asarray(shown.weights, float).round(4).tolist(),
        "zmin": 0,
        "zmax": NEED_TOP,
        "colorscale": "theme:need",
        "xgap": 1,
        "ygap": 1,
        "hovertemplate": f"{hover}<extra></extra>",
        "colorbar": {
            "title": {"text": translate("log-probability lost", language), "side": "right"},
            "thickness": 10,
            "outlinewidth": 0,
            "tickvals": [0, NEED_TOP / 2, NEED_TOP],
            "ticktext": ["0", f"{NEED_TOP / 2:g}", translate("{count:g} or more", language, count=NEED_TOP)],
        },
    }
    S, T = len(shown.columns), len(shown.rows)
    layout = _layout(language, plot_bgcolor="theme:grid")
    layout["xaxis"] = axis(shown.columns) | {"side": "top", "range": [-0.5, S - 0.5], "tickangle": -45}
    layout["yaxis"] = axis(shown.rows) | {"range": [T - 0.5, -0.5]}
    return {"data": [trace], "layout": layout}


def strip(vector: np.ndarray, language: str = ENGLISH) -> Spec:
    """One vector (H,) as one row of H cells, each between -1 and 1."""
    trace = {
        "type": "heatmap",
        "z": [np.asarray(vector, float).round(3).tolist()],
        "zmin": -1,
        "zmax": 1,
        "colorscale": [[0, "#b45309"], [0.5, "#f3f4f6"], [1, "#1d6fb8"]],
        "showscale": False,
        "hovertemplate": translate("number {place}: {value}", language, place="%{x}", value="%{z:.2f}")
        + "<extra></extra>",
    }
    bare = {"visible": False, "fixedrange": True}
    return {
        "data": [trace],
        "layout": _layout(language, xaxis=bare, yaxis=bare, height=64, margin={"l": 0, "r": 0, "t": 4, "b": 4}),
    }


def growth(points: Sequence[Point], labels: Mapping[str, str], until: int, language: str = ENGLISH) -> Spec:
    """chrF and log-probability of the reference per word against sentence length, of both models, as far as computed.

    labels: what each side is called. language: of the rest. until: words of the longest sentence to come, so that the axis
    stands still.
    """
    data = []
    hover = translate("{count} words: {value}", language, count="%{x}", value="%{y:.2f}")
    for side in SIDES:
        mark = MARKS[side]
        for row, values in ((1, [p.chrf[side] for p in points]), (2, [p.reference_log_prob[side] for p in points])):
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": escape(labels[side], quote=False),
                    "legendgroup": side,
                    "showlegend": row == 1,
                    "x": [p.words for p in points],
                    "y": [round(v, 3) for v in values],
                    "yaxis": "y" if row == 1 else "y2",
                    "line": {"color": f"theme:{side}", "dash": mark["dash"], "width": 2.5},
                    "marker": {"symbol": mark["symbol"], "size": 9},
                    "hovertemplate": f"{hover}<extra>%{{fullData.name}}</extra>",
                }
            )
    layout = _layout(
        language,
        height=470,
        margin={"l": 60, "r": 16, "t": 64, "b": 48},
        legend=LEGEND,
        xaxis=_axis(translate("words in the sentence", language), range=[0, until + 2], anchor="y2"),
        yaxis=_axis(translate("chrF of the translation", language), range=[0, 105], domain=[0.55, 1]),
        yaxis2=_axis(
            translate("log-prob. of the<br>reference per word", language), domain=[0, 0.45], rangemode="tozero"
        ),
    )
    return {"data": data, "layout": layout}


def by_length(
    metrics: Mapping[str, Mapping[str, Any]], data_name: str, score: str = "bleu", language: str = ENGLISH
) -> Spec:
    """Quality by source length of all checkpoints on one test set, with 95 % intervals; from their `metrics.json`.

    metrics: checkpoint name -> its metrics. Bins with few sentences show it by their intervals.
    """
    data = []
    hover = translate("{count} words: {value}", language, count="%{x}", value="%{y:.1f}")
    symbols = ("circle", "square", "diamond", "triangle-up", "x")
    colours = ("theme:right", "theme:left", "#2e8b57", "#8b5fbf", "#c0392b")
    for i, (name, known) in enumerate(metrics.items()):
        rows = known.get(data_name, {}).get("by_length", [])
        if not rows:
            continue
        intervals = [row.get(f"{score}_interval") or [row[score]] * 2 for row in rows]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": escape(name, quote=False),
                "x": [f"{row['from']}–{row['to']}" for row in rows],
                "y": [row[score] for row in rows],
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [round(high - row[score], 2) for row, (_, high) in zip(rows, intervals)],
                    "arrayminus": [round(row[score] - low, 2) for row, (low, _) in zip(rows, intervals)],
                    "thickness": 1.5,
                },
                "line": {"color": colours[i % 5], "width": 2.5},
                "marker": {"symbol": symbols[i % 5], "size": 9},
                "text": [
                    translate(SENTENCES, language, count=row["sentences"], low=low, high=high)
                    for row, (low, high) in zip(rows, intervals)
                ],
                "hovertemplate": f"{hover}<br>%{{text}}<extra>%{{fullData.name}}</extra>",
            }
        )
    layout = _layout(
        language,
        height=390,
        margin={"l": 56, "r": 16, "t": 64, "b": 48},
        legend=LEGEND,
        xaxis=_axis(translate("words in the sentence", language), type="category"),
        yaxis=_axis({"bleu": "BLEU", "chrf": "chrF"}[score], rangemode="tozero"),
    )
    return {"data": data, "layout": layout}


def right_by_objects(rows: Mapping[str, Sequence[Mapping[str, Any]]], measure: str, language: str = ENGLISH) -> Spec:
    """Of scenes, what share was right by number of objects: `rows` has for each model the "by_objects" of `evaluate
    --truth`."""
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": escape(name, quote=False),
            "x": [row["objects"] for row in known],
            "y": [round(100 * row[measure], 1) for row in known],
            "line": {"color": f"theme:{side}", "width": 2.5, "dash": MARKS[side]["dash"]},
            "marker": {"symbol": MARKS[side]["symbol"], "size": 9},
            "hovertemplate": "%{y:.1f} %<extra>%{fullData.name}</extra>",
        }
        for side, (name, known) in zip(SIDES, rows.items())
    ]
    layout = _layout(
        language,
        height=320,
        margin={"l": 56, "r": 16, "t": 64, "b": 48},
        legend=LEGEND,
        xaxis=_axis(translate("objects in the scene", language), dtick=1),
        yaxis=_axis(translate(RIGHT[measure], language), range=[-2, 104]),
    )
    return {"data": data, "layout": layout}


def scatter(table: pd.DataFrame, labels: Mapping[str, str], language: str = ENGLISH) -> Spec:
    """Sentence chrF of both models over a file of pairs; each point is a row of the table, known by its place."""
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": [round(v, 2) for v in table["chrf_left"]],
        "y": [round(v, 2) for v in table["chrf_right"]],
        "text": [escape(text if len(text) <= 80 else text[:79] + "…", quote=False) for text in table["source"]],
        "marker": {"color": "theme:right", "size": 8, "opacity": 0.6, "line": {"width": 1, "color": "theme:text"}},
        "hovertemplate": "%{text}<br>%{x:.1f} | %{y:.1f}<extra></extra>",
    }
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "x": [0, 100],
        "y": [0, 100],
        "line": {"color": "theme:grid", "dash": "dash"},
        "hoverinfo": "skip",
    }
    layout = _layout(
        language,
        height=420,
        showlegend=False,
        hovermode="closest",
        margin={"l": 56, "r": 16, "t": 16, "b": 48},
        xaxis=_axis(f"chrF, {escape(labels['left'], quote=False)}", range=[-3, 103]),
        yaxis=_axis(f"chrF, {escape(labels['right'], quote=False)}", range=[-3, 103]),
    )
    return {"data": [points, diagonal], "layout": layout}
