"""Whether the class that was asked for is the class that came out."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["ClassConditionalAccuracy"]


class ClassConditionalAccuracy(Metric):
    """Share of generated data that a judge puts into the class they were asked to be of.

    Source: ours, after the protocol of Odena, Olah, Shlens 2017 (arXiv:1610.09585), section 4.1,
        with a classifier of digits in place of one of ImageNet.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False

    right: Tensor
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("right", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, judged: Tensor, asked: Tensor) -> None:
        """Add classes (N,) as judged and as asked for, int64.

        Raises:
            ValueError: they are not equally many.
        """
        if judged.shape != asked.shape:
            raise ValueError(
                f"judged are {tuple(judged.shape)} and asked for {tuple(asked.shape)}; "
                f"they must be equally many"
            )
        self.right += (judged == asked.to(judged.device)).sum()
        self.total += len(asked)

    def compute(self) -> dict[str, Tensor]:
        """Return `class/accuracy` in [0, 1]; NaN of no data."""
        return {"class/accuracy": self.right / self.total}
