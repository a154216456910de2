"""Exact Wasserstein-1 distance between two finite sets of points."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.metrics.sample_buffer import ReferenceSampleBuffer

__all__ = ["ExactWasserstein", "exact_wasserstein"]

MAX_ITERATIONS = 10_000_000


class ExactWasserstein(ReferenceSampleBuffer):
    """Exact Wasserstein-1 distance between generated points and as many real points.

    The optimal transport of the two finite sets with Euclidean cost is solved exactly. Between two
    samples of one distribution the distance is above 0, and larger for fewer points, so compare
    values of equal numbers of points.

    Args:
        real: points (M, D); the metric stores the first M generated ones.

    Raises:
        ValueError: the points are not (M, D), M and D at least 1.

    Source: the Wasserstein-1 distance of Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875),
        equation 1; solved by POT's network simplex (pythonot.github.io).
    """

    higher_is_better = False

    def __init__(self, real: Tensor) -> None:
        super().__init__(real.float().clone())

    def compute(self) -> Tensor:
        """Return the distance: a float64 scalar, at least 0; NaN if a point is not finite.

        Raises:
            ValueError: there are no points, or two points have the same index.
        """
        generated = self.samples()
        return exact_wasserstein(generated, self.real[: len(generated)])


def exact_wasserstein(points_a: Tensor, points_b: Tensor) -> Tensor:
    """Compute the Wasserstein-1 distance of two sets of points with equal weights.

    Args:
        points_a: (N, D).
        points_b: (M, D).

    Returns:
        Scalar, float64, on the CPU; NaN if a point is not finite.
    """
    # importing POT takes a second
    import ot

    if not (points_a.isfinite().all() and points_b.isfinite().all()):
        return torch.tensor(torch.nan, dtype=torch.float64)
    sets = [points.detach().cpu().double().numpy() for points in (points_a, points_b)]
    costs = ot.dist(*sets, metric="euclidean")
    return torch.tensor(ot.emd2([], [], costs, numItermax=MAX_ITERATIONS), dtype=torch.float64)
