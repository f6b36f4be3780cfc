"""The bench's result as Plotly charts: a folder of offline HTML files with one plotly.min.js beside them, and PNG where a
browser can be found. Knows the plain values of the result only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import plotly.io

COLOURS = {"ours": "#1d6fb8", "tutorial": "#c2410c", "floor": "#9ca3af"}
"""The same thing has the same colour in every chart."""
LINES = ("#1d6fb8", "#c2410c", "#2e8b57", "#8b5fbf")
FONT = {"family": "system-ui, sans-serif", "size": 14, "color": "#1f2937"}
SIZE = {"width": 900, "height": 480}
GROWING = {
    "source_words": "words of the source",
    "beam_size": "beam",
    "batch_size": "sentences at once",
    "sentences": "sentences",
}


def figures(result: dict[str, Any]) -> dict[str, go.Figure]:
    """A chart for each part that was measured, by the name of its file."""
    found = {}
    for device in result["devices"]:
        of = f" ({device['device']})"
        if device["latency"]:
            found[f"latency-{device['type']}"] = latency(device["latency"], of)
        if device["throughput"]:
            found[f"throughput-{device['type']}"] = throughput(device["throughput"], of)
            found[f"matrix-share-{device['type']}"] = shares(device["throughput"], of)
        if device["training"]:
            found[f"training-{device['type']}"] = training(device["training"], of)
        if device["growth"]:
            found |= {f"{name}-{device['type']}": figure for name, figure in growth(device["growth"], of)}
    if result["app"]:
        found["clients"] = clients(result["app"]["clients"])
    return found


def figure(title: str, x: str, y: str, traces: Sequence[Any], log: str = "") -> go.Figure:
    """log: which axes are logarithmic, such as "xy"."""
    made = go.Figure(list(traces))
    grid = {"gridcolor": "#e5e7eb", "zeroline": False}
    made.update_layout(
        template=None,
        title={"text": title, "x": 0.02},
        font=FONT,
        plot_bgcolor="white",
        xaxis={"title": {"text": x}, **({"type": "log", "dtick": "D2"} if "x" in log else {}), **grid},
        yaxis={"title": {"text": y}, **({"type": "log", "dtick": "D2"} if "y" in log else {}), **grid},
        legend={"orientation": "h", "y": 1.08, "x": 0},
        margin={"t": 96},
        **SIZE,
    )
    return made


def latency(rows: list[dict[str, Any]], of: str) -> go.Figure:
    names = [f"{row['words']} words, beam {row['beam_size']}" for row in rows]
    bars = (
        ("tutorial", "the tutorial's way", "tutorial_p50_seconds"),
        ("ours", "here", "p50_seconds"),
        ("floor", "reading the weights", "floor_seconds"),
    )
    traces = [
        go.Bar(
            name=label,
            x=names,
            y=[1e3 * row[key] for row in rows],
            marker={"color": COLOURS[of_what]},
            texttemplate="%{y:.1f}",
            hovertemplate="%{x}: %{y:.1f} ms<extra>%{fullData.name}</extra>",
        )
        for of_what, label, key in bars
    ]
    return figure(f"One sentence{of}", "", "milliseconds, median", traces, log="y")


def throughput(found: dict[str, Any], of: str) -> go.Figure:
    traces = []
    for colour, beam_size in zip(LINES, dict.fromkeys(row["beam_size"] for row in found["rows"])):
        rows = [row for row in found["rows"] if row["beam_size"] == beam_size]
        sizes = [row["batch_size"] for row in rows]
        speeds = [row["sentences_per_second"] for row in rows]
        theirs = [row["sentences_per_second"] for row in found["tutorial"] if row["beam_size"] == beam_size]
        name = "greedy" if beam_size == 1 else f"beam {beam_size}"
        traces.append(go.Scatter(name=name, x=sizes, y=speeds, mode="lines+markers", line={"color": colour}))
        dashed = {"color": colour, "dash": "dot"}
        ends = [sizes[0], sizes[-1]]
        traces.append(go.Scatter(name=f"the tutorial's way, {name}", x=ends, y=theirs * 2, mode="lines", line=dashed))
    return figure(f"Many sentences{of}", "hypotheses at once", "sentences a second", traces, log="xy")


def shares(found: dict[str, Any], of: str) -> go.Figure:
    traces = []
    for colour, beam_size in zip(LINES, dict.fromkeys(row["beam_size"] for row in found["rows"])):
        rows = [row for row in found["rows"] if row["beam_size"] == beam_size]
        sizes, values = [row["batch_size"] for row in rows], [100 * row["matrix_share"] for row in rows]
        name = "greedy" if beam_size == 1 else f"beam {beam_size}"
        traces.append(go.Scatter(name=name, x=sizes, y=values, mode="lines+markers", line={"color": colour}))
    return figure(f"Share of the matrix rate{of}", "hypotheses at once", "%", traces, log="x")


def training(rows: list[dict[str, Any]], of: str) -> go.Figure:
    names = [f"{row['kind']}<br>{row['precision']}" for row in rows]
    speeds = (("tutorial", "the tutorial's loop", "tutorial_tokens_per_second"), ("ours", "here", "tokens_per_second"))
    traces = [
        go.Bar(name=label, x=names, y=[row[key] for row in rows], marker={"color": COLOURS[of_what]})
        for of_what, label, key in speeds
    ]
    return figure(f"Training{of}", "", "target pieces a second", traces, log="y")


def growth(found: dict[str, Any], of: str) -> Iterator[tuple[str, go.Figure]]:
    """Time and memory, each with one line an axis; the straight line that was fitted is told by its exponent."""
    for name, key, unit, factor, fit in (
        ("growth-seconds", "seconds", "milliseconds", 1e3, "seconds_exponent"),
        ("growth-memory", "extra_memory_bytes", "megabytes beyond the model", 1e-6, "extra_memory_exponent"),
    ):
        traces = []
        for colour, (axis, grown) in zip(LINES, found.items()):
            points = [point for point in grown["points"] if point[key]]
            label = f"{GROWING[axis]}, exponent {grown[fit]}"
            x, y = [point["value"] for point in points], [factor * point[key] for point in points]
            traces.append(go.Scatter(name=label, x=x, y=y, mode="lines+markers", line={"color": colour}))
        yield name, figure(f"Growth{of}", "how many", unit, traces, log="xy")


def clients(rows: list[dict[str, Any]]) -> go.Figure:
    counts = [row["clients"] for row in rows]
    traces = []
    for colour, name in zip(LINES, ("p50", "p95")):
        y = [None if row[f"{name}_seconds"] is None else 1e3 * row[f"{name}_seconds"] for row in rows]
        traces.append(go.Scatter(name=name, x=counts, y=y, mode="lines+markers", line={"color": colour}))
    return figure("The app: one translation over HTTP", "clients at once", "milliseconds", traces, log="xy")


def write_plots(result: dict[str, Any], folder: Path) -> list[str]:
    """Writes `figures` into a folder -> a line about each kind of file. Without a browser for PNG the HTML stays."""
    folder.mkdir(parents=True, exist_ok=True)
    made = figures(result)
    for name, chart in made.items():
        chart.write_html(folder / f"{name}.html", include_plotlyjs="directory", config={"displaylogo": False})
    lines = [f"wrote {len(made)} charts as HTML to {folder}"]
    try:
        # All by one browser, which takes seconds to start.
        plotly.io.write_images(list(made.values()), [folder / f"{name}.png" for name in made], scale=2)
    except Exception as error:  # kaleido is not there, or finds no browser, or that one does not start
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        return [*lines, f"no PNG: plotly needs kaleido and a Chromium for it ({reason})"]
    return [*lines, f"wrote {len(made)} charts as PNG to {folder}"]
