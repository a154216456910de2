"""Where the players of the Dirac GAN stand, and which way their losses pull them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import grad

from gan_lightning.core.seeding import derived_seed, isolated_randomness
from gan_lightning.gans import GAN
from gan_lightning.gans.base import LossTerms
from gan_lightning.networks.dirac import DiracGenerator, DiracScore
from gan_lightning.types import Batch

__all__ = ["ARROWS", "DiracPlayers", "Floats", "dirac_parameters", "vector_field"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
ARROWS = 15
"""Of the vector field, along a side."""
POINTS = 240
"""Real and as many generated, all equal: they average the instance noise of a vector."""


class DiracPlayers(NamedTuple):
    """The two numbers that play.

    Args:
        theta: the generated point.
        psi: the discriminator's slope.
    """

    theta: nn.Parameter
    psi: nn.Parameter

    def standing(self) -> tuple[float, float]:
        """Return where the players stand."""
        return self.theta.item(), self.psi.item()


def dirac_parameters(gan: GAN) -> DiracPlayers | None:
    """Find the two numbers of a GAN with the dirac networks; None where it has others."""
    theta = [part.theta for part in gan.generator.modules() if isinstance(part, DiracGenerator)]
    psi = [
        part.psi
        for player in gan.discriminator_players().values()
        for part in player.modules()
        if isinstance(part, DiracScore)
    ]
    return DiracPlayers(theta[0], psi[0]) if theta and psi else None


def vector_field(gan: GAN, reach: float) -> tuple[Floats, Floats]:
    """Measure which way each player's own loss pulls it, on a grid of standings.

    The losses are those of training, regularisers included. Standings that the GAN does not allow,
    beyond a clipped weight, have no force. Weights and random states stay as they were.

    Args:
        gan: with the dirac networks.
        reach: the grid runs from minus it to it, in theta and in psi.

    Returns:
        Standings (M, 2) and forces (M, 2), minus the gradients, NaN where there is none.

    Raises:
        ValueError: the GAN has other networks.
    """
    players = dirac_parameters(gan)
    if players is None:
        raise ValueError("a vector field needs the players of network.name=dirac")
    line = torch.linspace(-reach, reach, ARROWS).tolist()
    standings = [(theta, psi) for theta in line for psi in line]
    with restore_weights(gan), isolated_randomness(derived_seed(gan.seed, "portrait")):
        forces = [_force(gan, players, *standing) for standing in standings]
    return np.array(standings), np.array(forces)


@torch.enable_grad()
def _force(gan: GAN, players: DiracPlayers, theta: float, psi: float) -> tuple[float, float]:
    with torch.no_grad():
        players.theta.fill_(theta)
        players.psi.fill_(psi)
        gan.after_discriminator_step()
        if abs(players.psi.item() - psi) > 1e-6:
            return np.nan, np.nan
    real, fake = gan.preprocess_for_discriminator(
        Batch(torch.zeros(POINTS, 1, device=gan.device)), gan.generate_from_prior(POINTS)
    )
    pull = _pull(gan.discriminator_terms(real, fake.detach()), players.psi)
    return _pull(gan.generator_loss(real, fake), players.theta), pull


def _pull(terms: LossTerms, number: nn.Parameter) -> float:
    """Return minus the gradient of a loss in one number; 0 where it does not depend on it."""
    (gradient,) = grad(torch.stack(list(terms.values())).sum(), number, allow_unused=True)
    return 0.0 if gradient is None else -gradient.item()


@contextmanager
def restore_weights(gan: GAN) -> Iterator[None]:
    """Give all weights and buffers their values back after the block, bit for bit."""
    tensors: list[Tensor] = [*gan.parameters(), *gan.buffers()]
    values = [tensor.detach().clone() for tensor in tensors]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                tensor.copy_(value)
