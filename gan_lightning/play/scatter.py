"""Scatter plots of generated and real points, drawn fast enough to follow a slider."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from gan_lightning.callbacks.figures import Array

__all__ = ["ScatterPlot"]

SIZE = 420
"""Width and height of a plot in pixels."""

OVERSAMPLING = 2
"""Plots are drawn this many times as large and scaled down, for smooth edges."""

REAL_POINTS = 1500

REAL, GENERATED, PATH, CURRENT = "#8c8c8ca0", "#d1495bc0", "#2e86c1ff", "#2e86c1ff"
"""RGBA colours."""


class ScatterPlot:
    """Scatter plot with a transparent background, for light and dark pages.

    Args:
        real: points (N, 2), perhaps none.
        limit: end of both axes.
    """

    def __init__(self, real: Tensor, limit: float) -> None:
        real, self._limit = real[:REAL_POINTS], limit
        self._background = Image.new("RGBA", (OVERSAMPLING * SIZE, OVERSAMPLING * SIZE))
        self._draw_dots(ImageDraw.Draw(self._background), real, REAL, 1.6)

    def draw(self, generated: Tensor, path: Tensor, current: Tensor) -> Array:
        """Draw points over the real ones.

        Args:
            generated: (N, 2).
            path: (M, 2), connected by a line in this order.
            current: (K, 2), drawn as large dots.

        Returns:
            RGBA picture, uint8 (420, 420, 4).
        """
        picture = self._background.copy()
        pen = ImageDraw.Draw(picture)
        self._draw_dots(pen, generated, GENERATED, 1.8)
        line = list(map(tuple, self._to_pixels(path).tolist()))
        pen.line(line, fill=PATH, width=2 * OVERSAMPLING)
        self._draw_dots(pen, current, CURRENT, 7.0, outline="#ffffffff")
        return np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BOX))

    def _draw_dots(
        self,
        pen: ImageDraw.ImageDraw,
        points: Tensor,
        colour: str,
        radius: float,
        outline: str = "",
    ) -> None:
        size = radius * OVERSAMPLING
        for x, y in self._to_pixels(points).tolist():
            box = (x - size, y - size, x + size, y + size)
            pen.ellipse(box, fill=colour, outline=outline or None, width=OVERSAMPLING)

    def _to_pixels(self, points: Tensor) -> Tensor:
        """Map points (N, 2) to pixel coordinates, y downwards; clip them to the axes."""
        clipped = points.float().cpu().clamp(-self._limit, self._limit) / self._limit
        clipped[:, 1] *= -1
        return (clipped + 1) * (OVERSAMPLING * SIZE / 2)
