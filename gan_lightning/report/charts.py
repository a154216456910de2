"""Charts of runs, by plotly; a page's script gives them the colours of day or night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite
from typing import Any

import plotly.graph_objects as go

from gan_lightning.report.curves import Curve, summed, thinned
from gan_lightning.report.run_data import RunSummary
from gan_lightning.results.page import number

__all__ = ["LEGEND", "Chart", "colour", "loss_charts", "measure_charts", "plain"]

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
"""Seen on white and on near-black; blue and orange, first, are told apart by nearly everybody."""

MOST_POINTS = 1500
LEGEND = {"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0}
DASHES = {"discriminator": "solid", "generator": "dash", "classifier": "solid"}


@dataclass(frozen=True)
class Chart:
    """A chart and what it says in words.

    Args:
        title: over it.
        alt: for who does not see it.
        figure: data and layout as plotly's script takes them; `meta.run` of a trace is the place
            of its run.
        wide: takes a row of its own.
        note: under the title.
    """

    title: str
    alt: str
    figure: dict[str, Any]
    wide: bool = False
    note: str = ""


def colour(place: int) -> str:
    """Choose the colour of the run at a place."""
    return COLOURS[place % len(COLOURS)]


def loss_charts(runs: Sequence[RunSummary]) -> list[Chart]:
    """Draw the losses of the players of all runs in one chart, and each term where there are more.

    A player's loss is the sum of its terms, which are logged as they are weighted.
    """
    traces, said, terms = [], [], dict[str, None]()
    for place, run in enumerate(runs):
        for player, dash in DASHES.items():
            if not (curves := run.losses(player)):
                continue
            total = summed(list(curves.values()))
            name = f"{run.label}: {player}"
            traces.append(_trace(total, place, name, "lines", dash=dash))
            said.append(f"{name} {in_words(total)}.")
            terms |= dict.fromkeys(curves) if len(curves) > 1 else {}
    if not traces:
        return []
    alt = f"Losses by generator updates. {' '.join(said)}"
    note = "Each player's loss is the sum of its terms." if terms else ""
    figure = _laid_out(go.Figure(traces), legend=True)
    every = Chart("Losses of the players", alt, figure, wide=True, note=note)
    return [every, *(_chart(name, runs, "lines") for name in terms)]


def measure_charts(runs: Sequence[RunSummary]) -> list[Chart]:
    """Draw each measure of all runs in a chart of its own, with the bounds of their claims."""
    names = dict.fromkeys(name for run in runs for name, _ in run.measured())
    return [_chart(name, runs, "lines+markers") for name in names]


def _chart(name: str, runs: Sequence[RunSummary], mode: str) -> Chart:
    having = [(place, run) for place, run in enumerate(runs) if name in run.curves]
    traces = [_trace(run.curves[name], place, run.label, mode) for place, run in having]
    bounds = {
        (run.label, colour(place), kind, bound)
        for place, run in having
        for claim in run.claims
        for kind in ("at_least", "at_most")
        if claim.metric == name and (bound := getattr(claim, kind)) is not None
    }
    said = [f"{run.label} {in_words(run.curves[name])}." for _, run in having]
    figure = go.Figure(traces)
    for label, shade, kind, bound in sorted(bounds):
        words = f"{kind.replace('_', ' ')} {bound:g}"
        said.append(f"A claim of {label} asks for {words}.")
        figure.add_hline(
            bound,
            line={"dash": "dot", "width": 1.5, "color": shade},
            annotation={"text": f"claim: {words}", "font": {"size": 11, "color": shade}},
            annotation_position="top left" if kind == "at_least" else "bottom right",
        )
    return Chart(name, f"{name} by generator updates. {' '.join(said)}", _laid_out(figure))


def _trace(curve: Curve, place: int, name: str, mode: str, dash: str = "solid") -> Any:
    shown = thinned(curve, MOST_POINTS)
    return go.Scatter(
        x=list(shown.updates),
        y=[float(f"{value:.6g}") if isfinite(value) else None for value in shown.values],
        name=escape(name),  # plotly reads tags in it
        mode=mode,
        line={"color": colour(place), "dash": dash, "width": 2 if "markers" in mode else 1.5},
        legendgroup=str(place),
        meta={"run": place},
    )


def _laid_out(figure: Any, legend: bool = False) -> dict[str, Any]:
    figure.update_layout(
        showlegend=legend,
        legend=LEGEND,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        xaxis={"title": {"text": "generator updates"}, "automargin": True, "rangemode": "tozero"},
        yaxis={"automargin": True},
        hovermode="x unified",
        hoverlabel={"namelength": -1},
    )
    return plain(figure)


def plain(figure: Any) -> dict[str, Any]:
    """Turn a figure into what a page holds, without plotly's own colours."""
    content: dict[str, Any] = figure.to_plotly_json()
    content["layout"].pop("template", None)
    return {"data": content["data"], "layout": content["layout"]}


def in_words(curve: Curve) -> str:
    """Tell where a curve begins and ends, and between what it lies."""
    first, last = (f"{number(curve.values[i])} at update {curve.updates[i]:,}" for i in (0, -1))
    if len(curve.values) == 1:
        return f"is {first}"
    finite = [value for value in curve.values if isfinite(value)]
    between = f", between {number(min(finite))} and {number(max(finite))}" if finite else ""
    return f"goes from {first} to {last}{between}"
