"""How often classifiers are right, attacked ones too, and GANs that learn classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from gan_lightning.classifiers import AdversarialClassifier, Classifier
from gan_lightning.classifiers.attacks import perturb
from gan_lightning.core.module import BaseModule, evaluation_mode
from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import BaseDataModule, DigitDomains
from gan_lightning.distributed.sharding import Shard
from gan_lightning.evaluation.batching import in_chunks, tested
from gan_lightning.gans import GAN, CoupledGAN, SemiSupervisedGAN
from gan_lightning.types import Batch

__all__ = ["classifier_accuracies", "learnt_classes"]

ATTACKED = 100
"""Test images attacked at a time: a signal waits for one such attack."""


def classifier_accuracies(
    learner: Classifier, data: BaseDataModule, samples: int, share: Shard
) -> dict[str, float]:
    """Measure a classifier on the test data, and on as many attacked ones as `samples` says."""
    with evaluation_mode(learner.network):
        chunks = tested(data, learner.device, share)
        accuracy = _accuracy(learner, learner.classes, learner.network, chunks)
    found = {"classifier/test_accuracy": accuracy}
    if isinstance(learner, AdversarialClassifier):
        found |= _robust_accuracies(learner, data, samples, share)
    return found


def learnt_classes(gan: GAN, data: BaseDataModule, share: Shard) -> dict[str, float]:
    """Measure the classifier that a GAN with few labelled data has become, if it has.

    Returns:
        `classifier/test_error` and `classifier/test_errors` of a semi-supervised GAN;
        `adaptation/accuracy` of a coupled GAN, on the domain without labels: by that domain's own
        first layer, or by the other one's where no game has taught it. None of another GAN.
    """
    classes = gan.data.labelled_classes
    if isinstance(gan, SemiSupervisedGAN):
        assert classes is not None
        accuracy = _accuracy(gan, classes, gan.classified, tested(data, gan.device, share))
        errors = round((1 - accuracy) * len(data.test_data().data))
        return {"classifier/test_error": 1 - accuracy, "classifier/test_errors": float(errors)}
    if isinstance(gan, CoupledGAN) and isinstance(data, DigitDomains) and classes is not None:
        taught = data.config.labelled_domain
        domain = 1 - taught if gan.config.adversarial_weight else taught
        chunks = in_chunks(data.target_test_data(), gan.device, share)
        return {
            "adaptation/accuracy": _accuracy(
                gan, classes, lambda images: gan.classified(images, domain), chunks
            )
        }
    return {}


def _accuracy(
    learner: BaseModule,
    classes: int,
    logits_of: Callable[[Tensor], Tensor],
    chunks: Iterable[Batch],
) -> float:
    """Return the share of data that are put into their class, over all processes."""
    accuracy = MulticlassAccuracy(classes, average="micro").to(learner.device)
    for real in chunks:
        assert real.labels is not None
        accuracy.update(logits_of(real.data), real.labels)
    found: float = accuracy.compute().item()
    return found


def _robust_accuracies(
    learner: AdversarialClassifier, data: BaseDataModule, samples: int, share: Shard
) -> dict[str, float]:
    """Classify the first test images as each attack of the config leaves them."""
    test = data.test_data()
    found = {}
    for attack in learner.config.attacks:
        accuracy = MulticlassAccuracy(learner.classes, average="micro").to(learner.device)
        for start in share.of(range(0, min(samples, len(test.data)), ATTACKED)):
            part = test.part(slice(start, min(start + ATTACKED, samples)), learner.device)
            assert part.labels is not None
            seed = derived_seed(learner.seed, "attack", attack.name, start)
            rng = torch.Generator(learner.device).manual_seed(seed)
            with evaluation_mode(learner.network), torch.enable_grad():
                attacked = perturb(learner.network, part.data, part.labels, attack, rng)
            accuracy.update(learner.network(attacked), part.labels)
        found[f"robust/{attack.name}"] = accuracy.compute().item()
    return found
