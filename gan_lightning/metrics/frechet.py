"""The Fréchet distance between two sets of images, through the features of any network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from gan_lightning.metrics.feature_extractor import FrozenNetwork

__all__ = ["FeatureStatistics", "FrechetDistance", "frechet_distance"]


def frechet_distance(
    mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor
) -> Tensor:
    """Squared Fréchet (Wasserstein-2) distance of two Gaussians, in float64.

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)). The trace of the root is the sum of the
    roots of the eigenvalues of the symmetric R^T C_b R, for any R with R R^T = C_a. So the
    eigenvalues of one symmetric matrix are needed, and no imaginary part appears; singular
    covariances are fine.

    Args:
        mean_a: (d,).
        covariance_a: (d, d), symmetric and positive semi-definite.
        mean_b: (d,).
        covariance_b: (d, d), symmetric and positive semi-definite.

    Returns:
        Scalar, float64, at least 0 (round-off below it is clamped); NaN where an input is not
        finite.

    Raises:
        ValueError: the shapes do not fit.

    Source: Dowson, Landau 1982; as a score of GANs Heusel et al. 2017 (arXiv:1706.08500),
        equation 6.
    """
    size = mean_a.numel()
    shapes = [tuple(x.shape) for x in (mean_a, covariance_a, mean_b, covariance_b)]
    if shapes != [(size,), (size, size)] * 2:
        raise ValueError(f"shapes are {shapes}; they must be (d,), (d, d), (d,), (d, d)")
    difference = mean_a.double() - mean_b.double()
    first, second = covariance_a.double(), covariance_b.double()
    if not all(bool(x.isfinite().all()) for x in (difference, first, second)):
        return torch.full_like(difference.sum(), torch.nan)
    root = _root(first)
    cross = torch.linalg.eigvalsh(root.T @ second @ root).clamp(min=0).sqrt().sum()
    distance: Tensor = difference @ difference + first.trace() + second.trace() - 2 * cross
    return distance.clamp(min=0)


def _root(covariance: Tensor) -> Tensor:
    """Return R with R R^T = C: Cholesky's, or, of a singular C, one of its eigenvectors."""
    root: Tensor
    root, failed = torch.linalg.cholesky_ex(covariance)
    if failed:
        values, vectors = torch.linalg.eigh(covariance)
        root = vectors * values.clamp(min=0).sqrt()
    return root


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """First and second moments of the features of a set of images.

    Attributes:
        mean: (d,), float64.
        covariance: (d, d), float64, unbiased (divided by count - 1).
        count: number of images, at least 2.

    Raises:
        ValueError: the shapes do not fit, or there are fewer than 2 images.
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
                f"a covariance needs at least 2 samples, and there are {self.count}: "
                "call update with more images first"
            )

    @classmethod
    def from_features(cls, features: Tensor) -> FeatureStatistics:
        """Return the statistics of features (N, d), N at least 2."""
        if features.ndim != 2:
            raise ValueError(f"features have shape {tuple(features.shape)}; it must be (N, d)")
        features = features.detach().double()
        mean = features.mean(dim=0)
        centred = features - mean
        covariance = centred.T @ centred / max(len(features) - 1, 1)
        return cls(mean, covariance, len(features))

    @classmethod
    def from_sums(cls, total: Tensor, outer: Tensor, count: int) -> FeatureStatistics:
        """Return the statistics from the sums of x (d,) and x x^T (d, d) over count samples."""
        mean = total / max(count, 1)
        covariance = (outer - count * torch.outer(mean, mean)) / max(count - 1, 1)
        return cls(mean, covariance, count)

    def to(self, device: torch.device | str) -> FeatureStatistics:
        """Return the same statistics on a device."""
        return FeatureStatistics(self.mean.to(device), self.covariance.to(device), self.count)

    def distance(self, other: FeatureStatistics) -> Tensor:
        """Return the squared Fréchet distance to others; see `frechet_distance`."""
        return frechet_distance(self.mean, self.covariance, other.mean, other.covariance)


class FrechetDistance(Metric):
    """Squared Fréchet distance between generated and real images in a network's features.

    Only with the original Inception network is it an FID; name it after the network otherwise.
    The states are sums in float64, so the value is exact over several processes and does not
    depend on the batch size. A device without float64 (MPS) is no obstacle: leave the metric on
    the CPU, its network follows the images.

    Args:
        features: images, float in [-1, 1], (N, C, H, W) -> (N, d). Copied, run in eval mode
            outside autocast, and no part of the metric's state_dict.
        num_features: d.
        reference: statistics of the real images; None: real images are passed to `update`.
        batch_size: images that the network sees at once.

    Raises:
        ValueError: the reference has another number of features, or a size is not positive.

    Source: Heusel et al. 2017 (arXiv:1706.08500), equation 6.
    """

    full_state_update = False
    higher_is_better = False
    is_differentiable = False

    generated_total: Tensor
    generated_outer: Tensor
    generated_count: Tensor
    real_total: Tensor
    real_outer: Tensor
    real_count: Tensor

    def __init__(
        self,
        features: nn.Module,
        num_features: int,
        reference: FeatureStatistics | None = None,
        batch_size: int = 1024,
    ) -> None:
        super().__init__()
        if num_features < 1:
            raise ValueError(f"num_features is {num_features}; it must be at least 1")
        if reference is not None and reference.mean.numel() != num_features:
            raise ValueError(
                f"the reference has {reference.mean.numel()} features; num_features is "
                f"{num_features}: compute the reference with the same network"
            )
        self.num_features = num_features
        self.reference = reference
        self.network = FrozenNetwork(features, batch_size)
        for side in ("generated",) if reference is not None else ("generated", "real"):
            total = torch.zeros(num_features, dtype=torch.float64)
            outer = torch.zeros(num_features, num_features, dtype=torch.float64)
            self.add_state(f"{side}_total", total, dist_reduce_fx="sum")
            self.add_state(f"{side}_outer", outer, dist_reduce_fx="sum")
            self.add_state(f"{side}_count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, images: Tensor, real: bool = False) -> None:
        """Add images.

        Args:
            images: (N, C, H, W), float in [-1, 1].
            real: whether they are real; only where there is no reference.

        Raises:
            ValueError: real images although there is a reference, images that are not floating
                point, or a network that does not return (N, num_features).
        """
        if real and self.reference is not None:
            raise ValueError(
                "real images were passed to a FrechetDistance that has a reference; pass "
                "generated ones only, or build it with reference=None"
            )
        if len(images) == 0:
            return
        features = self.network(images, self.num_features).to(self.generated_total.device).double()
        if real:
            self.real_total += features.sum(dim=0)
            self.real_outer += features.T @ features
            self.real_count += len(features)
        else:
            self.generated_total += features.sum(dim=0)
            self.generated_outer += features.T @ features
            self.generated_count += len(features)

    def statistics(self, real: bool = False) -> FeatureStatistics:
        """Return the moments of one side, of this process alone outside of `compute`.

        Raises:
            ValueError: that side has fewer than 2 images.
        """
        if not real:
            sums = self.generated_total, self.generated_outer, int(self.generated_count)
        elif self.reference is not None:
            return self.reference.to(self.generated_total.device)
        else:
            sums = self.real_total, self.real_outer, int(self.real_count)
        return FeatureStatistics.from_sums(*sums)

    def compute(self) -> Tensor:
        """Return the squared distance: a float64 scalar, at least 0; NaN after NaN images.

        Raises:
            ValueError: a side has fewer than 2 images.
        """
        return self.statistics().distance(self.statistics(real=True))
