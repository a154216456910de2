"""The exact cost of moving generated points to real ones."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["ExactWasserstein", "exact_wasserstein"]

MOST_PIVOTS = 10_000_000


class ExactWasserstein(Metric):
    """Wasserstein-1 distance, with Euclidean cost, between as many generated points as real ones.

    The optimal transport of the two finite sets is solved exactly. Between two samples of one
    distribution it is not 0: the fewer points, the larger. So compare values of equal numbers.

    Generated points have numbers, so that several processes together hold those that one process
    would have held: the first M.

    Args:
        real: points (M, D); the metric holds M generated ones at most.

    Raises:
        ValueError: the points are not (M, D), M and D at least 1.

    Source: the Wasserstein-1 distance of Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875),
        equation 1; solved by POT's network simplex (pythonot.github.io).
    """

    full_state_update = False
    higher_is_better = False
    is_differentiable = False

    real: Tensor
    generated: Tensor
    held: Tensor

    def __init__(self, real: Tensor) -> None:
        super().__init__()
        if real.ndim != 2 or 0 in real.shape:
            raise ValueError(f"real points have shape {tuple(real.shape)}; it must be (M, D)")
        self.register_buffer("real", real.detach().float().clone(), persistent=False)
        # a row of zeros where this process has no point: the sum over processes is all points
        self.add_state("generated", torch.zeros_like(self.real), dist_reduce_fx="sum")
        held = torch.zeros(len(real), dtype=torch.int64)
        self.add_state("held", held, dist_reduce_fx="sum")

    def update(self, points: Tensor, first: int) -> None:
        """Add generated points; those of number M and above are left out.

        Args:
            points: (N, D).
            first: number of points[0] among all generated points, at least 0.

        Raises:
            ValueError: the points have another shape, or first is negative.
        """
        if points.ndim != 2 or points.shape[1] != self.real.shape[1]:
            raise ValueError(
                f"points have shape {tuple(points.shape)}; it must be (N, {self.real.shape[1]})"
            )
        if first < 0:
            raise ValueError(f"first is {first}; it must be at least 0")
        rows = slice(first, first + len(points))
        self.held[rows] += 1
        self.generated[rows] += points[: len(self.held[rows])].detach().to(self.generated)

    def compute(self) -> Tensor:
        """Return the distance: a float64 scalar, at least 0; NaN where a point is not finite.

        Raises:
            ValueError: there are no points, or two points have one number.
        """
        if self.held.sum() == 0:
            raise ValueError("transport of no points: call update first")
        if self.held.max() > 1:
            raise ValueError("two generated points have one number: give each its own")
        generated = self.generated[self.held == 1]
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
