"""Training of one round: the discriminator's steps, then those of both players by a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans.update_rules.alternating import step_discriminator
from gan_lightning.gans.update_rules.base import BothTerms, generate
from gan_lightning.types import Batch

if TYPE_CHECKING:
    from gan_lightning.gans.base import GAN
    from gan_lightning.gans.contract import LossTerms

__all__ = ["prior_seed", "step_players", "train_minibatch", "train_round"]


def train_round(gan: GAN, minibatches: list[Batch]) -> None:
    """Step the discriminator on each minibatch, and the generator on the last one.

    How both players step on the last one is the GAN's update rule: by default in turn. Where there
    is one minibatch more than steps of the discriminator, the last one is for the generator alone.

    Args:
        gan: in training.
        minibatches: real samples of this process, each (N, *shape).
    """
    if gan.graphs is None:
        terms = step_players(gan, minibatches, _prior_rng(gan))
    else:
        terms = gan.graphs(minibatches, prior_seed(gan))
    _finish_round(gan, terms, images=len(minibatches) * len(minibatches[-1].data))


def step_players(gan: GAN, minibatches: list[Batch], rng: torch.Generator) -> BothTerms:
    """Make all steps of a round; return the loss terms of the last step of each player.

    What follows them in a round is not in this function, which may be captured as a CUDA graph.

    Args:
        gan: in training.
        minibatches: real samples of this process, each (N, *shape).
        rng: random number generator of the prior.
    """
    *earlier, last = minibatches
    terms = [_train_discriminator(gan, real, rng) for real in earlier]
    is_fresh = len(minibatches) > gan.config.discriminator_steps
    return _step_both(gan, last, rng, terms[-1] if is_fresh else None)


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
        both = _step_both(gan, real, rng, terms if is_fresh else None)
        _finish_round(gan, both, images=len(real.data))
        return None
    gan.images_seen += len(real.data) * gan.trainer.world_size
    return _train_discriminator(gan, real, rng)


def prior_seed(gan: GAN, *minibatch: int) -> int:
    """Return the seed of the prior in this update."""
    return derived_seed(gan.seed, "prior", gan.updates, *minibatch)


def _prior_rng(gan: GAN, *minibatch: int) -> torch.Generator:
    """Return the random number generator of the prior in this update."""
    rng = torch.Generator(gan.device)
    rng.manual_seed(prior_seed(gan, *minibatch))
    return rng


def _train_discriminator(gan: GAN, real: Batch, rng: torch.Generator) -> LossTerms:
    """Step the discriminator on a minibatch; return its loss terms."""
    with torch.no_grad():
        fake = generate(gan, gan.training_condition(real, rng))
    return step_discriminator(gan, *gan.preprocess_for_discriminator(real, fake))


def _step_both(
    gan: GAN, real: Batch, rng: torch.Generator, discriminator_terms: LossTerms | None
) -> BothTerms:
    """Step both players on the last minibatch of a round by the GAN's rule.

    Args:
        gan: in training.
        real: real samples of this process, (N, *shape).
        rng: random number generator of the prior.
        discriminator_terms: loss terms of the discriminator's last step, if it has made all its
            steps; None if one is left, on this minibatch.
    """
    condition = gan.training_condition(real, rng)
    return gan.update_rule.end_round(gan, real, condition, discriminator_terms)


def _finish_round(gan: GAN, both: BothTerms, images: int) -> None:
    """Update the running average, and log the loss terms of the last step of each player.

    Args:
        gan: in training.
        both: loss terms of the discriminator and of the generator.
        images: number of real samples that are counted.
    """
    discriminator_terms, generator_terms = both
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
