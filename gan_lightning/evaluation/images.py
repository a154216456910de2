"""Evaluation of any images without a trained network, beside the values of real images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor

from gan_lightning.data import BaseDataModule
from gan_lightning.data.base import to_float_nchw, to_uint8_nhwc
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.errors import warn_once
from gan_lightning.evaluation.base import SampleEvaluator
from gan_lightning.evaluation.image_features import ImageFeatures, image_features
from gan_lightning.evaluation.real_halves import RealHalves
from gan_lightning.metrics import (
    EqualSizeFrechetDistance,
    KernelDistance,
    PrecisionRecall,
    cached_tensors,
)
from gan_lightning.metrics.sliced_wasserstein import (
    PatchProjector,
    SlicedWasserstein,
    band_deviations,
)

__all__ = ["ImageComparison", "ImageEvaluator"]

MAX_IMAGES = 5_000
"""Images of each side that are compared; the neighbours of more would take minutes."""
MAX_PATCH_IMAGES = 2_000
"""Images of each side whose patches are compared."""
KERNEL_SUBSETS = 10
DEVIATION_SHARE = 0.01
"""Smallest standard deviation by which a feature is divided, as a share of the largest."""

FLOOR = "floor of "
"""Before the name of a measure, the name of its floor in the cache."""


class ImageComparison:
    """The measures of a set of images against real ones.

    Args:
        features: the feature extractor.
        real: tensors of the real side, see `_real_side`.
        shape: shape of an image, (C, H, W).
        device: device of the images.
    """

    def __init__(
        self,
        features: ImageFeatures,
        real: Mapping[str, Tensor],
        shape: tuple[int, ...],
        device: torch.device,
    ) -> None:
        self._features, self.count = features, len(real["features"])
        self._mean, self._deviation = real["mean"], real["deviation"]
        projector = PatchProjector(shape, real["units"], len(real["projections"]))
        self._patches = SlicedWasserstein(projector, real["projections"]).to(device)
        reference = self._standardised(real["features"])
        self._frechet = EqualSizeFrechetDistance(reference).to(device)
        self._kernel = KernelDistance(reference, KERNEL_SUBSETS).to(device)
        self._neighbours = PrecisionRecall(reference).to(device)

    def in_this_process(self) -> ImageComparison:
        """Compute without the images of other processes, and return this comparison."""
        for metric in (self._patches, self._frechet, self._kernel, self._neighbours):
            metric.sync_on_compute = metric._to_sync = False
        return self

    def update(self, images: Tensor, first_index: int) -> None:
        """Add images (N, C, H, W) in [-1, 1]; those beyond the number of real ones are ignored."""
        images = images[: max(0, self.count - first_index)]
        if len(images):
            self._patches.update(images, first_index)
            features = self._standardised(self._features(images))
            for metric in (self._frechet, self._kernel, self._neighbours):
                metric.update(features, first_index)

    def compute(self) -> dict[str, float]:
        """Return the measures by name, NaN where one is undefined."""
        undefined = torch.tensor(math.nan)
        of_features: dict[str, Tensor] = {
            "fd": self._frechet.compute() if self.count > 1 else undefined,
            "kid": self._kernel.compute()["mean"] if self.count > 1 else undefined,
            **self._neighbours.compute(),
        }
        label = self._features.label
        return {
            "sliced_wasserstein": self._patches.compute()["mean"].item(),
            **{f"{name}/{label}": value.item() for name, value in of_features.items()},
        }

    def _standardised(self, features: Tensor) -> Tensor:
        return (features - self._mean.to(features)) / self._deviation.to(features)


LATEST: dict[tuple[object, ...], tuple[ImageComparison, dict[str, float]]] = {}
"""The latest comparison of this process, without generated images, and its floors."""


class ImageEvaluator(SampleEvaluator):
    """Compares images with training images, by patches and by features that need no download.

    The first N generated images are compared with N real ones, and N other real images with the
    same ones: the second comparison is the floor, the value that a perfect generator scores, since
    all measures depend on the number of images. N is half the number of training images, at most
    the number of samples and 5,000; 2,000 for patches. Images are first rounded to 256 levels, as
    in image files. The real side is computed once and cached by its pixels.

    Args:
        data: the images; its training data are uint8 (M, H, W, C).
        device: device of the generated images.
        shard: this process's part of the work.
        samples: number of generated images, over all processes.
        features: name of the features, see `image_features`.

    Raises:
        UserError: the features are unknown or do not fit the images.
        Exception: what the shard's `before_local_chunk` raises.
    """

    def __init__(
        self,
        data: BaseDataModule,
        device: torch.device,
        shard: Shard = SINGLE_PROCESS,
        samples: int = 10_000,
        features: str = "random",
    ) -> None:
        images = data.training_data()[0]
        self._number, self._warns = len(images), shard.rank == 0
        self._comparison: ImageComparison | None = None
        self._floors: dict[str, float] = {}
        count = min(len(images) // 2, samples, MAX_IMAGES)
        if count:
            name = (data, count, features, device)
            if name not in LATEST:
                halves = RealHalves(images, count, device, shard)
                extractor = image_features(features, data.spec.shape)
                comparison = _comparison(extractor, halves, data.spec.shape, device)
                LATEST.clear()
                LATEST[name] = comparison
            latest, self._floors = LATEST[name]
            self._comparison = deepcopy(latest)

    def update(
        self, samples: Tensor, first_index: int, requested_labels: Tensor | None = None
    ) -> None:
        """Add generated images (N, C, H, W) in [-1, 1]."""
        if self._comparison is not None and first_index < self._comparison.count:
            self._comparison.update(to_float_nchw(to_uint8_nhwc(samples)), first_index)

    def compute(self) -> dict[str, float]:
        """Return the measures and their floors, without those that are undefined.

        Returns:
            sliced_wasserstein: at least 0, in standard deviations of real pixels.
            fd/FEATURES: squared Fréchet distance, at least 0.
            kid/FEATURES: squared maximum mean discrepancy, 0 in expectation for equal
                distributions.
            precision/FEATURES, recall/FEATURES, coverage/FEATURES: in [0, 1].
            density/FEATURES: at least 0, 1 in expectation for equal distributions.
            NAME/real: the same of real images.
        """
        values = {} if self._comparison is None else self._comparison.compute()
        undefined = [name for name, value in values.items() if not math.isfinite(value)]
        if self._warns and (undefined or not values):
            names = ", ".join(undefined) or "distances from real images"
            warn_once(f"{names}: not measured, {self._number} training images are too few")
        defined = {name: value for name, value in values.items() if name not in undefined}
        return {
            key: number
            for name, value in defined.items()
            for key, number in ((name, value), (f"{name}/real", self._floors[name]))
        }


def _comparison(
    features: ImageFeatures, halves: RealHalves, shape: tuple[int, ...], device: torch.device
) -> tuple[ImageComparison, dict[str, float]]:
    """Return the comparison, without images, and the floors of its measures."""
    key: dict[str, str | int | float] = {
        "what": "image-measures-1",
        "data": halves.fingerprint(),
        "count": halves.count,
        "features": f"{features.label} {features.fingerprint}",
    }
    real = cached_tensors(key, lambda: _real_side(features, halves, shape, device))
    floors = {
        name.removeprefix(FLOOR): value.item()
        for name, value in real.items()
        if name.startswith(FLOOR)
    }
    return ImageComparison(features, real, shape, device), floors


def _real_side(
    features: ImageFeatures, halves: RealHalves, shape: tuple[int, ...], device: torch.device
) -> dict[str, Tensor]:
    """Compute what images are compared with from one half of real images, and measure the other.

    Returns:
        features (N, D), the mean (D,) and deviation (D,) that standardise them, units (bands, C)
        and projections (M, size) of patches, and the floor of each measure.
    """
    parts: list[Tensor] = []
    projections: list[Tensor] = []
    projector: PatchProjector | None = None
    for images, start in halves.chunks(0):
        if projector is None:
            units = band_deviations(images).cpu()
            projector = PatchProjector(shape, units, min(halves.count, MAX_PATCH_IMAGES))
        parts.append(features(images).cpu())
        projections.append(projector(images, start).cpu())
    of_images = torch.cat(parts)
    mean, deviation = torch.zeros(features.size), torch.ones(features.size)
    if features.standardised:
        mean, deviation = of_images.mean(dim=0), of_images.std(dim=0, correction=0)
        deviation = deviation.clamp(min=max(DEVIATION_SHARE * float(deviation.max()), 1e-6))
    real = {
        "features": of_images,
        "mean": mean,
        "deviation": deviation,
        "units": units,
        "projections": torch.cat(projections),
    }
    other_half = ImageComparison(features, real, shape, device).in_this_process()
    for images, start in halves.chunks(1):
        other_half.update(images, start)
    floors = other_half.compute().items()
    return real | {FLOOR + name: torch.tensor(value).double() for name, value in floors}
