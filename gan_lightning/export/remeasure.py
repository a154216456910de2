"""Measure a saved model: the metrics of the file itself, which may have rounded weights."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev

from scipy.special import stdtrit

from gan_lightning.evaluation import evaluate
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.restore import load_model

__all__ = ["INTERVALS", "Remeasured", "read_intervals", "remeasure"]

INTERVALS = "intervals.json"
"""File of a saved model: metric -> interval in which another evaluation of it is expected."""

LEVEL = 0.95


@dataclass(frozen=True)
class Remeasured:
    """Metrics of a saved model.

    Args:
        measures: of the evaluation with the seed of the run, as `gan-lightning evaluate` makes it.
        intervals: prediction interval of an evaluation with other samples, by metric.
    """

    measures: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def remeasure(folder: Path, evaluations: int) -> Remeasured:
    """Evaluate a saved model, each time with other samples, and write the intervals beside it.

    Args:
        folder: of the saved model.
        evaluations: number of evaluations; the first has the seed of the run.

    Raises:
        UserError: the data of the model are not on this machine.
    """
    model, data, config = load_model(RunDirectory(folder))
    settings, values = config.evaluation, list[dict[str, float]]()
    for seed in range(evaluations):
        model.seed = config.seed if seed == 0 else config.seed + 1000 * seed
        values.append(
            evaluate(
                model,
                data,
                settings.samples,
                pixels=settings.pixels,
                features=settings.features,
                precision=settings.precision,
            )
        )
    intervals = {} if evaluations < 2 else _intervals(values)
    (folder / INTERVALS).write_text(json.dumps(intervals, indent=2) + "\n", encoding="utf-8")
    return Remeasured(values[0], intervals)


def read_intervals(folder: Path) -> dict[str, tuple[float, float]]:
    """Read the intervals of a saved model; empty where it has none."""
    try:
        content = json.loads((folder / INTERVALS).read_text(encoding="utf-8"))
        return {name: (float(low), float(high)) for name, (low, high) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _intervals(values: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Return mean ± t s sqrt(1 + 1/n) of each metric, Student's 95 % prediction interval."""
    count = len(values)
    factor = float(stdtrit(count - 1, 0.5 + LEVEL / 2)) * math.sqrt(1 + 1 / count)
    intervals = {}
    for name in values[0]:
        column = [row[name] for row in values if math.isfinite(row.get(name, math.nan))]
        if len(column) == count:
            mean, width = fmean(column), factor * stdev(column)
            intervals[name] = (mean - width, mean + width)
    return intervals
