"""The measures of the evaluator of images, all from features, each with an interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gan_lightning.inference.image_sources import chosen_rows
from gan_lightning.metrics.authenticity import authentic, nearest_rows
from gan_lightning.metrics.data_copying import cell_copying_score, copying_cells
from gan_lightning.metrics.frechet import FeatureStatistics
from gan_lightning.metrics.frechet_infinity import FrechetReference
from gan_lightning.metrics.half_samples import half_samples, interval
from gan_lightning.metrics.kernel_distance import kernel_distances
from gan_lightning.metrics.monge import monge_distance
from gan_lightning.metrics.path_length import trimmed
from gan_lightning.metrics.precision_recall import PrecisionRecall
from gan_lightning.metrics.vendi import vendi_score

__all__ = ["ABOUT", "MIN_IMAGES", "About", "Measure", "measure_features", "path_length_measure"]

MIN_IMAGES = 12
"""Least number of samples and of reference images: half of them have five neighbours."""

CHEAP, COSTLY, MOST_COSTLY = 200, 20, 10
"""Random halves of the samples from which an interval is computed."""

MANY_FEATURES = 512
"""Number of features above which distances of covariances take the fewest halves."""


@dataclass(frozen=True)
class About:
    """What a measure is.

    Attributes:
        better: which values are better.
        sees: what it reacts to.
        bounds: least and largest value.
    """

    better: str
    sees: str
    bounds: tuple[float, float] = (-math.inf, math.inf)


SHARE = (0.0, 1.0)
POSITIVE = (0.0, math.inf)
ABOUT = {
    "fd": About("lower", "any difference of means and covariances", POSITIVE),
    "fd_infinity": About("lower", "the same, without the bias of few samples"),
    "kid": About("lower", "any difference of the first three moments; no bias"),
    "mind": About("lower", "any difference along random directions", POSITIVE),
    "precision": About("higher", "samples that look like no real image", SHARE),
    "recall": About("higher", "real images that no sample resembles; outliers hide them", SHARE),
    "density": About("near 1", "samples away from where real images are dense", POSITIVE),
    "coverage": About("higher", "real images without a sample near: dropped modes", SHARE),
    "ct": About("near 0", "far below 0: copies of the reference; far above 0: unlike it"),
    "authenticity": About("near /real", "below that of real images: copies", SHARE),
    "authenticity/real": About("", "the same of held-out real images", SHARE),
    "vendi": About("near /real", "number of different samples: variety, or noise", (1, math.inf)),
    "vendi/real": About("", "the same of as many reference images", (1, math.inf)),
    "ppl": About("lower", "jumps of the images along paths of latents", POSITIVE),
}
"""Name of each measure -> what it is."""


@dataclass(frozen=True)
class Measure:
    """A measure of samples.

    Attributes:
        name: key of `ABOUT`.
        value: the measure.
        low: lower end of the interval of 95 %.
        high: its upper end.
        samples: number of samples that it was computed from.
        reference: number of reference images; 0 for none.
        resamples: number of random halves that the interval was computed from.
    """

    name: str
    value: float
    low: float
    high: float
    samples: int
    reference: int
    resamples: int


Statistic = Callable[[Tensor], Tensor]
"""Maps rows of samples, int64 (n,), or their values to a measure."""


def measure_features(
    generated: Tensor, real: Tensor, held_out: Tensor, statistics: FeatureStatistics
) -> list[Measure]:
    """Measure generated features against real ones.

    fd, fd_infinity, ct and authenticity use all real features; kid, mind, precision, recall,
    density and coverage as many as there are samples, at most. Where there are fewer, precision,
    recall, density and coverage use as many samples.

    Args:
        generated: (N, D), N at least `MIN_IMAGES`.
        real: (M, D), M at least `MIN_IMAGES`.
        held_out: real features that are not in `real`, (T, D), T at least 1.
        statistics: of `real`.
    """
    count, total = generated.shape[0], len(real)
    pairs = real[chosen_rows(total, count)]
    many = generated.shape[1] > MANY_FEATURES
    frechet = FrechetReference(statistics)
    measures = [
        _measure(
            "fd",
            lambda rows: frechet.distance(generated[rows]),
            count,
            total,
            COSTLY if many else CHEAP // 2,
        ),
        _measure(
            "fd_infinity",
            lambda rows: frechet.infinity(generated[rows]),
            count,
            total,
            MOST_COSTLY if many else COSTLY,
        ),
        _kernel_measure(generated, pairs),
        _measure(
            "mind", lambda rows: monge_distance(generated[rows], pairs), count, len(pairs), COSTLY
        ),
        *_neighbour_measures(generated, pairs),
        *_copying_measures(generated, real, held_out),
    ]
    for name, features in (("vendi", generated), ("vendi/real", pairs)):
        score = partial(_of_rows, vendi_score, features)
        measures.append(_measure(name, score, len(features), 0, COSTLY))
    return measures


def _of_rows(statistic: Statistic, values: Tensor, rows: Tensor) -> Tensor:
    """Compute a statistic of some rows of values."""
    return statistic(values[rows])


def path_length_measure(lengths: Tensor) -> Measure:
    """Average the lengths of paths (N,), without the largest and smallest hundredth."""

    def mean(rows: Tensor) -> Tensor:
        return lengths[rows][trimmed(lengths[rows])].mean()

    return _measure("ppl", mean, len(lengths), 0, CHEAP)


def _measure(
    name: str, statistic: Statistic, count: int, reference: int, resamples: int
) -> Measure:
    """Compute a measure of all samples, and its interval from random halves."""
    value = float(statistic(torch.arange(count)))
    halves = torch.stack([statistic(rows) for rows in half_samples(count, resamples)])
    return _with_interval(name, value, halves, count, reference)


def _with_interval(name: str, value: float, halves: Tensor, count: int, reference: int) -> Measure:
    low, high = interval(value, halves, ABOUT[name].bounds)
    return Measure(name, value, low, high, count, reference, len(halves))


def _kernel_measure(generated: Tensor, real: Tensor) -> Measure:
    """Compute the kernel distance; all halves share the kernel's values."""
    count = len(generated)
    members = torch.zeros(count, 1 + CHEAP, dtype=torch.bool)
    members[:, 0] = True
    for column, rows in enumerate(half_samples(count, CHEAP), start=1):
        members[rows, column] = True
    value, *halves = kernel_distances(generated, real, members)
    return _with_interval("kid", float(value), torch.stack(halves), count, len(real))


def _neighbour_measures(generated: Tensor, real: Tensor) -> list[Measure]:
    """Compute precision, recall, density and coverage, of as many samples as real features."""
    generated = generated[chosen_rows(len(generated), len(real))]
    metric = PrecisionRecall(real)

    def of_rows(rows: Tensor) -> dict[str, Tensor]:
        metric.reset()
        metric.update(generated[rows], 0)
        return metric.compute()

    count = len(generated)
    values = of_rows(torch.arange(count))
    halves = [of_rows(rows) for rows in half_samples(count, COSTLY)]
    return [
        _with_interval(
            name, float(value), torch.stack([half[name] for half in halves]), count, len(real)
        )
        for name, value in values.items()
    ]


def _copying_measures(generated: Tensor, real: Tensor, held_out: Tensor) -> list[Measure]:
    """Compute the data-copying score and authenticity, that of held-out real images too."""
    distances, rows = (found[:, 0] for found in nearest_rows(generated, real))
    test_distances, test_rows = (found[:, 0] for found in nearest_rows(held_out, real))

    centres = copying_cells(real, min(len(generated), len(held_out)))
    cells, test_cells = (nearest_rows(side, centres)[1][:, 0] for side in (generated, held_out))

    def score(chosen: Tensor) -> Tensor:
        """Return the score of some samples, scaled as that of all."""
        found = cell_copying_score(
            distances[chosen], cells[chosen], test_distances, test_cells, len(generated)
        )
        return torch.tensor(found)

    measures = [_measure("ct", score, len(generated), len(real), CHEAP)]
    sides = {"": (distances, rows), "/real": (test_distances, test_rows)}
    for suffix, (lengths, nearest) in sides.items():
        share = partial(_of_rows, torch.mean, authentic(lengths, nearest, real).double())
        measures.append(_measure(f"authenticity{suffix}", share, len(lengths), len(real), CHEAP))
    return measures
