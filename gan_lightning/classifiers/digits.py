"""Classifier of digits or clothes; trained ones are the feature extractors of metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from gan_lightning.assets.loader import read_classifier
from gan_lightning.classifiers.base import Classifier
from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.networks.digit_net import DigitNet
from gan_lightning.types import DataSpec
from gan_lightning.utils.settings import setting

__all__ = [
    "DigitClassifier",
    "DigitClassifierConfig",
    "shipped_digit_network",
    "shipped_network",
]

MIRRORED_SHARE = 0.5
"""Probability with which an image is mirrored."""


@dataclass
class DigitClassifierConfig:
    """Width, learning rate schedule and data augmentation of the classifier."""

    width: int = setting(
        32, "Channels of the first map; the features are four times as many.", minimum=1
    )
    optimizer: OptimizerConfig = setting(
        OptimizerConfig(learning_rate=2e-3, betas=[0.9, 0.99]), "Optimizer of the classifier."
    )
    warm_up: float = setting(
        0.1,
        "Fraction of the updates in which the learning rate rises to its peak; a cosine decay to 0 "
        "follows. optimizer.schedule replaces both.",
        minimum=0,
        below=1,
    )
    rotation: float = setting(12.0, "Largest random rotation of images, in degrees.", minimum=0)
    shift: float = setting(2.0, "Largest random shift of images, in pixels.", minimum=0)
    scale: float = setting(
        0.1,
        "Largest random change of the images' size, as a fraction of it.",
        minimum=0,
        below=1,
    )
    mirror: bool = setting(
        False, "Mirror each image with probability 0.5; clothes keep their class, digits do not."
    )


class DigitClassifier(Classifier):
    """A small convolutional network trained on randomly rotated, shifted and scaled images."""

    Config: ClassVar[type[Any]] = DigitClassifierConfig
    config: DigitClassifierConfig

    def __init__(
        self, config: DigitClassifierConfig, data: DataSpec, updates: int, seed: int = 0
    ) -> None:
        super().__init__(config, data, updates, seed)
        self.network = DigitNet(config.width)

    def loss_terms(self, images: Tensor, labels: Tensor) -> Mapping[str, Tensor]:
        """Compute the cross-entropy of the augmented images."""
        loss = cross_entropy(self.network(self._augment(images)).float(), labels)
        return {"cross_entropy": loss}

    def learning_rate(self) -> float:
        """Return the learning rate: a linear warm-up, then a cosine decay to 0."""
        warm_up = max(1.0, self.config.warm_up * self.total_updates)
        decay = max(1.0, self.total_updates - warm_up)
        progress = min(1.0, max(0.0, self.updates - warm_up) / decay)
        factor = min(1.0, (self.updates + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * progress))
        return self.config.optimizer.learning_rate * factor

    def _augment(self, images: Tensor) -> Tensor:
        """Rotate, scale, shift and mirror images randomly; the background stays at -1."""
        count, size = len(images), images.shape[-1]
        uniform = torch.rand(count, 4, device=images.device).mul_(2).sub_(1).unbind(1)
        angle = uniform[0] * math.radians(self.config.rotation)
        scale = 1 + uniform[1] * self.config.scale
        shift = 2 * self.config.shift / size
        rows = (
            torch.stack([angle.cos() / scale, -angle.sin() / scale, uniform[2] * shift], 1),
            torch.stack([angle.sin() / scale, angle.cos() / scale, uniform[3] * shift], 1),
        )
        maps = torch.stack(rows, 1)
        if self.config.mirror:
            mirrored = torch.rand(count, device=images.device) < MIRRORED_SHARE
            maps[mirrored, :, 0] *= -1
        grid = affine_grid(maps, list(images.shape), align_corners=False)
        return grid_sample(images + 1, grid.to(images), align_corners=False) - 1


def shipped_digit_network() -> DigitNet:
    """Load the shipped classifier of digits; see `shipped_network`."""
    return shipped_network("digit")


@cache
def shipped_network(name: str) -> DigitNet:
    """Load a shipped classifier, frozen and in evaluation mode; it is loaded once and cached.

    Its batch norms are folded into the convolutions, which changes features by about 1e-6.

    Args:
        name: `digit` or `clothes`.

    Raises:
        UserError: the file is not the shipped one; it is checked before it is read.
    """
    weights = load_safetensors(read_classifier(name))
    network = DigitNet(width=len(weights["trunk.0.weight"]))
    network.load_state_dict(weights)
    network.eval().requires_grad_(False).fold()
    return network.to(memory_format=torch.channels_last)
