"""Quantities of a run by which its states are defined, computed from its truth.

Distances are in units of the way from a perfect sampler to the untrained generator: an *excess* of
0 is the floor, that of other real data, and 1 is no better than before the first update.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, median
from typing import Any

from diagnosis.truth import Floor, Point, Truth

__all__ = [
    "TAIL",
    "collapse",
    "excess",
    "fall",
    "gain",
    "missing",
    "tail_excess",
    "travel",
    "truth_from",
]

TAIL = 3
"""Last measurements of a run, over its last third, on which a lasting state is judged.

As many are of its continuation, half as many updates more.
"""

CHANGE_DEVIATIONS = 1.0
"""Standard deviations of the floor within which a difference of two mean distances is no change.

Both are of the same latents and the same test data, so that they vary less than each.
"""

MISSING_SHARE = 0.25
"""Share of its mass in the training data below which a mode is missing."""


def truth_from(record: dict[str, Any]) -> Truth:
    """Return the truth that a record of the corpus has as dictionaries."""
    return Truth(
        floor=Floor(**record["floor"]),
        initial=_point(record["initial"]),
        points=[_point(each) for each in record["points"]],
        continued=[_point(each) for each in record["continued"]],
        diverged_at=record["diverged_at"],
        shows_digits=record.get("shows_digits", False),
    )


def _point(record: dict[str, Any]) -> Point:
    """Return a point, in which values that were not finite are NaN."""
    numbers = {
        name: math.nan if record[name] is None else record[name]
        for name in ("distance", "auc", "spread")
    }
    return Point(**{**record, **numbers})


def excess(truth: Truth, point: Point) -> float:
    """Return how far samples are from the data: 0 is a perfect sampler, 1 the untrained one."""
    floor = truth.floor.mean
    return (point.distance - floor) / (truth.initial.distance - floor)


def tail_excess(truth: Truth) -> float:
    """Return the median excess of the last third of a run."""
    return median(excess(truth, point) for point in truth.points[-TAIL:])


def _mean_distance(points: Sequence[Point]) -> float:
    return fmean(point.distance for point in points)


def fall(truth: Truth) -> float:
    """Return the share of its excess that a run has lost from its second third to its last.

    Changes within the noise of the floor are 0.
    """
    third = len(truth.points) // 3
    before = _mean_distance(truth.points[third : 2 * third])
    now = _mean_distance(truth.points[2 * third :])
    if abs(before - now) <= CHANGE_DEVIATIONS * truth.floor.deviation:
        return 0.0
    return (before - now) / max(before - truth.floor.mean, truth.floor.deviation)


def gain(truth: Truth) -> float:
    """Return the share of its excess that half as many updates more take away from a run.

    It compares the mean of the last third with that of the continuation; a run that diverges in the
    continuation loses all, -1.
    """
    if len(truth.continued) < TAIL:
        return -1.0
    now, later = _mean_distance(truth.points[-TAIL:]), _mean_distance(truth.continued)
    return (now - later) / max(now - truth.floor.mean, truth.floor.deviation)


def effective_modes(masses: list[float]) -> float:
    """Return the exponential of the entropy of the masses, from 1 to their number."""
    return math.exp(-sum(mass * math.log(mass) for mass in masses if mass > 0))


def collapse(truth: Truth, point: Point) -> float:
    """Return the effective number of modes over that of the training data."""
    return effective_modes(point.masses) / effective_modes(truth.floor.masses)


def missing(truth: Truth, point: Point) -> float:
    """Return the mass, in the training data, of modes that the samples miss."""
    pairs = zip(truth.floor.masses, point.masses, strict=True)
    return sum(real for real, mass in pairs if mass < MISSING_SHARE * real)


def travel(truth: Truth) -> float:
    """Return the mean mass that changes modes between successive measurements from the tail on.

    It is the total variation distance, in [0, 1]. Of a perfect sampler it is about 0.02.
    """
    points = [*truth.points[-TAIL:], *truth.continued]
    changes = [
        sum(abs(a - b) for a, b in zip(first.masses, second.masses, strict=True)) / 2
        for first, second in pairwise(points)
    ]
    return sum(changes) / max(1, len(changes))
