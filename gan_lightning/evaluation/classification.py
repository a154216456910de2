"""Accuracy of classifiers, under attacks too, and of GANs that learn to classify."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from gan_lightning.classifiers import Classifier
from gan_lightning.classifiers.attacks import perturb
from gan_lightning.core.module import evaluation_mode
from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.evaluation.base import GANEvaluator
from gan_lightning.evaluation.batching import iterate_chunks, iterate_test_data
from gan_lightning.evaluation.faces import attribute_accuracies
from gan_lightning.types import Batch

__all__ = ["AdaptationEvaluator", "ClassifierEvaluator", "classifier_accuracies"]

ATTACK_BATCH_SIZE = 100
"""Test images attacked at a time; a signal is handled after at most one such attack."""


def classifier_accuracies(
    classifier: Classifier, data: BaseDataModule, samples: int, shard: Shard
) -> dict[str, float]:
    """Compute a classifier's accuracy on the test data and under the attacks of its config.

    Args:
        classifier: the model.
        data: its dataset.
        samples: number of test images per attack.
        shard: this process's part of the work.

    Returns:
        `classifier/test_accuracy`, and `robust/NAME` for each attack; of a classifier of attributes
        what `attribute_accuracies` returns.
    """
    if classifier.attribute_sizes:
        return attribute_accuracies(classifier, data, shard)
    with evaluation_mode(classifier.network):
        chunks = iterate_test_data(data, classifier.device, shard)
        accuracy = _accuracy(classifier.network, classifier.classes, chunks, classifier.device)
    return {
        "classifier/test_accuracy": accuracy,
        **_robust_accuracies(classifier, data, samples, shard),
    }


class ClassifierEvaluator(GANEvaluator):
    """Computes the test error of a GAN's classifier, which few labels trained.

    Args:
        gan: with `classified(images)`, which returns logits (N, classes).
        data: its dataset.
        shard: this process's part of the work.
    """

    def __init__(self, gan: Any, data: BaseDataModule, shard: Shard = SINGLE_PROCESS) -> None:
        self._gan, self._data, self._shard = gan, data, shard

    def compute(self) -> dict[str, float]:
        """Return the fraction and the number of errors on the test data."""
        gan = self._gan
        chunks = iterate_test_data(self._data, gan.device, self._shard)
        accuracy = _accuracy(gan.classified, gan.data.labelled_classes, chunks, gan.device)
        errors = round((1 - accuracy) * len(self._data.test_data().data))
        return {"classifier/test_error": 1 - accuracy, "classifier/test_errors": float(errors)}


class AdaptationEvaluator(GANEvaluator):
    """Computes the accuracy of a GAN's classifier on the domain that has no labels.

    The domain's own first layer is used, or the other domain's where adversarial training is
    disabled.

    Args:
        gan: with `classified(images, domain)`, which returns logits (N, classes).
        data: its dataset, with `target_test_data()`.
        shard: this process's part of the work.
    """

    def __init__(self, gan: Any, data: Any, shard: Shard = SINGLE_PROCESS) -> None:
        self._gan, self._data, self._shard = gan, data, shard

    def compute(self) -> dict[str, float]:
        """Return the accuracy on the test data of that domain."""
        gan = self._gan
        labelled = gan.data.labelled_domain
        domain = 1 - labelled if gan.config.adversarial_weight else labelled
        chunks = iterate_chunks(self._data.target_test_data(), gan.device, self._shard)
        accuracy = _accuracy(
            lambda images: gan.classified(images, domain),
            gan.data.labelled_classes,
            chunks,
            gan.device,
        )
        return {"adaptation/accuracy": accuracy}


def _accuracy(
    logits_of: Callable[[Tensor], Tensor],
    classes: int,
    chunks: Iterable[Batch],
    device: torch.device,
) -> float:
    """Compute the accuracy over the chunks of all processes."""
    metric = _accuracy_metric(classes).to(device)
    for chunk in chunks:
        assert chunk.labels is not None
        metric.update(logits_of(chunk.data), chunk.labels)
    accuracy: float = metric.compute().item()
    return accuracy


def _accuracy_metric(classes: int) -> Metric:
    from torchmetrics.classification import MulticlassAccuracy  # takes a second

    return MulticlassAccuracy(classes, average="micro")


def _robust_accuracies(
    classifier: Classifier, data: BaseDataModule, samples: int, shard: Shard
) -> dict[str, float]:
    """Compute the accuracy on the first test images under each attack of the config."""
    test, device = data.test_data(), classifier.device
    accuracies = {}
    for attack in classifier.attacks():
        metric = _accuracy_metric(classifier.classes).to(device)
        for start in shard.iterate(range(0, min(samples, len(test.data)), ATTACK_BATCH_SIZE)):
            chunk = test.part(slice(start, min(start + ATTACK_BATCH_SIZE, samples)), device)
            assert chunk.labels is not None
            seed = derived_seed(classifier.seed, "attack", attack.name, start)
            rng = torch.Generator(device).manual_seed(seed)
            with evaluation_mode(classifier.network), torch.enable_grad():
                attacked = perturb(
                    classifier.network, chunk.data, chunk.labels, attack, rng, prefer_errors=True
                )
            metric.update(classifier.network(attacked), chunk.labels)
        accuracies[f"robust/{attack.name}"] = metric.compute().item()
    return accuracies
