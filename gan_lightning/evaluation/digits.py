"""What measures digits: in the features of a classifier, in pixels, three at a time."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache

import torch
from torch import Tensor, nn

from gan_lightning.classifiers.digits import digit_network_fingerprint, shipped_digit_network
from gan_lightning.data import MNIST
from gan_lightning.data.base import to_float_nchw
from gan_lightning.distributed.sharding import WHOLE, Shard
from gan_lightning.evaluation.base import CHUNK, SampleEvaluator, floats
from gan_lightning.metrics import (
    ClassConditionalAccuracy,
    ClassCoverage,
    FeatureStatistics,
    FrechetDistance,
    InceptionScore,
    NearestNeighbourError,
    ParzenLikelihood,
    WithinClassSimilarity,
    cached_statistics,
)
from gan_lightning.networks.digit_net import StackedDigitNet

__all__ = ["DigitEvaluator", "PixelEvaluator", "StackedDigitEvaluator"]

PIXEL_SAMPLES = 10_000
"""Generated digits that stand for a model in pixels, as in the papers."""

AT_ONCE = 125
"""Digits that the classifier sees at once: a processor's cache holds its maps of so many."""

ALIKE = 2_000
"""Generated digits among which pairs of a class are compared, and as many real ones."""


class DigitEvaluator(SampleEvaluator):
    """Measures digits in the features of the shipped classifier, against the test set."""

    def __init__(
        self,
        data: MNIST,
        device: torch.device,
        share: Shard = WHOLE,
        asks: bool = False,
        compares: bool = False,
    ) -> None:
        self._network = shipped_digit_network().to(device)
        key: dict[str, str | int | float] = {
            "data": "mnist-test",
            "size": data.config.size,
            "features": digit_network_fingerprint(),
        }
        reference = cached_statistics(key, lambda: self._reference(data, device, share))
        self._distance = FrechetDistance(nn.Identity(), self._network.features_size, reference).to(
            device
        )
        self._coverage = ClassCoverage(self._network.head, self._network.classes).to(device)
        self._scores = InceptionScore(self._network.classes).to(device)
        self._asked = ClassConditionalAccuracy().to(device) if asks else None
        self._similarity = deepcopy(_similarity(data)).to(device) if compares else None

    @torch.no_grad()
    def update(self, data: Tensor, first: int, asked: Tensor | None = None) -> None:
        """Take in images (N, 1, H, W) in [-1, 1]."""
        features = self._features(data)
        self._distance.update(features)
        self._coverage.update(features)
        logits = self._network.head(features)
        self._scores.update(logits)
        if self._asked is not None and asked is not None:
            self._asked.update(logits.argmax(1), asked)
        if self._similarity is not None and asked is not None:
            self._similarity.update(data, asked, first)

    def compute(self) -> dict[str, float]:
        """Return fd_digits, the scores of the classifier, classes covered, and their KL in nats.

        Of digits that were asked for, the share that came out, and, where the judge compares them,
        how alike those of a class are.
        """
        distance: Tensor = self._distance.compute()
        scores = floats(self._scores)
        return {
            "fd_digits": distance.item(),
            "digit_score": scores["score"],
            "modified_digit_score": scores["modified_score"],
            **floats(self._coverage),
            **(floats(self._asked) if self._asked else {}),
            **(floats(self._similarity) if self._similarity else {}),
        }

    @torch.no_grad()
    def _features(self, images: Tensor) -> Tensor:
        parts = images.float().split(AT_ONCE)
        return torch.cat([self._network.features(part) for part in parts])

    def _reference(self, data: MNIST, device: torch.device, share: Shard) -> FeatureStatistics:
        chunks = share.apart().of(data.test_data().data.to(device).split(CHUNK))
        return FeatureStatistics.from_features(torch.cat([self._features(c) for c in chunks]))


class PixelEvaluator(SampleEvaluator):
    """Measures digits in their 784 pixels in [0, 1], as the early papers do; takes half a minute.

    The Parzen window's width is chosen on the last 10,000 training digits. Where classes were asked
    for, generated digits are also the memory of a 1-nearest-neighbour classifier.
    """

    def __init__(self, data: MNIST, device: torch.device, asks: bool = False) -> None:
        images, labels = data.training_data()
        test = data.test_data()
        assert test.labels is not None
        held_out, first = slice(-PIXEL_SAMPLES, None), slice(PIXEL_SAMPLES)
        pixels = _pixels(test.data)
        validation, real = (_pixels(to_float_nchw(images[part])) for part in (held_out, first))
        self._likelihood = ParzenLikelihood(validation, pixels, PIXEL_SAMPLES).to(device)
        neighbours = NearestNeighbourError(real, labels[first], pixels, test.labels)
        self._neighbours = neighbours.to(device)
        self._asks = asks

    def update(self, data: Tensor, first: int, asked: Tensor | None = None) -> None:
        """Take in images (N, 1, H, W) in [-1, 1]."""
        pixels = _pixels(data)
        self._likelihood.update(pixels, first)
        if self._asks and asked is not None:
            self._neighbours.update(pixels, asked, first)

    def compute(self) -> dict[str, float]:
        """Return the likelihood in nats, and the errors of the nearest neighbours."""
        return {**floats(self._likelihood), **(floats(self._neighbours) if self._asks else {})}


def _pixels(images: Tensor) -> Tensor:
    """Cut digits (N, 1, H, W) in [-1, 1] to 28 pixels, and flatten them to (N, 784) in [0, 1]."""
    border = (images.shape[-1] - 28) // 2
    inner = slice(border, border + 28)
    return images[..., inner, inner].detach().float().add(1).div(2).flatten(1)


class StackedDigitEvaluator(SampleEvaluator):
    """Counts the thousand classes of stacked digits; each channel is read by the classifier.

    The divergence is from the uniform distribution, as PacGAN's published code computes it. VEEGAN
    speaks of the distribution of the data, which is nearly uniform: the triples are drawn evenly,
    and the ten digits come about equally often.
    """

    def __init__(self, device: torch.device) -> None:
        network = StackedDigitNet(shipped_digit_network())
        self._coverage = ClassCoverage(network, network.classes, batch_size=AT_ONCE // 3).to(device)

    def update(self, data: Tensor, first: int, asked: Tensor | None = None) -> None:
        """Take in images (N, 3, H, W) in [-1, 1]."""
        self._coverage.update(data)

    def compute(self) -> dict[str, float]:
        """Return modes covered, of 1,000, and KL(generated || uniform) over them in nats."""
        found = floats(self._coverage)
        return {"modes/covered": found["classes/covered"], "modes/kl": found["classes/kl"]}


@lru_cache(maxsize=1)
def _similarity(data: MNIST) -> WithinClassSimilarity:
    test = data.test_data()
    assert test.labels is not None
    # drawn from the whole set, whose two halves are of different writers
    order = torch.Generator().manual_seed(0)
    rows = torch.randperm(len(test.data), generator=order)[:ALIKE]
    return WithinClassSimilarity(test.data[rows], test.labels[rows])
