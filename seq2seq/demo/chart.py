"""Any Plotly figure on the page, in the page's theme; a click on a point is the event `pick`, with its place in the data."""

from __future__ import annotations

from seq2seq.demo.component import PageComponent


class Chart(PageComponent):
    """Value: {"figure": plain values or None, "note": text}."""

    SCRIPT = "chart.js"
