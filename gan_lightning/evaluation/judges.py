"""What measures generated data, whoever generated them, against a data set."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from gan_lightning.classifiers.digits import digit_network_fingerprint, shipped_digit_network
from gan_lightning.data import MNIST, ResidentData, StackedMNIST
from gan_lightning.data.base import as_networks_see
from gan_lightning.data.toys import GaussianMixture, Points
from gan_lightning.metrics import (
    AskedClassAccuracy,
    ClassCoverage,
    ExactWasserstein,
    FeatureStatistics,
    FrechetDistance,
    InceptionScore,
    ModeCoverage,
    NearestNeighbourError,
    ParzenLikelihood,
    cached_statistics,
)
from gan_lightning.networks.digit_net import StackedDigitNet
from gan_lightning.share import WHOLE, Share

__all__ = [
    "CHUNK",
    "DigitJudge",
    "ModeJudge",
    "PixelJudge",
    "SampleJudge",
    "StackedDigitJudge",
    "TransportJudge",
    "judge_for",
]

CHUNK = 500
"""Data generated and measured at a time; chunk k is the same whichever process draws it."""

PIXEL_SAMPLES = 10_000
"""Generated digits that stand for a model in pixels, as in the papers."""

TRANSPORT_POINTS = 2000
"""Of each side in an exact transport: about half a second on a processor core (measured)."""


class SampleJudge(ABC):
    """Measures generated data against a data set; states are summed over processes."""

    @abstractmethod
    def update(self, data: Tensor, first: int, asked: Tensor | None = None) -> None:
        """Take in data.

        Args:
            data: (N, *shape).
            first: number of data[0] among all generated data, which several processes share.
            asked: class that each was asked to be of, int64 (N,), where one was.
        """

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return the measures by name."""


class TransportJudge(SampleJudge):
    """Measures how far the first 2,000 points lie from as many real ones."""

    def __init__(self, data: Points, device: torch.device) -> None:
        real = data.test_data().data[:TRANSPORT_POINTS]
        self._distance = ExactWasserstein(real).to(device)

    def update(self, data: Tensor, first: int, asked: Tensor | None = None) -> None:
        """Take in points (N, 2)."""
        self._distance.update(data, first)

    def compute(self) -> dict[str, float]:
        """Return the exact Wasserstein-1 distance, in units of the plane."""
        distance: Tensor = self._distance.compute()
        return {"wasserstein/exact": distance.item()}


class ModeJudge(SampleJudge):
    """Counts the modes of a Gaussian mixture that points cover, and measures their transport."""

    def __init__(self, data: GaussianMixture, device: torch.device, asks: bool = False) -> None:
        self._coverage = ModeCoverage(data.centres, data.standard_deviation).to(device)
        self._transport = TransportJudge(data, device)
        self._asked = AskedClassAccuracy().to(device) if asks else None

    def update(self, data: Tensor, first: int, asked: Tensor | None = None) -> None:
        """Take in points (N, 2)."""
        self._coverage.update(data)
        self._transport.update(data, first)
        if self._asked is not None and asked is not None:
            self._asked.update(self._coverage.nearest(data)[1], asked)

    def compute(self) -> dict[str, float]:
        """Return modes covered, share of high quality, reverse KL in nats, and the transport."""
        found = {**_floats(self._coverage), **self._transport.compute()}
        return {**found, **(_floats(self._asked) if self._asked else {})}


class DigitJudge(SampleJudge):
    """Measures digits in the features of the shipped classifier, against the test set."""

    def __init__(
        self, data: MNIST, device: torch.device, share: Share = WHOLE, asks: bool = False
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
        self._asked = AskedClassAccuracy().to(device) if asks else None

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

    def compute(self) -> dict[str, float]:
        """Return fd_digits, the scores of the classifier, classes covered, and their KL in nats."""
        distance: Tensor = self._distance.compute()
        scores = _floats(self._scores)
        return {
            "fd_digits": distance.item(),
            "digit_score": scores["score"],
            "modified_digit_score": scores["modified_score"],
            **_floats(self._coverage),
            **(_floats(self._asked) if self._asked else {}),
        }

    @torch.no_grad()
    def _features(self, images: Tensor) -> Tensor:
        return self._network.features(images.float())

    def _reference(self, data: MNIST, device: torch.device, share: Share) -> FeatureStatistics:
        chunks = share.apart().of(data.test_data().data.to(device).split(CHUNK))
        return FeatureStatistics.from_features(torch.cat([self._features(c) for c in chunks]))


class PixelJudge(SampleJudge):
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
        validation, real = (_pixels(as_networks_see(images[part])) for part in (held_out, first))
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
        return {**_floats(self._likelihood), **(_floats(self._neighbours) if self._asks else {})}


def _pixels(images: Tensor) -> Tensor:
    """Cut digits (N, 1, H, W) in [-1, 1] to 28 pixels, and flatten them to (N, 784) in [0, 1]."""
    border = (images.shape[-1] - 28) // 2
    inner = slice(border, border + 28)
    return images[..., inner, inner].detach().float().add(1).div(2).flatten(1)


class StackedDigitJudge(SampleJudge):
    """Counts the thousand classes of stacked digits; each channel is read by the classifier.

    The divergence is from the uniform distribution, as PacGAN's published code computes it. VEEGAN
    speaks of the distribution of the data, which is nearly uniform: the triples are drawn evenly,
    and the ten digits come about equally often.
    """

    def __init__(self, device: torch.device) -> None:
        network = StackedDigitNet(shipped_digit_network())
        self._coverage = ClassCoverage(network, network.classes).to(device)

    def update(self, data: Tensor, first: int, asked: Tensor | None = None) -> None:
        """Take in images (N, 3, H, W) in [-1, 1]."""
        self._coverage.update(data)

    def compute(self) -> dict[str, float]:
        """Return modes covered, of 1,000, and KL(generated || uniform) over them in nats."""
        found = _floats(self._coverage)
        return {"modes/covered": found["classes/covered"], "modes/kl": found["classes/kl"]}


def judge_for(
    data: ResidentData, device: torch.device, share: Share = WHOLE, asks: bool = False
) -> SampleJudge | None:
    """Choose the judge that knows a data set; None where nothing can be measured.

    Args:
        data: the data set.
        device: that the generated data are on.
        share: of this process.
        asks: whether generated data were asked to be of a class.
    """
    if isinstance(data, MNIST):
        return DigitJudge(data, device, share, asks)
    if isinstance(data, StackedMNIST):
        return StackedDigitJudge(device)
    if isinstance(data, GaussianMixture):
        return ModeJudge(data, device, asks)
    if isinstance(data, Points):
        return TransportJudge(data, device)
    return None


def _floats(metric: Metric) -> dict[str, float]:
    return {name: value.item() for name, value in metric.compute().items()}
