"""The contract of what measures generated data, whoever generated them, against a data set."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from torch import Tensor
from torchmetrics import Metric

__all__ = ["CHUNK", "SampleEvaluator", "floats"]

CHUNK = 500
"""Data generated and measured at a time; chunk k is the same whichever process draws it."""


class SampleEvaluator(ABC):
    """Measures generated data against a data set; states are summed over processes."""

    @abstractmethod
    def update(self, data: Tensor, first: int, asked: Tensor | None = None) -> None:
        """Take in data.

        Args:
            data: (N, *shape).
            first: number of data[0] among all generated data, which several processes share.
            asked: class that each was asked to be of, int64 (N,), where one was.
        """

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return the measures by name."""


def floats(metric: Metric) -> dict[str, float]:
    """Compute a metric of several values, as plain numbers by name, without undefined ones."""
    values = {name: value.item() for name, value in metric.compute().items()}
    return {name: value for name, value in values.items() if not math.isnan(value)}
