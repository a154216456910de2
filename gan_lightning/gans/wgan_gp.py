"""Wasserstein GAN with gradient penalty."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.gans.critic import CriticConfig, CriticGAN
from gan_lightning.gans.regularisation import RegularisationConfig

__all__ = ["WGANGP", "WGANGPConfig"]


def _optimizer() -> OptimizerConfig:
    return OptimizerConfig(learning_rate=1e-4, betas=[0.0, 0.9])


@dataclass
class WGANGPConfig(CriticConfig):
    """Config of WGAN-GP; the defaults are the paper's.

    The weight of the penalty is `regularisation.gradient_penalty`.
    """

    latent_prior: str = "normal"
    discriminator_optimizer: OptimizerConfig = field(default_factory=_optimizer)
    generator_optimizer: OptimizerConfig = field(default_factory=_optimizer)
    regularisation: RegularisationConfig = field(
        default_factory=lambda: RegularisationConfig(gradient_penalty=10.0)
    )


class WGANGP(CriticGAN):
    """The Wasserstein GAN whose critic is kept near Lipschitz constant 1 by a gradient penalty.

    The penalty is on the norm of the critic's gradient at points between real and generated
    samples; the base class adds it to the critic's loss (`regularisation.py`). The critic must not
    have batch normalisation, since the penalty is on the gradient of each sample's own score.

    Source: Gulrajani et al. 2017 (arXiv:1704.00028), algorithm 1 and equation 3.
    Deviations: the authors' code for points in the plane divides them by about their standard
        deviation, since a slope of 1 makes the weight of the penalty depend on the scale. The Swiss
        roll is divided likewise; ring and grid have standard deviations of 0.7 and 2.8.
    """

    Config: ClassVar[type[Any]] = WGANGPConfig
    config: WGANGPConfig
