"""The standard GAN."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from gan_lightning import losses
from gan_lightning.batch import Batch, Sample
from gan_lightning.gans.base import GAN, GANConfig, LossTerms
from gan_lightning.networks import NetworkFamily

__all__ = ["StandardGAN", "StandardGANConfig"]

GENERATOR_LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "minimax": losses.minimax_generator,
    "non_saturating": losses.non_saturating_generator,
}


@dataclass
class StandardGANConfig(GANConfig):
    """The paper leaves sizes and rates open; the defaults are those that DCGAN made usual."""

    # the generator's objective: minimax, or non_saturating (section 3 of the paper)
    generator_objective: str = "non_saturating"

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        if self.generator_objective not in GENERATOR_LOSSES:
            raise ValueError(
                f"generator_objective is {self.generator_objective!r}; "
                f"valid are {', '.join(GENERATOR_LOSSES)}"
            )


class StandardGAN(GAN):
    """A discriminator that tells real from generated, and a generator that deceives it.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), algorithm 1 and equation 1.
    Deviations: Adam in place of gradient descent with momentum; a round's last minibatch draws its
        noise once for both players.
    """

    Config: ClassVar[type[Any]] = StandardGANConfig
    config: StandardGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Make the generator, and a discriminator of an encoder and a real/fake head."""
        self.generator = networks.generator(self.config.latent_size, self.data.shape)
        encoder = networks.encoder(self.data.shape)
        self.discriminator = nn.Sequential(encoder, networks.score_head(encoder.features))

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return the discriminator."""
        return {"discriminator": self.discriminator}

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the cross-entropy of telling real from generated."""
        real_logits = self.discriminator(real.data)
        fake_logits = self.discriminator(fake.data)
        return {"adversarial": losses.discriminator_cross_entropy(real_logits, fake_logits)}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the config's objective on the generated data."""
        objective = GENERATOR_LOSSES[self.config.generator_objective]
        return {"adversarial": objective(self.discriminator(fake.data))}
