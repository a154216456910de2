"""Generated points over real ones, drawn fast enough to follow a slider."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from gan_lightning.callbacks.figures import Array

__all__ = ["PointCloud"]

SIDE = 420
FINER = 2
"""Drawn so many times as large and scaled down, which smooths the edges."""

REAL_POINTS = 1500

REAL, GENERATED, WAY, HERE = "#8c8c8ca0", "#d1495bc0", "#2e86c1ff", "#2e86c1ff"


class PointCloud:
    """A picture of a world of points, transparent so that it fits a light page and a dark one.

    Args:
        real: points (N, 2), which fix the axes.
    """

    def __init__(self, real: Tensor) -> None:
        real = real[:REAL_POINTS]
        self._reach = 1.25 * real.abs().max().item()
        self._ground = Image.new("RGBA", (FINER * SIDE, FINER * SIDE))
        self._dots(ImageDraw.Draw(self._ground), real, REAL, 1.6)

    def draw(self, generated: Tensor, way: Tensor, here: Tensor) -> Array:
        """Draw points over the real ones.

        Args:
            generated: (N, 2).
            way: (M, 2), joined by a line in this order.
            here: (K, 2), drawn large.

        Returns:
            uint8 (420, 420, 4).
        """
        picture = self._ground.copy()
        pen = ImageDraw.Draw(picture)
        self._dots(pen, generated, GENERATED, 1.8)
        pen.line(list(map(tuple, self._pixels(way).tolist())), fill=WAY, width=2 * FINER)
        self._dots(pen, here, HERE, 7.0, outline="#ffffffff")
        return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX))

    def _dots(
        self,
        pen: ImageDraw.ImageDraw,
        points: Tensor,
        colour: str,
        radius: float,
        outline: str = "",
    ) -> None:
        size = radius * FINER
        for x, y in self._pixels(points).tolist():
            box = (x - size, y - size, x + size, y + size)
            pen.ellipse(box, fill=colour, outline=outline or None, width=FINER)

    def _pixels(self, points: Tensor) -> Tensor:
        """Place points (N, 2) in the picture, whose rows go down."""
        inside = points.float().cpu().clamp(-self._reach, self._reach) / self._reach
        inside[:, 1] *= -1
        return (inside + 1) * (FINER * SIDE / 2)
