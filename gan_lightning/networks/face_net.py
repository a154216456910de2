"""Convolutional network that reads the attributes of cartoon faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate

__all__ = ["SIZE", "FaceNet", "resized", "split_values"]

SIZE = 64
"""Height and width at which the network works."""

WIDTHS = (24, 48, 64, 96)
"""Channels of the maps of 32, 16, 8 and 4 pixels."""


class FaceNet(nn.Module):
    """Four strided convolutions, each followed by one that keeps the size but for the last.

    All have batch norm. A linear layer maps the 4 x 4 cells to the features, and another one the
    features to a group of logits for each attribute. It has about 400,000 parameters.

    Args:
        sizes: number of values of each attribute.
    """

    features_size: ClassVar[int] = 128

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        first, second, third, last = WIDTHS
        self.trunk = nn.Sequential(
            *_block(nn.Conv2d(3, first, 5, stride=2, padding=2, bias=False)),
            *_block(nn.Conv2d(first, second, 3, stride=2, padding=1, bias=False)),
            *_block(nn.Conv2d(second, second, 3, padding=1, bias=False)),
            *_block(nn.Conv2d(second, third, 3, stride=2, padding=1, bias=False)),
            *_block(nn.Conv2d(third, third, 3, padding=1, bias=False)),
            *_block(nn.Conv2d(third, last, 3, stride=2, padding=1, bias=False)),
            nn.Flatten(),
            nn.Linear(last * (SIZE // 16) ** 2, self.features_size, bias=False),
            nn.BatchNorm1d(self.features_size),
            nn.ReLU(),
        )
        self.head = nn.Linear(self.features_size, sum(self.sizes))

    def features(self, images: Tensor) -> Tensor:
        """Map images (N, 3, S, S) in [-1, 1] of any size to features (N, 128), at least 0."""
        features: Tensor = self.trunk(resized(images, SIZE))
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, S, S) in [-1, 1] to the logits of all attributes, (N, sum of sizes)."""
        logits: Tensor = self.head(self.features(images))
        return logits

    def values(self, features: Tensor) -> Tensor:
        """Return the most likely value of each attribute, int64 (N, attributes).

        Args:
            features: (N, 128), of `features`.
        """
        groups = split_values(self.head(features), self.sizes)
        return torch.stack([logits.argmax(1) for logits in groups], 1)


def split_values(rows: Tensor, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """Split what belongs to the values of all attributes (..., sum of sizes) by attribute."""
    return tuple(rows.split(list(sizes), -1))


def resized(images: Tensor, size: int) -> Tensor:
    """Average larger images (N, C, S, S) down to a size, and enlarge smaller ones bilinearly."""
    if images.shape[-1] > size:
        return adaptive_avg_pool2d(images, size)
    if images.shape[-1] < size:
        return interpolate(images, size=(size, size), mode="bilinear", align_corners=False)
    return images


def _block(convolution: nn.Conv2d) -> tuple[nn.Module, ...]:
    return convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()
