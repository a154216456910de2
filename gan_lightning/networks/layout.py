"""Between feature maps and vectors without a copy, for maps in channels-last order."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["MapsToVector", "VectorToMaps"]


class MapsToVector(nn.Module):
    """Flatten feature maps, channels fastest, as they lie in memory in channels-last order.

    Flattening in the usual order copies them, and hands gradients back in the other order, which
    every layer below pays for.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, H W C)."""
        return maps.movedim(1, -1).flatten(1)


class VectorToMaps(nn.Module):
    """Fold vectors into feature maps in channels-last order, the inverse of `MapsToVector`.

    Args:
        channels: of the maps.
        height: in pixels.
        width: in pixels.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.shape = (height, width, channels)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map (N, H W C) to (N, C, H, W)."""
        maps: Tensor = vectors.unflatten(1, self.shape)
        return maps.movedim(-1, 1)
