"""Unrolled GAN: a generator that looks ahead to the discriminator's answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from torch import Tensor

from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.gans.base import GAN, LossTerms
from gan_lightning.gans.differentiable_optim import Weights, called_with
from gan_lightning.gans.objectives import AdversarialConfig, adversarial_objective
from gan_lightning.gans.regularisation import penalties
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Sample

__all__ = ["UnrolledGAN", "UnrolledGANConfig"]


@dataclass
class UnrolledGANConfig(AdversarialConfig):
    """The values of the authors' code for the ring of Gaussians."""

    latent_size: int = 256
    latent_prior: str = "normal"
    objective: str = "minimax"
    discriminator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-4)
    )
    generator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-3)
    )
    # K: steps of the discriminator that the generator looks ahead; 0 is the standard GAN
    unrolled_steps: int = 5

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        if self.unrolled_steps < 0:
            raise ValueError(f"unrolled_steps is {self.unrolled_steps}; it must be at least 0")


class UnrolledGAN(GAN):
    """A generator trained against the discriminator of K steps later, which answers its move.

    The steps are those of the discriminator's own optimizer, from its present state, on its whole
    loss, penalties included, of the round's last minibatch; the generator's gradient flows through
    them (the second term of equation 12). The discriminator itself makes one step, from where it
    stands. Several processes average each step's gradient, and the generator's gradient flows to
    the data of all: K messages forth and K back of the discriminator's size.

    With the minimax objective the generator's loss is the game's value f at the unrolled
    discriminator (equation 10), its term on real data included, which depends on the generator
    through the steps. Other objectives put their generator's loss in its place.

    Source: Metz et al. 2017 (arXiv:1611.02163), equations 7 to 12, and their code
        (github.com/poolio/unrolled_gan).
    Deviations: the discriminator steps before the generator, where the code steps both at once.
    """

    Config: ClassVar[type[Any]] = UnrolledGANConfig
    config: UnrolledGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Make the players, and choose their losses."""
        super().build(networks)
        self.objective = adversarial_objective(self.config)

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the loss of telling real from generated."""
        real_logits, fake_logits = self.discriminate(real.data), self.discriminate(fake.data)
        return {"adversarial": self.objective.discriminator(real_logits, fake_logits)}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the generator's objective against the discriminator of K steps later."""

        def value(weights: Weights) -> Tensor:
            real_logits = called_with(self.discriminator, weights, real.data.float())
            fake_logits = called_with(self.discriminator, weights, fake.data.float())
            return self.objective.discriminator(real_logits, fake_logits)

        def penalised(weights: Weights) -> Tensor:
            score = partial(called_with, self.discriminator, weights)
            terms = penalties(self.config.regularisation, score, real.data, fake.data)
            return value(weights) + sum(terms.values())

        weights = self.unrolled_weights(self.config.unrolled_steps, penalised)
        if self.config.objective == "minimax":
            return {"adversarial": -value(weights)}
        fake_logits = called_with(self.discriminator, weights, fake.data)
        return {"adversarial": self.objective.generator(fake_logits)}
