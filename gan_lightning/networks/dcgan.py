"""Convolutional networks of DCGAN."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
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
from gan_lightning.networks.layout import MapsToVector, VectorToMaps
from gan_lightning.networks.small_maps import SmallMapConv2d, SmallMapConvTranspose2d
from gan_lightning.utils.settings import setting

SIZES = range(16, 257, 4)
"""Supported heights and widths of images, in pixels."""

MAX_SMALLEST_MAP = 7
"""Largest bound of the side of the smallest map: with it images of any size are halved twice."""

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
    kernel: int = setting(
        4,
        "Side of the kernels in pixels; with 5, as in the paper, pixels are covered unequally "
        "often.",
        choices=(4, 5),
    )
    smallest_map: int = setting(
        MAX_SMALLEST_MAP,
        "Maps are halved until their side is at most so many pixels.",
        minimum=1,
        maximum=MAX_SMALLEST_MAP,
    )
    pixels: str = setting(
        "symmetric",
        "Range of real pixels as the networks see them: symmetric is [-1, 1], the range of the "
        "generator's tanh; unit is [0, 1], so that the tanh reaches values that no real pixel has.",
        choices=("symmetric", "unit"),
    )
    full_resolution_width: int = setting(
        0,
        "Channels of one more hidden map of the generator at the resolution of the images, from "
        "which a 3x3 convolution makes the pixels; 0 means none.",
        minimum=0,
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

    Maps are halved until their side is at most `smallest_map` pixels; an odd side is rounded up, by
    a row and a column of zeros in the discriminator, which the generator drops. Every layer is
    normalised except the generator's output and the discriminator's input. The encoder ends with
    its last feature map, flattened, so a linear head equals the paper's last convolution.

    With `kernel: 5` maps are padded as by TensorFlow's `SAME`: with one zero on the left and two on
    the right where the side is even, so that with `smallest_map: 2` the networks of 28-pixel images
    are those of PacGAN's code for stacked MNIST, maps of 14, 7, 4 and 2 pixels.

    With `pixels: unit` the networks see black as 0 and white as 1: generated images are 2 tanh - 1,
    in [-3, 1] instead of [-1, 1], where all below -1 is shown as black, and the discriminator maps
    its input back. This equals data in [0, 1] for a generator that ends in a tanh, and all else,
    evaluation included, has its images with black at -1.

    With `full_resolution_width` a stroke is not drawn by the last transposed convolution alone, of
    whose kernel each pixel has four weights of a channel, but by a convolution over neighbouring
    pixels. In a generator without norms it needs `initialisation: orthogonal`: with PyTorch's
    smaller weights R3GAN on stacked MNIST kept drawing one image.

    With `generator_hidden` the generator is a perceptron, which the convolutional discriminator
    judges, as in figure 7 of Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875); it has 4 hidden
    layers of 512 units there. Its weights are initialised by PyTorch, as in their code.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Radford, Metz, Chintala 2016 (arXiv:1511.06434), sections 3 and 4, figure 1.
        `smallest_map` and `pixels`: the code of Lin et al. 2018 (github.com/fjxmlzn/PacGAN,
        stacked_MNIST_experiments/VEEGAN_experiment), after github.com/carpedm20/DCGAN-tensorflow.
    Deviations: by default kernels are 4x4, not 5x5, so that every pixel is covered equally often;
        sizes other than 64, whose smallest maps have sides of 4 to 7 pixels, such as 7 for 28-pixel
        images; no map has more than 16 times the width; layers before a batch norm have no bias.
        PacGAN's code cuts the tails of the discriminator's initial kernels off at two standard
        deviations, and begins with scales of 1 in batch norms.
    """

    Config: ClassVar[type[DCGANConfig]] = DCGANConfig

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__(config)
        self._generator_norm = GENERATOR_NORMS[config.generator_norm]
        self._discriminator_norm = DISCRIMINATOR_NORMS[config.discriminator_norm]

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build a projection to the smallest map and a transposed convolution per doubling.

        Its images lie in [-1, 1], with `pixels: unit` in [-3, 1].
        """
        sides = self._map_sides(shape)[::-1]
        output: list[nn.Module] = [ScaleAndShift(2, -1)] if self.config.pixels == "unit" else []
        if self.config.generator_hidden:
            return _perceptron([inputs, *self.config.generator_hidden], shape, output)
        start = sides[0]
        widths = _map_widths(self.config.width, len(sides) - 1)[::-1]
        bias = self.config.generator_norm == "none"
        layers: list[nn.Module] = [
            nn.Linear(inputs, widths[0] * start * start, bias=bias),
            VectorToMaps(widths[0], start, start),
        ]
        for side, (before, after) in zip(sides[1:], pairwise(widths), strict=False):
            layers += [self._generator_norm(before), nn.ReLU()]
            layers += self._double(before, after, side, bias)
        layers += [self._generator_norm(widths[-1]), nn.ReLU()]
        if last := self.config.full_resolution_width:
            layers += self._double(widths[-1], last, sides[-1], bias)
            layers += [self._generator_norm(last), nn.ReLU()]
            layers.append(nn.Conv2d(last, shape[0], 3, padding=1))
        else:
            layers += self._double(widths[-1], shape[0], sides[-1])
        layers += [nn.Tanh(), *output]
        return self.initialise_weights(nn.Sequential(*layers))

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build one convolution per halving, down to the smallest map, flattened."""
        sides = self._map_sides(shape)
        widths = _map_widths(self.config.discriminator_width or self.config.width, len(sides) - 1)
        bias = self.config.discriminator_norm != "batch"
        layers: list[nn.Module] = []
        if self.config.pixels == "unit":
            layers.append(ScaleAndShift(0.5, 0.5))
        layers += self._halve(shape[0], widths[0], sides[0])
        layers.append(nn.LeakyReLU(self.config.negative_slope))
        for side, (before, after) in zip(sides[1:], pairwise(widths), strict=False):
            layers += self._halve(before, after, side, bias)
            layers += [self._discriminator_norm(after), nn.LeakyReLU(self.config.negative_slope)]
        layers.append(MapsToVector())
        encoder = Encoder(nn.Sequential(*layers), widths[-1] * sides[-1] ** 2)
        self.initialise_weights(encoder)
        return encoder

    def _halve(self, before: int, after: int, side: int, bias: bool = True) -> list[nn.Module]:
        """Return the layers that halve a map of this side, rounded up."""
        first, last = self._padding(side)
        border = [nn.ZeroPad2d((0, last - first, 0, last - first))] if last > first else []
        return [*border, SmallMapConv2d(before, after, self.config.kernel, 2, first, bias=bias)]

    def _double(self, before: int, after: int, side: int, bias: bool = True) -> list[nn.Module]:
        """Return the layers from half of a side, rounded up, to a map of this side."""
        first, last = self._padding(side)
        crop = [nn.ZeroPad2d((0, first - last, 0, first - last))] if last > first else []
        kernel = self.config.kernel
        return [SmallMapConvTranspose2d(before, after, kernel, 2, first, bias=bias), *crop]

    def _padding(self, side: int) -> tuple[int, int]:
        """Return the zeros before and after a map of this side, so that its half is rounded up."""
        total = self.config.kernel - 2 + side % 2
        return total // 2, total - total // 2

    def _map_sides(self, shape: Shape) -> list[int]:
        """Return the sides of the maps, from the image's to the smallest, each half of the last."""
        square = len(shape) == 3 and shape[1] == shape[2]
        if not square or shape[0] < 1 or shape[1] not in SIZES:
            raise unsupported_shape(
                "dcgan",
                shape,
                valid=f"(C, S, S) with S a multiple of 4 from {SIZES[0]} to {SIZES[-1]}",
                fix="Resize the images, or set network.name=mlp.",
            )
        sides = [shape[1]]
        while sides[-1] > self.config.smallest_map:
            sides.append((sides[-1] + 1) // 2)
        return sides


class ScaleAndShift(nn.Module):
    """Multiplies pixels by a factor and adds a constant, at least in single precision.

    Args:
        factor: by which pixels are multiplied.
        shift: which is added to them.
    """

    def __init__(self, factor: float, shift: float) -> None:
        super().__init__()
        self.factor, self.shift = factor, shift

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to images of the same shape."""
        # half precision near black would be coarse where black is not 0
        precise = images.to(torch.promote_types(images.dtype, torch.float32))
        return precise * self.factor + self.shift


def _perceptron(widths: list[int], shape: Shape, output: list[nn.Module]) -> nn.Module:
    """Build a generator of fully connected layers of these widths, the first that of its input."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    layers += [nn.Linear(widths[-1], math.prod(shape)), nn.Tanh(), nn.Unflatten(1, shape)]
    layers += output
    return nn.Sequential(*layers)


def _map_widths(width: int, levels: int) -> list[int]:
    """Return the channels of the hidden maps, from the largest map to the smallest."""
    return [width * min(2**level, MAX_WIDTH_FACTOR) for level in range(levels)]
