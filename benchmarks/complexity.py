"""Growth of time and memory with batch size, image size, network width and number of samples.

The exponent of a power law is computed from the two largest settings of each series, where constant
costs weigh least. An exponent of 1 means that the time doubles when the setting doubles; an
exponent of 2 means that it grows fourfold.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from timing import TimedLoop, time_interleaved

__all__ = ["HEADER", "SERIES", "measure", "measure_evaluation", "row"]


@dataclass(frozen=True)
class Series:
    """A series of runs in which one config key grows and everything else is fixed.

    Args:
        experiment: that is timed.
        key: config key that grows.
        values: of the key, ascending.
        expected: range of the exponent of time.
        reason: what the time is expected to grow with.
        overrides: further config overrides, the same for all values.
        updates: generator updates in a timed block.
    """

    experiment: str
    key: str
    values: tuple[int, ...]
    expected: tuple[float, float]
    reason: str
    overrides: tuple[str, ...] = ()
    updates: int = 5


NOISE = ("data.name=noise", "network.width=32")

SERIES = (
    Series("dcgan_mnist", "data.batch_size", (16, 32, 64, 128, 256), (0.8, 1.1), "batch size"),
    Series(
        "dcgan_lsun_bedroom",
        "data.size",
        (32, 64, 128),
        (1.7, 2.5),
        "pixels, and one more layer",
        (*NOISE, "data.batch_size=16"),
    ),
    Series(
        "dcgan_mnist",
        "network.width",
        (16, 32, 64, 128),
        (1.0, 2.1),
        "weights, quadratic in the width; feature maps, linear",
        ("data.batch_size=32",),
    ),
    Series(
        "unrolled_ring",
        "model.unrolled_steps",
        (1, 2, 5, 10, 20),
        (0.8, 1.1),
        "unrolled steps",
        updates=40,
    ),
)

SAMPLES = (2_500, 5_000, 10_000, 20_000)


def measure(series: Series, overrides: list[str], repeats: int) -> dict[str, Any]:
    """Time all settings of a series in turn."""
    loops = {
        str(value): TimedLoop(
            "trainer",
            series.experiment,
            (*overrides, *series.overrides, f"{series.key}={value}"),
        )
        for value in series.values
    }
    timing = time_interleaved(loops, series.updates, series.updates, repeats)
    times = [timing.median(name) for name in loops]
    return _result(series, times, [timing.memory[name] for name in loops])


def measure_evaluation(repeats: int) -> dict[str, Any]:
    """Time the evaluation of an untrained infogan_mnist on growing numbers of samples."""
    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.config.load import load_config
    from gan_lightning.core.fast_paths import set_up_process
    from gan_lightning.evaluation import evaluate
    from gan_lightning.training.build import build

    set_up_process()
    config = load_config(read_yaml(experiment_path("infogan_mnist")), [])
    model, data = build(config)
    evaluate(model, data, SAMPLES[0])
    times = dict.fromkeys(SAMPLES, math.inf)
    for _ in range(repeats):
        for count in SAMPLES:
            start = time.perf_counter()
            evaluate(model, data, count)
            times[count] = min(times[count], 1000 * (time.perf_counter() - start))
    series = Series("infogan_mnist", "evaluation.samples", SAMPLES, (0.5, 1.1), "samples")
    return _result(series, list(times.values()), None)


def _result(series: Series, times: list[float], memory: list[float] | None) -> dict[str, Any]:
    (first, last), (before, after) = series.values[-2:], times[-2:]
    return {
        "experiment": series.experiment,
        "key": series.key,
        "values": list(series.values),
        "milliseconds": times,
        "mebibytes": memory,
        "exponent": math.log(after / before) / math.log(last / first),
        "expected": list(series.expected),
        "reason": series.reason,
    }


HEADER = (
    "experiment",
    "config key",
    "values",
    "ms",
    "MiB of the process",
    "exponent",
    "expected",
    "grows with",
)


def row(measured: dict[str, Any]) -> tuple[str, ...]:
    """Format a row of the table."""
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
        measured["reason"],
    )
