"""Features of images that need no training: of a random network, and pixels."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d
from torch.nn.utils import skip_init

__all__ = ["PixelFeatures", "RandomFeatures"]

SEED = 0
CHANNELS = 32
LAST_SIZE = 4
"""Height and width of the last feature map."""
PIXELS = 8
"""Height and width of the reduced images of `PixelFeatures`."""


class RandomFeatures(nn.Module):
    """A convolutional network with fixed random weights, whose features describe any images.

    3x3 convolutions of stride 2 with orthogonal weights and rectified outputs halve the image until
    it is 4 x 4. The features are the mean of every channel of every layer, which describe colour,
    noise and texture at all scales, and 32 orthogonal projections of the last layer, which describe
    the layout. The weights come from NumPy's frozen generator in float64 and are the same on every
    machine up to rounding.

    Args:
        shape: shape of an image, (C, H, W).

    Attributes:
        features_size: number of features D: 32 for each layer, log2(size / 4) of them, and 32.

    Source: random networks as feature extractors: Naeem, Oh, Uh, Choi, Yoo 2020
        (arXiv:2002.09797), section 4, for images that differ from those of ImageNet. Orthogonal
        weights: Saxe, McClelland, Ganguli 2014 (arXiv:1312.6120).
    Deviations: theirs is a VGG16 whose last layer has 64 outputs; this network has a tenth of the
        cost, and outputs of all layers, since the last one hardly reacts to noise and blur.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        channels, *sides = shape
        rng = np.random.RandomState(SEED)
        depth = max(1, math.ceil(math.log2(max(sides) / LAST_SIZE)))
        self.layers = nn.ModuleList()
        for _ in range(depth):
            # without initial weights, which would be drawn from the global random state
            layer = skip_init(nn.Conv2d, channels, CHANNELS, 3, stride=2, padding=1, bias=False)
            weights = _orthogonal(rng, CHANNELS, channels * 9) * math.sqrt(2)  # keeps the variance
            layer.weight = nn.Parameter(weights.view_as(layer.weight), requires_grad=False)
            self.layers.append(layer)
            channels = CHANNELS
        self.register_buffer("head", _orthogonal(rng, CHANNELS, CHANNELS * LAST_SIZE**2))
        self.features_size = (depth + 1) * CHANNELS

    head: Tensor

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] to features (N, D)."""
        features = []
        for layer in self.layers:
            images = layer(images).relu()
            features.append(images.mean(dim=(2, 3)))
        layout = adaptive_avg_pool2d(images, LAST_SIZE).flatten(1)
        # a sum instead of a matrix product, which a GPU may round to three digits
        features.append((layout[:, None] * self.head).sum(dim=2))
        return torch.cat(features, dim=1)


class PixelFeatures(nn.Module):
    """Pixels of images reduced to 8 x 8 by averaging.

    Args:
        shape: shape of an image, (C, H, W).

    Attributes:
        features_size: number of features, 64 C.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.features_size = shape[0] * PIXELS**2

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to features (N, 64 C) in the range of the pixels."""
        return adaptive_avg_pool2d(images, PIXELS).flatten(1)


def _orthogonal(rng: np.random.RandomState, rows: int, columns: int) -> Tensor:
    """Draw a matrix with orthonormal rows, or columns where there are fewer of them, float32."""
    matrix = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(matrix)
    q *= np.sign(np.diag(r))  # the decomposition is unique only up to signs
    return torch.from_numpy(q if rows >= columns else q.T).float().contiguous()
