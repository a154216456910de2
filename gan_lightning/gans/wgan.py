"""Wasserstein GAN."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.gans.critic import CriticConfig, CriticGAN
from gan_lightning.gans.parameters import trained_parameters
from gan_lightning.utils.settings import setting

__all__ = ["WGAN", "WGANConfig"]


def _optimizer() -> OptimizerConfig:
    return OptimizerConfig(name="rmsprop", learning_rate=5e-5)


@dataclass
class WGANConfig(CriticConfig):
    """Config of the Wasserstein GAN; the defaults are the paper's."""

    discriminator_optimizer: OptimizerConfig = field(default_factory=_optimizer)
    generator_optimizer: OptimizerConfig = field(default_factory=_optimizer)
    clip: float = setting(0.01, "c: the critic's weights are clipped to [-c, c].", above=0)


class WGAN(CriticGAN):
    """The Wasserstein GAN: a critic that weight clipping makes Lipschitz.

    The clipped weights bound the critic's Lipschitz constant K, which is not known, so that its
    objective estimates K times the Wasserstein-1 distance.

    Source: Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875), algorithm 1.
    Deviations: the critic always makes `discriminator_steps` steps, where the authors' code makes
        100 in the first 25 updates and in every 500th; the scales of normalisation layers are
        clipped like all parameters, as the algorithm says.
    """

    Config: ClassVar[type[Any]] = WGANConfig
    config: WGANConfig

    @torch.no_grad()
    def after_discriminator_step(self) -> None:
        """Clip the critic's weights, except those that are frozen (algorithm 1, line 7)."""
        for weights in trained_parameters(self.discriminator_players()):
            weights.clamp_(-self.config.clip, self.config.clip)
