"""Curves of losses and metrics from metrics.csv, downsampled for charts."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path

from gan_lightning.runs.directory import UPDATES_KEY
from gan_lightning.runs.metrics_csv import read_rows

__all__ = ["Curve", "downsample", "read_curves", "sum_curves"]


@dataclass(frozen=True)
class Curve:
    """Values of one logged metric or loss.

    Attributes:
        updates: generator updates, strictly increasing.
        values: one value per update; NaN where the logged value was not a number.
    """

    updates: Sequence[int]
    values: Sequence[float]


def read_curves(path: Path) -> dict[str, Curve]:
    """Read metrics.csv, whose last row may be cut off in a run that was killed.

    Returns:
        Key -> curve, for everything that was logged at least once; empty for a missing file.
    """
    points: dict[str, list[tuple[int, float]]] = {}
    try:
        for row in read_rows(path):
            update = int(row.pop(UPDATES_KEY))
            for name, cell in row.items():
                if name and cell:
                    points.setdefault(name, []).append((update, _to_float(cell)))
    except (OSError, csv.Error):
        return {}
    return {name: Curve(*zip(*pairs, strict=True)) for name, pairs in points.items()}


def sum_curves(curves: Sequence[Curve]) -> Curve:
    """Add curves, for example the terms of a loss, at the updates that all of them have."""
    values = [dict(zip(curve.updates, curve.values, strict=True)) for curve in curves]
    updates = [update for update in values[0] if all(update in part for part in values)]
    return Curve(updates, [sum(part[update] for part in values) for update in updates])


def downsample(curve: Curve, max_points: int) -> Curve:
    """Keep about `max_points` points: the lowest and the highest of each segment, and both ends.

    A spike of a single update stays visible.
    """
    count = len(curve.updates)
    if count <= max_points:
        return curve
    segments = max(1, max_points // 2)
    kept = {0, count - 1}
    for index in range(segments):
        segment = range(index * count // segments, (index + 1) * count // segments)
        finite = [i for i in segment if isfinite(curve.values[i])] or segment[:1]
        kept |= {
            min(finite, key=curve.values.__getitem__),
            max(finite, key=curve.values.__getitem__),
        }
    indices = sorted(kept)
    return Curve([curve.updates[i] for i in indices], [curve.values[i] for i in indices])


def _to_float(cell: str | None) -> float:
    try:
        return float(cell or "")
    except ValueError:
        return nan
