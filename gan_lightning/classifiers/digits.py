"""The project's own digit classifier: trained here, shipped, the feature net of digit metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
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

__all__ = [
    "DigitClassifier",
    "DigitClassifierConfig",
    "digit_network_fingerprint",
    "shipped_digit_network",
]


@dataclass
class DigitClassifierConfig:
    """How the classifier is trained."""

    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=2e-3, betas=[0.9, 0.99])
    )
    # share of the updates in which the learning rate rises to its peak; then a cosine to 0
    warm_up: float = 0.1
    # random distortion of each training digit: rotation in degrees, to either side
    rotation: float = 12.0
    # shift in pixels, to either side
    shift: float = 2.0
    # share of the size by which a digit grows or shrinks
    scale: float = 0.1

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        if not 0 <= self.warm_up < 1:
            raise ValueError(f"warm_up is {self.warm_up}; it must lie in [0, 1)")
        if not 0 <= self.scale < 1:
            raise ValueError(f"scale is {self.scale}; it must lie in [0, 1)")
        for name in ("rotation", "shift"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")


class DigitClassifier(Classifier):
    """A small convolutional network trained on randomly rotated, shifted and scaled digits."""

    Config: ClassVar[type[Any]] = DigitClassifierConfig
    config: DigitClassifierConfig

    def __init__(
        self, config: DigitClassifierConfig, data: DataSpec, updates: int, seed: int = 0
    ) -> None:
        super().__init__(config, data, updates, seed)
        self.network = DigitNet()

    def losses_of(self, images: Tensor, labels: Tensor) -> Mapping[str, Tensor]:
        """Return the cross-entropy of the distorted digits."""
        loss = cross_entropy(self.network(self._distorted(images)).float(), labels)
        return {"cross_entropy": loss}

    def learning_rate(self) -> float:
        """Rise to the config's rate, then fall as a cosine to 0."""
        rise = max(1.0, self.config.warm_up * self.total_updates)
        fall = max(1.0, self.total_updates - rise)
        done = min(1.0, max(0.0, self.updates - rise) / fall)
        factor = min(1.0, (self.updates + 1) / rise) * 0.5 * (1 + math.cos(math.pi * done))
        return self.config.optimizer.learning_rate * factor

    def _distorted(self, images: Tensor) -> Tensor:
        """Rotate, scale and shift each image at random, the background staying at -1."""
        count, size = len(images), images.shape[-1]
        uniform = torch.rand(count, 4, device=images.device).mul_(2).sub_(1).unbind(1)
        angle = uniform[0] * math.radians(self.config.rotation)
        scale = 1 + uniform[1] * self.config.scale
        shift = 2 * self.config.shift / size
        rows = (
            torch.stack([angle.cos() / scale, -angle.sin() / scale, uniform[2] * shift], 1),
            torch.stack([angle.sin() / scale, angle.cos() / scale, uniform[3] * shift], 1),
        )
        grid = affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
        return grid_sample(images + 1, grid.to(images), align_corners=False) - 1


@cache
def shipped_digit_network() -> DigitNet:
    """Load the shipped classifier: fixed weights, evaluation mode, no gradients; one for all.

    Its norms are folded into its convolutions, which changes features by a millionth.

    Raises:
        UserError: the file is not the one that was shipped; nothing in it is run.
    """
    network = DigitNet()
    network.load_state_dict(load_safetensors(read_classifier()))
    network.eval().requires_grad_(False).fold()
    return network.to(memory_format=torch.channels_last)


@cache
def digit_network_fingerprint() -> str:
    """Return the SHA-256 of the shipped weights, which names the space of every digit metric."""
    return sha256(read_classifier()).hexdigest()
