"""The charts of the comparison: valid Plotly, honest scales, no text that could be markup."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from seq2seq.charts import NEED_TOP, by_length, growth, occlusion_map, scatter, strip
from seq2seq.figures import THEMES, Grid, painted

LABELS = {"left": "plain <b>", "right": "additive"}
POINTS = [
    SimpleNamespace(
        words=n, chrf={"left": 80.0 - n, "right": 80.0}, reference_log_prob={"left": -0.1 * n, "right": -0.5}
    )
    for n in (8, 16, 24)
]
TABLE = pd.DataFrame({"source": ["<b>x</b>", "y" * 200], "chrf_left": [10.0, 90.0], "chrf_right": [60.0, 40.0]})
METRICS = {
    "plain": {
        "set": {
            "by_length": [
                {"from": 1, "to": 7, "sentences": 3, "bleu": 20.0, "chrf": 40.0, "bleu_interval": [15.0, 22.0]},
                {"from": 8, "to": 14, "sentences": 9, "bleu": 10.0, "chrf": 30.0, "bleu_interval": [8.0, 13.0]},
            ]
        }
    },
    "unscored": {},
}
SPECS = {
    "occlusion": occlusion_map(Grid(("le", "</s>"), ("the", "end"), np.array([[2.0, -0.1], [0.0, 9.0]]))),
    "strip": strip(np.linspace(-1, 1, 16)),
    "growth": growth(POINTS, LABELS, 30),
    "by_length": by_length(METRICS, "set"),
    "scatter": scatter(TABLE, LABELS),
}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_plotly_accepts_it_in_both_themes(spec: dict, theme: str) -> None:
    figure = go.Figure(painted(spec, THEMES[theme]))
    assert "theme:" not in figure.to_json()
    assert json.loads(json.dumps(spec, allow_nan=False)) == spec, "the browser gets plain JSON"


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_text_is_escaped(spec: dict) -> None:
    assert "<b>" not in json.dumps(spec) and "</s>" not in json.dumps(spec)


def test_occlusion_maps_of_all_sentences_share_one_scale() -> None:
    trace = SPECS["occlusion"]["data"][0]
    assert (trace["zmin"], trace["zmax"]) == (0, NEED_TOP)
    assert trace["z"] == [[2.0, -0.1], [0.0, 9.0]], "hover tells the true number, also beyond the scale"


def test_strip_shows_every_number() -> None:
    assert len(SPECS["strip"]["data"][0]["z"][0]) == 16


def test_growth_draws_both_models_on_both_scores() -> None:
    traces = SPECS["growth"]["data"]
    assert [(t["y"], t["line"]["dash"]) for t in traces[:2]] == [
        ([72.0, 64.0, 56.0], "dot"),
        ([-0.8, -1.6, -2.4], "dot"),
    ]
    assert all(t["x"] == [8, 16, 24] for t in traces)
    left, right = traces[0]["marker"]["symbol"], traces[2]["marker"]["symbol"]
    assert left != right, "told apart without colour"


def test_by_length_leaves_out_what_was_not_scored_and_names_n_and_interval() -> None:
    (trace,) = SPECS["by_length"]["data"]
    assert trace["error_y"]["array"] == [2.0, 3.0] and trace["error_y"]["arrayminus"] == [5.0, 2.0]
    assert trace["text"][0] == "3 sentences, 95 % interval 15.0 to 22.0"


def test_a_theme_name_typed_by_a_person_stays_text() -> None:
    assert painted({"a": ["theme:nothing", "theme: text"]}, THEMES["light"]) == {"a": ["theme:nothing", "theme: text"]}


def test_charts_speak_the_language_of_their_reader() -> None:
    lost = Grid(("le",), ("the",), np.array([[2.0]]))
    french = {
        "occlusion": occlusion_map(lost, "fr"),
        "strip": strip(np.linspace(-1, 1, 16), "fr"),
        "growth": growth(POINTS, LABELS, 30, "fr"),
        "by_length": by_length(METRICS, "set", language="fr"),
        "scatter": scatter(TABLE, LABELS, "fr"),
    }
    assert all(spec["layout"]["separators"] == ",\u202f" for spec in french.values())
    assert not any("separators" in spec["layout"] for spec in SPECS.values())
    assert french["occlusion"]["data"][0]["hovertemplate"] == (
        "Sans «\u00a0%{x}\u00a0», «\u00a0%{y}\u00a0» perd %{z:.2f} de sa log-probabilité.<extra></extra>"
    )
    assert french["by_length"]["data"][0]["text"][0] == "3 phrases, intervalle à 95\u00a0% de 15,0 à 22,0"
    assert growth(POINTS, LABELS, 30, "zh")["layout"]["xaxis"]["title"]["text"] == "句子的词数"
    assert strip(np.zeros(4), "zh")["data"][0]["hovertemplate"] == "第 %{x} 个数：%{z:.2f}<extra></extra>"
