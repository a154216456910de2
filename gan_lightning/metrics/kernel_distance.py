"""Kernel distance between two sets of images in the features of any network.

torchmetrics' `poly_mmd` computes the discrepancy of a subset. Its KernelInceptionDistance is not
used, because it draws the subsets from the global random state and orders the features by process,
so that two processes would not give the value of one; it also computes in the features' float32,
in which the nearly cancelling sums lose their digits.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gan_lightning.metrics.sample_buffer import ReferenceSampleBuffer

__all__ = ["KernelDistance", "kernel_distances"]

SUBSETS = 100
SUBSET_SIZE = 1000
CHUNK_SIZE = 500
"""Features compared with all others at a time."""
SEED = 2020
"""The seed of torch-fidelity, so that the subsets are the same."""


class KernelDistance(ReferenceSampleBuffer):
    """Squared maximum mean discrepancy (MMD) between generated and real features.

    The kernel is k(x, y) = (x . y / D + 1)^3. The unbiased estimate of the squared MMD,
    E k(x, x') + E k(y, y') - 2 E k(x, y) over pairs of different samples, is averaged over random
    subsets; unlike the FID it has no bias that depends on the number of images, and may fall below
    0. It is the KID only with the original Inception network; with another network, call it after
    that network. The subsets depend only on the numbers of images, so the same features give the
    same distance, and the global random state is neither used nor changed.

    Args:
        real: features (M, D); the metric stores the first M generated ones.
        subsets: number of subsets.
        subset_size: number of features of each side in a subset; all of a side that has fewer.

    Raises:
        ValueError: the features are not (M, D), or a number is below 1.

    Source: Bińkowski, Sutherland, Arbel, Gretton 2018 (arXiv:1801.01401), the kernel inception
        distance; Gretton et al. 2012 (A kernel two-sample test), lemma 6, for the estimate. The
        subsets are those of torch-fidelity 0.4.
    """

    higher_is_better = False

    def __init__(
        self, real: Tensor, subsets: int = SUBSETS, subset_size: int = SUBSET_SIZE
    ) -> None:
        if subsets < 1 or subset_size < 1:
            raise ValueError(
                f"subsets is {subsets} and subset_size is {subset_size}; both must be at least 1"
            )
        super().__init__(real)
        self.subsets, self.subset_size = subsets, subset_size

    def compute(self) -> dict[str, Tensor]:
        """Return the distance over the subsets, float64; NaN where a side has a single image.

        Returns:
            mean: mean of the subsets' distances.
            standard_deviation: standard deviation of the subsets' distances, not of their mean.

        Raises:
            ValueError: there are no features, or two features have the same index.
        """
        from torchmetrics.image.kid import poly_mmd  # takes a second

        generated = self.samples()
        size = min(self.subset_size, len(generated), len(self.real))
        rng = np.random.RandomState(SEED)
        distances = []
        for _ in range(self.subsets):
            generated_subset, real_subset = (
                side[torch.from_numpy(rng.choice(len(side), size, replace=False)).to(side.device)]
                for side in (generated, self.real)
            )
            distances.append(poly_mmd(real_subset.double(), generated_subset.double()))
        values = torch.stack(distances)
        return {"mean": values.mean(), "standard_deviation": values.std(correction=0)}


def kernel_distances(generated: Tensor, real: Tensor, members: Tensor) -> Tensor:
    """Compute the squared MMD of several subsets of generated features to the real ones.

    It is the unbiased estimate from all pairs, whose expectation is that of `KernelDistance`; each
    kernel value is computed once for all subsets.

    Args:
        generated: (N, D).
        real: (M, D), M at least 2.
        members: which features belong to each subset, bool (N, subsets), at least 2 of each.

    Returns:
        (subsets,), float64; a value may fall below 0.

    Source: Gretton et al. 2012 (A kernel two-sample test), lemma 6; Bińkowski et al. 2018
        (arXiv:1801.01401), section 4, for the kernel.
    """
    generated, real = generated.double(), real.double()
    weights = members.double()
    counts, others = weights.sum(dim=0), len(real)
    among_real = _off_diagonal_sum(real, torch.ones(others, 1, dtype=real.dtype))
    among_generated = _off_diagonal_sum(generated, weights)
    between = torch.zeros_like(counts)
    for start in range(0, len(generated), CHUNK_SIZE):
        chunk = slice(start, start + CHUNK_SIZE)
        between += _kernel(generated[chunk], real).sum(dim=1) @ weights[chunk]
    return (
        among_generated / (counts * (counts - 1))
        + among_real / (others * (others - 1))
        - 2 * between / (counts * others)
    )


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    """Compute (x . y / D + 1)^3 of all pairs, (N, M)."""
    return (x @ y.T / x.shape[1] + 1).pow(3)


def _off_diagonal_sum(features: Tensor, weights: Tensor) -> Tensor:
    """Sum w_i w_j k(x_i, x_j) over i != j, for each column of the weights (N, subsets)."""
    total = weights.new_zeros(weights.shape[1])
    for start in range(0, len(features), CHUNK_SIZE):
        chunk = slice(start, start + CHUNK_SIZE)
        kernel = _kernel(features[chunk], features)
        kernel.diagonal(start).fill_(0)
        total += ((kernel @ weights) * weights[chunk]).sum(dim=0)
    return total
