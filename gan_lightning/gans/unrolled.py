"""The unrolled GAN."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from torch import Tensor

from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.gans.base import GAN
from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.differentiable_optim import Weights, call_with_weights
from gan_lightning.gans.objectives import AdversarialConfig
from gan_lightning.gans.regularisation import penalties
from gan_lightning.losses import at_least_float32
from gan_lightning.types import Batch, Sample
from gan_lightning.utils.settings import setting

__all__ = ["UnrolledGAN", "UnrolledGANConfig"]


@dataclass
class UnrolledGANConfig(AdversarialConfig):
    """Config of the unrolled GAN; the defaults are the authors' for the ring."""

    latent_size: int = 256
    latent_prior: str = "normal"
    objective: str = "minimax"
    discriminator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-4)
    )
    generator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-3)
    )
    unrolled_steps: int = setting(
        5,
        "K: discriminator steps through which the generator's loss is computed; 0 is the standard "
        "GAN.",
        minimum=0,
    )


class UnrolledGAN(GAN):
    """The unrolled GAN: a generator trained against the discriminator after K further steps.

    The K steps are those of the discriminator's own optimizer from its present state. They minimise
    its loss, penalties included, on the last minibatch of the round, and the generator's gradient
    flows through them (the second term of equation 12). The discriminator itself makes one step per
    minibatch, from its own weights. With several processes each of the K steps uses the mean
    gradient, and the generator's gradient is that of the global minibatch; this takes K messages of
    the discriminator's size in the forward pass and K in the backward pass.

    With the minimax objective the generator's loss is the value f of the game at the unrolled
    discriminator (equation 10), including the term on real samples, which depends on the generator
    through the steps. For other objectives it is the objective's loss at the unrolled
    discriminator.

    Source: Metz et al. 2017 (arXiv:1611.02163), equations 7 to 12, and the authors' code
        (github.com/poolio/unrolled_gan).
    Deviations: the discriminator steps before the generator; the code steps both at once. A
        discriminator with batch norm updates its running statistics in every forward pass, 2 K + 3
        times in a round (2 K + 4 with the minimax or relativistic objective), so 13 times with 5
        steps; without unrolling it is 3 times.
    """

    Config: ClassVar[type[Any]] = UnrolledGANConfig
    config: UnrolledGANConfig

    def methods_to_compile(self) -> tuple[str, ...]:
        """Leave out the generator's loss, which differentiates."""
        return tuple(name for name in super().methods_to_compile() if name != "generator_loss")

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the generator's loss against the discriminator after K further steps."""

        def adversarial_loss(weights: Weights) -> Tensor:
            real_scores = call_with_weights(
                self.discriminator, weights, at_least_float32(real.data)
            )
            fake_scores = call_with_weights(
                self.discriminator, weights, at_least_float32(fake.data)
            )
            return self.objective.discriminator(real_scores, fake_scores)

        def penalised_loss(weights: Weights) -> Tensor:
            discriminate = partial(call_with_weights, self.discriminator, weights)
            terms = penalties(
                self.config.regularisation, self.updates, discriminate, real.data, fake.data
            )
            return adversarial_loss(weights) + sum(terms.values())

        weights = self.unrolled_weights(self.config.unrolled_steps, penalised_loss)
        if self.config.objective == "minimax":
            return {"adversarial": -adversarial_loss(weights)}
        loss = self.objective.generator_loss(
            call_with_weights(self.discriminator, weights, fake.data),
            lambda: call_with_weights(self.discriminator, weights, real.data),
        )
        return {"adversarial": loss}
