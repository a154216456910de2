"""Features of a run in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

__all__ = ["describe"]


def _fall(value: float) -> str:
    change = 1 - math.exp(-value)
    course = "fell" if change > 0 else "rose"
    if abs(change) < 0.02:
        return "the distance of samples to data is as large in the last third as in the second"
    return f"the distance of samples to data {course} by {abs(change):.0%} to the last third"


def _to_real(value: float) -> str:
    ratio = math.exp(value)
    return f"the distance of samples to data is {ratio:.2g} times that of other real data"


def _level(value: float) -> str:
    return (
        f"the discriminator's loss is {value:.2g} times that of one that cannot tell samples from "
        f"data (0 is one that separates them)"
    )


PHRASES: dict[str, Callable[[float], str]] = {
    "distance/fall_of_thirds": _fall,
    "distance/tail_to_real": _to_real,
    "distance/noise": lambda v: f"the distance jumps by {math.expm1(v):.0%} around its course",
    "coverage": lambda v: f"samples come near {v:.0%} of the real data",
    "recall": lambda v: f"{v:.0%} of the real data lie among the samples",
    "precision": lambda v: f"{v:.0%} of the samples lie among the real data",
    "evenness": lambda v: f"samples are spread as over {v:.0%} of the modes or classes",
    "duplicates": lambda v: f"{v:.0%} of the samples are near-copies of other samples",
    "auc": lambda v: (
        f"the discriminator ranks test data above samples in {v:.0%} of pairs (chance is 50%)"
    ),
    "auc/gap": lambda v: (
        f"the discriminator ranks training data above samples more often than test data, by "
        f"{100 * v:.0f} points"
    ),
    "auc_deviation": lambda v: (
        f"the discriminator's ranking varies by {100 * v:.0f} points between measurements"
    ),
    "divergence": lambda v: (
        f"the discriminator's estimate of the divergence is {v:.2g} nats of at most 0.69"
    ),
    "discriminator_loss/level": _level,
    "discriminator_loss/deviation": lambda v: (
        f"the discriminator's loss varies by {v:.0%} of its size in the last third"
    ),
    "discriminator_loss/largest": lambda v: (
        f"the largest loss of the discriminator is {math.exp(v):.2g} times the usual one"
    ),
    "generator_gradient/to_largest": lambda v: (
        f"the generator's gradient is {math.exp(v):.1%} of its largest"
    ),
    "generator_cosine": lambda v: f"successive steps of the generator have a cosine of {v:.2f}",
}
"""Feature -> its value in words."""

LOSS_ONLY = (
    "discriminator_loss/level",
    "discriminator_loss/deviation",
    "discriminator_loss/largest",
)
"""What is said of any state where nothing else was logged."""

MOST = 4


def describe(names: Iterable[str], features: Mapping[str, float]) -> list[str]:
    """Return at most four sentences about features, those that were logged."""
    known = [name for name in names if name in features]
    known = known or [name for name in LOSS_ONLY if name in features]
    return [PHRASES[name](features[name]) for name in known[:MOST]]
