"""The kernel distance between two sets of images, through the features of any network."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gan_lightning.metrics.sample_buffer import SampleBuffer

__all__ = ["KernelDistance", "squared_discrepancy"]

SUBSETS = 100
SUBSET_SIZE = 1000
SEED = 2020
"""Of torch-fidelity, whose subsets are therefore these."""


class KernelDistance(SampleBuffer):
    """Squared maximum mean discrepancy (MMD) between generated and real features.

    Only with the original Inception network is it a KID; name it after the network otherwise. The
    estimate is unbiased whatever the number of images, and so may fall below 0. The subsets are a
    function of the numbers of images alone, so that the same features give the same distance, and
    no global random state is asked or moved.

    Args:
        real: features (M, D); the metric holds M generated ones at most, the first.
        subsets: of which the mean is taken.
        subset_size: features of each side in one; where a side has fewer, so many.

    Raises:
        ValueError: the features are not (M, D), or a number is not positive.

    Source: Bińkowski, Sutherland, Arbel, Gretton 2018 (arXiv:1801.01401), the kernel inception
        distance; the subsets are those of torch-fidelity 0.4.
    """

    higher_is_better = False

    real: Tensor

    def __init__(
        self, real: Tensor, subsets: int = SUBSETS, subset_size: int = SUBSET_SIZE
    ) -> None:
        if real.ndim != 2 or 0 in real.shape:
            raise ValueError(f"real features have shape {tuple(real.shape)}; it must be (M, D)")
        if subsets < 1 or subset_size < 1:
            raise ValueError(
                f"subsets is {subsets} and subset_size is {subset_size}; both must be at least 1"
            )
        super().__init__(*real.shape)
        self.subsets, self.subset_size = subsets, subset_size
        self.register_buffer("real", real.detach(), persistent=False)

    def update(self, features: Tensor, first: int) -> None:
        """Add generated features (N, D), features[0] being number `first` of all.

        Raises:
            ValueError: the features have another shape, or first is negative.
        """
        self.hold(features, first)

    def compute(self) -> dict[str, Tensor]:
        """Return the distance over the subsets, float64; NaN where a side has a single image.

        Returns:
            mean: of the distances.
            standard_deviation: of the distances, not of their mean.

        Raises:
            ValueError: there are no features, or two have one number.
        """
        generated = self.samples()
        size = min(self.subset_size, len(generated), len(self.real))
        rng = np.random.RandomState(SEED)
        found = []
        for _ in range(self.subsets):
            ours, theirs = (
                side[torch.from_numpy(rng.choice(len(side), size, replace=False)).to(side.device)]
                for side in (generated, self.real)
            )
            found.append(squared_discrepancy(ours, theirs))
        distances = torch.stack(found)
        return {
            "mean": distances.mean(),
            "standard_deviation": distances.std(correction=0),
        }


def squared_discrepancy(first: Tensor, second: Tensor) -> Tensor:
    """Return the unbiased squared MMD of two sets under the kernel (x . y / D + 1)^3.

    Args:
        first: (N, D).
        second: (M, D).

    Returns:
        Scalar, float64; below 0 by chance where the sets are of one distribution; NaN where a set
        has a single element.

    Source: the kernel of Bińkowski et al. 2018 (arXiv:1801.01401) in the unbiased estimate of
        Gretton et al. 2012 (A kernel two-sample test), lemma 6.
    """
    # what is left of large sums that nearly cancel would drown in float32
    first, second = first.double(), second.double()
    between = _kernel(first, second).mean()
    return _mean_of_pairs(first) + _mean_of_pairs(second) - 2 * between


def _mean_of_pairs(points: Tensor) -> Tensor:
    """Return the mean of the kernel over all pairs of two different points."""
    kernel = _kernel(points, points)
    return (kernel.sum() - kernel.trace()) / (len(points) * (len(points) - 1))


def _kernel(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T / first.shape[1] + 1) ** 3
