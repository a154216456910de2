"""Monge distance: sliced Wasserstein distance of features, for the evaluation of generators."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gan_lightning.metrics.sample_buffer import ReferenceSampleBuffer

__all__ = ["MongeDistance", "monge_distance", "squared_wasserstein", "unit_directions"]

DIRECTIONS = 1000
SEED = 0
CHUNK_SIZE = 100
"""Directions along which all features are sorted at a time."""


def unit_directions(size: int, count: int = DIRECTIONS) -> Tensor:
    """Draw directions uniformly from the unit sphere, the same at each call.

    Returns:
        Unit vectors, float64 (count, size).
    """
    directions = np.random.RandomState(SEED).standard_normal((count, size))
    return torch.from_numpy(directions / np.linalg.norm(directions, axis=1, keepdims=True))


def squared_wasserstein(a: Tensor, b: Tensor) -> Tensor:
    """Compute the squared Wasserstein-2 distance of pairs of sets of numbers.

    In one dimension the optimal transport couples equal quantiles. Sets of different sizes are
    coupled exactly: the quantile functions are constant between the levels i / N and j / M.

    Args:
        a: (N, K).
        b: (M, K).

    Returns:
        (K,), float64, at least 0.

    Source: Peyré, Cuturi 2019 (arXiv:1803.00567), equation 2.37 with p = 2.
    """
    n, m = len(a), len(b)
    a, b = a.double().sort(dim=0).values, b.double().sort(dim=0).values
    if n == m:
        return (a - b).square().mean(dim=0)
    # levels in units of 1 / (N M), so that they are whole numbers
    levels = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique()
    widths = torch.diff(levels, prepend=torch.zeros(1, dtype=levels.dtype)).to(a) / (n * m)
    below = (levels - 1).to(a.device)
    return widths @ (a[below // m] - b[below // n]).square()


def monge_distance(generated: Tensor, real: Tensor, directions: Tensor | None = None) -> Tensor:
    """Compute MIND's sliced squared Wasserstein-2 distance between generated and real features.

    MIND = 3 d / K * sum over K unit vectors u of W_2^2(u . generated, u . real).

    Args:
        generated: (N, d).
        real: (M, d).
        directions: unit vectors (K, d); None for 1,000 fixed random ones.

    Returns:
        Scalar, float64, at least 0.

    Source: Berthet, Wu, Crepy, Elie, Greff, Sander 2026 (arXiv:2605.06797), the definition of
        MIND with K = 1,000 and the factor 3 d, which brings it near the scale of the FID; the
        sliced distance is that of Rabin et al. 2011.
    Deviations: sets of different sizes are compared without leaving features out; any features
        instead of Inception's.
    """
    size = generated.shape[1]
    directions = unit_directions(size) if directions is None else directions
    distances = [
        squared_wasserstein(generated.double() @ part.T, real.double() @ part.T)
        for part in directions.to(generated.device).double().split(CHUNK_SIZE)
    ]
    return 3 * size * torch.cat(distances).mean()


class MongeDistance(ReferenceSampleBuffer):
    """Sliced squared Wasserstein-2 distance of features, scaled as MIND.

    Other than the Fréchet distance it compares whole distributions along each direction, not only
    means and covariances, and needs fewer samples. It is MIND, the Monge inception distance, only
    with the Inception network. It is biased upwards for few images, so compare equal numbers.

    Args:
        real: features (M, D); the metric stores the first M generated ones.

    Raises:
        ValueError: the features are not (M, D).

    Source: Berthet et al. 2026 (arXiv:2605.06797).
    """

    higher_is_better = False

    def compute(self) -> Tensor:
        """Return the distance, a float64 scalar, at least 0.

        Raises:
            ValueError: there are no features, or two features have the same index.
        """
        return monge_distance(self.samples(), self.real)
