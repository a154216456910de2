"""The players of the Dirac GAN: one number each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_lightning.networks.base import (
    Encoder,
    NetworkConfig,
    NetworkFamily,
    Shape,
    unsupported_shape,
)

__all__ = ["DiracNetworks", "DiracNetworksConfig", "MovingPoint", "Slope"]


@dataclass
class DiracNetworksConfig(NetworkConfig):
    """Where the game starts: the values of the authors' code."""

    # the generated point at the start
    theta: float = 1.0
    # the discriminator's slope at the start
    psi: float = 1.0


class MovingPoint(nn.Module):
    """A generator that makes one point, theta, of whatever noise.

    Args:
        theta: where it starts.
    """

    def __init__(self, theta: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta))

    def forward(self, latent: Tensor) -> Tensor:
        """Map (N, inputs) to (N, 1), all equal."""
        return self.theta.expand(latent.shape[0], 1)


class Slope(nn.Module):
    """A discriminator D(x) = psi x.

    Args:
        psi: where it starts.
    """

    def __init__(self, psi: float) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.tensor(psi))

    def forward(self, points: Tensor) -> Tensor:
        """Map (N, 1) to logits or critic scores (N,)."""
        return self.psi * points.squeeze(1)


class DiracNetworks(NetworkFamily[DiracNetworksConfig]):
    """A point against a slope: the game is a curve in the plane of (theta, psi).

    Its equilibrium is (0, 0). Scores are high where data look real, as in all of this project; the
    paper's are low there, so our psi is minus theirs and the players turn the other way round.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Mescheder, Geiger, Nowozin 2018 (arXiv:1801.04406), section 2; their code
        (github.com/LMescheder/GAN_stability, notebooks/DiracGAN.ipynb) starts at (1, 1) and makes
        500 steps of 0.2.
    """

    Config: ClassVar[type[DiracNetworksConfig]] = DiracNetworksConfig

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build the point."""
        _check(shape)
        return MovingPoint(self.config.theta)

    def trunk(self, shape: Shape) -> Encoder:
        """Build nothing: the feature is the datum."""
        _check(shape)
        return Encoder(nn.Identity(), 1)

    def scoring(self, features: int) -> nn.Module:
        """Build the slope.

        Raises:
            ValueError: the discriminator sees more than the datum.
        """
        if features != 1:
            raise ValueError(
                f"a slope judges one number, and there are {features} features: "
                f"set network.minibatch_kernels to 0"
            )
        return Slope(self.config.psi)


def _check(shape: Shape) -> None:
    if shape != (1,):
        raise unsupported_shape(
            "dirac",
            shape,
            valid="(1,), points on a line, each judged alone",
            fix="Choose data.name=dirac with network.packing=1, or the mlp networks.",
        )
