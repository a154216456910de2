"""Fraction of near-duplicates among generated samples."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["DuplicateRate"]

RELATIVE_THRESHOLD = 0.1


class DuplicateRate(Metric):
    """Fraction of generated samples that have a near-duplicate in their own batch.

    A near-duplicate lies closer than a tenth of the median nearest-neighbour distance of the real
    samples. Because that distance depends on the number of samples, batches should have about as
    many generated samples as there are real ones.

    Args:
        real: real samples, (N, *shape), N at least 2.

    Raises:
        ValueError: there are fewer than 2 real samples.

    Source: ours; close to 1 for a generator that has collapsed to few outputs, close to 0 for real
        data.
    """

    full_state_update = False
    higher_is_better = False
    is_differentiable = False

    threshold: Tensor
    duplicates: Tensor
    total: Tensor

    def __init__(self, real: Tensor) -> None:
        super().__init__()
        if len(real) < 2:
            raise ValueError(f"there are {len(real)} real samples; at least 2 are needed")
        threshold = RELATIVE_THRESHOLD * nearest_distances(real).median()
        self.register_buffer("threshold", threshold, persistent=False)
        self.add_state("duplicates", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, samples: Tensor) -> None:
        """Add a batch of generated samples (N, *shape); a batch of one is ignored."""
        if len(samples) > 1:
            self.duplicates += (nearest_distances(samples) < self.threshold).sum()
            self.total += len(samples)

    def compute(self) -> Tensor:
        """Return the fraction, in [0, 1]; 0 without samples."""
        return self.duplicates / self.total.clamp(min=1)


def nearest_distances(samples: Tensor) -> Tensor:
    """Compute the Euclidean distance of each sample (N, *shape) to its nearest neighbour, (N,).

    The matrix product, which is many times as fast as differences, cancels for samples that lie
    close together; float64, which not every device has, leaves an error of about 1e-7.
    """
    flat = samples.detach().flatten(1).cpu().double()
    distances = torch.cdist(flat, flat, compute_mode="use_mm_for_euclid_dist")
    nearest = distances.fill_diagonal_(torch.inf).min(dim=1).values
    return nearest.float().to(samples.device)
