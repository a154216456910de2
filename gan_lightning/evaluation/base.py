"""Interface of evaluators: of generated samples, and of a GAN itself."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor
from torchmetrics import Metric

from gan_lightning.types import Sample

__all__ = ["CHUNK_SIZE", "GANEvaluator", "SampleEvaluator", "compute_floats"]

CHUNK_SIZE = 500
"""Samples generated and evaluated at a time; chunk k is the same whichever process generates it."""


class SampleEvaluator(ABC):
    """Computes metrics of generated samples; their states are summed over processes."""

    @abstractmethod
    def update(
        self, samples: Tensor, first_index: int, requested_labels: Tensor | None = None
    ) -> None:
        """Add generated samples.

        Args:
            samples: (N, *shape).
            first_index: index of samples[0] among all generated samples of all processes.
            requested_labels: class that each sample was generated for, int64 (N,); None for an
                unconditional generator.
        """

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return the metrics by name, without those that are undefined."""


class GANEvaluator(ABC):
    """Computes metrics of a GAN itself, for example of its discriminator or its codes.

    Attributes:
        uses_discriminator: whether it needs more than generated samples and their inputs.
    """

    uses_discriminator: ClassVar[bool] = True

    def update(self, sample: Sample, first_index: int) -> None:  # noqa: B027 - not all need samples
        """Add generated samples with their conditions; by default they are not used.

        Args:
            sample: samples of this process, at most `CHUNK_SIZE`.
            first_index: index of the first one among all samples of all processes.
        """

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return the metrics by name, the same on every process, without those undefined."""


def compute_floats(metric: Metric) -> dict[str, float]:
    """Compute a metric that returns several values as floats by name, without NaNs."""
    values = {name: value.item() for name, value in metric.compute().items()}
    return {name: value for name, value in values.items() if not math.isnan(value)}
