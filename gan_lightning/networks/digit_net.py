"""Convolutional network of the digit classifier."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["DigitNet", "StackedDigitNet"]


class DigitNet(nn.Module):
    """Five 3x3 convolutions with batch norm, two max poolings, average pooling, a linear layer.

    It has about 140,000 parameters at its default width, and works at 28 pixels. Larger images are
    cropped to their centre, so that a border around digits or clothes has no influence.

    Args:
        width: channels of the first map; the last one has four times as many, `features_size`.
    """

    classes: ClassVar[int] = 10

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.features_size = 4 * width
        self.trunk = nn.Sequential(
            *_conv_block(1, width),
            *_conv_block(width, width),
            nn.MaxPool2d(2),
            *_conv_block(width, 2 * width),
            *_conv_block(2 * width, 2 * width),
            nn.MaxPool2d(2),
            *_conv_block(2 * width, self.features_size),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(self.features_size, self.classes)

    def features(self, images: Tensor) -> Tensor:
        """Map images (N, 1, H, W) in [-1, 1], H = W >= 28, to features (N, 4 width), >= 0."""
        border = (images.shape[-1] - 28) // 2
        if border:
            images = images[..., border : border + 28, border : border + 28]
        features: Tensor = self.trunk(images)
        return features

    def fold(self) -> None:
        """Fold each batch norm, in evaluation mode, into the convolution before it."""
        layers = list(self.trunk)
        for index, (layer, norm) in enumerate(pairwise(layers)):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                self.trunk[index] = fuse_conv_bn_eval(layer, norm)
                self.trunk[index + 1] = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 1, H, W) in [-1, 1] to class logits (N, 10)."""
        logits: Tensor = self.head(self.features(images))
        return logits


class StackedDigitNet(nn.Module):
    """Classifies three digits, one per channel, as one of 1,000 classes: 100 a + 10 b + c.

    Args:
        network: classifies one digit.
    """

    classes: ClassVar[int] = DigitNet.classes**3

    def __init__(self, network: DigitNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) in [-1, 1] to log-probabilities (N, 1000), summed over digits."""
        digits = self.network(images.flatten(0, 1)[:, None]).log_softmax(dim=1)
        first, second, third = digits.unflatten(0, (-1, 3)).unbind(dim=1)
        joint: Tensor = first[:, :, None, None] + second[:, None, :, None] + third[:, None, None]
        return joint.flatten(1)


def _conv_block(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
