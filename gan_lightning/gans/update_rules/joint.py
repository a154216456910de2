"""Rules by which both players step from the same weights, by their first derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor

from gan_lightning.core.optim import optimizer_parameters
from gan_lightning.distributed.collectives import remember_randomness
from gan_lightning.gans.parameters import frozen
from gan_lightning.gans.update_rules.base import (
    BothTerms,
    UpdateRule,
    detached,
    fill_gradients,
    generate,
)
from gan_lightning.types import Batch, Condition

if TYPE_CHECKING:
    from gan_lightning.gans.base import GAN
    from gan_lightning.gans.contract import LossTerms

__all__ = ["PREVIOUS_STEP", "Extragradient", "Optimistic", "Simultaneous"]

PREVIOUS_STEP = "previous_step"
"""Key of the optimizers' state."""


class Simultaneous(UpdateRule):
    """Step both players by their gradients at the same weights.

    Simultaneous gradient descent: w' = w - eta v(w), where the vector field v has the gradient of
    each player's loss in its own weights.

    Source: Mescheder, Nowozin, Geiger 2017 (arXiv:1705.10461), section 2.2.
    """

    def end_round(
        self, gan: GAN, real: Batch, condition: Condition, discriminator_terms: LossTerms | None
    ) -> BothTerms:
        """Compute both gradients, then step both players."""
        terms = _backpropagate_both(gan, real, condition)
        self.step_both(gan)
        return terms


class Extragradient(UpdateRule):
    """Step from the present weights by the gradients at weights one step further.

    The first half step extrapolates to w_half = w - eta v(w). The second one puts the weights back
    and steps to w' = w - eta v(w_half). With Adam both half steps update the moments, and only the
    weights are put back (ExtraAdam). Both half steps use the same minibatch, latents and random
    numbers, so that they differentiate the same function.

    The logged loss terms are those at w_half. What each evaluation of a loss changes is changed
    twice in a round: running statistics of layers, averages of LeCam, images that adaptive
    augmentation counts, and the pool of CycleGAN.

    Source: Korpelevich 1976; Gidel et al. 2019 (arXiv:1802.10551), algorithms 2 and 4.
    Deviations: the paper draws another minibatch for the second half step; with the same one the
        rule converges where it would not with two (Mishchenko et al. 2020, arXiv:1905.11373). An L2
        penalty of an optimizer is that of the weights that are put back.
    """

    reason_against_graphs: ClassVar[str] = (
        "update_rule.name is extragradient, which draws the same random numbers twice"
    )

    def end_round(
        self, gan: GAN, real: Batch, condition: Condition, discriminator_terms: LossTerms | None
    ) -> BothTerms:
        """Extrapolate, compute both gradients there, and step from where the round began."""
        players = gan.player_optimizers()
        weights: list[Tensor] = [
            part for player in players for part in optimizer_parameters(player.optimizer)
        ]
        start = [weight.detach().clone() for weight in weights]
        replay_randomness = remember_randomness(gan.device)
        _backpropagate_both(gan, real, condition)
        self.step_both(gan)
        replay_randomness()
        terms = _backpropagate_both(gan, real, condition)
        with torch.no_grad():
            torch._foreach_copy_(weights, start)
        self.step_both(gan)
        return terms


class Optimistic(Simultaneous):
    """Step twice by the present step of the optimizer, and once back by the one before.

    w' = w + 2 d_t - d_{t-1}, where d_t is the step that the optimizer makes at w, with weight decay
    and clipping; d_{-1} = 0. With SGD that is optimistic mirror descent, with Adam optimistic Adam.
    Up to a change of variables it is extrapolation from the past: an extragradient method that uses
    the gradient of the former half step again, and so needs one gradient in a round.

    All steps of the discriminator in a round are optimistic. The optimizers' state has the step
    before, as `previous_step`.

    Source: Daskalakis, Ilyas, Syrgkanis, Zeng 2018 (arXiv:1711.00141), section 2 and algorithm 1,
        whose moments, and so the first step before, are 0; Gidel et al. 2019 (arXiv:1802.10551),
        section 3.3, for the equivalence.
    """

    def step(self, gan: GAN, optimizer: LightningOptimizer) -> None:
        """Step, then add the difference of this step and the one before."""
        weights: list[Tensor] = [*optimizer_parameters(optimizer.optimizer)]
        state = optimizer.optimizer.state
        fill_gradients(optimizer)
        before = [weight.detach().clone() for weight in weights]
        super().step(gan, optimizer)
        with torch.no_grad():
            change = torch._foreach_sub(weights, before)
            torch._foreach_add_(weights, change)
            if PREVIOUS_STEP in state[weights[0]]:
                previous = [state[weight][PREVIOUS_STEP] for weight in weights]
                torch._foreach_sub_(weights, previous)
                torch._foreach_copy_(previous, change)  # in place, as CUDA graphs need it
                return
        for weight, part in zip(weights, change, strict=True):
            state[weight][PREVIOUS_STEP] = part


def _backpropagate_both(gan: GAN, real: Batch, condition: Condition) -> BothTerms:
    """Add the gradients of both losses at the present weights; return the loss terms.

    The samples serve both players, as in alternating steps.

    Args:
        gan: in training.
        real: real samples of this process, (N, *shape).
        condition: inputs of the generator for as many samples.
    """
    discriminator, _ = gan.player_optimizers()
    seen, fake = gan.preprocess_for_discriminator(real, generate(gan, condition))
    discriminator_terms = gan.discriminator_terms(seen, fake.detach())
    gan.backpropagate(discriminator_terms)
    torch.clear_autocast_cache()  # its low-precision copies have the graph that has been freed
    with frozen(optimizer_parameters(discriminator.optimizer)):
        generator_terms = gan.generator_loss(seen, fake)
        gan.backpropagate(generator_terms)
    torch.clear_autocast_cache()
    return detached(discriminator_terms), detached(generator_terms)
