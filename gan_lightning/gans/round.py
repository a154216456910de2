"""Training of one round: the discriminator's steps, then one step of the generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer

from gan_lightning.core.optim import optimizer_parameters
from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans.parameters import frozen
from gan_lightning.types import Batch, Sample

if TYPE_CHECKING:
    from gan_lightning.gans.base import GAN
    from gan_lightning.gans.contract import LossTerms

__all__ = ["train_round"]


def train_round(gan: GAN, minibatches: list[Batch]) -> None:
    """Step the discriminator on each minibatch, then step the generator on the last one.

    The samples that are generated for the last minibatch serve both players: the discriminator's
    step takes them detached, the generator's step with their graph. The discriminator's parameters
    are frozen while the generator steps. The running average and the log follow.

    Args:
        gan: in training.
        minibatches: real samples of this process, each (N, *shape).
    """
    rng = torch.Generator(gan.device)
    rng.manual_seed(derived_seed(gan.seed, "prior", gan.updates))
    discriminator, generator = gan.player_optimizers()
    for real in minibatches[:-1]:
        with torch.no_grad():
            fake = _generate(gan, real, rng)
        _step_discriminator(gan, discriminator, *gan.preprocess_for_discriminator(real, fake))
    real = minibatches[-1]
    real, fake = gan.preprocess_for_discriminator(real, _generate(gan, real, rng))
    discriminator_terms = _step_discriminator(gan, discriminator, real, fake.detach())
    with frozen(optimizer_parameters(discriminator.optimizer)):
        generator_terms = gan.generator_loss(real, fake)
        _step(gan, generator, generator_terms)
    if gan.ema is not None:
        gan.ema.update_parameters(gan.generator)
    terms = {"discriminator": discriminator_terms, "generator": generator_terms}
    gan.log_update(
        images=len(minibatches) * len(real.data),
        terms={
            f"loss/{player}/{name}": value
            for player, part in terms.items()
            for name, value in part.items()
        },
    )


def _generate(gan: GAN, real: Batch, rng: torch.Generator) -> Sample:
    """Generate as many samples as a minibatch of this process has."""
    condition = gan.training_condition(real, rng)
    return Sample(gan.generate(condition), condition)


def _step_discriminator(
    gan: GAN, optimizer: LightningOptimizer, real: Batch, fake: Sample
) -> LossTerms:
    terms = gan.discriminator_terms(real, fake)
    _step(gan, optimizer, terms)
    gan.after_discriminator_step()
    return terms


def _step(gan: GAN, optimizer: LightningOptimizer, terms: LossTerms) -> None:
    gan.backward_and_step(optimizer, terms)
    torch.clear_autocast_cache()  # it holds low-precision copies of the weights before the step
