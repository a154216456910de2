"""Evaluation of a discriminator's features by a linear classifier."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d

from gan_lightning.core.module import evaluation_mode
from gan_lightning.data import BaseDataModule
from gan_lightning.data.base import to_float_nchw
from gan_lightning.data.subsets import stratified_subset
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.errors import UserError
from gan_lightning.evaluation.base import GANEvaluator
from gan_lightning.evaluation.batching import iterate_test_data
from gan_lightning.evaluation.discriminator import pack_size
from gan_lightning.gans import GAN
from gan_lightning.metrics.linear_svm import LinearSVM, fit_linear_svm

__all__ = ["FeatureEvaluator", "discriminator_features"]

LABELS_PER_CLASS = 100
"""Training images of each class that the classifier is fitted to, as in the paper on SVHN."""

GRID = 4
"""Side of the grid to which each feature map is max-pooled."""

PENALTIES = (0.1, 1.0, 10.0)
"""Weights C of the hinge loss, among which other training images choose."""

BATCH_SIZE = 100
"""Images per forward pass, whose feature maps are kept together."""

FeatureFunction = Callable[[Tensor], Tensor]

NONLINEARITIES = (nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Tanh)


class FeatureEvaluator(GANEvaluator):
    """Classifies real images by a linear classifier on the features of a discriminator.

    The feature maps of all layers are max-pooled to a grid of 4x4, flattened and joined. An L2-SVM
    is fitted to 100 training images of each class; 100 others choose its penalty, and the test
    images are scored. The same is done with the features of the discriminator before training,
    which are good ones already for digits, and with the pixels.

    Args:
        gan: the model; its discriminator has convolutions, and takes no labels.
        data: its dataset, with classes and at least 200 training images of each.
        shard: this process's part of the work; the classifier is fitted in every process.

    Raises:
        UserError: the discriminator has no feature maps of single images, or the data no classes.

    Source: Radford, Metz, Chintala 2016 (arXiv:1511.06434), section 5, tables 1 and 2.
    Deviations: the paper's discriminator was trained on ImageNet and classifies CIFAR-10 and SVHN;
        here both are the GAN's own dataset. The paper chooses the penalty on 10,000 images.
    """

    def __init__(self, gan: GAN, data: BaseDataModule, shard: Shard = SINGLE_PROCESS) -> None:
        self._gan, self._data, self._shard = gan, data, shard
        if data.spec.classes is None or not data.spec.is_image or data.classes_are_domains:
            raise _unsupported("these data are no images with classes")
        if pack_size(gan) > 1:
            raise _unsupported("the discriminator scores several samples jointly")
        test = data.test_data().part(slice(0, 2), gan.device)
        try:
            features = discriminator_features(gan, test.data)
        except ValueError as error:
            raise _unsupported("the discriminator takes labels or sources") from error
        if not features.shape[1]:
            raise _unsupported("the discriminator has no feature maps")

    def compute(self) -> dict[str, float]:
        """Return the accuracies, in [0, 1], and how much the trained features exceed the others."""
        untrained = type(self._gan)(**self._gan.hparams).to(self._gan.device)
        accuracy = self._accuracy(lambda images: discriminator_features(self._gan, images))
        before = self._accuracy(lambda images: discriminator_features(untrained, images))
        pixels = self._accuracy(lambda images: images.flatten(1))
        return {
            "features/accuracy": accuracy,
            "features/untrained_accuracy": before,
            "features/pixel_accuracy": pixels,
            "features/gain_over_untrained": accuracy - before,
            "features/gain_over_pixels": accuracy - pixels,
        }

    def _accuracy(self, features_of: FeatureFunction) -> float:
        """Fit classifiers to some features, and return the test accuracy of the best."""
        classes = self._data.spec.classes
        images, all_labels = self._data.training_data()
        assert classes is not None
        assert all_labels is not None
        # ordered by class, so that every second row is half of each class
        rows = stratified_subset(all_labels, 2 * LABELS_PER_CLASS * classes, seed=0)
        features = torch.cat(
            [
                features_of(to_float_nchw(images[part]).to(self._gan.device)).cpu()
                for part in self._shard.undivided().iterate(rows.split(BATCH_SIZE))
            ]
        )
        scale = features.double().square().sum(1).mean().sqrt()
        features, labels = features / scale, all_labels[rows]
        machines = [
            fit_linear_svm(features[::2], labels[::2], classes, penalty) for penalty in PENALTIES
        ]
        best = max(machines, key=lambda machine: _correct(machine, features[1::2], labels[1::2]))
        correct, count = 0, 0
        for chunk in iterate_test_data(self._data, self._gan.device, self._shard.undivided()):
            assert chunk.labels is not None
            parts = [features_of(part).cpu() for part in chunk.data.split(BATCH_SIZE)]
            correct += _correct(best, torch.cat(parts) / scale, chunk.labels.cpu())
            count += len(chunk.data)
        return correct / count


@torch.no_grad()
def discriminator_features(gan: GAN, images: Tensor) -> Tensor:
    """Return the feature maps of all layers, max-pooled to a grid of 4x4 and flattened.

    A feature map is the output of a nonlinearity, of four dimensions, in evaluation mode.

    Args:
        gan: the model, whose weights and modes are unchanged.
        images: (N, C, H, W) in [-1, 1].

    Returns:
        (N, D), float32, without a column where there are no feature maps.

    Raises:
        ValueError: the discriminator needs labels or sources.
    """
    maps: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if output.ndim == 4:
            maps.append(adaptive_max_pool2d(output.float(), GRID).flatten(1))

    layers = [
        layer
        for player in gan.discriminator_players().values()
        for layer in player.modules()
        if isinstance(layer, NONLINEARITIES)
    ]
    handles = [layer.register_forward_hook(keep) for layer in layers]
    try:
        with evaluation_mode(gan):
            gan.discriminate(images)
    finally:
        for handle in handles:
            handle.remove()
    return torch.cat(maps, 1) if maps else images.new_zeros(len(images), 0)


def _correct(machine: LinearSVM, features: Tensor, labels: Tensor) -> int:
    return int((machine.predict(features) == labels).sum())


def _unsupported(reason: str) -> UserError:
    return UserError(f"evaluation.measures has discriminator_features, and {reason}; leave it out")
