"""The standard GAN."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from gan_lightning.gans.base import GAN, LossTerms
from gan_lightning.gans.objectives import AdversarialConfig, adversarial_objective
from gan_lightning.losses import discriminator_cross_entropy
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Sample

__all__ = ["StandardGAN", "StandardGANConfig"]


@dataclass
class StandardGANConfig(AdversarialConfig):
    """The paper leaves sizes and rates open; the defaults are those that DCGAN made usual."""


class StandardGAN(GAN):
    """A discriminator that tells real from generated, and a generator that deceives it.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), algorithm 1 and equation 1.
    Deviations: Adam in place of gradient descent with momentum; a round's last minibatch draws its
        noise once for both players.
    """

    Config: ClassVar[type[Any]] = StandardGANConfig
    config: StandardGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Make the players, and choose their losses."""
        super().build(networks)
        self.objective = adversarial_objective(self.config)

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the loss of telling real from generated."""
        real_logits, fake_logits = self.discriminate(real.data), self.discriminate(fake.data)
        return {"adversarial": self.objective.discriminator(real_logits, fake_logits)}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the config's objective on the generated data."""
        return {"adversarial": self.objective.generator(self.discriminate(fake.data))}

    def divergence(self, real_scores: Tensor, fake_scores: Tensor) -> dict[str, Tensor]:
        """Return the bound log 2 - L_D / 2 on the Jensen-Shannon divergence, at most log 2 nats.

        It holds where the scores are logits: for the minimax and non-saturating objectives.
        """
        if self.config.objective not in ("minimax", "non_saturating"):
            return {}
        cross_entropy = discriminator_cross_entropy(real_scores, fake_scores)
        return {"divergence/jensen_shannon": math.log(2) - cross_entropy / 2}
