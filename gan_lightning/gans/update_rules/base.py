"""What an update rule implements, and the parts that rules are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer

from gan_lightning.core.optim import optimizer_parameters
from gan_lightning.gans.update_rules.config import UpdateRuleConfig
from gan_lightning.types import Batch, Condition, Sample

if TYPE_CHECKING:
    from gan_lightning.gans.base import GAN
    from gan_lightning.gans.contract import LossTerms

__all__ = ["BothTerms", "UpdateRule", "detached", "fill_gradients", "generate", "step_on"]

BothTerms = tuple["LossTerms", "LossTerms"]
"""Loss terms of the discriminator and of the generator."""


class UpdateRule(ABC):
    """Steps both players on the last minibatch of a round.

    A rule makes its steps by the players' own optimizers, so that schedules, gradient clipping and
    averages over processes are those of any run. What it keeps from one round to the next is in the
    state of the optimizers, which checkpoints hold.

    In a round with several discriminator steps, those before the last are steps of the
    discriminator alone.

    Args:
        config: name and options.

    Attributes:
        is_joint: whether the gradients of both players are those at the same weights. The
            generator then needs no minibatch of its own for pairs, and steps once in a round.
        is_second_order: whether the rule differentiates the gradients.
        reason_against_graphs: why rounds cannot be CUDA graphs; empty where they can be.
    """

    is_joint: ClassVar[bool] = True
    is_second_order: ClassVar[bool] = False
    reason_against_graphs: ClassVar[str] = ""

    def __init__(self, config: UpdateRuleConfig) -> None:
        self.config = config

    @abstractmethod
    def end_round(
        self, gan: GAN, real: Batch, condition: Condition, discriminator_terms: LossTerms | None
    ) -> BothTerms:
        """Step both players.

        Args:
            gan: in training.
            real: last minibatch of the round, real samples of this process, (N, *shape).
            condition: inputs of the generator for as many samples.
            discriminator_terms: loss terms of the discriminator's last step, if it has made all its
                steps; None if one is left, on this minibatch. Always None where `is_joint`.

        Returns:
            Loss terms of the last step of both players, for the log.
        """

    def step(self, gan: GAN, optimizer: LightningOptimizer) -> None:
        """Step an optimizer by the gradients of its weights, and clear them.

        Args:
            gan: in training.
            optimizer: of one player, in this or an earlier minibatch of a round.
        """
        gan.step_optimizer(optimizer)

    def step_both(self, gan: GAN) -> None:
        """Step both optimizers by the gradients of their weights, the discriminator's first."""
        discriminator, generator = gan.player_optimizers()
        self.step(gan, discriminator)
        gan.after_discriminator_step()
        self.step(gan, generator)


def generate(gan: GAN, condition: Condition) -> Sample:
    """Generate a sample for each row of a condition, with the generator's graph."""
    return Sample(gan.generate(condition), condition)


def step_on(gan: GAN, optimizer: LightningOptimizer, terms: LossTerms) -> None:
    """Backpropagate loss terms of one player, and step its optimizer by the GAN's rule."""
    gan.backpropagate(terms)
    gan.update_rule.step(gan, optimizer)
    torch.clear_autocast_cache()  # it holds low-precision copies of the weights before the step


def detached(terms: LossTerms) -> LossTerms:
    """Return loss terms without their graph."""
    return {name: term.detach() for name, term in terms.items()}


def fill_gradients(optimizer: LightningOptimizer) -> None:
    """Set gradients that are missing to 0, as several processes do, so that all weights step.

    An optimizer makes the state of a weight in its first step, and takes any state for a complete
    one; so a rule must not add to a state before that.
    """
    for weight in optimizer_parameters(optimizer.optimizer):
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
