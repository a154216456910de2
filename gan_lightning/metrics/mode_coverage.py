"""Number of modes or classes that generated samples cover, and how evenly."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from gan_lightning.metrics.feature_extractor import FrozenNetwork

__all__ = ["ClassCoverage", "ModeCoverage"]

HIGH_QUALITY_RADIUS = 3.0
"""In standard deviations; a sample farther from every centre is of low quality."""


def divergence_of_counts(counts: Tensor, reference: Tensor) -> Tensor:
    """Compute KL(counts / sum of counts || reference) in nats.

    Args:
        counts: number of occurrences of each of K outcomes, (K,), at least 0.
        reference: probabilities, (K,).

    Returns:
        Scalar, at least 0; infinite if an outcome occurred whose reference probability is 0, NaN
        if none occurred.
    """
    total = counts.sum()
    if total == 0:
        return reference.new_tensor(torch.nan)
    occurred = counts > 0
    probabilities = counts[occurred] / total
    return (probabilities * (probabilities / reference[occurred]).log()).sum().clamp(min=0)


class ModeCoverage(Metric):
    """Covered modes, fraction of high-quality samples and reverse KL on a Gaussian mixture.

    A sample is of high quality if it lies closer than 3 standard deviations to its nearest centre.
    A mode is covered if at least one high-quality sample is nearest to it. The reverse KL is
    KL(generated || uniform) over the modes, where the histogram of the generated side contains the
    high-quality samples only, as in PacGAN's published code: it measures how unevenly the modes are
    covered. Both papers generate 2,500 samples.

    Args:
        centres: distinct means of the mixture's components, (M, D).
        standard_deviation: of every component in every direction.

    Raises:
        ValueError: the centres are not (M, D) or the standard deviation is not positive.

    Source: Srivastava et al. 2017 (VEEGAN, arXiv:1705.07761), synthetic data, for modes and
        quality; Lin et al. 2018 (PacGAN, arXiv:1712.04086), synthetic data, for the divergence,
        with their code (github.com/fjxmlzn/PacGAN, class MetricLogger), which writes the entropy
        H in nats of that histogram: the divergence from uniform is log M - H.
    """

    full_state_update = False
    is_differentiable = False

    centres: Tensor
    counts: Tensor
    samples: Tensor

    def __init__(self, centres: Tensor, standard_deviation: float) -> None:
        super().__init__()
        if centres.ndim != 2 or 0 in centres.shape:
            raise ValueError(f"centres have shape {tuple(centres.shape)}; it must be (M, D)")
        if not standard_deviation > 0:
            raise ValueError(f"standard_deviation is {standard_deviation}; it must be positive")
        self.register_buffer("centres", centres.detach().float().clone(), persistent=False)
        self.radius = HIGH_QUALITY_RADIUS * standard_deviation
        counts = torch.zeros(len(centres), dtype=torch.int64)
        self.add_state("counts", counts, dist_reduce_fx="sum")
        self.add_state("samples", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, samples: Tensor) -> None:
        """Add generated points (N, D); points that are not finite are of low quality.

        Raises:
            ValueError: the points have another shape.
        """
        distance, mode = self.nearest(samples)
        self.counts += torch.bincount(mode[distance < self.radius], minlength=len(self.centres))
        self.samples += len(samples)

    def nearest(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Find the nearest mode of each point.

        Args:
            samples: (N, D).

        Returns:
            Distance to the nearest centre, (N,), and its index, int64 (N,).

        Raises:
            ValueError: the points have another shape.
        """
        dimensions = self.centres.shape[1]
        if samples.ndim != 2 or samples.shape[1] != dimensions:
            raise ValueError(
                f"samples have shape {tuple(samples.shape)}; it must be (N, {dimensions})"
            )
        samples = samples.detach().to(self.centres.device).float()
        # not cdist: its matrix product cancels if modes are narrow and far from the origin
        distances = (samples[:, None] - self.centres).norm(dim=2)
        distance, mode = distances.min(dim=1)
        return distance, mode

    def compute(self) -> dict[str, Tensor]:
        """Return the three scores.

        Returns:
            modes/covered: int64 in 0 .. M.
            modes/high_quality: fraction of the samples in [0, 1].
            modes/reverse_kl: nats in [0, log M]; NaN if no sample is of high quality.

        Raises:
            ValueError: there are no samples.
        """
        if self.samples == 0:
            raise ValueError("ModeCoverage has no samples; call update first")
        uniform = torch.full_like(self.counts, 1 / len(self.counts), dtype=torch.float32)
        return {
            "modes/covered": (self.counts > 0).sum(),
            "modes/high_quality": self.counts.sum() / self.samples,
            "modes/reverse_kl": divergence_of_counts(self.counts, uniform),
        }


class ClassCoverage(Metric):
    """Number of classes among generated images, and KL divergence from the real frequencies.

    Args:
        classifier: images, float in [-1, 1], (N, C, H, W) -> logits (N, classes). It is copied,
            runs in evaluation mode with autocast disabled, and is not in the metric's state_dict.
        classes: number of classes, for example 1,000 for stacked MNIST.
        reference: frequency of each class in the real data, (classes,), as counts or fractions;
            None for a uniform distribution.
        batch_size: number of images per forward pass of the classifier.

    Raises:
        ValueError: the reference has another shape, a negative entry, or a sum of 0.

    Source: Srivastava et al. 2017 (VEEGAN, arXiv:1705.07761), stacked MNIST: classes with at
        least one of 26,000 samples, and KL between generated and real distribution.
    """

    full_state_update = False
    is_differentiable = False

    reference: Tensor
    counts: Tensor

    def __init__(
        self,
        classifier: nn.Module,
        classes: int,
        reference: Tensor | None = None,
        batch_size: int = 1024,
    ) -> None:
        super().__init__()
        if classes < 1:
            raise ValueError(f"classes is {classes}; it must be at least 1")
        weights = torch.ones(classes) if reference is None else reference.detach().float()
        valid_shape = weights.shape == (classes,)
        if not (valid_shape and weights.min() >= 0 and 0 < weights.sum() < torch.inf):
            raise ValueError(
                f"reference has shape {tuple(weights.shape)} and values from {weights.min():g} to "
                f"{weights.max():g}; it must be ({classes},), finite, at least 0 and not all 0"
            )
        self.register_buffer("reference", weights / weights.sum(), persistent=False)
        self.classifier = FrozenNetwork(classifier, batch_size)
        counts = torch.zeros(classes, dtype=torch.int64)
        self.add_state("counts", counts, dist_reduce_fx="sum")

    def update(self, images: Tensor) -> None:
        """Add generated images (N, C, H, W), float in [-1, 1].

        Raises:
            ValueError: the images are not floating point, or the classifier does not return
                (N, classes).
        """
        if len(images) == 0:
            return
        classes = len(self.counts)
        predicted = self.classifier(images, classes).argmax(dim=1).to(self.counts.device)
        self.counts += torch.bincount(predicted, minlength=classes)

    def compute(self) -> dict[str, Tensor]:
        """Return the two scores.

        Returns:
            classes/covered: number of classes with at least one sample, int64.
            classes/kl: KL(generated || reference) in nats, at least 0; infinite if a class was
                generated whose reference frequency is 0.

        Raises:
            ValueError: there are no samples.
        """
        if self.counts.sum() == 0:
            raise ValueError("ClassCoverage has no samples; call update first")
        return {
            "classes/covered": (self.counts > 0).sum(),
            "classes/kl": divergence_of_counts(self.counts, self.reference),
        }
