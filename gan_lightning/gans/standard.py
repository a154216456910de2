"""The standard GAN."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from gan_lightning.gans.base import GAN
from gan_lightning.gans.objectives import AdversarialConfig
from gan_lightning.losses import discriminator_cross_entropy

__all__ = ["StandardGAN", "StandardGANConfig"]


@dataclass
class StandardGANConfig(AdversarialConfig):
    """Config of the standard GAN.

    The paper leaves sizes and rates open; the defaults are those that DCGAN made usual.
    """


class StandardGAN(GAN):
    """The GAN of Goodfellow et al.: a discriminator of real against generated samples.

    Networks and losses are the defaults of the base class; the config chooses the objective.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), algorithm 1 and equation 1.
    Deviations: Adam instead of gradient descent with momentum; the last discriminator step of a
        round and the generator's step share their noise, for which the paper draws twice.
    """

    Config: ClassVar[type[Any]] = StandardGANConfig
    config: StandardGANConfig

    def estimate_divergence(self, real_scores: Tensor, fake_scores: Tensor) -> dict[str, Tensor]:
        """Return the lower bound log 2 - L_D / 2 of the Jensen-Shannon divergence in nats.

        L_D is the discriminator's cross-entropy. The bound is at most log 2. It holds where scores
        are logits, which is for the minimax and non-saturating objectives; else the result is {}.
        """
        if self.config.objective not in ("minimax", "non_saturating"):
            return {}
        cross_entropy = discriminator_cross_entropy(real_scores, fake_scores)
        return {"divergence/jensen_shannon": math.log(2) - cross_entropy / 2}
