"""Convolutional networks of DCGAN."""

from __future__ import annotations

from collections.abc import Callable
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
from gan_lightning.networks.layout import MapsToVector, VectorToMaps
from gan_lightning.utils.settings import setting

STEMS = {28: (7, 2), 32: (4, 3), 64: (4, 4), 128: (4, 5)}
"""Image size -> (size of the smallest feature map, number of doublings)."""

GENERATOR_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "none": lambda channels: nn.Identity(),
}
DISCRIMINATOR_NORMS: dict[str, Callable[[int], nn.Module]] = {
    **GENERATOR_NORMS,
    "layer": lambda channels: nn.GroupNorm(1, channels),
}


@dataclass
class DCGANConfig(NetworkConfig):
    """Widths, normalisation and slope of the convolutional networks."""

    width: int = setting(
        64,
        "Channels of the largest hidden map, doubled at each halving; 128 in the paper's figure 1.",
        minimum=1,
    )
    discriminator_width: int = setting(
        0, "Channels of the discriminator's first hidden map; 0 means `width`.", minimum=0
    )
    generator_norm: str = setting(
        "batch", "Normalisation of the generator's hidden maps.", choices=GENERATOR_NORMS
    )
    discriminator_norm: str = setting(
        "batch",
        "Normalisation of the discriminator's hidden maps; layer is over channels, height and "
        "width. Gradient penalties exclude batch.",
        choices=DISCRIMINATOR_NORMS,
    )
    negative_slope: float = setting(
        0.2, "Negative slope of the discriminator's leaky ReLU.", minimum=0
    )
    initialisation: str = "normal_0.02"


class DCGAN(NetworkFamily[DCGANConfig]):
    """Strided and transposed convolutions for square images of 28, 32, 64 or 128 pixels.

    Every layer is normalised except the generator's output and the discriminator's input. The
    encoder ends with its last feature map, flattened, so a linear head equals the paper's last
    convolution.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Radford, Metz, Chintala 2016 (arXiv:1511.06434), sections 3 and 4, figure 1.
    Deviations: kernels are 4x4, not 5x5, so that every pixel is covered equally often; 28-pixel
        images start from a 7x7 map; layers before a batch norm have no bias.
    """

    Config: ClassVar[type[DCGANConfig]] = DCGANConfig

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__(config)
        self._generator_norm = GENERATOR_NORMS[config.generator_norm]
        self._discriminator_norm = DISCRIMINATOR_NORMS[config.discriminator_norm]

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build a projection to the smallest map and a 4x4 transposed convolution per doubling."""
        start, doublings = _stem(shape)
        widths = [self.config.width * 2**level for level in reversed(range(doublings))]
        bias = self.config.generator_norm == "none"
        layers: list[nn.Module] = [
            nn.Linear(inputs, widths[0] * start * start, bias=bias),
            VectorToMaps(widths[0], start, start),
        ]
        for before, after in pairwise(widths):
            layers += [self._generator_norm(before), nn.ReLU()]
            layers.append(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=bias))
        layers += [self._generator_norm(widths[-1]), nn.ReLU()]
        layers += [nn.ConvTranspose2d(widths[-1], shape[0], 4, 2, 1), nn.Tanh()]
        return self.initialise_weights(nn.Sequential(*layers))

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build one 4x4 convolution per halving, down to the smallest map, flattened."""
        start, halvings = _stem(shape)
        width = self.config.discriminator_width or self.config.width
        widths = [width * 2**level for level in range(halvings)]
        bias = self.config.discriminator_norm != "batch"
        layers: list[nn.Module] = [nn.Conv2d(shape[0], widths[0], 4, 2, 1)]
        layers.append(nn.LeakyReLU(self.config.negative_slope))
        for before, after in pairwise(widths):
            layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=bias))
            layers += [self._discriminator_norm(after), nn.LeakyReLU(self.config.negative_slope)]
        layers.append(MapsToVector())
        encoder = Encoder(nn.Sequential(*layers), widths[-1] * start * start)
        self.initialise_weights(encoder)
        return encoder


def _stem(shape: Shape) -> tuple[int, int]:
    square = len(shape) == 3 and shape[1] == shape[2]
    if not square or shape[0] < 1 or shape[1] not in STEMS:
        raise unsupported_shape(
            "dcgan",
            shape,
            valid=f"(C, S, S) with S of {', '.join(map(str, STEMS))}",
            fix="Resize the images, or set network.name=mlp.",
        )
    return STEMS[shape[1]]
