"""Figures by update, as metrics.csv holds them, thinned to what a picture can show."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path

from gan_lightning.runs.directory import STEP

__all__ = ["Curve", "read_curves", "summed", "thinned"]


@dataclass(frozen=True)
class Curve:
    """Values of one figure.

    Args:
        updates: generator updates, growing.
        values: as many; nan where one was no number.
    """

    updates: Sequence[int]
    values: Sequence[float]


def read_curves(path: Path) -> dict[str, Curve]:
    """Read a metrics.csv, of which a killed process may have cut the last row.

    Returns:
        What was logged at least once, by name.
    """
    points: dict[str, list[tuple[int, float]]] = {}
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            for row in csv.DictReader(file):
                update = _number(row.pop(STEP, None))
                for name, cell in row.items():
                    if name and cell and isfinite(update):
                        points.setdefault(name, []).append((int(update), _number(cell)))
    except (OSError, csv.Error):
        return {}
    return {name: Curve(*zip(*pairs, strict=True)) for name, pairs in points.items()}


def summed(curves: Sequence[Curve]) -> Curve:
    """Add curves, as the terms of a loss are, at the updates that all of them have."""
    values = [dict(zip(curve.updates, curve.values, strict=True)) for curve in curves]
    updates = [update for update in values[0] if all(update in part for part in values)]
    return Curve(updates, [sum(part[update] for part in values) for update in updates])


def thinned(curve: Curve, most: int) -> Curve:
    """Keep at most about `most` points, in each stretch the lowest and the highest.

    So that a spike of one update is still to be seen.
    """
    count = len(curve.updates)
    if count <= most:
        return curve
    stretches = max(1, most // 2)
    kept = {0, count - 1}
    for index in range(stretches):
        stretch = range(index * count // stretches, (index + 1) * count // stretches)
        finite = [place for place in stretch if isfinite(curve.values[place])] or stretch[:1]
        kept |= {
            min(finite, key=curve.values.__getitem__),
            max(finite, key=curve.values.__getitem__),
        }
    places = sorted(kept)
    return Curve([curve.updates[i] for i in places], [curve.values[i] for i in places])


def _number(cell: str | None) -> float:
    try:
        return float(cell or "")
    except ValueError:
        return nan
