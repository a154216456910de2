"""How many generated data are copies of each other."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["DuplicateRate"]

CLOSENESS = 0.1


class DuplicateRate(Metric):
    """Share of generated data that have a near-copy in their own batch.

    A near-copy lies closer than a tenth of the median distance of a real datum to its nearest
    neighbour among the real ones given. So generate batches of about as many.

    Args:
        real: (N, *shape), at least 2.

    Raises:
        ValueError: there are fewer real data.

    Source: ours; a generator that has collapsed to few outputs is close to 1, real data close to 0.
    """

    full_state_update = False
    higher_is_better = False
    is_differentiable = False

    threshold: Tensor
    copies: Tensor
    total: Tensor

    def __init__(self, real: Tensor) -> None:
        super().__init__()
        if len(real) < 2:
            raise ValueError(f"there are {len(real)} real data; neighbours need at least 2")
        threshold = CLOSENESS * nearest_distances(real).median()
        self.register_buffer("threshold", threshold, persistent=False)
        self.add_state("copies", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, data: Tensor) -> None:
        """Add a batch of generated data (N, *shape); of a single one nothing is learnt."""
        if len(data) > 1:
            self.copies += (nearest_distances(data) < self.threshold).sum()
            self.total += len(data)

    def compute(self) -> Tensor:
        """Return the share, in [0, 1]; 0 of no data."""
        return self.copies / self.total.clamp(min=1)


def nearest_distances(data: Tensor) -> Tensor:
    """Return the Euclidean distance of each datum (N, *shape) to its nearest neighbour, (N,)."""
    flat = data.detach().flatten(1).float()
    # not by a matrix product, which cancels where data are close
    distances = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.fill_diagonal_(torch.inf).min(dim=1).values
