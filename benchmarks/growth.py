"""How a step's time and memory and an evaluation's time grow with the work.

A power law is fitted to the two largest settings of each series, where what is constant weighs
least: an exponent of 1 says that the cost doubles when the setting does, of 2 that it grows by 4.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from timing import Contestant, interleaved

__all__ = ["HEADER", "SERIES", "measured", "row"]


@dataclass(frozen=True)
class Series:
    """One setting that grows, all else fixed.

    Args:
        experiment: that is timed.
        key: of the config.
        values: of the key.
        expected: range in which the exponent of time should lie, and why.
        why: in words.
        overrides: what else is set.
        updates: in a block.
    """

    experiment: str
    key: str
    values: tuple[int, ...]
    expected: tuple[float, float]
    why: str
    overrides: tuple[str, ...] = ()
    updates: int = 5


NOISE = ("data.name=noise", "network.width=32")

SERIES = (
    Series("dcgan_mnist", "data.batch_size", (16, 32, 64, 128, 256), (0.8, 1.1), "images"),
    Series(
        "dcgan_lsun_bedroom",
        "data.size",
        (32, 64, 128),
        (1.7, 2.5),
        "pixels, and a layer more",
        (*NOISE, "data.batch_size=16"),
    ),
    Series(
        "dcgan_mnist",
        "network.width",
        (16, 32, 64, 128),
        (1.0, 2.1),
        "weights, the square; maps, once",
        ("data.batch_size=32",),
    ),
    Series(
        "unrolled_ring",
        "model.unrolled_steps",
        (1, 2, 5, 10, 20),
        (0.8, 1.1),
        "steps",
        updates=40,
    ),
)

SAMPLES = (2_500, 5_000, 10_000, 20_000)


def measured(series: Series, overrides: list[str], repeats: int) -> dict[str, Any]:
    """Time all settings of a series in turn."""
    contestants = {
        str(value): Contestant(
            "trainer",
            series.experiment,
            (*overrides, *series.overrides, f"{series.key}={value}"),
        )
        for value in series.values
    }
    timing = interleaved(contestants, series.updates, series.updates, repeats)
    times = [timing.median(name) for name in contestants]
    return _row(series, times, [timing.memory[name] for name in contestants])


def evaluation_measured(repeats: int) -> dict[str, Any]:
    """Time the evaluation of more and more samples of an untrained infogan_mnist."""
    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.config.load import load_config
    from gan_lightning.evaluation import evaluate
    from gan_lightning.training.build import build
    from gan_lightning.utils.hardware import set_up_arithmetic

    set_up_arithmetic()
    config = load_config(read_yaml(experiment_path("infogan_mnist")), [])
    learner, data = build(config)
    evaluate(learner, data, SAMPLES[0])
    times = dict.fromkeys(SAMPLES, math.inf)
    for _ in range(repeats):
        for count in SAMPLES:
            start = time.perf_counter()
            evaluate(learner, data, count)
            times[count] = min(times[count], 1000 * (time.perf_counter() - start))
    series = Series("infogan_mnist", "evaluation.samples", SAMPLES, (0.5, 1.1), "samples")
    return _row(series, list(times.values()), None)


def _row(series: Series, times: list[float], memory: list[float] | None) -> dict[str, Any]:
    (first, last), (before, after) = series.values[-2:], times[-2:]
    return {
        "experiment": series.experiment,
        "key": series.key,
        "values": list(series.values),
        "milliseconds": times,
        "mebibytes": memory,
        "exponent": math.log(after / before) / math.log(last / first),
        "expected": list(series.expected),
        "why": series.why,
    }


HEADER = ("experiment", "key", "values", "ms", "MiB of the process", "exponent", "expected", "of")


def row(measured: dict[str, Any]) -> tuple[str, ...]:
    """Write a row of the table."""
    low, high = measured["expected"]
    memory = measured["mebibytes"]
    return (
        measured["experiment"],
        f"`{measured['key']}`",
        ", ".join(f"{value:,}" for value in measured["values"]),
        ", ".join(f"{value:,.3g}" for value in measured["milliseconds"]),
        "" if memory is None else ", ".join(f"{value:,.0f}" for value in memory),
        f"{measured['exponent']:.2f}",
        f"{low} to {high}",
        measured["why"],
    )
