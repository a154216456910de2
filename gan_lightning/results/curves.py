"""Draw a metric of several experiments over their updates, from stored results."""

from __future__ import annotations

import io
from collections.abc import Sequence
from statistics import fmean

from gan_lightning.results.records import Results

__all__ = ["describe_curves", "draw_curves", "has_curve"]

MIN_POINTS = 3
"""Evaluations below which a line says no more than the final value."""

MAX_RANGES = 4
"""Experiments whose ranges of seeds are drawn in one picture."""


def has_curve(results: Results, metric: str) -> bool:
    """Return whether all judged runs recorded a metric at three or more of the same updates."""
    return len(_points(results, metric)) >= MIN_POINTS


def describe_curves(compared: Sequence[Results], metric: str) -> str:
    """Say what `draw_curves` draws, as a text that stands for the picture."""
    shown = "mean and range" if len(compared) <= MAX_RANGES else "mean"
    return (
        f"{metric} over the updates of {', '.join(r.name for r in compared)}; {shown} of the seeds"
    )


def draw_curves(compared: Sequence[Results], metric: str) -> bytes:
    """Draw the mean of a metric over seeds for each experiment.

    Up to four experiments also have the range of their seeds; more ranges would hide each other.

    Args:
        compared: results that have a curve of the metric; the first one is the baseline.
        metric: name of the metric.

    Returns:
        A PNG file; the same for the same values and version of matplotlib.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=110, layout="constrained")
    axis = figure.subplots()
    highest, lowest = 0.0, float("inf")
    for results in compared:
        points = _points(results, metric)
        updates, values = list(points), list(points.values())
        seeds = len(results.judged_runs)
        label = f"{results.name} ({seeds} seed{'s' * (seeds > 1)})"
        (line,) = axis.plot(updates, list(map(fmean, values)), marker=".", label=label)
        bounds = list(map(min, values)), list(map(max, values))
        if len(compared) <= MAX_RANGES:
            axis.fill_between(updates, *bounds, color=line.get_color(), alpha=0.15, linewidth=0)
        lowest, highest = min(lowest, *bounds[0]), max(highest, *bounds[1])
    axis.ticklabel_format(useOffset=False)
    if lowest > 0 and highest > 30 * lowest:
        axis.set_yscale("log")
    axis.set(xlabel="generator updates", ylabel=metric)
    axis.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def _points(results: Results, metric: str) -> dict[int, list[float]]:
    """Return update -> value of each judged run, at the updates where all have a finite one."""
    curves = [run.curves.get(metric, {}) for run in results.judged_runs]
    points = {}
    for update in curves[0] if curves else ():
        values = [curve.get(update) for curve in curves]
        if all(value is not None for value in values):
            points[int(update)] = [value for value in values if value is not None]
    return dict(sorted(points.items()))
