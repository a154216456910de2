"""Plan of `gan-lightning verify --all`: which seeds of which experiments are trained, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

__all__ = ["Candidate", "QueuedRun", "next_run", "plan", "target_seeds"]

SHORT_MINUTES = 15.0
"""Minutes of a run below which an experiment gets `SEEDS_OF_SHORT` seeds."""

SEEDS_OF_SHORT = 5
SEEDS_OF_LONG = 3


@dataclass(frozen=True)
class Candidate:
    """An experiment that may need more seeds.

    Attributes:
        experiment: name.
        minutes: mean minutes of its known runs; None where none is known.
        seeds: seeds that have results.
        counted: how many of them decide claims.
    """

    experiment: str
    minutes: float | None = None
    seeds: tuple[int, ...] = ()
    counted: int = 0


@dataclass(frozen=True)
class QueuedRun:
    """A run to train.

    Attributes:
        experiment: name.
        seed: a seed without results.
        minutes: that it is expected to take; None for unknown.
    """

    experiment: str
    seed: int
    minutes: float | None


def target_seeds(minutes: float | None) -> int:
    """Return the seeds that an experiment needs: 5 where a run takes under 15 minutes, else 3."""
    return SEEDS_OF_SHORT if minutes is not None and minutes < SHORT_MINUTES else SEEDS_OF_LONG


def plan(candidates: Sequence[Candidate]) -> list[QueuedRun]:
    """List the missing runs: shortest first, then those of experiments with the fewest seeds.

    Minutes are compared as whole minutes; runs of unknown length come last. The seeds are the next
    unused numbers, so that the plan after an interruption has the same runs.
    """

    def order(candidate: Candidate) -> tuple[float, int, str]:
        minutes = inf if candidate.minutes is None else round(candidate.minutes)
        return minutes, candidate.counted, candidate.experiment

    runs = []
    for candidate in sorted(candidates, key=order):
        missing = target_seeds(candidate.minutes) - candidate.counted
        first = max(candidate.seeds, default=-1) + 1
        runs += [
            QueuedRun(candidate.experiment, seed, candidate.minutes)
            for seed in range(first, first + max(0, missing))
        ]
    return runs


def next_run(waiting: Sequence[QueuedRun], elapsed: float, budget: float) -> QueuedRun | None:
    """Return the first waiting run that is expected to end within the budget; None for none.

    Args:
        waiting: runs in order.
        elapsed: minutes since the start.
        budget: minutes; a run of unknown length needs only some of it to be left.
    """
    for run in waiting:
        if elapsed + (run.minutes or 0.0) <= budget and elapsed < budget:
            return run
    return None
