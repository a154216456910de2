"""The states of a run, each defined by measures that the run does not log.

Distances are in units of the way from a perfect sampler to the untrained generator: an *excess* of
0 is the floor, that of other real data, and 1 is no better than before the first update.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import fmean, median
from typing import Any

from diagnosis.truth import Floor, Point, Truth

__all__ = [
    "DEFINITIONS",
    "FAR",
    "STATES",
    "excess",
    "fall",
    "gain",
    "state_of",
    "tail_excess",
    "travel",
    "truth_from",
]

TAIL = 3
"""Last measurements of a run, over its last third, on which a lasting state is judged.

As many are of its continuation, half as many updates more.
"""

DIVERGED_EXCESS = 3.0
"""Excess from which on samples have left the data, if they stay there: three times as far away."""

NEAR_SHARE = 0.05
"""Share of samples nearer to training data than 95 % of test data, of a perfect sampler."""

COPYING_SCORE = -6.0
"""Score of the data-copying test below which it is beyond doubt, in standard deviations."""

FAR = {True: 0.6, False: 0.25}
"""Excess from which on samples of digits (True) and of points are clearly worse than data.

Good digits have an excess of about 0.4: distances between vectors of 128 features differ less.
"""

CHANGE_DEVIATIONS = 1.0
"""Standard deviations of the floor within which a difference of two mean distances is no change.

Both are of the same latents and the same test data, so that they vary less than each.
"""

FALL = {"far": 0.12, "near": 0.25}
"""Share of its excess that a run that improves loses from its second third to its last.

Near the data it is a larger one, since the excess itself is little above the noise there.
"""

LOSS = 0.2
"""Share of its excess that it may lose again in half as many updates more, by chance."""

WON_AUC = 0.98
"""AUC of the discriminator, on test data, from which on it separates samples from data."""

WEAK_AUC = 0.65
"""AUC up to which the discriminator does not see the difference; 0.5 is chance."""

MEMORISED_GAP = 0.3
"""AUC by which a discriminator ranks training data higher than test data that it memorises."""

STUCK = 0.7
"""Excess from which on a generator has hardly learned anything."""

COLLAPSED_MODES = 0.25
"""Effective number of modes, over that of the training data, up to which all is lost."""

ON_MODES = 0.3
"""Share of samples of high quality from which on they are on a mode, even if they change it."""

MISSING_SHARE = 0.25
"""Share of its mass in the training data below which a mode is missing."""

MISSING_MODES = 0.2
"""Share of missing modes, by their mass in the training data, that is a partial collapse."""

TRAVEL = 0.35
"""Mass that changes modes from one measurement to the next in a run that oscillates."""


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


def still_improves(truth: Truth) -> bool:
    """Tell whether a run improves: its distance falls, and half as many updates more confirm it.

    A run whose samples move from mode to mode is no better where they happen to be in good places.
    """
    confirmed = gain(truth) >= -LOSS
    place = "far" if tail_excess(truth) >= FAR[truth.shows_digits] else "near"
    return fall(truth) >= FALL[place] and confirmed and travel(truth) < TRAVEL


def _always(truth: Truth, test: Callable[[Point], bool]) -> bool:
    return all(map(test, truth.points[-TAIL:]))


def _is_far(truth: Truth, point: Point) -> bool:
    return excess(truth, point) >= FAR[truth.shows_digits]


def _blind(truth: Truth) -> bool:
    """Tell whether the discriminator takes samples that are far from the data for data."""
    return _always(truth, lambda point: point.auc <= WEAK_AUC and _is_far(truth, point))


def _dead(truth: Truth) -> bool:
    """Tell whether both players have become constant, as huge steps make networks of ReLUs."""
    distances = {point.distance for point in truth.points[-TAIL:]}
    return len(distances) == 1 and travel(truth) == 0 and truth.points[-1].auc == 0.5


def diverged(truth: Truth) -> bool:
    """A loss or a sample is not finite, the samples have left the data, or both players are dead.

    Samples have left where they are three times as far away as those of the untrained generator,
    except where a discriminator that is too weak lets them.
    """
    if truth.diverged_at is not None or len(truth.points) == 0:
        return True
    tail = truth.points[-TAIL:]
    if not all(math.isfinite(point.distance) for point in tail) or _dead(truth):
        return True
    left = _always(truth, lambda point: excess(truth, point) >= DIVERGED_EXCESS)
    return left and not _blind(truth)


def memorising(truth: Truth) -> bool:
    """Samples are copies of training data, or the discriminator knows the training data by heart.

    Copies lie nearer to the training data than test data do, and not for being all alike. A
    discriminator that memorises ranks training data above samples, and test data not, all the tail.
    """
    last = truth.points[-1]
    if last.near is None or last.copying is None:
        return False
    copies = last.near > NEAR_SHARE and last.copying <= COPYING_SCORE
    by_heart = _always(truth, lambda point: (point.training_auc or 0) - point.auc >= MEMORISED_GAP)
    return (copies and collapse(truth, last) > COLLAPSED_MODES) or by_heart


def discriminator_won(truth: Truth) -> bool:
    """The discriminator separates samples from data in the whole tail, and the generator is stuck.

    Half as many updates more do not help, and the samples do not move from mode to mode, as those
    of a generator that flees from the discriminator do. The generator has hardly learned anything,
    or its samples are far from the data and yet miss no modes.
    """
    separated = _always(truth, lambda point: point.auc >= WON_AUC)
    stuck = not still_improves(truth) and travel(truth) < TRAVEL
    bad = tail_excess(truth) >= STUCK
    last = truth.points[-1]
    far = _is_far(truth, last) and missing(truth, last) < MISSING_MODES
    return separated and stuck and (bad or far)


def discriminator_too_weak(truth: Truth) -> bool:
    """Samples are far from the data, and the discriminator does not see it in the whole tail.

    Half as many updates more do not help, and the samples do not move from mode to mode, as where
    the discriminator lags behind a generator that flees from it.
    """
    return _blind(truth) and not still_improves(truth) and travel(truth) < TRAVEL


def oscillating(truth: Truth) -> bool:
    """A large part of the samples changes modes from one measurement to the next."""
    return travel(truth) >= TRAVEL


def mode_collapse(truth: Truth) -> bool:
    """Modes or classes are missing that half as many updates more do not bring, or all but one.

    The one mode may change from one measurement to the next if the samples lie on it; others that
    move are of a generator that flees from the discriminator.
    """
    points = [*truth.points[-TAIL:], *truth.continued]
    on_modes = median(point.quality for point in truth.points[-TAIL:]) >= ON_MODES
    if on_modes and all(collapse(truth, point) <= COLLAPSED_MODES for point in points):
        return True
    ends = [truth.points[-1], *truth.continued[-1:]]
    return travel(truth) < TRAVEL and all(missing(truth, each) >= MISSING_MODES for each in ends)


def under_trained(truth: Truth) -> bool:
    """Samples are far from the data, and half as many updates more clearly improve them."""
    return tail_excess(truth) >= FAR[truth.shows_digits] and still_improves(truth)


def improving(truth: Truth) -> bool:
    """Samples are not far from the data, and half as many updates more clearly improve them."""
    return tail_excess(truth) < FAR[truth.shows_digits] and still_improves(truth)


DEFINITIONS: dict[str, Callable[[Truth], bool]] = {
    "diverged": diverged,
    "memorising": memorising,
    "discriminator_won": discriminator_won,
    "discriminator_too_weak": discriminator_too_weak,
    "under_trained": under_trained,
    "mode_collapse": mode_collapse,
    "oscillating": oscillating,
    "improving": improving,
}
"""Name -> definition, in the order in which they are tried: the first that holds is the state."""

OTHER = "converged"
"""A run of no other state: its samples cover the modes, and improve no more, good or not."""

STATES = (*DEFINITIONS, OTHER)


def state_of(truth: Truth) -> str:
    """Return the state of a run."""
    return next((name for name, holds in DEFINITIONS.items() if holds(truth)), OTHER)
