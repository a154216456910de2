"""Wasserstein GAN."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.gans.base import GAN, LossTerms
from gan_lightning.gans.config import GANConfig
from gan_lightning.losses import wasserstein_critic, wasserstein_generator
from gan_lightning.types import Batch, Sample

__all__ = ["WGAN", "WGANConfig"]


def _optimizer() -> OptimizerConfig:
    return OptimizerConfig(name="rmsprop", learning_rate=5e-5)


@dataclass
class WGANConfig(GANConfig):
    """The paper's values."""

    discriminator_steps: int = 5
    discriminator_optimizer: OptimizerConfig = field(default_factory=_optimizer)
    generator_optimizer: OptimizerConfig = field(default_factory=_optimizer)
    # c: the critic's weights stay in [-c, c]
    clip: float = 0.01

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        if self.clip <= 0:
            raise ValueError(f"clip is {self.clip}; it must be positive")


class WGAN(GAN):
    """A critic, Lipschitz by clipped weights, whose objective estimates the Wasserstein-1 distance.

    Source: Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875), algorithm 1.
    Deviations: the critic always makes `discriminator_steps` steps, where the authors' code makes
        100 in the first 25 updates and at every 500th; scales of normalisation layers are clipped
        as all parameters are, which is what the algorithm says.
    """

    Config: ClassVar[type[Any]] = WGANConfig
    config: WGANConfig
    log_weight_histogram: ClassVar[bool] = True

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return minus the estimated distance, up to the Lipschitz constant."""
        real_scores, fake_scores = self.discriminate(real.data), self.discriminate(fake.data)
        return {"adversarial": wasserstein_critic(real_scores, fake_scores)}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return minus the critic's mean score of the generated data."""
        return {"adversarial": wasserstein_generator(self.discriminate(fake.data))}

    @torch.no_grad()
    def after_discriminator_step(self) -> None:
        """Clip the critic's weights (line 7 of the algorithm)."""
        for weights in self.discriminator.parameters():
            weights.clamp_(-self.config.clip, self.config.clip)

    def divergence(self, real_scores: Tensor, fake_scores: Tensor) -> dict[str, Tensor]:
        """Return the critic's estimate, K times the Wasserstein-1 distance for an unknown K."""
        return {"divergence/wasserstein": -wasserstein_critic(real_scores, fake_scores)}
