"""Training of one round: the discriminator's steps, then those of the generator."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer

from gan_lightning.core.optim import optimizer_parameters
from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans.accumulation import accumulate_and_step
from gan_lightning.gans.parameters import frozen
from gan_lightning.types import Batch, Sample

if TYPE_CHECKING:
    from gan_lightning.gans.base import GAN
    from gan_lightning.gans.contract import LossTerms

__all__ = ["train_minibatch", "train_round"]


def train_round(gan: GAN, minibatches: list[Batch]) -> None:
    """Step the discriminator on each minibatch, then step the generator on the last one.

    Where there is one minibatch more than steps of the discriminator, the last one is for the
    generator alone.

    Args:
        gan: in training.
        minibatches: real samples of this process, each (N, *shape).
    """
    rng = _prior_rng(gan)
    *earlier, last = minibatches
    terms = [_train_discriminator(gan, real, rng) for real in earlier]
    is_fresh = len(minibatches) > gan.config.discriminator_steps
    images = len(minibatches) * len(last.data)
    _end_round(gan, last, rng, terms[-1] if is_fresh else None, images)


def train_minibatch(
    gan: GAN, real: Batch, number: int, is_last: bool, terms: LossTerms | None
) -> LossTerms | None:
    """Train one minibatch of a round that arrives minibatch by minibatch.

    A round of one minibatch is that of `train_round`. In a longer round each minibatch has random
    numbers of its own, so that none depends on a state that a checkpoint would have to hold.

    Args:
        gan: in training.
        real: real samples of this process, (N, *shape).
        number: of the minibatch in its round, counted from 0.
        is_last: whether the generator steps, too, which ends the round.
        terms: loss terms of the discriminator's step before this one; None where there is none.

    Returns:
        Loss terms of the discriminator's step on this minibatch; None at the end of a round.
    """
    rng = _prior_rng(gan, *((number,) if number else ()))
    if is_last:
        is_fresh = number >= gan.config.discriminator_steps
        _end_round(gan, real, rng, terms if is_fresh else None, images=len(real.data))
        return None
    gan.images_seen += len(real.data) * gan.trainer.world_size
    return _train_discriminator(gan, real, rng)


def _prior_rng(gan: GAN, *minibatch: int) -> torch.Generator:
    """Return the random number generator of the prior in this update."""
    rng = torch.Generator(gan.device)
    rng.manual_seed(derived_seed(gan.seed, "prior", gan.updates, *minibatch))
    return rng


def _train_discriminator(gan: GAN, real: Batch, rng: torch.Generator) -> LossTerms:
    """Step the discriminator on a minibatch; return its loss terms."""
    discriminator, _ = gan.player_optimizers()
    with torch.no_grad():
        fake = _generate(gan, real, rng)
    return _step_discriminator(gan, discriminator, *gan.preprocess_for_discriminator(real, fake))


def _end_round(
    gan: GAN,
    real: Batch,
    rng: torch.Generator,
    discriminator_terms: LossTerms | None,
    images: int,
) -> None:
    """Step the discriminator, then the generator, on the last minibatch of a round.

    The samples that are generated for the minibatch serve both players: the discriminator's step
    takes them detached, the generator's step with their graph. The discriminator makes no step
    here where `discriminator_terms` are given. Its parameters are frozen while the generator steps.
    The running average and the log follow, once a round; logged are the loss terms of the last step
    of each player.

    A further step of the generator generates the samples again from the same inputs, with the
    weights that the step before it has made. Where gradients are accumulated, the first step
    generates each part again, too, since the graph of the whole minibatch would take the memory
    that the parts save.

    Args:
        gan: in training.
        real: real samples of this process, (N, *shape).
        rng: random number generator of the prior.
        discriminator_terms: loss terms of the discriminator's last step, if it has made all its
            steps; None if one is left, on this minibatch.
        images: number of real samples that are counted.
    """
    discriminator, generator = gan.player_optimizers()
    in_parts = gan.config.accumulate_gradients > 1
    with torch.set_grad_enabled(not in_parts):
        generated = _generate(gan, real, rng)
    seen, fake = gan.preprocess_for_discriminator(real, generated)
    if discriminator_terms is None:
        discriminator_terms = _step_discriminator(gan, discriminator, seen, fake.detach())
    with frozen(optimizer_parameters(discriminator.optimizer)):
        if in_parts:
            generator_terms = _step_generator_again(gan, generator, real, generated)
        else:
            generator_terms = gan.generator_loss(seen, fake)
            _step(gan, generator, generator_terms)
        for _ in range(gan.config.generator_steps - 1):
            generator_terms = _step_generator_again(gan, generator, real, generated)
    if gan.ema is not None:
        gan.ema.update_parameters(gan.generator)
    with torch.no_grad():
        gan.after_round(discriminator_terms, generator_terms)
    terms = {"discriminator": discriminator_terms, "generator": generator_terms}
    gan.log_update(
        images=images,
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
    if gan.config.accumulate_gradients > 1:
        terms = accumulate_and_step(gan, optimizer, real, fake, gan.discriminator_terms)
    else:
        terms = gan.discriminator_terms(real, fake)
        _step(gan, optimizer, terms)
    gan.after_discriminator_step()
    return {name: term.detach() for name, term in terms.items()}


def _step_generator_again(
    gan: GAN, optimizer: LightningOptimizer, real: Batch, fake: Sample
) -> LossTerms:
    """Step the generator on samples that are generated again, from the inputs of `fake`."""
    if gan.config.accumulate_gradients > 1:
        again = partial(_generator_terms_again, gan)
        return accumulate_and_step(gan, optimizer, real, fake, again)
    terms = _generator_terms_again(gan, real, fake)
    _step(gan, optimizer, terms)
    return terms


def _generator_terms_again(gan: GAN, real: Batch, fake: Sample) -> LossTerms:
    """Generate samples again, with the generator's graph; return the generator's loss terms."""
    again = Sample(gan.generate(fake.condition), fake.condition)
    return gan.generator_loss(*gan.preprocess_for_discriminator(real, again))


def _step(gan: GAN, optimizer: LightningOptimizer, terms: LossTerms) -> None:
    gan.backward_and_step(optimizer, terms)
    torch.clear_autocast_cache()  # it holds low-precision copies of the weights before the step
