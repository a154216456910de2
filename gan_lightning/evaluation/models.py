"""What is measured on a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from gan_lightning.attacks import perturbed
from gan_lightning.classifiers import AdversarialClassifier, Classifier
from gan_lightning.data import MNIST, Dirac, ResidentData
from gan_lightning.evaluation.judges import CHUNK, PixelJudge, judge_for
from gan_lightning.evaluation.players import Divergence, equilibrium, weights_at_bound
from gan_lightning.gans import GAN, InfoGAN
from gan_lightning.learner import Learner, evaluation_mode
from gan_lightning.metrics import CodeAccuracy, DuplicateRate, MutualInformationBound
from gan_lightning.randomness import derived_seed
from gan_lightning.share import WHOLE, Share

__all__ = ["evaluate"]

ATTACKED = 100
"""Test images attacked at a time: a signal waits for one such attack."""


@torch.no_grad()
def evaluate(
    learner: Learner,
    data: ResidentData,
    samples: int,
    share: Share = WHOLE,
    pixels: bool = False,
) -> dict[str, float]:
    """Measure a model; its weights, modes and random states stay as they were.

    Args:
        learner: the model.
        data: the data set that it was trained on.
        samples: number of generated data, over all processes.
        share: of this process.
        pixels: measure digits in pixels too.

    Returns:
        Measures by name, the same on every process.

    Raises:
        Exception: what the share's pause raises, on every process.
    """
    if isinstance(learner, Classifier):
        found = _classifier_accuracy(learner, data, share)
        if isinstance(learner, AdversarialClassifier):
            found |= _robust_accuracies(learner, data, samples, share)
        return found
    assert isinstance(learner, GAN)
    rng = torch.Generator(learner.device)
    asks = learner.prior(1, rng).labels is not None
    judge = judge_for(data, learner.device, share, asks)
    judges = [] if judge is None else [judge]
    if pixels and isinstance(data, MNIST):
        judges.append(PixelJudge(data, learner.device, asks))
    duplicates = None if isinstance(data, Dirac) else _duplicates(learner, data)
    divergence = Divergence(learner)
    information = _information_bounds(learner)
    for chunk, count in share.of(list(_chunks(samples))):
        sample = learner.sample(count, seed=derived_seed(learner.seed, "evaluation", chunk))
        for judge in judges:
            judge.update(sample.data, chunk * CHUNK, sample.condition.labels)
        if duplicates is not None and chunk == 0:
            duplicates.update(sample.data)
        divergence.update(sample.data, sample.condition.labels, real=False)
        if isinstance(learner, InfoGAN) and information:
            assert sample.condition.categorical is not None
            recognised = learner.recognised(sample.data).categorical
            columns = sample.condition.categorical.unbind(1)
            for bound, logits, codes in zip(information, recognised, columns, strict=True):
                bound.update(logits.log_softmax(1), codes)
    measures = {name: value for judge in judges for name, value in judge.compute().items()}
    if duplicates is not None:
        measures["samples/duplicates"] = duplicates.compute().item()
    measures |= _divergence(divergence, learner, data, share)
    measures |= {
        _code_name("mutual_information", index, information): bound.compute().item()
        for index, bound in enumerate(information)
    }
    if isinstance(learner, InfoGAN):
        measures |= _code_accuracies(learner, data, share)
    if isinstance(data, Dirac):
        measures |= equilibrium(learner)
    if learner.watches_weights:
        measures |= weights_at_bound(learner)
    return measures


def _duplicates(learner: GAN, data: ResidentData) -> DuplicateRate:
    """Judge the first chunk against as many real data."""
    return DuplicateRate(data.test_data().data[:CHUNK].to(learner.device)).to(learner.device)


def _divergence(
    divergence: Divergence, learner: GAN, data: ResidentData, share: Share
) -> dict[str, float]:
    if divergence.wanted:
        for real, labels in _test_chunks(learner, data, share):
            divergence.update(real, labels, real=True)
    return divergence.compute()


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
        assert labels is not None
        logits = learner.recognised(images).categorical
        for accuracy, code in zip(accuracies, logits, strict=True):
            accuracy.update(code.argmax(1), labels)
    return {
        _code_name("accuracy", index, accuracies): accuracy.compute().item()
        for index, accuracy in enumerate(accuracies)
    }


def _classifier_accuracy(learner: Classifier, data: ResidentData, share: Share) -> dict[str, float]:
    accuracy = MulticlassAccuracy(learner.classes, average="micro").to(learner.device)
    with evaluation_mode(learner.network):
        for images, labels in _test_chunks(learner, data, share):
            assert labels is not None
            accuracy.update(learner.network(images), labels)
    return {"classifier/test_accuracy": accuracy.compute().item()}


def _robust_accuracies(
    learner: AdversarialClassifier, data: ResidentData, samples: int, share: Share
) -> dict[str, float]:
    """Classify the first test images as each attack of the config leaves them."""
    test = data.test_data()
    assert test.labels is not None
    found = {}
    for attack in learner.config.attacks:
        accuracy = MulticlassAccuracy(learner.classes, average="micro").to(learner.device)
        for start in share.of(range(0, min(samples, len(test.data)), ATTACKED)):
            part = slice(start, min(start + ATTACKED, samples))
            images, labels = (side[part].to(learner.device) for side in (test.data, test.labels))
            seed = derived_seed(learner.seed, "attack", attack.name, start)
            rng = torch.Generator(learner.device).manual_seed(seed)
            with evaluation_mode(learner.network), torch.enable_grad():
                attacked = perturbed(learner.network, images, labels, attack, rng)
            accuracy.update(learner.network(attacked), labels)
        found[f"robust/{attack.name}"] = accuracy.compute().item()
    return found


def _test_chunks(
    learner: Learner, data: ResidentData, share: Share
) -> Iterator[tuple[Tensor, Tensor | None]]:
    test = data.test_data()
    for start in share.of(range(0, len(test.data), CHUNK)):
        part = slice(start, start + CHUNK)
        labels = None if test.labels is None else test.labels[part].to(learner.device)
        yield test.data[part].to(learner.device), labels


def _chunks(samples: int) -> Iterator[tuple[int, int]]:
    """Yield (number of the chunk, its size)."""
    for chunk, start in enumerate(range(0, samples, CHUNK)):
        yield chunk, min(CHUNK, samples - start)


def _code_name(measure: str, index: int, codes: list[Any]) -> str:
    """Name a measure of a code: code/accuracy, or code1/accuracy where there are several."""
    return f"code/{measure}" if len(codes) == 1 else f"code{index + 1}/{measure}"
