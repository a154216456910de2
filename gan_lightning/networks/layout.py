"""Sides of feature maps, and reshaping between maps and vectors without a copy."""

from __future__ import annotations

from torch import Tensor, nn

from gan_lightning.networks.base import Shape, unsupported_shape

__all__ = ["MapsToVector", "VectorToMaps", "halved_sides"]

SMALLEST_SIDES = range(4, 8)
"""Sides of the smallest map, in pixels."""

LARGEST_SIDE = 256


def halved_sides(family: str, shape: Shape) -> list[int]:
    """Return the sides of maps, from the image's to one of 4 to 7 pixels, each half of the last.

    Args:
        family: name of the network family, for the error message.
        shape: shape of one image, (C, S, S).

    Raises:
        ValueError: S is not 4, 5, 6 or 7 times a power of two, or not from 16 to 256.
    """
    square = len(shape) == 3 and shape[0] > 0 and shape[1] == shape[2]
    sides = [shape[1]] if square else [0]
    while sides[-1] > SMALLEST_SIDES[-1] and sides[-1] % 2 == 0:
        sides.append(sides[-1] // 2)
    if sides[-1] not in SMALLEST_SIDES or not 16 <= sides[0] <= LARGEST_SIDE:
        raise unsupported_shape(
            family,
            shape,
            valid=f"(C, S, S) with S from 16 to {LARGEST_SIDE}, which is 4, 5, 6 or 7 times a "
            f"power of two",
            fix="Set data.size to such a number, for example 28, 32 or 64.",
        )
    return sides


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
