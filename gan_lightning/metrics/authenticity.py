"""Authenticity: the share of generated samples that are no copies of training data."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.metrics.nearest_neighbour import k_nearest
from gan_lightning.metrics.sample_buffer import ReferenceSampleBuffer

__all__ = ["Authenticity", "authentic", "nearest_rows"]

CHUNK_SIZE = 1_000
"""Samples, and training data, that are compared at a time."""


def nearest_rows(queries: Tensor, known: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """Find the nearest of known features for each query.

    Args:
        queries: (N, D).
        known: (M, D), M at least k.
        k: number of neighbours.

    Returns:
        Euclidean distances, float64 (N, k), which are exact for near-duplicates too, and rows,
        int64 (N, k).
    """
    parts = [k_nearest(part, known.split(CHUNK_SIZE), k)[1] for part in queries.split(CHUNK_SIZE)]
    rows = torch.cat(parts)
    found = [
        (known[nearest].double() - queries.double()).square().sum(dim=1).sqrt()
        for nearest in rows.unbind(1)
    ]
    return torch.stack(found, dim=1), rows


def authentic(distances: Tensor, rows: Tensor, real: Tensor) -> Tensor:
    """Tell which generated samples are authentic.

    A sample is authentic if it lies farther from its nearest training datum than that datum lies
    from its own nearest neighbour in the training data.

    Args:
        distances: of each sample to its nearest training datum, (N,).
        rows: which datum that is, int64 (N,).
        real: features of all training data, (M, D), M at least 2.

    Returns:
        bool (N,).

    Source: Alaa, van Breugel, Saveliev, van der Schaar 2022 (arXiv:2102.08921), the classifier of
        authenticity.
    """
    data, sample_to_datum = rows.unique(return_inverse=True)
    spacing, neighbours = nearest_rows(real[data], real, k=2)
    # a duplicate may come before the datum itself
    is_self = neighbours[:, 0] == data
    to_other = torch.where(is_self, spacing[:, 1], spacing[:, 0])
    return distances > to_other[sample_to_datum]


class Authenticity(ReferenceSampleBuffer):
    """Share of generated samples that lie no nearer to the training data than these to each other.

    About half of the samples of a perfect generator are authentic in many dimensions; what is far
    below that copies. Samples far from all data, noise for example, are authentic too, so it says
    nothing about quality.

    Args:
        real: features of the training data, (M, D), M at least 2; the metric stores the first M
            generated ones.

    Raises:
        ValueError: the features are not (M, D).

    Source: Alaa et al. 2022 (arXiv:2102.08921).
    """

    higher_is_better = True

    def compute(self) -> Tensor:
        """Return the share, float64, in [0, 1].

        Raises:
            ValueError: there are no features, or two features have the same index.
        """
        distances, rows = nearest_rows(self.samples(), self.real)
        return authentic(distances[:, 0], rows[:, 0], self.real).double().mean()
