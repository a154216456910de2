"""Whether generated images show the requested classes of any dataset."""

from __future__ import annotations

import math
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor

from gan_lightning.classifiers.image_classes import ImageClassNet, reduced, train_image_class_net
from gan_lightning.core.seeding import isolated_randomness
from gan_lightning.data import BaseDataModule
from gan_lightning.data.base import to_float_nchw, to_uint8_nhwc
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.errors import warn_once
from gan_lightning.evaluation.base import CHUNK_SIZE, SampleEvaluator
from gan_lightning.metrics import ClassConditionalAccuracy, cached_tensors
from gan_lightning.metrics.feature_extractor import FrozenNetwork

__all__ = ["ImageClassEvaluator"]

MAX_IMAGES = 5_000
"""Real images that train and test the classifier."""
MIN_IMAGES = 10
HELD_OUT = 5
"""One of so many real images tests the classifier."""
SEED = 0
ACCURACY = "accuracy"
"""Name of the classifier's accuracy in the cache."""


class ImageClassEvaluator(SampleEvaluator):
    """Computes the share of images that a small classifier assigns to the requested class.

    The classifier is trained once on up to 4,000 training images, takes seconds, and is cached by
    their pixels and labels. Its accuracy on other real images is reported beside: that of a perfect
    generator, since a generator cannot be judged better than real images.

    Args:
        data: images with classes.
        device: device of the generated images.
        shard: this process's part of the work.

    Raises:
        Exception: what the shard's `before_local_chunk` raises.
    """

    def __init__(
        self, data: BaseDataModule, device: torch.device, shard: Shard = SINGLE_PROCESS
    ) -> None:
        self._classes = data.spec.classes or 0
        self._network: FrozenNetwork | None = None
        self._real = math.nan
        count = len(data.training_data()[0])
        if count >= MIN_IMAGES:
            self._network, self._real = _classifier(data, shard)
        elif shard.rank == 0:
            warn_once(f"class/accuracy: not measured, {count} training images are too few")
        self._accuracy = ClassConditionalAccuracy().to(device)

    def update(
        self, samples: Tensor, first_index: int, requested_labels: Tensor | None = None
    ) -> None:
        """Add generated images (N, C, H, W) in [-1, 1]."""
        if self._network is not None and requested_labels is not None:
            logits = self._network(to_float_nchw(to_uint8_nhwc(samples)), self._classes)
            self._accuracy.update(logits.argmax(1), requested_labels)

    def compute(self) -> dict[str, float]:
        """Return `class/accuracy`, and `class/accuracy/real` of real images; both in [0, 1]."""
        accuracy = self._accuracy.compute()["class/accuracy"].item()
        if math.isnan(accuracy):
            return {}
        return {"class/accuracy": accuracy, "class/accuracy/real": self._real}


LATEST: dict[BaseDataModule, tuple[FrozenNetwork, float]] = {}
"""The latest classifier of this process, and its accuracy, by its dataset."""


def _classifier(data: BaseDataModule, shard: Shard) -> tuple[FrozenNetwork, float]:
    """Return the classifier of the data, and its accuracy on real images."""
    if data in LATEST:
        return LATEST[data]
    images, labels, fingerprint = _real_images(data, shard)
    classes = data.spec.classes
    assert classes is not None
    key: dict[str, str | int | float] = {
        "what": "own-classes-1",
        "data": fingerprint,
        "classes": classes,
        "mirror": int(data.random_mirror),
    }

    def train() -> dict[str, Tensor]:
        test = len(images) // HELD_OUT
        before_update = shard.undivided().before_chunk
        weights = train_image_class_net(
            images[test:], labels[test:], classes, data.random_mirror, before_update
        )
        predicted = _network(weights, images.shape[1], classes)(images[:test], classes).argmax(1)
        return {**weights, ACCURACY: (predicted == labels[:test]).double().mean()}

    weights = cached_tensors(key, train)
    accuracy = weights.pop(ACCURACY).item()
    LATEST.clear()
    LATEST[data] = _network(weights, images.shape[1], classes), accuracy
    return LATEST[data]


def _real_images(data: BaseDataModule, shard: Shard) -> tuple[Tensor, Tensor, str]:
    """Return real images (N, C, H, W), reduced, their labels (N,), and a hash of both."""
    images, labels = data.training_data()
    assert labels is not None
    order = np.random.RandomState(SEED).permutation(len(images))[:MAX_IMAGES]
    rows = torch.from_numpy(order)
    digest, parts = sha256(labels[rows].numpy().tobytes()), []
    for chunk in shard.undivided().iterate(rows.split(CHUNK_SIZE)):
        pixels = images[chunk].contiguous()
        digest.update(pixels.numpy().tobytes())
        parts.append(reduced(to_float_nchw(pixels)))
    return torch.cat(parts), labels[rows], digest.hexdigest()


def _network(weights: dict[str, Tensor], channels: int, classes: int) -> FrozenNetwork:
    with isolated_randomness(0):  # its initial weights are drawn, and replaced
        network = ImageClassNet(channels, classes)
    network.load_state_dict(weights)
    return FrozenNetwork(network, CHUNK_SIZE)
