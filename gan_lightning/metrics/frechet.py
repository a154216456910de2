"""Fréchet distance between two sets of images in the features of any network.

torchmetrics' FrechetInceptionDistance is not used: it rounds the distance to float32, fails on a
process that received no images, and takes the square root of a matrix that is not symmetric, which
costs twice the time for 2,048 features and loses digits for singular covariances; its import takes
a second, of which most is torchvision's. The statistics of the real images are no metric state,
because cached ones are equal on all processes and would be summed over them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from gan_lightning.metrics.feature_extractor import FrozenNetwork
from gan_lightning.metrics.sample_buffer import ReferenceSampleBuffer

__all__ = [
    "EqualSizeFrechetDistance",
    "FeatureStatistics",
    "FrechetDistance",
    "covariance_root",
    "frechet_distance",
]

SIDES = ("generated", "real")


def frechet_distance(
    mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor
) -> Tensor:
    """Compute the squared Fréchet (Wasserstein-2) distance of two Gaussians in float64.

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)). The trace of the matrix root is the sum of
    the roots of the eigenvalues of R^T C_b R, for any R with R R^T = C_a. That matrix is
    symmetric, so its eigenvalues are real; singular covariances are valid.

    Args:
        mean_a: (d,).
        covariance_a: (d, d), symmetric and positive semi-definite.
        mean_b: (d,).
        covariance_b: (d, d), symmetric and positive semi-definite.

    Returns:
        Scalar, float64, at least 0 (rounding errors below 0 are clamped); NaN if an input is not
        finite.

    Raises:
        ValueError: the shapes do not match.

    Source: Dowson, Landau 1982; as a score of GANs Heusel et al. 2017 (arXiv:1706.08500),
        equation 6.
    """
    size = mean_a.numel()
    shapes = [tuple(x.shape) for x in (mean_a, covariance_a, mean_b, covariance_b)]
    if shapes != [(size,), (size, size)] * 2:
        raise ValueError(f"shapes are {shapes}; they must be (d,), (d, d), (d,), (d, d)")
    difference = mean_a.double() - mean_b.double()
    covariance_a, covariance_b = covariance_a.double(), covariance_b.double()
    if not all(bool(x.isfinite().all()) for x in (difference, covariance_a, covariance_b)):
        return torch.full_like(difference.sum(), torch.nan)
    root = covariance_root(covariance_a)
    cross = torch.linalg.eigvalsh(root.T @ covariance_b @ root).clamp(min=0).sqrt().sum()
    distance: Tensor = difference @ difference
    distance = distance + covariance_a.trace() + covariance_b.trace() - 2 * cross
    return distance.clamp(min=0)


def covariance_root(covariance: Tensor) -> Tensor:
    """Return R with R R^T = C: by Cholesky, or by eigendecomposition for a singular C."""
    root: Tensor
    root, failed = torch.linalg.cholesky_ex(covariance)
    if failed:
        values, vectors = torch.linalg.eigh(covariance)
        root = vectors * values.clamp(min=0).sqrt()
    return root


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Mean and covariance of the features of a set of images.

    Attributes:
        mean: (d,), float64.
        covariance: (d, d), float64, unbiased (divided by count - 1).
        count: number of images, at least 2.

    Raises:
        ValueError: the shapes do not match, or there are fewer than 2 images.
    """

    mean: Tensor
    covariance: Tensor
    count: int

    def __post_init__(self) -> None:
        """Check the shapes and the count."""
        size = self.mean.numel()
        if self.mean.shape != (size,) or self.covariance.shape != (size, size):
            raise ValueError(
                f"mean and covariance have shapes {tuple(self.mean.shape)} and "
                f"{tuple(self.covariance.shape)}; they must be (d,) and (d, d)"
            )
        if self.count < 2:
            raise ValueError(
                f"a covariance needs at least 2 images and there are {self.count}; call update "
                "with more images first"
            )

    @classmethod
    def from_features(cls, features: Tensor) -> FeatureStatistics:
        """Compute the statistics of features (N, d), N at least 2."""
        if features.ndim != 2:
            raise ValueError(f"features have shape {tuple(features.shape)}; it must be (N, d)")
        features = features.detach().double()
        mean = features.mean(dim=0)
        centred = features - mean
        covariance = centred.T @ centred / max(len(features) - 1, 1)
        return cls(mean, covariance, len(features))

    @classmethod
    def from_sums(cls, total: Tensor, outer: Tensor, count: int) -> FeatureStatistics:
        """Compute the statistics from sums of x (d,) and of x x^T (d, d) over `count` images."""
        mean = total / max(count, 1)
        covariance = (outer - count * torch.outer(mean, mean)) / max(count - 1, 1)
        return cls(mean, covariance, count)

    def to(self, device: torch.device | str) -> FeatureStatistics:
        """Return the statistics on another device."""
        return FeatureStatistics(self.mean.to(device), self.covariance.to(device), self.count)

    def distance(self, other: FeatureStatistics) -> Tensor:
        """Compute the squared Fréchet distance to other statistics; see `frechet_distance`."""
        return frechet_distance(self.mean, self.covariance, other.mean, other.covariance)


class FrechetDistance(Metric):
    """Squared Fréchet distance between generated and real images in the features of a network.

    FD = |m_g - m_r|^2 + tr(C_g + C_r - 2 (C_g C_r)^(1/2)), with means m and covariances C of the
    features of generated and real images. It is the FID only with the original Inception network;
    with another network, call it after that network. The states are sums in float64, so the value
    is exact over several processes and independent of the batch size. On a device without float64
    (MPS), leave the metric on the CPU; its network moves to the images.

    Args:
        features: images, float in [-1, 1], (N, C, H, W) -> (N, d). It is copied, runs in
            evaluation mode with autocast disabled, and is not in the metric's state_dict.
        num_features: d.
        reference: statistics of the real images; None if real images are passed to `update`.
        batch_size: number of images per forward pass of the network.

    Raises:
        ValueError: the reference has another number of features, or a size is below 1.

    Source: Heusel et al. 2017 (arXiv:1706.08500), equation 6.
    """

    full_state_update = False
    higher_is_better = False

    def __init__(
        self,
        features: nn.Module,
        num_features: int,
        reference: FeatureStatistics | None = None,
        batch_size: int = 1024,
    ) -> None:
        if num_features < 1:
            raise ValueError(f"num_features is {num_features}; it must be at least 1")
        if reference is not None and reference.mean.numel() != num_features:
            raise ValueError(
                f"the reference has {reference.mean.numel()} features and num_features is "
                f"{num_features}; compute the reference with the same network"
            )
        super().__init__()
        for side in SIDES:
            total = torch.zeros(num_features, dtype=torch.float64)
            outer = torch.zeros(num_features, num_features, dtype=torch.float64)
            self.add_state(f"{side}_sum", total, dist_reduce_fx="sum")
            self.add_state(f"{side}_outer", outer, dist_reduce_fx="sum")
            self.add_state(f"{side}_count", torch.tensor(0), dist_reduce_fx="sum")
        self.num_features = num_features
        self.reference = reference
        self.network = FrozenNetwork(features, batch_size)

    def update(self, images: Tensor, real: bool = False) -> None:
        """Add images.

        Args:
            images: (N, C, H, W), float in [-1, 1].
            real: whether the images are real; only without a reference.

        Raises:
            ValueError: real images were passed to a metric with a reference, the images are not
                floating point, or the network does not return (N, num_features).
        """
        if real and self.reference is not None:
            raise ValueError(
                "real images were passed to a FrechetDistance that has a reference; pass only "
                "generated ones, or construct the metric with reference=None"
            )
        if len(images):
            features = self.network(images, self.num_features)
            # to the metric's device first: not every device has float64
            features = features.to(self.device).double()
            total, outer, count = self._sums(real)
            total += features.sum(dim=0)
            outer += features.T.mm(features)
            count += len(features)

    def statistics(self, real: bool = False) -> FeatureStatistics:
        """Return the moments of one side; outside of `compute`, those of this process only.

        Raises:
            ValueError: that side has fewer than 2 images.
        """
        if real and self.reference is not None:
            return self.reference.to(self.device)
        total, outer, count = self._sums(real)
        return FeatureStatistics.from_sums(total, outer, int(count))

    def compute(self) -> Tensor:
        """Return the squared distance: a float64 scalar, at least 0; NaN after NaN images.

        Raises:
            ValueError: a side has fewer than 2 images.
        """
        return self.statistics().distance(self.statistics(real=True))

    def _sums(self, real: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Return the sums of x (d,) and of x x^T (d, d), and the number of images, of one side."""
        side = SIDES[real]
        total: Tensor = getattr(self, f"{side}_sum")
        return total, getattr(self, f"{side}_outer"), getattr(self, f"{side}_count")


class EqualSizeFrechetDistance(ReferenceSampleBuffer):
    """Squared Fréchet distance between real features and at most as many generated ones.

    The distance is biased upwards for few images, so values of equal numbers are comparable, and
    that between two sets of real images is what a perfect generator scores.

    Args:
        real: features (M, D), M at least 2; the metric stores the first M generated ones.

    Raises:
        ValueError: the features are not (M, D).

    Source: Heusel et al. 2017 (arXiv:1706.08500), equation 6.
    """

    higher_is_better = False

    def compute(self) -> Tensor:
        """Return the squared distance: a float64 scalar, at least 0.

        Raises:
            ValueError: a side has fewer than 2 features, or two features have the same index.
        """
        sides = (self.samples(), self.real)
        generated, real = (FeatureStatistics.from_features(side) for side in sides)
        return generated.distance(real)
