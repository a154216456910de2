"""Convolutional networks of DCGAN."""

from __future__ import annotations

import math
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

SIZES = range(16, 257, 4)
"""Supported heights and widths of images, in pixels."""

MAX_SMALLEST_MAP = 7
"""A map of at most this side is not halved further."""

MAX_WIDTH_FACTOR = 16
"""Bound of the channels of a map, in multiples of the width; reached from 128 pixels on."""

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
    generator_hidden: list[int] = setting(
        [],
        "Units of each hidden layer of a generator of fully connected ReLU layers without "
        "normalisation, in place of convolutions; empty means convolutions.",
        minimum=1,
    )
    initialisation: str = "normal_0.02"


class DCGAN(NetworkFamily[DCGANConfig]):
    """Strided and transposed convolutions for square images of 16 to 256 pixels, in steps of 4.

    Maps are halved until their side is at most 7 pixels; an odd side is rounded up, by a row and a
    column of zeros in the discriminator, which the generator drops. Every layer is normalised
    except the generator's output and the discriminator's input. The encoder ends with its last
    feature map, flattened, so a linear head equals the paper's last convolution.

    With `generator_hidden` the generator is a perceptron, which the convolutional discriminator
    judges, as in figure 7 of Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875); it has 4 hidden
    layers of 512 units there. Its weights are initialised by PyTorch, as in their code.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Radford, Metz, Chintala 2016 (arXiv:1511.06434), sections 3 and 4, figure 1.
    Deviations: kernels are 4x4, not 5x5, so that every pixel is covered equally often; sizes other
        than 64, whose smallest maps have sides of 4 to 7 pixels, such as 7 for 28-pixel images; no
        map has more than 16 times the width; layers before a batch norm have no bias.
    """

    Config: ClassVar[type[DCGANConfig]] = DCGANConfig

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__(config)
        self._generator_norm = GENERATOR_NORMS[config.generator_norm]
        self._discriminator_norm = DISCRIMINATOR_NORMS[config.discriminator_norm]

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build a projection to the smallest map and a 4x4 transposed convolution per doubling."""
        sides = _map_sides(shape)[::-1]
        if self.config.generator_hidden:
            return _perceptron([inputs, *self.config.generator_hidden], shape)
        start = sides[0]
        widths = _map_widths(self.config.width, len(sides) - 1)[::-1]
        bias = self.config.generator_norm == "none"
        layers: list[nn.Module] = [
            nn.Linear(inputs, widths[0] * start * start, bias=bias),
            VectorToMaps(widths[0], start, start),
        ]
        for side, (before, after) in zip(sides[1:], pairwise(widths), strict=False):
            layers += [self._generator_norm(before), nn.ReLU()]
            layers.append(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=bias))
            layers += [nn.ZeroPad2d((0, -1, 0, -1))] if side % 2 else []
        layers += [self._generator_norm(widths[-1]), nn.ReLU()]
        layers += [nn.ConvTranspose2d(widths[-1], shape[0], 4, 2, 1), nn.Tanh()]
        return self.initialise_weights(nn.Sequential(*layers))

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build one 4x4 convolution per halving, down to the smallest map, flattened."""
        sides = _map_sides(shape)
        widths = _map_widths(self.config.discriminator_width or self.config.width, len(sides) - 1)
        bias = self.config.discriminator_norm != "batch"
        layers: list[nn.Module] = [nn.Conv2d(shape[0], widths[0], 4, 2, 1)]
        layers.append(nn.LeakyReLU(self.config.negative_slope))
        for side, (before, after) in zip(sides[1:], pairwise(widths), strict=False):
            layers += [nn.ZeroPad2d((0, 1, 0, 1))] if side % 2 else []
            layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=bias))
            layers += [self._discriminator_norm(after), nn.LeakyReLU(self.config.negative_slope)]
        layers.append(MapsToVector())
        encoder = Encoder(nn.Sequential(*layers), widths[-1] * sides[-1] ** 2)
        self.initialise_weights(encoder)
        return encoder


def _perceptron(widths: list[int], shape: Shape) -> nn.Module:
    """Build a generator of fully connected layers of these widths, the first that of its input."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    layers += [nn.Linear(widths[-1], math.prod(shape)), nn.Tanh(), nn.Unflatten(1, shape)]
    return nn.Sequential(*layers)


def _map_sides(shape: Shape) -> list[int]:
    """Return the sides of the maps, from the image's to the smallest, each half of the last one."""
    square = len(shape) == 3 and shape[1] == shape[2]
    if not square or shape[0] < 1 or shape[1] not in SIZES:
        raise unsupported_shape(
            "dcgan",
            shape,
            valid=f"(C, S, S) with S a multiple of 4 from {SIZES[0]} to {SIZES[-1]}",
            fix="Resize the images, or set network.name=mlp.",
        )
    sides = [shape[1]]
    while sides[-1] > MAX_SMALLEST_MAP:
        sides.append((sides[-1] + 1) // 2)
    return sides


def _map_widths(width: int, levels: int) -> list[int]:
    """Return the channels of the hidden maps, from the largest map to the smallest."""
    return [width * min(2**level, MAX_WIDTH_FACTOR) for level in range(levels)]
