"""Conditioning of discriminators on class labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

__all__ = ["ConditionalEncoder", "LabelMaps", "LabelVector", "ProjectionEncoder"]


class _LabelInput(nn.Module):
    """Base of modules that append one-hot labels to samples.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def one_hot(self, data: Tensor, labels: Tensor) -> Tensor:
        """Encode labels (N,) as one-hot vectors (N, classes) in the dtype of the data."""
        return one_hot(labels, self.classes).to(data.dtype)


class LabelMaps(_LabelInput):
    """Appends one constant channel per class to images: ones for the image's class, else zeros."""

    def forward(self, data: Tensor, labels: Tensor) -> Tensor:
        """Map images (N, C, H, W) and labels (N,) to (N, C + classes, H, W)."""
        maps = self.one_hot(data, labels)[:, :, None, None]
        return torch.cat([data, maps.expand(-1, -1, *data.shape[2:])], 1)


class LabelVector(_LabelInput):
    """Appends the one-hot label to flattened samples."""

    def forward(self, data: Tensor, labels: Tensor) -> Tensor:
        """Map samples (N, *shape) and labels (N,) to (N, elements of a sample + classes)."""
        return torch.cat([data.flatten(1), self.one_hot(data, labels)], 1)


class ConditionalEncoder(nn.Module):
    """An encoder of samples and labels.

    Args:
        join: module that combines samples and labels into one tensor.
        encoder: module from that tensor to features.
        features: size of the output.
    """

    def __init__(self, join: nn.Module, encoder: nn.Module, features: int) -> None:
        super().__init__()
        self.join = join
        self.encoder = encoder
        self.features = features

    def forward(self, data: Tensor, labels: Tensor) -> Tensor:
        """Map samples (N, *shape) and labels (N,) to features (N, features)."""
        features: Tensor = self.encoder(self.join(data, labels))
        return features


class ProjectionEncoder(nn.Module):
    """An encoder of samples, whose last feature is their inner product with a vector of the class.

    A linear head on these features is a projection discriminator. The factor of the inner product
    is a weight of the head.

    Args:
        encoder: module from samples to features.
        features: size of its output.
        classes: number of classes.

    Source: Miyato, Koyama 2018 (arXiv:1802.05637), equation 4.
    """

    def __init__(self, encoder: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.embedding = nn.Embedding(classes, features)
        self.features = features + 1
        nn.init.normal_(self.embedding.weight, 0.0, features**-0.5)

    def forward(self, data: Tensor, labels: Tensor) -> Tensor:
        """Map samples (N, *shape) and labels (N,) to features (N, features + 1)."""
        features = self.encoder(data)
        products = (features * self.embedding(labels)).sum(1, keepdim=True)
        return torch.cat([features, products], 1)
