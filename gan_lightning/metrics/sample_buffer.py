"""Base classes of metrics that need all generated samples at once.

Such a metric numbers the generated samples and keeps a fixed number of them. Sample i has row i of
the buffer on whichever process generates it, so that several processes together store the same
samples in the same order as one process does. torchmetrics' list states cannot do this: they
concatenate the samples of rank 0, then those of rank 1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["LabelledSampleBuffer", "ReferenceSampleBuffer", "SampleBuffer"]


class SampleBuffer(Metric):
    """Stores the first M generated samples, flattened.

    Args:
        capacity: M, largest number of samples.
        size: D, number of elements of a sample.
    """

    full_state_update = False
    is_differentiable = False

    generated: Tensor
    filled: Tensor

    def __init__(self, capacity: int, size: int) -> None:
        super().__init__()
        # rows that another process fills are zero here: the sum over processes has all samples
        self.add_state("generated", torch.zeros(capacity, size), dist_reduce_fx="sum")
        self.add_state("filled", torch.zeros(capacity, dtype=torch.int64), dist_reduce_fx="sum")

    def store(self, samples: Tensor, first_index: int) -> slice:
        """Store generated samples; those with an index of M or more are ignored.

        Args:
            samples: (N, D).
            first_index: index of samples[0] among all generated samples, at least 0.

        Returns:
            The rows of the buffer that were filled.

        Raises:
            ValueError: the samples have another shape, or first_index is negative.
        """
        size = self.generated.shape[1]
        if samples.ndim != 2 or samples.shape[1] != size:
            raise ValueError(f"samples have shape {tuple(samples.shape)}; it must be (N, {size})")
        if first_index < 0:
            raise ValueError(f"first_index is {first_index}; it must be at least 0")
        rows = slice(first_index, min(first_index + len(samples), len(self.filled)))
        self.filled[rows] += 1
        self.generated[rows] += samples[: len(self.filled[rows])].detach().to(self.generated)
        return rows

    def samples(self) -> Tensor:
        """Return the stored samples in the order of their indices, (N, D) with N <= M.

        Raises:
            ValueError: there are no samples, or two samples have the same index.
        """
        if self.filled.sum() == 0:
            raise ValueError(f"{type(self).__name__} has no samples; call update first")
        if self.filled.max() > 1:
            raise ValueError("two generated samples have the same index; each needs its own")
        return self.generated[self.filled == 1]


class LabelledSampleBuffer(SampleBuffer):
    """Stores the first M generated samples with their class labels.

    Args:
        capacity: M, largest number of samples.
        size: D, number of elements of a sample.
    """

    labels: Tensor

    def __init__(self, capacity: int, size: int) -> None:
        super().__init__(capacity, size)
        self.add_state("labels", torch.zeros(capacity, dtype=torch.int64), dist_reduce_fx="sum")

    def store_labelled(self, samples: Tensor, labels: Tensor, first_index: int) -> None:
        """Store generated samples (N, D) with labels int64 (N,); see `store`."""
        rows = self.store(samples, first_index)
        self.labels[rows] += labels[: len(self.labels[rows])].to(self.labels)

    def labelled_samples(self) -> tuple[Tensor, Tensor]:
        """Return the stored samples (N, D) and their labels (N,); see `samples`."""
        return self.samples(), self.labels[self.filled == 1]


class ReferenceSampleBuffer(SampleBuffer):
    """Stores as many generated samples as there are real samples to compare them with.

    Args:
        real: (M, D), M and D at least 1.

    Raises:
        ValueError: the real samples have another shape.
    """

    real: Tensor

    def __init__(self, real: Tensor) -> None:
        if real.ndim != 2 or 0 in real.shape:
            raise ValueError(f"real samples have shape {tuple(real.shape)}; it must be (M, D)")
        super().__init__(*real.shape)
        self.register_buffer("real", real.detach(), persistent=False)

    def update(self, samples: Tensor, first_index: int) -> None:
        """Add generated samples.

        Args:
            samples: (N, D).
            first_index: index of samples[0] among all generated samples, at least 0.

        Raises:
            ValueError: the samples have another shape, or first_index is negative.
        """
        self.store(samples, first_index)
