"""Evaluators of two-dimensional toy datasets."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

import torch
from torch import Tensor

from gan_lightning.evaluation.base import SampleEvaluator, compute_floats
from gan_lightning.metrics import (
    ClassConditionalAccuracy,
    ExactWasserstein,
    ModeCoverage,
    PrecisionRecall,
)
from gan_lightning.metrics.wasserstein import exact_wasserstein
from gan_lightning.types import Batch

__all__ = ["ModeEvaluator", "WassersteinEvaluator", "wasserstein_of_real_points"]

WASSERSTEIN_POINTS = 2000
"""Points of each side; the exact transport takes half a second on a CPU core (measured)."""


class PointData(Protocol):
    """Data of points in the plane."""

    def test_data(self) -> Batch:
        """Return real points (N, 2) that no model is trained on."""
        ...


NEIGHBOUR_POINTS = 1000
"""Points of each side whose nearest neighbours are searched."""


class WassersteinEvaluator(SampleEvaluator):
    """Computes the exact Wasserstein distance, and precision and recall, of generated points.

    The distance compares the first 2,000 points with as many test points, and precision, recall,
    density and coverage the first 1,000. The distance of as many training points stands beside it.

    Args:
        data: the points.
        device: device of the generated points.
        samples: number of generated points, over all processes.
    """

    def __init__(self, data: PointData, device: torch.device, samples: int = 10_000) -> None:
        self._data: Any = data
        self._count = min(samples, WASSERSTEIN_POINTS)
        real = data.test_data().data[:WASSERSTEIN_POINTS]
        self._distance = ExactWasserstein(real).to(device)
        self._neighbours = PrecisionRecall(real[: min(samples, NEIGHBOUR_POINTS)]).to(device)

    def update(
        self, samples: Tensor, first_index: int, requested_labels: Tensor | None = None
    ) -> None:
        """Add generated points (N, 2)."""
        self._distance.update(samples, first_index)
        self._neighbours.update(samples, first_index)

    def compute(self) -> dict[str, float]:
        """Return the exact Wasserstein-1 distance, in units of the plane, and the four shares."""
        distance: Tensor = self._distance.compute()
        shares = compute_floats(self._neighbours)
        return {
            "wasserstein/exact": distance.item(),
            "wasserstein/exact/real": _distance_of_training_points(self._data, self._count),
            **{f"{name}/points": value for name, value in shares.items()},
        }


@lru_cache(maxsize=1)
def _distance_of_training_points(data: Any, count: int) -> float:
    """Return the exact distance of the first training points to as many test points."""
    training, test = data.training_data()[0], data.test_data().data
    count = min(count, len(training), len(test))
    return exact_wasserstein(training[torch.arange(count)], test[:count]).item()


REAL_SETS = 8
"""Sets of training points whose distance to the test points is computed."""


def wasserstein_of_real_points(data: Any, count: int) -> float | None:
    """Return the exact distance below which generated points are like real ones.

    It is the mean plus two standard deviations of the distance of sets of training points, instead
    of generated ones, to the test points.

    Args:
        data: dataset of points.
        count: number of generated points of an evaluation; of more than 2,000 the first 2,000 are
            compared.

    Returns:
        The distance in units of the plane; None with fewer than three sets of training points.
    """
    real = data.test_data().data[:WASSERSTEIN_POINTS]
    count = min(count, len(real))
    points = data.training_data()[0]
    sets = [points[torch.arange(k * count, (k + 1) * count)] for k in range(len(points) // count)]
    if len(sets) < 3:
        return None
    distances = torch.stack(
        [exact_wasserstein(points, real[:count]) for points in sets[:REAL_SETS]]
    )
    return (distances.mean() + 2 * distances.std()).item()


class MixtureData(PointData, Protocol):
    """Data of a mixture of Gaussians of one standard deviation."""

    centres: Tensor
    standard_deviation: float


class ModeEvaluator(SampleEvaluator):
    """Computes mode coverage on a Gaussian mixture, and the exact Wasserstein distance.

    Args:
        data: the Gaussian mixture.
        device: device of the generated points.
        conditional: compute the accuracy of requested classes (modes) too.
        samples: number of generated points, over all processes.
    """

    def __init__(
        self,
        data: MixtureData,
        device: torch.device,
        conditional: bool = False,
        samples: int = 10_000,
    ) -> None:
        self._coverage = ModeCoverage(data.centres, data.standard_deviation).to(device)
        self._wasserstein = WassersteinEvaluator(data, device, samples)
        self._accuracy = ClassConditionalAccuracy().to(device) if conditional else None

    def update(
        self, samples: Tensor, first_index: int, requested_labels: Tensor | None = None
    ) -> None:
        """Add generated points (N, 2)."""
        self._coverage.update(samples)
        self._wasserstein.update(samples, first_index)
        if self._accuracy is not None and requested_labels is not None:
            self._accuracy.update(self._coverage.nearest(samples)[1], requested_labels)

    def compute(self) -> dict[str, float]:
        """Return covered modes, high-quality fraction, reverse KL in nats, and those of points."""
        values = {**compute_floats(self._coverage), **self._wasserstein.compute()}
        return {**values, **(compute_floats(self._accuracy) if self._accuracy else {})}
