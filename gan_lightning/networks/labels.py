"""How a discriminator is told the class of what it judges."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

__all__ = ["ConditionalEncoder", "LabelMaps", "LabelVector"]


class _Labels(nn.Module):
    """Puts the class of a datum beside it, one number a class.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def beside(self, data: Tensor, labels: Tensor) -> Tensor:
        """Return labels (N,) one-hot, (N, classes), in the type of the data."""
        return one_hot(labels, self.classes).to(data.dtype)


class LabelMaps(_Labels):
    """Puts one constant map a class beside an image's channels: ones for its own class."""

    def forward(self, data: Tensor, labels: Tensor) -> Tensor:
        """Map images (N, C, H, W) and labels (N,) to (N, C + classes, H, W)."""
        maps = self.beside(data, labels)[:, :, None, None]
        return torch.cat([data, maps.expand(-1, -1, *data.shape[2:])], 1)


class LabelVector(_Labels):
    """Puts the one-hot class beside the flattened data."""

    def forward(self, data: Tensor, labels: Tensor) -> Tensor:
        """Map data (N, *shape) and labels (N,) to (N, numbers of a datum + classes)."""
        return torch.cat([data.flatten(1), self.beside(data, labels)], 1)


class ConditionalEncoder(nn.Module):
    """An encoder of data and labels.

    Args:
        join: makes one tensor of both.
        encoder: from that to features.
        features: width of the output.
    """

    def __init__(self, join: nn.Module, encoder: nn.Module, features: int) -> None:
        super().__init__()
        self.join = join
        self.encoder = encoder
        self.features = features

    def forward(self, data: Tensor, labels: Tensor) -> Tensor:
        """Map data (N, *shape) and labels (N,) to features (N, features)."""
        features: Tensor = self.encoder(self.join(data, labels))
        return features
