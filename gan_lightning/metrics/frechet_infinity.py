"""Fréchet distance that is extrapolated to infinitely many generated images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gan_lightning.metrics.frechet import FeatureStatistics, covariance_root
from gan_lightning.metrics.sample_buffer import ReferenceSampleBuffer

__all__ = ["FrechetInfinity", "FrechetReference", "extrapolate", "subset_sizes"]

POINTS = 15
LARGEST_START = 5_000
SEED = 0


class FrechetReference:
    """Real features to which the Fréchet distance of many sets of features is computed.

    The root of the real covariance is computed once. With C_r = R R^T and centred generated
    features X, the trace of (C_r C_g)^(1/2) is the sum of the singular values of X R, divided by
    (N - 1)^(1/2), for which the smaller of the two Gram matrices suffices.

    Args:
        statistics: of the real features.
    """

    def __init__(self, statistics: FeatureStatistics) -> None:
        self.statistics = statistics
        self._root = covariance_root(statistics.covariance.double())

    def distance(self, features: Tensor) -> Tensor:
        """Compute the squared Fréchet distance of generated features to the real ones.

        Args:
            features: (N, d), N at least 2.

        Returns:
            Scalar, float64, at least 0.

        Raises:
            ValueError: there are fewer than 2 features.

        Source: Heusel et al. 2017 (arXiv:1706.08500), equation 6.
        """
        count = len(features)
        if count < 2:
            raise ValueError(f"a covariance needs at least 2 images and there are {count}")
        features = features.double()
        mean = features.mean(dim=0)
        centred = features - mean
        rooted = centred @ self._root
        gram = rooted.T @ rooted if rooted.shape[1] <= count else rooted @ rooted.T
        cross = torch.linalg.eigvalsh(gram / (count - 1)).clamp(min=0).sqrt().sum()
        difference = mean - self.statistics.mean
        spread = centred.square().sum() / (count - 1) + self.statistics.covariance.trace()
        distance: Tensor = difference @ difference + spread - 2 * cross
        return distance.clamp(min=0)

    def infinity(self, features: Tensor, sizes: Sequence[int] | None = None) -> Tensor:
        """Extrapolate the distance of random subsets of generated features to infinite size.

        Args:
            features: (N, d), N at least 4.
            sizes: numbers of features of the subsets; None for `subset_sizes`.

        Returns:
            Scalar, float64; it may fall a little below 0.

        Source: Chong, Forsyth 2020 (arXiv:1911.07023), section 3: FID_N is linear in 1/N for large
            N, and the intercept of a line through several FID_N estimates the value without bias.
        Deviations: subsets of the given features are drawn at random without replacement, where
            the paper generates samples from a Sobol sequence. The smallest subset has at least
            twice as many features as dimensions where half of all features are as many, since the
            distance is not linear in 1/N for covariances without full rank.
        """
        if sizes is None:
            sizes = subset_sizes(len(features), features.shape[1])
        rng = np.random.RandomState(SEED)
        distances = [
            self.distance(features[torch.from_numpy(rng.permutation(len(features))[:size])])
            for size in sizes
        ]
        return extrapolate(sizes, torch.stack(distances))


def subset_sizes(count: int, dimensions: int) -> list[int]:
    """Return 15 numbers of features, evenly spaced up to all of them.

    The smallest is a tenth of them or twice the dimensions, but at most half of them and 5,000.
    """
    start = max(2, count // 10, min(2 * dimensions, count // 2))
    sizes = np.linspace(min(LARGEST_START, start), count, POINTS)
    return [int(size) for size in sizes]


def extrapolate(sizes: Sequence[int], distances: Tensor) -> Tensor:
    """Fit a line to distances over 1 / size by least squares, and return its value at 0.

    Args:
        sizes: numbers of features, at least two different ones.
        distances: (len(sizes),).

    Returns:
        Scalar, float64; NaN if all sizes are equal.
    """
    x = 1 / torch.tensor(sizes, dtype=torch.float64)
    y = distances.double()
    centred = x - x.mean()
    slope = (centred @ y) / centred.square().sum()
    return y.mean() - slope * x.mean()


class FrechetInfinity(ReferenceSampleBuffer):
    """Fréchet distance extrapolated to infinitely many generated images.

    The Fréchet distance is biased upwards by an amount that depends on the number of images and on
    the generator; this estimate removes the part that is linear in 1 / N. It has a larger variance
    than the distance itself.

    Args:
        real: features (M, D), M at least 2; the metric stores the first M generated ones.

    Raises:
        ValueError: the features are not (M, D).

    Source: Chong, Forsyth 2020 (arXiv:1911.07023).
    """

    higher_is_better = False

    def compute(self) -> Tensor:
        """Return the extrapolated squared distance, a float64 scalar.

        Raises:
            ValueError: there are too few features, or two features have the same index.
        """
        reference = FrechetReference(FeatureStatistics.from_features(self.real))
        return reference.infinity(self.samples())
