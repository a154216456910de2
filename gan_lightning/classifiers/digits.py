"""The project's own digit classifier: trained here, shipped, the feature net of digit metrics."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from gan_lightning.batch import Batch, DataSpec
from gan_lightning.errors import UserError
from gan_lightning.learner import Learner
from gan_lightning.networks.digit_net import DigitNet
from gan_lightning.optimization import OptimizerConfig, build_optimizer
from gan_lightning.randomness import derived_seed, seed_generators

__all__ = [
    "DigitClassifier",
    "DigitClassifierConfig",
    "digit_network_fingerprint",
    "shipped_digit_network",
]

SHIPPED = Path(__file__).with_name("digit_classifier.safetensors")


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


class DigitClassifier(Learner):
    """A small convolutional network trained on randomly rotated, shifted and scaled digits.

    Args:
        config: of the training.
        data: shape and classes; one-channel images of at least 28 pixels, ten classes.
        updates: of the whole training, which the learning rate's schedule has to know.
        seed: of the distortions.

    Raises:
        ValueError: a value of the config is out of range, or the data are no digits.
    """

    Config: ClassVar[type[Any]] = DigitClassifierConfig

    def __init__(
        self, config: DigitClassifierConfig, data: DataSpec, updates: int, seed: int = 0
    ) -> None:
        super().__init__(data, seed)
        config.validate()
        if data.shape[0] != 1 or data.classes != DigitNet.classes:
            raise ValueError(
                f"the digit classifier needs one-channel images of ten classes, not shape "
                f"{data.shape} with {data.classes} classes: choose data.name=mnist"
            )
        self.config = config
        self.total_updates = updates
        self.network = DigitNet()

    def network_to_ship(self) -> nn.Module:
        """Return the network."""
        return self.network

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Make an update on each minibatch of (rounds, 1, N, 1, H, W) images in [-1, 1]."""
        optimizer = self.optimizers()
        assert isinstance(optimizer, LightningOptimizer)
        for game_round in batch.unbind():
            for minibatch in game_round.unbind():
                self._learn(minibatch, optimizer)

    def _learn(self, batch: Batch, optimizer: LightningOptimizer) -> None:
        seed = derived_seed(self.seed, "learn", self.global_rank, self.updates)
        seed_generators(seed, self.device)
        assert batch.labels is not None
        for group in optimizer.param_groups:
            group["lr"] = self._learning_rate()
        optimizer.zero_grad()
        loss = cross_entropy(self.network(self._distorted(batch.data)).float(), batch.labels)
        self.manual_backward(loss)
        optimizer.step()
        self.finish_update(len(batch.data), {"loss/classifier/cross_entropy": loss})

    def _learning_rate(self) -> float:
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

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Build the optimizer."""
        return build_optimizer(self.network.parameters(), self.config.optimizer)


@cache
def shipped_digit_network() -> DigitNet:
    """Load the shipped classifier: fixed weights, evaluation mode, no gradients; one for all.

    Raises:
        UserError: the file is not the one that was shipped; nothing in it is run.
    """
    network = DigitNet()
    try:
        network.load_state_dict(load_safetensors(SHIPPED.read_bytes()))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UserError(
            f"the digit classifier's weights {SHIPPED} cannot be read ({type(error).__name__}); "
            f"install gan-lightning again"
        ) from error
    return network.eval().requires_grad_(False)


@cache
def digit_network_fingerprint() -> str:
    """Return the SHA-256 of the shipped weights, which names the space of every digit metric."""
    return sha256(SHIPPED.read_bytes()).hexdigest()
