"""Plotly charts of losses and metrics; the page's script sets colours of light and dark mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite
from typing import Any

import plotly.graph_objects as go

from gan_lightning.report.curves import Curve, downsample, sum_curves
from gan_lightning.report.run_data import RunSummary
from gan_lightning.results.aggregate import format_number
from gan_lightning.results.detail import is_detail

__all__ = [
    "LEGEND",
    "Chart",
    "describe_curve",
    "loss_charts",
    "metric_charts",
    "run_colour",
    "to_plain_dict",
]

COLOURS = (
    "#3b82f6",
    "#e8590c",
    "#2f9e44",
    "#ae3ec9",
    "#0c8599",
    "#d6336c",
    "#b08900",
    "#868e96",
)
"""Visible on white and near-black; the first two also differ for most colour-blind readers."""

MAX_POINTS = 1500
LEGEND = {"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0}
DASHES = {"discriminator": "solid", "generator": "dash", "classifier": "solid"}


@dataclass(frozen=True)
class Chart:
    """A chart and its description.

    Attributes:
        title: heading of the chart.
        alt: description for screen readers.
        figure: data and layout for plotly.js; `meta.run` of a trace is the index of its run.
        wide: whether the chart takes the full width of the page.
        note: text below the title.
    """

    title: str
    alt: str
    figure: dict[str, Any]
    wide: bool = False
    note: str = ""


def run_colour(index: int) -> str:
    """Return the colour of the run at an index."""
    return COLOURS[index % len(COLOURS)]


def loss_charts(runs: Sequence[RunSummary]) -> list[Chart]:
    """Plot the players' total losses of all runs in one chart, and each loss term in its own.

    Terms are logged with their weights, so a player's loss is the sum of its terms. Players with
    one term have no chart of it.
    """
    traces, descriptions, terms = [], [], dict[str, None]()
    for index, run in enumerate(runs):
        for player, dash in DASHES.items():
            if not (curves := run.losses(player)):
                continue
            total = sum_curves(list(curves.values()))
            name = f"{run.label}: {player}"
            traces.append(_trace(total, index, name, "lines", dash=dash))
            descriptions.append(f"{name} {describe_curve(total)}.")
            terms |= dict.fromkeys(curves) if len(curves) > 1 else {}
    if not traces:
        return []
    alt = f"Losses by generator updates. {' '.join(descriptions)}"
    note = "The loss of each player is the sum of its terms." if terms else ""
    figure = _with_layout(go.Figure(traces), legend=True)
    totals = Chart("Losses of the players", alt, figure, wide=True, note=note)
    return [totals, *(_chart(name, runs, "lines") for name in terms)]


def metric_charts(runs: Sequence[RunSummary]) -> list[Chart]:
    """Plot each metric of all runs in its own chart, with the numeric bounds of claims.

    Details have no charts.
    """
    names = dict.fromkeys(name for run in runs for name, _ in run.metric_curves())
    return [_chart(name, runs, "lines+markers") for name in names if not is_detail(name)]


def _chart(name: str, runs: Sequence[RunSummary], mode: str) -> Chart:
    logged = [(index, run) for index, run in enumerate(runs) if name in run.curves]
    traces = [_trace(run.curves[name], index, run.label, mode) for index, run in logged]
    bounds = {
        (run.label, run_colour(index), kind, bound)
        for index, run in logged
        for claim in run.claims
        for kind in ("at_least", "at_most")
        if claim.metric == name and (bound := getattr(claim, kind)) is not None
    }
    descriptions = [f"{run.label} {describe_curve(run.curves[name])}." for _, run in logged]
    figure = go.Figure(traces)
    for label, colour, kind, bound in sorted(bounds):
        text = f"{kind.replace('_', ' ')} {bound:g}"
        descriptions.append(f"A claim of {label} has the bound {text}.")
        figure.add_hline(
            bound,
            line={"dash": "dot", "width": 1.5, "color": colour},
            annotation={"text": f"claim: {text}", "font": {"size": 11, "color": colour}},
            annotation_position="top left" if kind == "at_least" else "bottom right",
        )
    alt = f"{name} by generator updates. {' '.join(descriptions)}"
    return Chart(name, alt, _with_layout(figure))


def _trace(curve: Curve, index: int, name: str, mode: str, dash: str = "solid") -> Any:
    shown = downsample(curve, MAX_POINTS)
    return go.Scatter(
        x=list(shown.updates),
        y=[float(f"{value:.6g}") if isfinite(value) else None for value in shown.values],
        name=escape(name),  # plotly interprets HTML tags in names
        mode=mode,
        line={"color": run_colour(index), "dash": dash, "width": 2 if "markers" in mode else 1.5},
        legendgroup=str(index),
        meta={"run": index},
    )


def _with_layout(figure: Any, legend: bool = False) -> dict[str, Any]:
    figure.update_layout(
        showlegend=legend,
        legend=LEGEND,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        xaxis={"title": {"text": "generator updates"}, "automargin": True, "rangemode": "tozero"},
        yaxis={"automargin": True},
        hovermode="x unified",
        hoverlabel={"namelength": -1},
    )
    return to_plain_dict(figure)


def to_plain_dict(figure: Any) -> dict[str, Any]:
    """Convert a figure to a dictionary for JSON, without plotly's default template."""
    content: dict[str, Any] = figure.to_plotly_json()
    content["layout"].pop("template", None)
    return {"data": content["data"], "layout": content["layout"]}


def describe_curve(curve: Curve) -> str:
    """Describe the first value, the last value and the range of a curve."""
    first, last = (
        f"{format_number(curve.values[i])} at update {curve.updates[i]:,}" for i in (0, -1)
    )
    if len(curve.values) == 1:
        return f"is {first}"
    finite = [value for value in curve.values if isfinite(value)]
    if not finite:
        return f"goes from {first} to {last}"
    limits = f"between {format_number(min(finite))} and {format_number(max(finite))}"
    return f"goes from {first} to {last}, {limits}"
