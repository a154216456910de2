"""How a discriminator is told the class of what it judges."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

__all__ = ["ConditionalEncoder", "LabelMaps", "LabelVector"]


class LabelMaps(nn.Module):
    """Puts one constant map a class beside an image's channels: ones for its own class.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, data: Tensor, labels: Tensor) -> Tensor:
        """Map images (N, C, H, W) and labels (N,) to (N, C + classes, H, W)."""
        maps = one_hot(labels, self.classes).to(data.dtype)[:, :, None, None]
        return torch.cat([data, maps.expand(-1, -1, *data.shape[2:])], 1)


class LabelVector(nn.Module):
    """Puts the one-hot class beside the flattened data.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, data: Tensor, labels: Tensor) -> Tensor:
        """Map data (N, *shape) and labels (N,) to (N, numbers of a datum + classes)."""
        return torch.cat([data.flatten(1), one_hot(labels, self.classes).to(data.dtype)], 1)


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
