"""Accuracy of class-conditional generation."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["ClassConditionalAccuracy"]


class ClassConditionalAccuracy(Metric):
    """Fraction of generated samples that a classifier assigns to the requested class.

    Source: ours, after the protocol of Odena, Olah, Shlens 2017 (arXiv:1610.09585), section 4.1,
        with a digit classifier instead of an ImageNet classifier.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False

    correct: Tensor
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("correct", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted_labels: Tensor, requested_labels: Tensor) -> None:
        """Add generated samples.

        Args:
            predicted_labels: class that the classifier assigns to each sample, int64 (N,).
            requested_labels: class that each sample was generated for, int64 (N,).

        Raises:
            ValueError: the shapes differ.
        """
        if predicted_labels.shape != requested_labels.shape:
            raise ValueError(
                f"predicted_labels have shape {tuple(predicted_labels.shape)} and requested_labels "
                f"{tuple(requested_labels.shape)}; the shapes must be equal"
            )
        self.correct += (predicted_labels == requested_labels.to(predicted_labels.device)).sum()
        self.total += len(requested_labels)

    def compute(self) -> dict[str, Tensor]:
        """Return `class/accuracy` in [0, 1]; NaN without samples."""
        return {"class/accuracy": self.correct / self.total}
