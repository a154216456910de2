"""Evaluators of two-dimensional toy datasets."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from gan_lightning.evaluation.base import SampleEvaluator, compute_floats
from gan_lightning.metrics import ClassConditionalAccuracy, ExactWasserstein, ModeCoverage
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


class WassersteinEvaluator(SampleEvaluator):
    """Computes the exact Wasserstein distance of the first 2,000 points to as many real points."""

    def __init__(self, data: PointData, device: torch.device) -> None:
        real = data.test_data().data[:WASSERSTEIN_POINTS]
        self._distance = ExactWasserstein(real).to(device)

    def update(
        self, samples: Tensor, first_index: int, requested_labels: Tensor | None = None
    ) -> None:
        """Add generated points (N, 2)."""
        self._distance.update(samples, first_index)

    def compute(self) -> dict[str, float]:
        """Return the exact Wasserstein-1 distance, in units of the plane."""
        distance: Tensor = self._distance.compute()
        return {"wasserstein/exact": distance.item()}


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
    """

    def __init__(self, data: MixtureData, device: torch.device, conditional: bool = False) -> None:
        self._coverage = ModeCoverage(data.centres, data.standard_deviation).to(device)
        self._wasserstein = WassersteinEvaluator(data, device)
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
        """Return covered modes, high-quality fraction, reverse KL in nats and the distance."""
        values = {**compute_floats(self._coverage), **self._wasserstein.compute()}
        return {**values, **(compute_floats(self._accuracy) if self._accuracy else {})}
