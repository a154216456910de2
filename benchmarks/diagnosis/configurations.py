"""The list of configurations of the corpus, the same at each call.

A plan draws configurations that are likely to end in one state; what state they end in is measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from random import Random

from diagnosis.digit_plans import DIGIT_PLANS
from diagnosis.overrides import STEP
from diagnosis.plans import FURTHER_PLANS, POINT_PLANS, Draw

__all__ = ["FIRST_SEED", "Configuration", "configurations", "planned_runs"]

FIRST_SEED = 1000
REPEATED = 8
"""One configuration in so many has three seeds, the others have one."""

PLANS = {**POINT_PLANS, **DIGIT_PLANS, **FURTHER_PLANS}


@dataclass(frozen=True)
class Configuration:
    """What one or several runs of the corpus train.

    Args:
        name: of the plan and number within it; the unit by which the corpus is split.
        overrides: `key=value` on top of `BASE`.
        updates: generator updates of the run as the diagnosis sees it.
        seeds: seeds of its runs.
    """

    name: str
    overrides: tuple[str, ...]
    updates: int
    seeds: tuple[int, ...] = (FIRST_SEED,)

    @property
    def shows_digits(self) -> bool:
        """Whether the data are digits, not points."""
        return "data.name=mnist" in self.overrides


def configurations() -> list[Configuration]:
    """Return all configurations in the order of training: plans in turn, digits spread evenly."""
    drawn = [list(_draw_plan(name, *plan)) for name, plan in PLANS.items()]
    points = _in_turn([plan for plan in drawn if not plan[0].shows_digits])
    digits = _in_turn([plan for plan in drawn if plan[0].shows_digits])
    return _spread(points, digits)


def planned_runs() -> list[tuple[Configuration, int]]:
    """Return configurations and seeds in the order of training: all first seeds, then the others.

    A part of the list from its beginning is a fair sample of all configurations.
    """
    every = configurations()
    runs = [(each, each.seeds[0]) for each in every]
    return runs + [(each, seed) for each in every for seed in each.seeds[1:]]


def _draw_plan(name: str, count: int, draw: Draw) -> Iterator[Configuration]:
    """Yield the configurations of a plan; no two of all have the same seed."""
    plan = list(PLANS).index(name)
    for number in range(count):
        overrides, steps = draw(Random(f"{name} {number}"))
        first = FIRST_SEED + 300 * plan + 3 * number
        seeds = (first, first + 1, first + 2) if number % REPEATED == 0 else (first,)
        yield Configuration(f"{name}-{number:02}", tuple(overrides), steps * STEP, seeds)


def _in_turn(plans: list[list[Configuration]]) -> list[Configuration]:
    """Return the first of each plan, then the second of each, and so on."""
    return [each for row in zip_longest(*plans) for each in row if each is not None]


def _spread(points: list[Configuration], digits: list[Configuration]) -> list[Configuration]:
    """Return both lists as one, in which each is spread evenly."""
    places = [((index + 0.5) / len(points), each) for index, each in enumerate(points)]
    places += [((index + 0.5) / len(digits), each) for index, each in enumerate(digits)]
    return [each for _, each in sorted(places, key=lambda place: (place[0], place[1].name))]
