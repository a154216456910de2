"""Alternating steps: the discriminator's, then the generator's at the new discriminator."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer

from gan_lightning.core.optim import optimizer_parameters
from gan_lightning.gans.accumulation import accumulate_and_step
from gan_lightning.gans.parameters import frozen
from gan_lightning.gans.update_rules.base import BothTerms, UpdateRule, detached, generate, step_on
from gan_lightning.types import Batch, Condition, Sample

if TYPE_CHECKING:
    from gan_lightning.gans.base import GAN
    from gan_lightning.gans.contract import LossTerms

__all__ = ["Alternating", "step_discriminator"]


class Alternating(UpdateRule):
    """Step the discriminator, then the generator at the discriminator's new weights.

    The samples that are generated for the minibatch serve both players: the discriminator's step
    takes them detached, the generator's step with their graph. The discriminator makes no step
    here where it has made all its steps before. Its parameters are frozen while the generator
    steps.

    A further step of the generator generates the samples again from the same inputs, with the
    weights that the step before it has made. Where gradients are accumulated, the first step
    generates each part again, too, since the graph of the whole minibatch would take the memory
    that the parts save.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), algorithm 1.
    """

    is_joint: ClassVar[bool] = False

    def end_round(
        self, gan: GAN, real: Batch, condition: Condition, discriminator_terms: LossTerms | None
    ) -> BothTerms:
        """Step the discriminator unless it has no step left, then the generator."""
        discriminator, generator = gan.player_optimizers()
        in_parts = gan.config.accumulate_gradients > 1
        with torch.set_grad_enabled(not in_parts):
            generated = generate(gan, condition)
        seen, fake = gan.preprocess_for_discriminator(real, generated)
        if discriminator_terms is None:
            discriminator_terms = step_discriminator(gan, seen, fake.detach())
        with frozen(optimizer_parameters(discriminator.optimizer)):
            if in_parts:
                generator_terms = _step_generator_again(gan, generator, real, generated)
            else:
                generator_terms = gan.generator_loss(seen, fake)
                step_on(gan, generator, generator_terms)
            for _ in range(gan.config.generator_steps - 1):
                generator_terms = _step_generator_again(gan, generator, real, generated)
        return discriminator_terms, generator_terms


def step_discriminator(gan: GAN, real: Batch, fake: Sample) -> LossTerms:
    """Step the discriminator on samples as it is given them; return its loss terms.

    Args:
        gan: in training.
        real: real samples of this process, (N, *shape).
        fake: as many generated samples, without graph.
    """
    optimizer, _ = gan.player_optimizers()
    if gan.config.accumulate_gradients > 1:
        terms = accumulate_and_step(gan, optimizer, real, fake, gan.discriminator_terms)
    else:
        terms = gan.discriminator_terms(real, fake)
        step_on(gan, optimizer, terms)
    gan.after_discriminator_step()
    return detached(terms)


def _step_generator_again(
    gan: GAN, optimizer: LightningOptimizer, real: Batch, fake: Sample
) -> LossTerms:
    """Step the generator on samples that are generated again, from the inputs of `fake`."""
    if gan.config.accumulate_gradients > 1:
        again = partial(_generator_terms_again, gan)
        return accumulate_and_step(gan, optimizer, real, fake, again)
    terms = _generator_terms_again(gan, real, fake)
    step_on(gan, optimizer, terms)
    return terms


def _generator_terms_again(gan: GAN, real: Batch, fake: Sample) -> LossTerms:
    """Generate samples again, with the generator's graph; return the generator's loss terms."""
    again = generate(gan, fake.condition)
    return gan.generator_loss(*gan.preprocess_for_discriminator(real, again))
