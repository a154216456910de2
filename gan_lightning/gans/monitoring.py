"""Measures and pictures of a GAN at the end of an epoch of a plain Lightning script."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gan_lightning.core.module import evaluation_mode, on_device_with_float64
from gan_lightning.core.seeding import derived_seed
from gan_lightning.metrics import FeatureStatistics, exact_wasserstein
from gan_lightning.metrics.duplicates import RELATIVE_THRESHOLD, nearest_distances
from gan_lightning.metrics.feature_extractor import FrozenNetwork
from gan_lightning.metrics.image_features import RandomFeatures
from gan_lightning.metrics.sliced_wasserstein import (
    PatchProjector,
    band_deviations,
    sliced_wasserstein,
)
from gan_lightning.types import Batch, Condition, Sample

if TYPE_CHECKING:
    from gan_lightning.gans.base import GAN

__all__ = ["Monitor", "show_samples"]

DIGIT_SHAPE = (1, 28, 28)
FEATURE_BATCH = 125
"""Digits per forward pass of the classifier, whose feature maps then fit in the CPU cache."""

DEVIATION_SHARE = 0.01
"""Smallest standard deviation by which a feature is divided, as a share of the largest."""

DUPLICATE_SAMPLES = 250
"""Samples that are searched for near-duplicates; the time is quadratic in their number."""

MAX_VALUES = 1 << 26
"""Most pixels that are kept, 256 MiB, however large the images are."""


@dataclass
class Monitor:
    """Collects real samples, and compares generated ones with them.

    Args:
        samples: real samples per measurement, and generated ones; 0 measures nothing.
        images: generated images that are shown; 0 shows none.
    """

    samples: int = 1000
    images: int = 64
    _real: list[Batch] = field(default_factory=list, init=False, repr=False)
    _count: int = field(default=0, init=False)

    def reset(self) -> None:
        """Forget the real samples."""
        self._real, self._count = [], 0

    def add(self, real: Batch) -> None:
        """Collect a minibatch of real samples, until there are enough."""
        count = min(len(real.data), self._limit(real.data) - self._count)
        if count > 0:
            self._real.append(real.part(slice(count), real.data.device))
            self._count += count

    def _limit(self, data: Tensor) -> int:
        return min(self.samples, max(2, MAX_VALUES // data[0].numel()))

    @torch.no_grad()
    def measure(self, gan: GAN) -> dict[str, float]:
        """Compare as many generated samples with the collected ones, which are then forgotten.

        Args:
            gan: the GAN; weights, modes and random states stay as they are.

        Returns:
            Measures by name; none with fewer than two real samples.
        """
        real, self._real = self._real, []
        count, self._count = self._count, 0
        if count < 2:
            return {}
        with on_device_with_float64(gan):
            real = [part.part(slice(None), gan.device) for part in real]
            fake = [_generate(gan, minibatch, index) for index, minibatch in enumerate(real)]
            sides = [torch.cat([part.data for part in side]).float() for side in (real, fake)]
            return {**_compare(*sides), **_divergence(gan, real, fake)}


def show_samples(gan: GAN, count: int) -> None:
    """Send a grid of generated images to the loggers that take images.

    These are loggers with a method `log_image`, such as Lightning's WandbLogger, and those whose
    experiment has a method `add_image`, such as TensorBoard's. The latents are always the same.

    Args:
        gan: a GAN in training.
        count: number of images.
    """
    takers = [taker for logger in gan.loggers if (taker := _image_taker(logger)) is not None]
    if not (count and takers and gan.data.is_image and gan.data.shape[0] in (1, 3)):
        return
    from torchvision.utils import make_grid

    images = gan.sample(count, seed=derived_seed(gan.seed, "sample grid")).data
    columns = math.ceil(math.sqrt(count))
    grid = make_grid(images.float().cpu().add(1).div(2).clamp(0, 1), columns, pad_value=0.4)
    for take in takers:
        take(grid, gan.updates)


def _image_taker(logger: Any) -> Callable[[Tensor, int], object] | None:
    """Return a function that logs an image (C, H, W) in [0, 1] at an update, or None."""
    if hasattr(logger, "log_image"):
        return lambda image, update: logger.log_image(
            key="samples", images=[image.movedim(0, -1).mul(255).byte().numpy()], step=update
        )
    experiment: Any = getattr(logger, "experiment", None)
    if hasattr(experiment, "add_image"):
        return lambda image, update: experiment.add_image("samples", image, update)
    return None


def _generate(gan: GAN, real: Batch, index: int) -> Sample:
    """Generate as many samples as a minibatch has, from its sources where the GAN takes sources."""
    sources = Condition(source=real.source) if "source" in gan.condition_fields() else None
    return gan.sample(len(real.data), sources, seed=derived_seed(gan.seed, "monitor", index))


def _compare(real: Tensor, fake: Tensor) -> dict[str, float]:
    """Return distances of two sets of as many samples, and the share of near-duplicates.

    These are functions, since a torchmetrics.Metric would wait for the other processes.
    """
    if real.ndim == 2:
        return {"wasserstein/exact": exact_wasserstein(fake, real).item()}
    measures = {
        "samples/duplicates": _duplicate_rate(real[:DUPLICATE_SAMPLES], fake[:DUPLICATE_SAMPLES]),
        "sliced_wasserstein": _patch_distance(real, fake),
        "fd/random": _frechet_distance(*_random_features(real, fake)),
    }
    if real.shape[1:] == DIGIT_SHAPE:
        measures["fd_digits"] = _frechet_distance(_digit_features(real), _digit_features(fake))
    return measures


def _duplicate_rate(real: Tensor, fake: Tensor) -> float:
    """Return the share of samples with a near-duplicate, as `DuplicateRate` does."""
    threshold = RELATIVE_THRESHOLD * nearest_distances(real).median()
    return (nearest_distances(fake) < threshold).double().mean().item()


def _patch_distance(real: Tensor, fake: Tensor) -> float:
    """Return the sliced Wasserstein distance of patches, as `SlicedWasserstein` does."""
    projector = PatchProjector(tuple(real.shape[1:]), band_deviations(real), len(real))
    ours, theirs = (projector.bands(projector(side, 0)) for side in (fake, real))
    return sum(sliced_wasserstein(ours[size], theirs[size]).item() for size in ours) / len(ours)


def _frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Return the squared Fréchet distance of two sets of features, (N, D)."""
    reference = FeatureStatistics.from_features(real)
    return FeatureStatistics.from_features(fake).distance(reference).item()


def _random_features(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Return features of a random network, in units of their deviation over real images."""
    features_of = RandomFeatures(tuple(real.shape[1:]))
    network, size = FrozenNetwork(features_of, FEATURE_BATCH), features_of.features_size
    features = network(real, size), network(fake, size)
    deviation = features[0].std(0)
    unit = deviation.clamp(min=max(DEVIATION_SHARE * float(deviation.max()), 1e-6))
    return features[0] / unit, features[1] / unit


def _digit_features(images: Tensor) -> Tensor:
    """Return features (N, 128) of digits by the shipped classifier."""
    from gan_lightning.classifiers.digits import shipped_digit_network

    with torch.inference_mode(False):  # the network is loaded once, also for uses with gradients
        network = shipped_digit_network().to(images.device)
    return torch.cat([network.features(part) for part in images.split(FEATURE_BATCH)])


def _divergence(gan: GAN, real: list[Batch], fake: list[Sample]) -> dict[str, float]:
    """Return the discriminator's estimates of the divergence, where the objective defines one."""
    if not gan.estimate_divergence(torch.zeros(1), torch.zeros(1)):
        return {}
    with evaluation_mode(gan):
        sides = [torch.cat([_scores(gan, part) for part in side]) for side in (real, fake)]
    if not all(map(len, sides)):
        return {}
    return {name: value.item() for name, value in gan.estimate_divergence(*sides).items()}


def _scores(gan: GAN, part: Batch | Sample) -> Tensor:
    """Return the discriminator's scores of the samples that fill its packs, float32."""
    count = len(part.data) - len(part.data) % gan.packing
    if not count:
        return part.data.new_zeros(0)
    return gan.discriminate(part.data[:count], part.condition[:count]).float()
