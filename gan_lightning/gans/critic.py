"""What Wasserstein GANs have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from gan_lightning.gans.base import GAN
from gan_lightning.gans.config import GANConfig
from gan_lightning.losses import OBJECTIVES, Objective, wasserstein_critic

__all__ = ["CriticConfig", "CriticGAN"]


@dataclass
class CriticConfig(GANConfig):
    """Config of a GAN with a critic, which makes five steps for one of the generator."""

    discriminator_steps: int = 5

    def build_objective(self) -> Objective:
        """Return the Wasserstein losses."""
        return OBJECTIVES["wasserstein"]


class CriticGAN(GAN):
    """A GAN whose discriminator is a critic that estimates the Wasserstein-1 distance.

    A variant keeps the critic near Lipschitz.
    """

    Config: ClassVar[type[Any]] = CriticConfig
    config: CriticConfig

    def evaluators(self) -> tuple[str, ...]:
        """Return the base's, and the fraction of the critic's weights at their bound."""
        return (*super().evaluators(), "weights_at_bound")

    def pictures(self) -> tuple[str, ...]:
        """Return the histogram of the critic's weights."""
        return ("weights",)

    def estimate_divergence(self, real_scores: Tensor, fake_scores: Tensor) -> dict[str, Tensor]:
        """Return the estimate of K times the Wasserstein-1 distance, K the Lipschitz constant."""
        return {"divergence/wasserstein": -wasserstein_critic(real_scores, fake_scores)}
