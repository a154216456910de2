"""Metrics that need generated data as a whole, the same ones however many processes drew them."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["SampleBuffer"]


class SampleBuffer(Metric):
    """Holds the first M generated data, flattened.

    Generated data have numbers, so that several processes together hold those that one process
    would have held.

    Args:
        count: M, the most that it holds.
        size: D, numbers of a datum.
    """

    full_state_update = False
    is_differentiable = False

    generated: Tensor
    filled: Tensor

    def __init__(self, count: int, size: int) -> None:
        super().__init__()
        # a row of zeros where this process has no datum: the sum over processes is all data
        self.add_state("generated", torch.zeros(count, size), dist_reduce_fx="sum")
        self.add_state("filled", torch.zeros(count, dtype=torch.int64), dist_reduce_fx="sum")

    def hold(self, data: Tensor, first: int) -> slice:
        """Add generated data; those of number M and above are left out.

        Args:
            data: (N, D).
            first: number of data[0] among all generated data, at least 0.

        Returns:
            The rows that they take.

        Raises:
            ValueError: the data have another shape, or first is negative.
        """
        size = self.generated.shape[1]
        if data.ndim != 2 or data.shape[1] != size:
            raise ValueError(f"points have shape {tuple(data.shape)}; it must be (N, {size})")
        if first < 0:
            raise ValueError(f"first is {first}; it must be at least 0")
        rows = slice(first, min(first + len(data), len(self.filled)))
        self.filled[rows] += 1
        self.generated[rows] += data[: len(self.filled[rows])].detach().to(self.generated)
        return rows

    def samples(self) -> Tensor:
        """Return what is held, (N, D).

        Raises:
            ValueError: there are no data, or two have one number.
        """
        if self.filled.sum() == 0:
            raise ValueError(f"{type(self).__name__} of no data: call update first")
        if self.filled.max() > 1:
            raise ValueError("two generated data have one number: give each its own")
        return self.generated[self.filled == 1]
