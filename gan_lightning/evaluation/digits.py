"""Evaluators of digits and clothes: in a classifier's features, in pixels, and stacked."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gan_lightning.assets.loader import CLASSIFIERS
from gan_lightning.classifiers.digits import shipped_digit_network, shipped_network
from gan_lightning.data import BaseDataModule
from gan_lightning.data.base import to_float_nchw
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.evaluation import resolutions
from gan_lightning.evaluation.base import CHUNK_SIZE, SampleEvaluator, compute_floats
from gan_lightning.metrics import (
    ClassConditionalAccuracy,
    ClassCoverage,
    FeatureStatistics,
    FrechetDistance,
    InceptionScore,
    NearestNeighbourError,
    ParzenLikelihood,
    PrecisionRecall,
    WithinClassSimilarity,
    cached_statistics,
    cached_tensors,
    frechet_distance,
)
from gan_lightning.networks.digit_net import StackedDigitNet

__all__ = ["ClothesEvaluator", "DigitEvaluator", "PixelEvaluator", "StackedDigitEvaluator"]

PIXEL_SAMPLES = 10_000
"""Generated digits that are evaluated in pixel space, as in the papers."""

VALIDATION_STEP = 10
"""One test digit in so many selects the bandwidth of the Parzen window, and is not scored."""

BATCH_SIZE = 125
"""Digits per forward pass of the classifier, whose feature maps then fit in the CPU cache."""

SIMILARITY_SAMPLES = 2_000
"""Generated digits, and real ones, among which pairs of a class are compared."""

NEIGHBOUR_SAMPLES = 2_000
"""Digits of each side whose nearest neighbours are searched."""


class DigitEvaluator(SampleEvaluator):
    """Compares digits with the test set in the features of the shipped classifier.

    Args:
        data: single digits with ten classes, 28 or 32 pixels wide.
        device: device of the generated digits.
        shard: this process's part of the work.
        conditional: compute the accuracy of requested classes too.
        within_class: compute the similarity within requested classes (MS-SSIM) too.
        samples: number of generated digits, over all processes.
    """

    classifier: ClassVar[str] = "digit"
    """Name of the shipped classifier."""
    distance_name: ClassVar[str] = "fd_digits"
    """Name of the Fréchet distance."""
    label: ClassVar[str] = "digits"
    """Name of the features in the names of measures."""

    def __init__(
        self,
        data: BaseDataModule,
        device: torch.device,
        shard: Shard = SINGLE_PROCESS,
        conditional: bool = False,
        within_class: bool = False,
        samples: int = 10_000,
    ) -> None:
        self._network = shipped_network(self.classifier).to(device)
        key: dict[str, str | int | float] = {
            "data": self._test_set(data),
            "size": data.spec.shape[-1],
            "features": CLASSIFIERS[self.classifier].sha256,
        }
        reference = cached_statistics(key, lambda: self._reference(data, device, shard))
        features = self._network.features_size
        self._distance = FrechetDistance(nn.Identity(), features, reference).to(device)
        count = min(samples, len(data.training_data()[0]))
        training = cached_statistics(
            {**key, "training images": count},
            lambda: FeatureStatistics.from_features(
                self._features_of(to_float_nchw(_random_rows(data.training_data()[0], count)))
            ),
        )
        self._floor = frechet_distance(
            training.mean, training.covariance, reference.mean, reference.covariance
        ).item()
        real = cached_tensors(
            {**key, "random test images": NEIGHBOUR_SAMPLES},
            lambda: {
                "features": self._features_of(
                    _random_rows(data.test_data().data, NEIGHBOUR_SAMPLES)
                )
            },
        )["features"]
        self._neighbours = PrecisionRecall(real[:samples]).to(device)
        self._coverage = ClassCoverage(self._network.head, self._network.classes).to(device)
        self._scores = InceptionScore(self._network.classes).to(device)
        self._accuracy = ClassConditionalAccuracy().to(device) if conditional else None
        self._resolutions = self._at_resolutions(data, key, device) if conditional else None
        self._similarity = deepcopy(_similarity(data)).to(device) if within_class else None

    @torch.no_grad()
    def update(
        self, samples: Tensor, first_index: int, requested_labels: Tensor | None = None
    ) -> None:
        """Add generated images (N, 1, H, W) in [-1, 1]."""
        features = self._features(samples)
        self._distance.update(features)
        self._neighbours.update(features, first_index)
        self._coverage.update(features)
        logits = self._network.head(features)
        self._scores.update(logits)
        if self._accuracy is not None and requested_labels is not None:
            self._accuracy.update(logits.argmax(1), requested_labels)
        if self._resolutions is not None and requested_labels is not None:
            self._resolutions.update(samples, first_index, requested_labels)
        if self._similarity is not None and requested_labels is not None:
            self._similarity.update(samples, requested_labels, first_index)

    def compute(self) -> dict[str, float]:
        """Return the Fréchet distance, both scores, precision, recall and covered classes.

        For requested classes, also their accuracy, at lower resolutions too, and the similarity
        within them.
        """
        distance: Tensor = self._distance.compute()
        scores = compute_floats(self._scores)
        return {
            self.distance_name: distance.item(),
            f"{self.distance_name}/real": self._floor,
            f"{self.classifier}_score": scores["score"],
            f"modified_{self.classifier}_score": scores["modified_score"],
            **compute_floats(self._coverage),
            **{f"{name}/{self.label}": v for name, v in compute_floats(self._neighbours).items()},
            **(compute_floats(self._accuracy) if self._accuracy else {}),
            **(self._resolutions.compute() if self._resolutions else {}),
            **(compute_floats(self._similarity) if self._similarity else {}),
        }

    def _test_set(self, data: Any) -> str:
        """Return what identifies the test set in the cache of its statistics."""
        return "mnist-test"

    @torch.no_grad()
    def _features(self, images: Tensor) -> Tensor:
        batches = images.float().split(BATCH_SIZE)
        return torch.cat([self._network.features(batch) for batch in batches])

    def _features_of(self, images: Tensor) -> Tensor:
        """Return the features of real images, on the CPU."""
        device = next(self._network.parameters()).device
        return torch.cat(
            [self._features(part.to(device)).cpu() for part in images.split(CHUNK_SIZE)]
        )

    def _at_resolutions(
        self, data: BaseDataModule, key: dict[str, str | int | float], device: torch.device
    ) -> resolutions.ResolutionAccuracy:
        """Build the accuracies at lower resolutions, with those of random test images beside."""
        test = data.test_data()
        images, labels = (
            _random_rows(part, resolutions.SAMPLES).to(device) for part in (test.data, test.labels)
        )
        real = cached_tensors(
            {**key, "accuracy at resolutions": str(resolutions.SIZES), "images": len(images)},
            lambda: {"real": resolutions.real_accuracies(self._network, images, labels)},
        )["real"]
        return resolutions.ResolutionAccuracy(self._network, real, device)

    def _reference(
        self, data: BaseDataModule, device: torch.device, shard: Shard
    ) -> FeatureStatistics:
        chunks = shard.undivided().iterate(data.test_data().data.to(device).split(CHUNK_SIZE))
        features = torch.cat([self._features(chunk) for chunk in chunks])
        return FeatureStatistics.from_features(features)


class ClothesEvaluator(DigitEvaluator):
    """Compares pictures of Fashion-MNIST with its test set, as `DigitEvaluator` does digits."""

    classifier: ClassVar[str] = "clothes"
    distance_name: ClassVar[str] = "fd_clothes"
    label: ClassVar[str] = "clothes"

    def _test_set(self, data: Any) -> str:
        return f"{data.reference_images.fingerprint}, test images"


def _random_rows(images: Any, count: int) -> Tensor:
    """Return random images of a set: the two halves of MNIST's test set have different writers."""
    rows = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:count]
    result: Tensor = images[rows]
    return result


class PixelEvaluator(SampleEvaluator):
    """Evaluates digits in their 784 pixels in [0, 1], as early papers do; takes half a minute.

    The bandwidth of the Parzen window is selected on every tenth test digit, 1,000 of them, and the
    other 9,000 are scored: no digit that the GAN was trained on, and none twice. For requested
    classes, generated digits are also the training set of a 1-nearest-neighbour classifier.

    Args:
        data: single digits.
        device: device of the generated digits.
        conditional: whether each digit is generated for a requested class.

    Deviations: the code of Goodfellow et al. 2014 (github.com/goodfeli/adversarial) trains on the
        first 50,000 training digits, selects the bandwidth on the next 1,000, and scores all test
        digits.
    """

    def __init__(
        self, data: BaseDataModule, device: torch.device, conditional: bool = False
    ) -> None:
        images, labels = data.training_data()
        test = data.test_data()
        assert labels is not None
        assert test.labels is not None
        first = torch.arange(PIXEL_SAMPLES)
        pixels, real = _pixels(test.data), _pixels(to_float_nchw(images[first]))
        held_out = torch.arange(len(pixels)) % VALIDATION_STEP == 0
        likelihood = ParzenLikelihood(pixels[held_out], pixels[~held_out], PIXEL_SAMPLES)
        self._likelihood = likelihood.to(device)
        neighbours = NearestNeighbourError(real, labels[first], pixels, test.labels)
        self._neighbours = neighbours.to(device)
        self._conditional = conditional

    def update(
        self, samples: Tensor, first_index: int, requested_labels: Tensor | None = None
    ) -> None:
        """Add generated images (N, 1, H, W) in [-1, 1]."""
        pixels = _pixels(samples)
        self._likelihood.update(pixels, first_index)
        if self._conditional and requested_labels is not None:
            self._neighbours.update(pixels, requested_labels, first_index)

    def compute(self) -> dict[str, float]:
        """Return the likelihood in nats, and the errors of the nearest-neighbour classifiers."""
        errors = compute_floats(self._neighbours) if self._conditional else {}
        return {**compute_floats(self._likelihood), **errors}


def _pixels(images: Tensor) -> Tensor:
    """Crop digits (N, 1, H, W) in [-1, 1] to 28 pixels and flatten them to (N, 784) in [0, 1]."""
    border = (images.shape[-1] - 28) // 2
    inner = slice(border, border + 28)
    return images[..., inner, inner].detach().float().add(1).div(2).flatten(1)


class StackedDigitEvaluator(SampleEvaluator):
    """Computes the coverage of the 1,000 classes of stacked digits; each channel is classified.

    The divergence is from the uniform distribution, as in PacGAN's published code. VEEGAN refers to
    the distribution of the data, which is nearly uniform: the triples are drawn uniformly, and the
    ten digits are about equally frequent.
    """

    def __init__(self, device: torch.device) -> None:
        network = StackedDigitNet(shipped_digit_network())
        self._coverage = ClassCoverage(network, network.classes, batch_size=BATCH_SIZE // 3)
        self._coverage.to(device)

    def update(
        self, samples: Tensor, first_index: int, requested_labels: Tensor | None = None
    ) -> None:
        """Add generated images (N, 3, H, W) in [-1, 1]."""
        self._coverage.update(samples)

    def compute(self) -> dict[str, float]:
        """Return the covered modes, out of 1,000, and KL(generated || uniform) in nats."""
        values = compute_floats(self._coverage)
        return {"modes/covered": values["classes/covered"], "modes/kl": values["classes/kl"]}


@lru_cache(maxsize=1)
def _similarity(data: BaseDataModule) -> WithinClassSimilarity:
    test = data.test_data()
    assert test.labels is not None
    # a random subset, because the two halves of the test set have different writers
    rng = torch.Generator().manual_seed(0)
    rows = torch.randperm(len(test.data), generator=rng)[:SIMILARITY_SAMPLES]
    return WithinClassSimilarity(test.data[rows], test.labels[rows])
