"""Residual networks of R3GAN: grouped convolutions without normalisation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from gan_lightning.networks.base import (
    INITIALISATIONS,
    Encoder,
    NetworkConfig,
    NetworkFamily,
    Shape,
)
from gan_lightning.networks.labels import ProjectionEncoder
from gan_lightning.networks.layout import halved_sides
from gan_lightning.utils.settings import setting

__all__ = ["ResNeXt", "ResNeXtConfig"]

SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))
"""Factor of weights after a leaky ReLU that keeps the variance."""

WEIGHTED_LAYERS = 3
"""Convolutions of a residual block."""


@dataclass
class ResNeXtConfig(NetworkConfig):
    """Widths and depths of both players."""

    widths: list[int] = setting(
        [64],
        "Channels of the maps of a stage, from the largest map to the smallest; one number is that "
        "of all stages.",
        min_length=1,
        minimum=1,
    )
    blocks: int = setting(2, "Residual blocks of a stage.", minimum=1)
    expansion: int = setting(
        2, "Channels inside a residual block, in multiples of those of its stage.", minimum=1
    )
    group_width: int = setting(
        16,
        "Channels of a group of the 3x3 convolutions; it divides the channels inside each block. "
        "The paper's cardinality is these channels divided by it.",
        minimum=1,
    )

    initialisation: str = setting(
        "default",
        "Initialisation of the weights; default is the paper's.",
        choices=INITIALISATIONS,
        initial=True,
    )

    def validate(self) -> None:
        """Check that groups fit, and that spectral normalisation is not requested.

        Raises:
            ValueError: they do not, or it is.
        """
        for width in self.widths:
            if width * self.expansion % self.group_width:
                raise ValueError(
                    f"group_width is {self.group_width}, which does not divide the "
                    f"{width * self.expansion} channels inside a block, widths times expansion; "
                    f"set it to one of their divisors"
                )
        if self.spectral_norm:
            raise ValueError(
                "spectral_norm is true, and the last layer of each residual block of resnext "
                "networks is zero at first, which has no norm; set it to false"
            )


class ResNeXt(NetworkFamily[ResNeXtConfig]):
    """The networks of R3GAN for square images of 16 to 256 pixels.

    A stage is a change of resolution and residual blocks: a 1x1 convolution that multiplies the
    channels by `expansion`, a grouped 3x3 convolution, and a 1x1 convolution back, with bias and
    leaky ReLU between them. Nothing is normalised; instead the last layer of every block starts at
    zero and the others are scaled by the number of blocks (Zhang, Dauphin, Ma 2019,
    arXiv:1901.09321). The generator begins with a learned basis of maps, each multiplied by a
    linear function of its input; the discriminator ends with the inner products of its maps and a
    learned basis. A class-conditional discriminator is a projection discriminator.

    The side of the images is 4, 5, 6 or 7 times a power of two.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Huang, Gokaslan, Kuleshov, Tompkin 2024 (arXiv:2501.05441), section 3, configuration E,
        and github.com/brownvc/R3GAN.
    Deviations: the generator's output is a tanh, theirs is linear; maps are resampled by bilinear
        interpolation between pixel centres, that is, halved by the mean of 2x2 pixels, theirs by
        the filter 1, 2, 1; the score of a class-conditional discriminator has a term without the
        class.
    """

    Config: ClassVar[type[ResNeXtConfig]] = ResNeXtConfig

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build a basis of smallest maps, stages that double the resolution, and a 1x1 layer."""
        sides, widths = self._stages(shape)
        sides, widths = sides[::-1], widths[::-1]
        layers: list[nn.Module] = [GeneratedBasis(inputs, widths[0], sides[0])]
        for stage, (side, width) in enumerate(zip(sides, widths, strict=True)):
            if stage:
                layers += _change_of_width(widths[stage - 1], width)
                layers.append(Resample(side))
            layers += self._blocks(width, len(sides))
        layers += [_convolution(widths[-1], shape[0]), nn.Tanh()]
        return self.initialise_weights(nn.Sequential(*layers))

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build a 1x1 layer, stages that halve the resolution, and products with a basis."""
        sides, widths = self._stages(shape)
        layers: list[nn.Module] = [_convolution(shape[0], widths[0])]
        for stage, (side, width) in enumerate(zip(sides, widths, strict=True)):
            if stage:
                layers.append(Resample(side))
                layers += _change_of_width(widths[stage - 1], width)
            layers += self._blocks(width, len(sides))
        layers += [_convolution(widths[-1], widths[-1], sides[-1], groups=widths[-1])]
        layers.append(nn.Flatten())
        return Encoder(self.initialise_weights(nn.Sequential(*layers)), widths[-1])

    def conditional_encoder(self, shape: Shape, classes: int) -> ProjectionEncoder:
        """Build the encoder of a projection discriminator."""
        return self.projection_encoder(shape, classes)

    def score_layers(self, features: int) -> nn.Module:
        """Build one linear unit without a bias."""
        return self.initialise_weights(LinearScore(features))

    def recognition_layers(self, features: int, outputs: int) -> nn.Module:
        """Build one linear layer."""
        layer = nn.Linear(features, outputs)
        _scale(layer, 1.0)
        return self.initialise_weights(layer)

    def _stages(self, shape: Shape) -> tuple[list[int], list[int]]:
        """Return sides and widths of the maps, from the largest to the smallest."""
        sides = halved_sides("resnext", shape)
        widths = self.config.widths
        if len(widths) == 1:
            widths = widths * len(sides)
        if len(widths) != len(sides):
            raise ValueError(
                f"widths has {len(widths)} numbers, and images of {shape[1]} pixels have "
                f"{len(sides)} stages, whose maps have {', '.join(map(str, sides))} pixels; give "
                f"one number, or one for each"
            )
        return sides, widths

    def _blocks(self, width: int, stages: int) -> list[nn.Module]:
        config = self.config
        blocks = config.blocks * stages
        inner = width * config.expansion
        groups = inner // config.group_width
        return [ResidualBlock(width, inner, groups, blocks) for _ in range(config.blocks)]


class ResidualBlock(nn.Module):
    """Adds three convolutions of the maps to them: 1x1, grouped 3x3 and 1x1.

    Args:
        channels: of the maps.
        inner: channels between the convolutions.
        groups: of the 3x3 convolution.
        blocks: residual blocks of the network, which determine the initial scale.
    """

    def __init__(self, channels: int, inner: int, groups: int, blocks: int) -> None:
        super().__init__()
        # Fix-up: every layer but the last one of a block is scaled by blocks^(-1 / (2 layers - 2))
        gain = GAIN * blocks ** (-1 / (2 * WEIGHTED_LAYERS - 2))
        self.layers = nn.Sequential(
            _convolution(channels, inner, gain=gain, bias=True),
            nn.LeakyReLU(SLOPE),
            _convolution(inner, inner, 3, padding=1, groups=groups, gain=gain, bias=True),
            nn.LeakyReLU(SLOPE),
            _convolution(inner, channels, gain=0.0),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        changed: Tensor = maps + self.layers(maps)
        return changed


class GeneratedBasis(nn.Module):
    """A learned basis of maps, each multiplied by a linear function of a vector.

    Args:
        inputs: size of the vector.
        channels: number of maps.
        side: of the maps, in pixels.
    """

    def __init__(self, inputs: int, channels: int, side: int) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.randn(channels, side, side))
        self.linear = nn.Linear(inputs, channels, bias=False)
        _scale(self.linear, 1.0)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map (N, inputs) to (N, channels, side, side)."""
        maps: Tensor = self.basis * self.linear(vectors)[:, :, None, None]
        return maps


class LinearScore(nn.Module):
    """A linear unit without a bias.

    Args:
        features: size of the encoder's output.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1, bias=False)
        _scale(self.linear, 1.0)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, features) to scores (N,), unbounded."""
        scores: Tensor = self.linear(features)
        return scores.squeeze(1)


class Resample(nn.Module):
    """Resizes square maps by bilinear interpolation.

    Args:
        side: of the output, twice or half that of the input, in pixels.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, C, H, H) to (N, C, side, side)."""
        return interpolate(maps, size=(self.side, self.side), mode="bilinear")


def _change_of_width(before: int, after: int) -> list[nn.Module]:
    return [] if before == after else [_convolution(before, after)]


def _convolution(
    inputs: int,
    outputs: int,
    kernel: int = 1,
    *,
    padding: int = 0,
    groups: int = 1,
    gain: float = 1.0,
    bias: bool = False,
) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, kernel, padding=padding, groups=groups, bias=bias)
    _scale(layer, gain)
    return layer


def _scale(layer: nn.Conv2d | nn.Linear, gain: float) -> None:
    """Draw weights from N(0, gain^2 / inputs of a unit), and set the bias to 0."""
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
