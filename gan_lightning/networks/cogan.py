"""Networks of the coupled GAN's experiments on digits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import nn

from gan_lightning.networks.base import (
    Encoder,
    NetworkConfig,
    NetworkFamily,
    Shape,
    unsupported_shape,
)
from gan_lightning.networks.dropout import Dropout
from gan_lightning.networks.layout import MapsToVector, VectorToMaps
from gan_lightning.utils.settings import setting

__all__ = ["CoGANNetworks", "CoGANNetworksConfig"]

SIZE = 28
"""Height and width of the images that both players are built for, in pixels."""

FIRST_SIDE = 4
"""Side of the generator's first map and of the discriminator's last one."""


@dataclass
class CoGANNetworksConfig(NetworkConfig):
    """The authors' values for digits."""

    width: int = setting(
        128,
        "Channels of the generator's largest hidden map; the smallest map has 8 times as many.",
        minimum=1,
    )
    discriminator_maps: list[int] = setting(
        [20, 50], "Channels of the discriminator's two convolutions.", length=2, minimum=1
    )
    discriminator_units: int = setting(
        500, "Units of the discriminator's fully connected layer.", minimum=1
    )
    dropout: float = setting(
        0.5, "Dropout probability of these units in training.", minimum=0, below=1
    )
    initialisation: str = "xavier"


class CoGANNetworks(NetworkFamily[CoGANNetworksConfig]):
    """The networks of the coupled GAN for digits, images of 28 pixels.

    The discriminator is a LeNet: two 5x5 convolutions, each with a 2x2 max pooling and no other
    nonlinearity, then a fully connected layer with a PReLU and dropout. The generator has a map of
    4x4 pixels, three 3x3 transposed convolutions of stride 2 to 7, 13 and 25 pixels, and one of 6x6
    to the image, with batch norm and PReLU between them.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Liu, Tuzel 2016 (arXiv:1606.07536), appendix A, and github.com/mingyuliutw/CoGAN. Their
        optimizer has a weight decay of 5e-4.
    Deviations: the generator's output is a tanh in [-1, 1] instead of a sigmoid in [0, 1]; layers
        before a batch norm have no bias; their later code initialises with a gain of sqrt(2) and
        biases of 0.1, scores by two logits, and has no dropout.
    """

    Config: ClassVar[type[CoGANNetworksConfig]] = CoGANNetworksConfig

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build a projection to a map of 4x4 and four transposed convolutions."""
        _check(shape)
        widths = [self.config.width * factor for factor in (8, 4, 2, 1)]
        layers: list[nn.Module] = [
            nn.Linear(inputs, widths[0] * FIRST_SIDE**2, bias=False),
            VectorToMaps(widths[0], FIRST_SIDE, FIRST_SIDE),
        ]
        for before, after in pairwise(widths):
            layers += [nn.BatchNorm2d(before), nn.PReLU()]
            layers.append(nn.ConvTranspose2d(before, after, 3, 2, 1, bias=False))
        layers += [nn.BatchNorm2d(widths[-1]), nn.PReLU()]
        layers += [nn.ConvTranspose2d(widths[-1], shape[0], 6, 1, 1), nn.Tanh()]
        return self.initialise_weights(nn.Sequential(*layers))

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build two convolutions with max pooling and a fully connected layer."""
        _check(shape)
        first, second = self.config.discriminator_maps
        units = self.config.discriminator_units
        layers = nn.Sequential(
            nn.Conv2d(shape[0], first, 5),
            nn.MaxPool2d(2),
            nn.Conv2d(first, second, 5),
            nn.MaxPool2d(2),
            MapsToVector(),
            nn.Linear(second * FIRST_SIDE**2, units),
            nn.PReLU(),
            Dropout(self.config.dropout),
        )
        encoder = Encoder(layers, units)
        self.initialise_weights(encoder)
        return encoder


def _check(shape: Shape) -> None:
    if len(shape) != 3 or shape[0] < 1 or shape[1:] != (SIZE, SIZE):
        raise unsupported_shape(
            "cogan",
            shape,
            valid=f"(C, {SIZE}, {SIZE})",
            fix="Set data.size=28, or network.name=dcgan.",
        )
