"""Players of the bilinear game, which are a vector each."""

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

__all__ = ["BilinearGenerator", "BilinearNetworks", "BilinearNetworksConfig", "BilinearScore"]


@dataclass
class BilinearNetworksConfig(NetworkConfig):
    """Starting point of the game."""

    x: list[float] = setting(
        [1.0],
        "Initial generated point; a single number is that of all coordinates.",
        min_length=1,
        initial=True,
    )
    y: list[float] = setting(
        [1.0],
        "Initial gradient of the discriminator; a single number is that of all coordinates.",
        min_length=1,
        initial=True,
    )


class BilinearGenerator(nn.Module):
    """A generator of a single point, x, whatever the latent vector.

    Args:
        x: initial value, (D,).
    """

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.x = nn.Parameter(x)

    def forward(self, latent: Tensor) -> Tensor:
        """Map (N, inputs) to (N, D), all equal to x."""
        return self.x.expand(latent.shape[0], -1)


class BilinearScore(nn.Module):
    """The linear discriminator D(s) = y . s.

    Args:
        y: initial value, (D,).
    """

    def __init__(self, y: Tensor) -> None:
        super().__init__()
        self.y = nn.Parameter(y)

    def forward(self, points: Tensor) -> Tensor:
        """Map (N, D) to critic scores (N,)."""
        return points @ self.y


class BilinearNetworks(NetworkFamily[BilinearNetworksConfig]):
    """A point as generator and a linear discriminator, in any dimension.

    With the data at 0 and the objective of a Wasserstein GAN without clipping, the discriminator
    lowers x . y and the generator lowers -x . y: the game min_x max_y x . y, up to the sign of y.
    Its equilibrium is (0, 0).

    Raises:
        ValueError: a value of the config is out of range.

    Source: Goodfellow 2016 (arXiv:1701.00160), section 8.2; Gidel et al. 2019
        (arXiv:1802.10551), whose examples are bilinear games.
    """

    Config: ClassVar[type[BilinearNetworksConfig]] = BilinearNetworksConfig
    pictures: ClassVar[tuple[str, ...]] = ("phase_portrait",)

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build the generated point."""
        return BilinearGenerator(_initial("x", self.config.x, shape))

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build an identity: the features are the coordinates of the sample."""
        _check(shape)
        return Encoder(nn.Identity(), shape[0])

    def score_layers(self, features: int) -> nn.Module:
        """Build the linear score."""
        return BilinearScore(_initial("y", self.config.y, (features,)))


def _initial(key: str, values: list[float], shape: Shape) -> Tensor:
    """Return an initial vector (D,)."""
    _check(shape)
    if len(values) not in (1, shape[0]):
        raise ValueError(
            f"network.{key} is {values}, and there are {shape[0]} coordinates: give as many "
            f"numbers, or one for all"
        )
    return torch.tensor(values).expand(shape).clone()


def _check(shape: Shape) -> None:
    if len(shape) != 1:
        raise unsupported_shape(
            "bilinear",
            shape,
            valid="(D,), points",
            fix="Set data.name=dirac, or network.name=mlp.",
        )
