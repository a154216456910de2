"""Reshaping between feature maps and vectors without a copy, for channels_last maps."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["MapsToVector", "VectorToMaps"]


class MapsToVector(nn.Module):
    """Flattens feature maps in the order in which channels_last maps lie in memory.

    nn.Flatten would copy such maps, and return gradients in the other memory format, which slows
    down every layer below.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, H W C)."""
        return maps.movedim(1, -1).flatten(1)


class VectorToMaps(nn.Module):
    """Reshapes vectors into channels_last feature maps; the inverse of `MapsToVector`.

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
