"""The duality gap: how much each player could gain against the other one's present weights."""

from __future__ import annotations

from functools import reduce
from operator import add

import torch
from torch import Tensor
from torch.autograd import grad

from gan_lightning.core.optim import build_optimizer
from gan_lightning.core.seeding import derived_seed
from gan_lightning.game.field import draw_inputs, probe
from gan_lightning.gans import GAN
from gan_lightning.gans.parameters import trained_parameters
from gan_lightning.types import Batch, Sample

__all__ = ["duality_gap"]


def duality_gap(gan: GAN, search: Batch, test: Batch, steps: int) -> dict[str, float]:
    """Estimate the duality gap max_D M(D, G) - min_G M(D, G) with M minus the loss of D.

    The worst opponent of each player is searched by some steps of that player's own optimizer, from
    the present weights, on one minibatch, and judged on another one. So the estimate is a lower
    bound of the gap, up to the noise of the minibatch.

    Args:
        gan: in training or not; nothing of it changes.
        search: real samples on which opponents are searched, (N, *shape).
        test: real samples on which they are judged, (M, *shape).
        steps: of each search.

    Returns:
        game/duality_gap, and its parts: game/gain/discriminator and game/gain/generator, by how
        much each player's search improves the value for it.

    Source: Grnarova et al. 2019 (arXiv:1811.05512), section 3.
    Deviations: the loss has no regularisers; the generator's opponent minimises M, the zero-sum
        game, also where the generator trains by another loss.
    """
    best = _search(gan, search, test, steps, "discriminator")
    worst = _search(gan, search, test, steps, "generator")
    present = _judge(gan, test)
    return {
        "game/duality_gap": worst - best,
        "game/gain/discriminator": present - best,
        "game/gain/generator": worst - present,
    }


def _search(gan: GAN, search: Batch, test: Batch, steps: int, player: str) -> float:
    """Return the discriminator's loss after a search by one player; weights are restored."""
    if player == "discriminator":
        modules, config, sign = gan.discriminator_players(), gan.config.discriminator_optimizer, 1.0
    else:
        modules, config, sign = gan.generator_players(), gan.config.generator_optimizer, -1.0
    weights = trained_parameters(modules)
    with probe(gan, weights[0].dtype):
        optimizer = build_optimizer(weights, config, lambda: gan.updates)
        for step in range(steps):
            loss = sign * _loss(gan, search, step)
            for parameter, gradient in zip(
                weights, grad(loss, weights, allow_unused=True), strict=True
            ):
                parameter.grad = gradient
            optimizer.step()
            gan.after_discriminator_step()
        optimizer.zero_grad()
        return _judge(gan, test)


def _judge(gan: GAN, test: Batch) -> float:
    with torch.no_grad():
        return _loss(gan, test, -1).item()


def _loss(gan: GAN, real: Batch, step: int) -> Tensor:
    """Return the discriminator's loss, with the graph of both players."""
    condition = draw_inputs(gan, real, derived_seed(gan.seed, "gap", gan.updates, step))
    fake = Sample(gan.generate(condition), condition)
    return reduce(add, gan.discriminator_loss(real, fake).values())
