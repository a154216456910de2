"""What is measured on a model, and on anybody's samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy

from gan_lightning.classifiers.digits import (
    DigitClassifier,
    digit_network_fingerprint,
    shipped_digit_network,
)
from gan_lightning.data import MNIST, ResidentData
from gan_lightning.data.toys import GaussianMixture
from gan_lightning.gans import GAN, InfoGAN
from gan_lightning.learner import Learner, evaluation_mode
from gan_lightning.metrics import (
    ClassCoverage,
    CodeAccuracy,
    FeatureStatistics,
    FrechetDistance,
    ModeCoverage,
    MutualInformationBound,
    cached_statistics,
)
from gan_lightning.randomness import derived_seed
from gan_lightning.share import WHOLE, Share

__all__ = ["DigitJudge", "ModeJudge", "SampleJudge", "evaluate", "judge_for"]

CHUNK = 500
"""Data generated and measured at a time; chunk k is the same whichever process draws it."""


class SampleJudge(ABC):
    """Measures generated data against a data set; states are summed over processes."""

    @abstractmethod
    def update(self, data: Tensor) -> None:
        """Take in data of shape (N, *shape)."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return the measures by name."""


class ModeJudge(SampleJudge):
    """Counts the modes of a Gaussian mixture that points cover."""

    def __init__(self, data: GaussianMixture, device: torch.device) -> None:
        self._coverage = ModeCoverage(data.centres, data.standard_deviation).to(device)

    def update(self, data: Tensor) -> None:
        """Take in points (N, 2)."""
        self._coverage.update(data)

    def compute(self) -> dict[str, float]:
        """Return modes covered, share of high quality, and reverse KL in nats."""
        return _floats(self._coverage)


class DigitJudge(SampleJudge):
    """Measures digits in the features of the shipped classifier, against the test set."""

    def __init__(self, data: MNIST, device: torch.device, share: Share = WHOLE) -> None:
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

    def update(self, data: Tensor) -> None:
        """Take in images (N, 1, H, W) in [-1, 1]."""
        features = self._features(data)
        self._distance.update(features)
        self._coverage.update(features)

    def compute(self) -> dict[str, float]:
        """Return fd_digits, classes covered, and KL of the class histogram in nats."""
        distance: Tensor = self._distance.compute()
        return {"fd_digits": distance.item(), **_floats(self._coverage)}

    @torch.no_grad()
    def _features(self, images: Tensor) -> Tensor:
        return self._network.features(images.float())

    def _reference(self, data: MNIST, device: torch.device, share: Share) -> FeatureStatistics:
        chunks = share.apart().of(data.test_data().data.to(device).split(CHUNK))
        return FeatureStatistics.from_features(torch.cat([self._features(c) for c in chunks]))


def judge_for(data: ResidentData, device: torch.device, share: Share = WHOLE) -> SampleJudge | None:
    """Choose the judge that knows a data set; None where nothing can be measured."""
    if isinstance(data, MNIST):
        return DigitJudge(data, device, share)
    if isinstance(data, GaussianMixture):
        return ModeJudge(data, device)
    return None


@torch.no_grad()
def evaluate(
    learner: Learner, data: ResidentData, samples: int, share: Share = WHOLE
) -> dict[str, float]:
    """Measure a model; its weights, modes and random states stay as they were.

    Args:
        learner: the model.
        data: the data set that it was trained on.
        samples: number of generated data, over all processes.
        share: of this process.

    Returns:
        Measures by name, the same on every process.

    Raises:
        Exception: what the share's pause raises, on every process.
    """
    if isinstance(learner, DigitClassifier):
        return _classifier_accuracy(learner, data, share)
    assert isinstance(learner, GAN)
    judge = judge_for(data, learner.device, share)
    information = _information_bounds(learner)
    for chunk, count in share.of(list(_chunks(samples))):
        sample = learner.sample(count, seed=derived_seed(learner.seed, "evaluation", chunk))
        if judge is not None:
            judge.update(sample.data)
        if isinstance(learner, InfoGAN) and information:
            assert sample.condition.categorical is not None
            recognised = learner.recognised(sample.data).categorical
            columns = sample.condition.categorical.unbind(1)
            for bound, logits, codes in zip(information, recognised, columns, strict=True):
                bound.update(logits.log_softmax(1), codes)
    measures = judge.compute() if judge is not None else {}
    measures |= {
        _code_name("mutual_information", index, information): bound.compute().item()
        for index, bound in enumerate(information)
    }
    if isinstance(learner, InfoGAN):
        measures |= _code_accuracies(learner, data, share)
    return measures


def _information_bounds(learner: GAN) -> list[MutualInformationBound]:
    if not isinstance(learner, InfoGAN):
        return []
    sizes = learner.config.categorical_codes
    return [MutualInformationBound(size).to(learner.device) for size in sizes]


def _code_accuracies(learner: InfoGAN, data: ResidentData, share: Share) -> dict[str, float]:
    sizes, classes = learner.config.categorical_codes, data.spec.classes
    if classes is None or not sizes:
        return {}
    accuracies = [CodeAccuracy(size, classes).to(learner.device) for size in sizes]
    for images, labels in _test_chunks(learner, data, share):
        logits = learner.recognised(images).categorical
        for accuracy, code in zip(accuracies, logits, strict=True):
            accuracy.update(code.argmax(1), labels)
    return {
        _code_name("accuracy", index, accuracies): accuracy.compute().item()
        for index, accuracy in enumerate(accuracies)
    }


def _classifier_accuracy(
    learner: DigitClassifier, data: ResidentData, share: Share
) -> dict[str, float]:
    accuracy = MulticlassAccuracy(learner.network.classes, average="micro").to(learner.device)
    with evaluation_mode(learner.network):
        for images, labels in _test_chunks(learner, data, share):
            accuracy.update(learner.network(images), labels)
    return {"classifier/test_accuracy": accuracy.compute().item()}


def _test_chunks(
    learner: Learner, data: ResidentData, share: Share
) -> Iterator[tuple[Tensor, Tensor]]:
    test = data.test_data()
    assert test.labels is not None
    chunks = list(zip(test.data.split(CHUNK), test.labels.split(CHUNK), strict=True))
    for images, labels in share.of(chunks):
        yield images.to(learner.device), labels.to(learner.device)


def _chunks(samples: int) -> Iterator[tuple[int, int]]:
    """Yield (number of the chunk, its size)."""
    for chunk, start in enumerate(range(0, samples, CHUNK)):
        yield chunk, min(CHUNK, samples - start)


def _code_name(measure: str, index: int, codes: list[Any]) -> str:
    """Name a measure of a code: code/accuracy, or code1/accuracy where there are several."""
    return f"code/{measure}" if len(codes) == 1 else f"code{index + 1}/{measure}"


def _floats(metric: Metric) -> dict[str, float]:
    return {name: value.item() for name, value in metric.compute().items()}
