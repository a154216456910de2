"""Draw samples next to their nearest training data."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gan_lightning.callbacks.figures import Array, render_figure, to_uint8

__all__ = ["draw_image_neighbours", "draw_point_neighbours"]


def draw_image_neighbours(samples: Tensor, neighbours: Tensor, distances: Tensor) -> Array:
    """Draw a row for each sample: the sample, a gap, its neighbours with their distances.

    Args:
        samples: (N, C, H, W) in [-1, 1].
        neighbours: (N, k, C, H, W) in [-1, 1].
        distances: (N, k).

    Returns:
        RGB picture, uint8 (height, width, 3).
    """
    from matplotlib.figure import Figure

    count, k = distances.shape
    images = torch.cat([samples[:, None].cpu(), neighbours], 1)
    pixels = to_uint8(images.flatten(0, 1))
    if pixels.shape[-1] == 1:
        pixels = pixels.repeat(3, axis=-1)
    height, width = pixels.shape[1:3]
    gap, label_height = width // 2, height // 3
    sheet_width = (k + 1) * (width + 2) + gap
    sheet = np.full((count * (height + label_height), sheet_width, 3), 255, np.uint8)
    figure = Figure(figsize=(0.8 * (k + 1.5), 1.05 * count + 0.45), dpi=110)
    axis = figure.add_axes((0, 0, 1, 1 - 0.42 / (1.05 * count + 0.45)))
    for row in range(count):
        top = row * (height + label_height)
        for column in range(k + 1):
            left = column * (width + 2) + (gap if column else 0)
            sheet[top : top + height, left : left + width] = pixels[row * (k + 1) + column]
            if column:
                position = left + width / 2, top + height + label_height / 2
                text = f"{distances[row, column - 1]:.3g}"
                axis.text(*position, text, ha="center", va="center", fontsize=8)
    axis.imshow(sheet, interpolation="nearest", aspect="auto")
    axis.set_axis_off()
    figure.text(0.01, 0.995, "sample", va="top", fontsize=10, weight="bold")
    left = (width + 2 + gap) / sheet_width
    figure.text(left, 0.995, "nearest training data, with distances", va="top", fontsize=10)
    return render_figure(figure)


def draw_point_neighbours(samples: Tensor, neighbours: Tensor, train: Tensor) -> Array:
    """Draw samples connected to their nearest training points, over other training points.

    Args:
        samples: (N, 2).
        neighbours: (N, k, 2).
        train: training points in the background, (M, 2).

    Returns:
        RGB picture, uint8 (height, width, 3).
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 6), dpi=110, layout="constrained")
    axis = figure.subplots()
    for sample, nearest in zip(samples, neighbours, strict=True):
        for point in nearest:
            axis.plot(
                *zip(sample.tolist(), point.tolist(), strict=True),
                color="#888888",
                linewidth=0.8,
                zorder=1,
            )
    axis.scatter(train[:, 0], train[:, 1], s=3, color="#c8c8c8", label="training", zorder=0)
    points = neighbours.flatten(0, 1)
    axis.scatter(points[:, 0], points[:, 1], s=12, color="#33658a", label="nearest", zorder=3)
    axis.scatter(samples[:, 0], samples[:, 1], s=30, color="#d1495b", label="samples", zorder=2)
    axis.set(aspect="equal", title=f"{neighbours.shape[1]} nearest training points of each sample")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return render_figure(figure)
