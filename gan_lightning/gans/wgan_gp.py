"""Wasserstein GAN with gradient penalty."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor

from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.gans.base import GAN, LossTerms
from gan_lightning.gans.config import GANConfig
from gan_lightning.gans.regularisation import RegularisationConfig
from gan_lightning.losses import wasserstein_critic, wasserstein_generator
from gan_lightning.types import Batch, Sample

__all__ = ["WGANGP", "WGANGPConfig"]


def _optimizer() -> OptimizerConfig:
    return OptimizerConfig(learning_rate=1e-4, betas=[0.0, 0.9])


@dataclass
class WGANGPConfig(GANConfig):
    """The paper's values; the penalty's weight is `regularisation.gradient_penalty`."""

    latent_prior: str = "normal"
    discriminator_steps: int = 5
    discriminator_optimizer: OptimizerConfig = field(default_factory=_optimizer)
    generator_optimizer: OptimizerConfig = field(default_factory=_optimizer)
    regularisation: RegularisationConfig = field(
        default_factory=lambda: RegularisationConfig(gradient_penalty=10.0)
    )


class WGANGP(GAN):
    """A critic held near Lipschitz constant 1 by a penalty on its gradient's norm.

    The penalty lies on lines between real and generated data, and the base adds it to the critic's
    loss (gans/regularisation.py). The critic needs networks without batch norm, since the penalty
    is on each datum's own gradient.

    Source: Gulrajani et al. 2017 (arXiv:1704.00028), algorithm 1 and equation 3.
    """

    Config: ClassVar[type[Any]] = WGANGPConfig
    config: WGANGPConfig
    log_weight_histogram: ClassVar[bool] = True

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return minus the estimated distance."""
        real_scores, fake_scores = self.discriminate(real.data), self.discriminate(fake.data)
        return {"adversarial": wasserstein_critic(real_scores, fake_scores)}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return minus the critic's mean score of the generated data."""
        return {"adversarial": wasserstein_generator(self.discriminate(fake.data))}

    def divergence(self, real_scores: Tensor, fake_scores: Tensor) -> dict[str, Tensor]:
        """Return the critic's estimate of the Wasserstein-1 distance."""
        return {"divergence/wasserstein": -wasserstein_critic(real_scores, fake_scores)}
