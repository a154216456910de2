"""The states of a run, each defined by measures that the run does not log."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median

from diagnosis.quantities import (
    TAIL,
    collapse,
    excess,
    fall,
    gain,
    missing,
    tail_excess,
    travel,
)
from diagnosis.truth import Point, Truth

__all__ = ["DEFINITIONS", "FAR", "STATES", "state_of"]

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

MISSING_MODES = 0.2
"""Share of missing modes, by their mass in the training data, that is a partial collapse."""

TRAVEL = 0.35
"""Mass that changes modes from one measurement to the next in a run that oscillates."""


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
