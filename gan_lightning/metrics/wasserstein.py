"""The exact cost of moving generated points to real ones."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.metrics.sample_buffer import SampleBuffer

__all__ = ["ExactWasserstein", "exact_wasserstein"]

MOST_PIVOTS = 10_000_000


class ExactWasserstein(SampleBuffer):
    """Wasserstein-1 distance, with Euclidean cost, between as many generated points as real ones.

    The optimal transport of the two finite sets is solved exactly. Between two samples of one
    distribution it is not 0: the fewer points, the larger. So compare values of equal numbers.

    Args:
        real: points (M, D); the metric holds M generated ones at most.

    Raises:
        ValueError: the points are not (M, D), M and D at least 1.

    Source: the Wasserstein-1 distance of Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875),
        equation 1; solved by POT's network simplex (pythonot.github.io).
    """

    higher_is_better = False

    real: Tensor

    def __init__(self, real: Tensor) -> None:
        if real.ndim != 2 or 0 in real.shape:
            raise ValueError(f"real points have shape {tuple(real.shape)}; it must be (M, D)")
        super().__init__(*real.shape)
        self.register_buffer("real", real.detach().float().clone(), persistent=False)

    def update(self, points: Tensor, first: int) -> None:
        """Add generated points (N, D), points[0] being number `first` of all.

        Raises:
            ValueError: the points have another shape, or first is negative.
        """
        self.hold(points, first)

    def compute(self) -> Tensor:
        """Return the distance: a float64 scalar, at least 0; NaN where a point is not finite.

        Raises:
            ValueError: there are no points, or two points have one number.
        """
        generated = self.samples()
        return exact_wasserstein(generated, self.real[: len(generated)])


def exact_wasserstein(first: Tensor, second: Tensor) -> Tensor:
    """Return the Wasserstein-1 distance of two sets of points with equal weights.

    Args:
        first: (N, D).
        second: (M, D).

    Returns:
        Scalar, float64, on the CPU; NaN where a point is not finite.
    """
    # takes a second to import
    import ot

    sets = [points.detach().cpu().double().numpy() for points in (first, second)]
    if not (first.isfinite().all() and second.isfinite().all()):
        return torch.tensor(torch.nan, dtype=torch.float64)
    costs = ot.dist(*sets, metric="euclidean")
    return torch.tensor(ot.emd2([], [], costs, numItermax=MOST_PIVOTS), dtype=torch.float64)
