"""Players of the Dirac GAN, which have one parameter each."""

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
from gan_lightning.utils.settings import setting

__all__ = ["DiracGenerator", "DiracNetworks", "DiracNetworksConfig", "DiracScore"]


@dataclass
class DiracNetworksConfig(NetworkConfig):
    """Starting point of the game, as in the authors' code."""

    theta: float = setting(1.0, "Initial generated point.", initial=True)
    psi: float = setting(1.0, "Initial slope of the discriminator.", initial=True)


class DiracGenerator(nn.Module):
    """A generator of a single point, theta, whatever the latent vector.

    Args:
        theta: initial value.
    """

    def __init__(self, theta: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta))

    def forward(self, latent: Tensor) -> Tensor:
        """Map (N, inputs) to (N, 1), all equal to theta."""
        return self.theta.expand(latent.shape[0], 1)


class DiracScore(nn.Module):
    """The linear discriminator D(x) = psi x.

    Args:
        psi: initial value.
    """

    def __init__(self, psi: float) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.tensor(psi))

    def forward(self, points: Tensor) -> Tensor:
        """Map (N, 1) to logits or critic scores (N,)."""
        return self.psi * points.squeeze(1)


class DiracNetworks(NetworkFamily[DiracNetworksConfig]):
    """A point as generator and a slope as discriminator, so that a game is a curve in a plane.

    The equilibrium is (theta, psi) = (0, 0). As everywhere in this project, scores are high for
    real data. The paper has the opposite sign, so its psi is minus ours and the players rotate in
    the opposite direction.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Mescheder, Geiger, Nowozin 2018 (arXiv:1801.04406), section 2; their code
        (github.com/LMescheder/GAN_stability, notebooks/DiracGAN.ipynb) starts at (1, 1) and makes
        500 steps with learning rate 0.2.
    Deviations: the experiments make 1,000 steps with learning rate 0.1; instance noise has a
        standard deviation of 1, the code's 0.7; the critic of the WGAN is not clipped, the code's
        at 1.
    """

    Config: ClassVar[type[DiracNetworksConfig]] = DiracNetworksConfig
    pictures: ClassVar[tuple[str, ...]] = ("phase_portrait",)

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build the generated point."""
        _check(shape)
        return DiracGenerator(self.config.theta)

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build an identity: the feature is the sample."""
        _check(shape)
        return Encoder(nn.Identity(), 1)

    def score_layers(self, features: int) -> nn.Module:
        """Build the slope.

        Raises:
            ValueError: there are further features, of minibatch discrimination.
        """
        if features != 1:
            raise ValueError(
                f"dirac networks score a single feature and there are {features}; set "
                f"network.minibatch_kernels=0"
            )
        return DiracScore(self.config.psi)


def _check(shape: Shape) -> None:
    if shape != (1,):
        raise unsupported_shape(
            "dirac",
            shape,
            valid="(1,), points on a line without packing",
            fix="Set data.name=dirac, data.dimensions=1 and network.packing=1, or network.name to "
            "bilinear or mlp.",
        )
