"""Gradient vector field of the Dirac GAN in the plane of its two parameters."""

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
from gan_lightning.networks.bilinear import BilinearGenerator, BilinearScore
from gan_lightning.networks.dirac import DiracGenerator, DiracScore
from gan_lightning.types import Batch

__all__ = ["GRID_SIZE", "DiracParameters", "Floats", "dirac_parameters", "vector_field"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
GRID_SIZE = 15
"""Vectors of the field along each axis."""
SAMPLES = 240
"""Real samples, all equal, and as many generated samples, over which instance noise is averaged."""


class DiracParameters(NamedTuple):
    """The parameters of both players.

    Args:
        theta: the generated point.
        psi: the slope of the discriminator.
    """

    theta: nn.Parameter
    psi: nn.Parameter

    def values(self) -> tuple[float, float]:
        """Return theta and psi as numbers."""
        return self.theta.item(), self.psi.item()


def dirac_parameters(gan: GAN) -> DiracParameters | None:
    """Return the parameters of a GAN with the dirac or bilinear networks, one of each player.

    None for other networks, and for the bilinear ones in more than one dimension.
    """
    theta = [found for part in gan.generator.modules() if (found := _theta(part)) is not None]
    psi = [
        found
        for player in gan.discriminator_players().values()
        for part in player.modules()
        if (found := _psi(part)) is not None
    ]
    parameters = DiracParameters(theta[0], psi[0]) if theta and psi else None
    return parameters if parameters and parameters.theta.numel() == 1 else None


def _theta(part: nn.Module) -> nn.Parameter | None:
    """Return the generated point of a layer."""
    if isinstance(part, DiracGenerator):
        return part.theta
    return part.x if isinstance(part, BilinearGenerator) else None


def _psi(part: nn.Module) -> nn.Parameter | None:
    """Return the slope of a layer of the discriminator."""
    if isinstance(part, DiracScore):
        return part.psi
    return part.y if isinstance(part, BilinearScore) else None


def vector_field(gan: GAN, limit: float) -> tuple[Floats, Floats]:
    """Compute the negative gradient of each player's loss in its own parameter, on a grid.

    The losses are those of training, regularisers included. Points that the GAN does not allow,
    because its weights are clipped, have no vector. Weights and random states are restored.

    Args:
        gan: a GAN with the dirac networks.
        limit: the grid covers [-limit, limit] in theta and in psi.

    Returns:
        Points (theta, psi) of the grid, (M, 2), and vectors (M, 2), NaN where there is none.

    Raises:
        ValueError: the GAN has other networks.
    """
    parameters = dirac_parameters(gan)
    if parameters is None:
        raise ValueError("a vector field needs the players of network.name=dirac")
    line = torch.linspace(-limit, limit, GRID_SIZE).tolist()
    points = [(theta, psi) for theta in line for psi in line]
    with isolated_randomness(derived_seed(gan.seed, "portrait")):
        vectors = [_vector(gan, parameters, *point) for point in points]
    return np.array(points), np.array(vectors)


@torch.enable_grad()
def _vector(gan: GAN, parameters: DiracParameters, theta: float, psi: float) -> tuple[float, float]:
    with _restored_weights(gan):
        with torch.no_grad():
            parameters.theta.fill_(theta)
            parameters.psi.fill_(psi)
            gan.after_discriminator_step()
            if abs(parameters.psi.item() - psi) > 1e-6:  # clipped
                return np.nan, np.nan
        real, fake = gan.preprocess_for_discriminator(
            Batch(torch.zeros(SAMPLES, 1, device=gan.device)), gan.generate_from_prior(SAMPLES)
        )
        psi_component, theta_component = (
            _negative_gradient(terms, parameter)
            for terms, parameter in (
                (gan.discriminator_terms(real, fake.detach()), parameters.psi),
                (gan.generator_loss(real, fake), parameters.theta),
            )
        )
    return theta_component, psi_component


def _negative_gradient(terms: LossTerms, parameter: nn.Parameter) -> float:
    """Return minus the derivative of a loss by a parameter; 0 if it does not depend on it."""
    (gradient,) = grad(torch.stack(list(terms.values())).sum(), parameter, allow_unused=True)
    return 0.0 if gradient is None else -gradient.item()


@contextmanager
def _restored_weights(gan: GAN) -> Iterator[None]:
    """Restore all weights and buffers after the block, bit for bit."""
    tensors: list[Tensor] = [*gan.parameters(), *gan.buffers()]
    values = [tensor.detach().clone() for tensor in tensors]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                tensor.copy_(value)
