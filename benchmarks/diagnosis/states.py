"""The states of a run, each defined by measures that the run does not log.

Distances are in units of the way from a perfect sampler to the untrained generator: an *excess* of
0 is the floor, that of other real data, and 1 is no better than before the first update.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from diagnosis.truth import Floor, Point, Truth

__all__ = ["DEFINITIONS", "STATES", "excess", "gain", "state_of", "travel", "truth_from"]

TAIL = 3
"""Last measurements of a run, over its last third, on which a lasting state is judged."""

DIVERGED_EXCESS = 3.0
"""Excess from which on samples have left the data: three times as far away as at the beginning."""

NEAR_SHARE = 0.05
"""Share of samples nearer to training data than 95 % of test data, of a perfect sampler."""

COPYING_SCORE = -6.0
"""Score of the data-copying test below which it is beyond doubt, in standard deviations."""

FAR = 0.25
"""Excess from which on samples are clearly worse than data."""

NEAR_FLOOR = 0.15
"""Excess up to which samples are like data, or as good as short runs become."""

FLOOR_DEVIATIONS = 3.0
"""Standard deviations of the floor within which a distance is no excess."""

CHANGE_DEVIATIONS = 1.0
"""Standard deviations of the floor within which a difference of two distances is no change.

Both are of the same latents and the same test data, so that they vary less than each.
"""

GAIN = 0.12
"""Share of its excess by which half as many updates more improve a run that still improves."""

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

MISSING_SHARE = 0.25
"""Share of its mass in the training data below which a mode is missing."""

MISSING_MODES = 0.2
"""Share of missing modes, by their mass in the training data, that is a partial collapse."""

TRAVEL = 0.35
"""Mass that changes modes from one measurement to the next in a run that oscillates."""


def truth_from(record: dict[str, Any]) -> Truth:
    """Return the truth that a record of the corpus has as dictionaries."""
    continued = record["continued"]
    return Truth(
        floor=Floor(**record["floor"]),
        initial=_point(record["initial"]),
        points=[_point(each) for each in record["points"]],
        continued=None if continued is None else _point(continued),
        diverged_at=record["diverged_at"],
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


def gain(truth: Truth) -> float:
    """Return the share of the last excess that half as many updates more take away.

    Changes within the floor's noise are 0; a run that diverges in the continuation loses all, -1.
    """
    if truth.continued is None:
        return -1.0
    last = truth.points[-1]
    change = last.distance - truth.continued.distance
    if abs(change) <= CHANGE_DEVIATIONS * truth.floor.deviation:
        return 0.0
    return change / max(last.distance - truth.floor.mean, truth.floor.deviation)


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
    """Return the mean mass that changes modes between successive measurements of the tail.

    It is the total variation distance, in [0, 1]. Of a perfect sampler it is about 0.02.
    """
    points = [*truth.points[-TAIL:], *([truth.continued] if truth.continued else [])]
    changes = [
        sum(abs(a - b) for a, b in zip(first.masses, second.masses, strict=True)) / 2
        for first, second in pairwise(points)
    ]
    return sum(changes) / max(1, len(changes))


def still_improves(truth: Truth) -> bool:
    """Tell whether half as many updates more clearly improve the run, to better than the tail."""
    if truth.continued is None or gain(truth) < GAIN:
        return False
    return truth.continued.distance < min(point.distance for point in truth.points[-TAIL:])


def _always(truth: Truth, test: Callable[[Point], bool]) -> bool:
    return all(map(test, truth.points[-TAIL:]))


def _blind(truth: Truth) -> bool:
    """Tell whether the discriminator takes samples that are far from the data for data."""
    return _always(truth, lambda point: point.auc <= WEAK_AUC and excess(truth, point) >= FAR)


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
    last = truth.points[-1]
    if not math.isfinite(last.distance) or _dead(truth):
        return True
    return excess(truth, last) >= DIVERGED_EXCESS and not _blind(truth)


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

    The generator has hardly learned anything, half as many updates more do not help, and its
    samples do not move from mode to mode, as those of one that flees from the discriminator do.
    """
    separated = _always(truth, lambda point: point.auc >= WON_AUC)
    stuck = not still_improves(truth) and travel(truth) < TRAVEL
    return separated and stuck and excess(truth, truth.points[-1]) >= STUCK


def discriminator_too_weak(truth: Truth) -> bool:
    """Samples are far from the data, and the discriminator does not see it in the whole tail.

    Half as many updates more do not help, and the samples do not move from mode to mode, as where
    the discriminator lags behind a generator that flees from it.
    """
    return _blind(truth) and not still_improves(truth) and travel(truth) < TRAVEL


def full_collapse(truth: Truth) -> bool:
    """Samples are of about one mode or class, whichever it is at a time.

    They are so in the whole tail, and after half as many updates more.
    """
    points = [*truth.points[-TAIL:], *([truth.continued] if truth.continued else [])]
    return all(collapse(truth, point) <= COLLAPSED_MODES for point in points)


def oscillating(truth: Truth) -> bool:
    """A large part of the samples changes modes from one measurement to the next."""
    return travel(truth) >= TRAVEL


def partial_collapse(truth: Truth) -> bool:
    """Some modes or classes are missing that half as many updates more do not bring."""
    last = truth.points[-1]
    if missing(truth, last) < MISSING_MODES:
        return False
    return truth.continued is None or missing(truth, truth.continued) >= MISSING_MODES


def under_trained(truth: Truth) -> bool:
    """Samples are far from the data, and half as many updates more clearly improve them."""
    return excess(truth, truth.points[-1]) >= FAR and still_improves(truth)


def improving(truth: Truth) -> bool:
    """Samples are not far from the data, and half as many updates more clearly improve them."""
    return excess(truth, truth.points[-1]) < FAR and still_improves(truth)


def converged(truth: Truth) -> bool:
    """Samples are near the floor, and half as many updates more do not improve them."""
    last = truth.points[-1]
    margin = FLOOR_DEVIATIONS * truth.floor.deviation
    near = excess(truth, last) <= NEAR_FLOOR or last.distance <= truth.floor.mean + margin
    return near and not still_improves(truth)


DEFINITIONS: dict[str, Callable[[Truth], bool]] = {
    "diverged": diverged,
    "memorising": memorising,
    "discriminator_won": discriminator_won,
    "discriminator_too_weak": discriminator_too_weak,
    "under_trained": under_trained,
    "full_collapse": full_collapse,
    "oscillating": oscillating,
    "partial_collapse": partial_collapse,
    "improving": improving,
    "converged": converged,
}
"""Name -> definition, in the order in which they are tried: the first that holds is the state."""

OTHER = "stalled"
"""A run of no state: its samples are fair, cover the modes, and improve no more."""

STATES = (*DEFINITIONS, OTHER)


def state_of(truth: Truth) -> str:
    """Return the state of a run."""
    return next((name for name, holds in DEFINITIONS.items() if holds(truth)), OTHER)
