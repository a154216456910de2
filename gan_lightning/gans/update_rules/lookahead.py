"""Lookahead: alternating rounds, of which both players are put back a part of the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer

from gan_lightning.core.optim import optimizer_parameters
from gan_lightning.gans.update_rules.alternating import Alternating
from gan_lightning.gans.update_rules.base import BothTerms, fill_gradients
from gan_lightning.types import Batch, Condition

if TYPE_CHECKING:
    from gan_lightning.gans.base import GAN
    from gan_lightning.gans.contract import LossTerms

__all__ = ["SLOW", "Lookahead"]

SLOW = "slow"
"""Key of the optimizers' state."""


class Lookahead(Alternating):
    """Step in turn; every k rounds put both players back towards where these rounds began.

    The slow weights s are those at the beginning of k alternating rounds, which lead to the fast
    weights w. Then both players are put at s + alpha (w - s) at once, where the next k rounds
    begin. The moments of the optimizers and running statistics of layers stay as they are. The
    optimizers' state has the slow weights, as `slow`.

    Source: Chavdarova et al. 2021 (arXiv:2006.14567), algorithm 1.
    Deviations: the running average of the generator takes the fast weights of every round, after
        they were put back where that is due; the paper averages the slow ones.
    """

    reason_against_graphs: ClassVar[str] = (
        "update_rule.name is lookahead, which puts the weights back in some rounds only"
    )

    def step(self, gan: GAN, optimizer: LightningOptimizer) -> None:
        """Step, and keep the weights before the first step of k rounds."""
        weights = optimizer_parameters(optimizer.optimizer)
        state = optimizer.optimizer.state
        fill_gradients(optimizer)
        begins = not any(SLOW in state[weight] for weight in weights)
        slow = [weight.detach().clone() for weight in weights] if begins else []
        super().step(gan, optimizer)
        if begins:
            for weight, start in zip(weights, slow, strict=True):
                state[weight][SLOW] = start

    def end_round(
        self, gan: GAN, real: Batch, condition: Condition, discriminator_terms: LossTerms | None
    ) -> BothTerms:
        """Step in turn, then put both players back where it is due."""
        terms = super().end_round(gan, real, condition, discriminator_terms)
        if (gan.updates + 1) % self.config.lookahead_updates == 0:
            for player in gan.player_optimizers():
                self._put_back(player.optimizer)
        return terms

    @torch.no_grad()
    def _put_back(self, optimizer: torch.optim.Optimizer) -> None:
        """Put the weights at s + alpha (w - s), and forget s."""
        for weight in optimizer_parameters(optimizer):
            slow = optimizer.state[weight].pop(SLOW)
            weight.copy_(torch.lerp(slow, weight, self.config.lookahead_rate))
