"""Self-attention between the pixels of maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

__all__ = ["SelfAttention"]

QUERY_SHARE, VALUE_SHARE = 8, 2
"""Divisors of the channels for queries and keys, and for values."""


class SelfAttention(nn.Module):
    """Add to each pixel of the maps a mean of values of all pixels, weighted by similarity.

    Queries and keys have an eighth of the channels, values half of them. Keys and values are halved
    in resolution by a maximum. The added term has a learned factor, which is 0 at first, so that
    the layer begins as the identity.

    Args:
        channels: of the maps.

    Source: Zhang, Goodfellow, Metaxas, Odena 2019 (arXiv:1805.08318), section 3, and the authors'
        code (github.com/brain-research/self-attention-gan), which has the maximum.
    Deviations: maps with fewer than 8 channels have one channel of queries and keys.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow, half = max(1, channels // QUERY_SHARE), max(1, channels // VALUE_SHARE)
        self.query, self.key = (nn.Conv2d(channels, narrow, 1, bias=False) for _ in range(2))
        self.value = nn.Conv2d(channels, half, 1, bias=False)
        self.output = nn.Conv2d(half, channels, 1, bias=False)
        self.factor = nn.Parameter(torch.zeros(()))

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        queries = self.query(maps).flatten(2)
        keys = max_pool2d(self.key(maps), 2).flatten(2)
        values = max_pool2d(self.value(maps), 2).flatten(2)
        weights = (queries.transpose(1, 2) @ keys).softmax(dim=2)  # (N, H W, H W / 4)
        attended = (values @ weights.transpose(1, 2)).unflatten(2, maps.shape[2:])
        changed: Tensor = maps + self.factor * self.output(attended)
        return changed
