"""Residual blocks of SNGAN, with batch norms that depend on the class."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from gan_lightning.networks.attention import SelfAttention
from gan_lightning.networks.layout import VectorToMaps

__all__ = [
    "ConditionalBatchNorm",
    "DiscriminatorBlock",
    "GeneratorBlock",
    "ResidualGenerator",
    "SumOverPixels",
    "initialise_xavier",
]

GAIN = math.sqrt(2)
"""Gain of 3x3 convolutions in residual blocks; all other layers have 1."""

Network = TypeVar("Network", bound=nn.Module)


class ResidualGenerator(nn.Module):
    """Maps a vector, and a one-hot class behind it, to an image.

    Args:
        inputs: size of the vector.
        classes: number of classes; 0 means none.
        widths: channels of the maps, from the smallest map to the largest one.
        side: of the smallest map, in pixels.
        channels: of the image.
        attended: number of the block after which there is self-attention; None for none.
    """

    def __init__(
        self,
        inputs: int,
        classes: int,
        widths: list[int],
        side: int,
        channels: int,
        attended: int | None = None,
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.classes = classes
        self.linear = initialise_xavier(nn.Linear(inputs, widths[0] * side * side))
        self.reshape = VectorToMaps(widths[0], side, side)
        self.blocks = nn.ModuleList(
            GeneratorBlock(before, after, classes) for before, after in pairwise(widths)
        )
        self.attended = attended
        self.attention = None if attended is None else SelfAttention(widths[attended + 1])
        self.norm = nn.BatchNorm2d(widths[-1])
        self.convolution = _convolution(widths[-1], channels, 3)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map (N, inputs + classes) to images (N, channels, H, W) in [-1, 1]."""
        classes = vectors[:, self.inputs :] if self.classes else None
        maps: Tensor = self.reshape(self.linear(vectors[:, : self.inputs]))
        for number, block in enumerate(self.blocks):
            maps = block(maps, classes)
            if self.attention is not None and number == self.attended:
                maps = self.attention(maps)
        return torch.tanh(self.convolution(relu(self.norm(maps))))


class ConditionalBatchNorm(nn.Module):
    """Batch norm with a scale and a shift per class; without classes, with one of each.

    Args:
        channels: of the maps.
        classes: number of classes; 0 means none.

    Source: Dumoulin, Shlens, Kudlur 2017 (arXiv:1610.07629), as Miyato, Koyama 2018
        (arXiv:1802.05637) use it.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=not classes)
        self.scales = nn.Parameter(torch.ones(classes, channels)) if classes else None
        self.shifts = nn.Parameter(torch.zeros(classes, channels)) if classes else None

    def forward(self, maps: Tensor, classes: Tensor | None) -> Tensor:
        """Normalise maps (N, channels, H, W) of one-hot classes (N, classes), or of none."""
        normalised: Tensor = self.norm(maps)
        if classes is None or self.scales is None or self.shifts is None:
            return normalised
        scale, shift = (classes @ values for values in (self.scales, self.shifts))
        return normalised * scale[:, :, None, None] + shift[:, :, None, None]


class GeneratorBlock(nn.Module):
    """A residual block that doubles the resolution.

    Args:
        inputs: channels of its input.
        outputs: channels of its output.
        classes: number of classes of its norms; 0 means none.
    """

    def __init__(self, inputs: int, outputs: int, classes: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(
            ConditionalBatchNorm(width, classes) for width in (inputs, outputs)
        )
        self.convolutions = nn.ModuleList(
            _convolution(width, outputs, 3, GAIN) for width in (inputs, outputs)
        )
        self.shortcut = _convolution(inputs, outputs, 1)

    def forward(self, maps: Tensor, classes: Tensor | None) -> Tensor:
        """Map (N, inputs, H, W) of one-hot classes to (N, outputs, 2 H, 2 W)."""
        changed: Tensor = _doubled(relu(self.norms[0](maps, classes)))
        changed = relu(self.norms[1](self.convolutions[0](changed), classes))
        changed = self.convolutions[1](changed)
        # the shortcut equals doubling before the convolution, at a quarter of the multiplications
        return changed + _doubled(self.shortcut(maps))


class DiscriminatorBlock(nn.Module):
    """A residual block without norms, which may halve the resolution.

    Args:
        inputs: channels of its input.
        outputs: channels of its output.
        halve: whether maps are averaged over 2x2 pixels.
        first: whether its input is the image, to which no ReLU is applied.
    """

    def __init__(self, inputs: int, outputs: int, *, halve: bool, first: bool = False) -> None:
        super().__init__()
        inner = outputs if first else inputs
        pooling = [nn.AvgPool2d(2, ceil_mode=True)] if halve else []
        self.layers = nn.Sequential(
            *([] if first else [nn.ReLU()]),
            _convolution(inputs, inner, 3, GAIN),
            nn.ReLU(),
            _convolution(inner, outputs, 3, GAIN),
            *pooling,
        )
        change = [_convolution(inputs, outputs, 1)] if halve or inputs != outputs else []
        # equals the convolution before pooling, at a quarter of the multiplications
        self.shortcut = nn.Sequential(*pooling, *change)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W), or half the sides, rounded up."""
        changed: Tensor = self.layers(maps) + self.shortcut(maps)
        return changed


class SumOverPixels(nn.Module):
    """Sums maps over their pixels."""

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C)."""
        return maps.sum((2, 3))


def initialise_xavier(network: Network, gain: float = 1.0) -> Network:
    """Draw the weights of all layers from Xavier's uniform distribution, and set biases to 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight, gain)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network


def _convolution(inputs: int, outputs: int, kernel: int, gain: float = 1.0) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    return initialise_xavier(layer, gain)


def _doubled(maps: Tensor) -> Tensor:
    return interpolate(maps, scale_factor=2, mode="nearest")
