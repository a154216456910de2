"""Where pictures go, and how a figure becomes one."""

from __future__ import annotations

import gc
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pytorch_lightning import Trainer
from torch import Tensor

from gan_lightning.callbacks.periodic import Periodic
from gan_lightning.core.module import BaseModule
from gan_lightning.data.base import to_uint8_nhwc
from gan_lightning.loggers import WandbRun
from gan_lightning.utils.files import atomic_write

__all__ = [
    "Array",
    "ImageCallback",
    "image_grid",
    "render_figure",
    "save_picture",
    "save_points",
    "to_uint8",
]

SMALL = 32

Array = np.ndarray[Any, np.dtype[np.uint8]]


class ImageCallback(Periodic):
    """A picture that is drawn into a folder every so many updates.

    Args:
        folder: for the PNG files.
        every: updates between two pictures.
    """

    def __init__(self, folder: Path, every: int) -> None:
        super().__init__(every)
        self.folder = folder


def save_picture(
    trainer: Trainer, learner: BaseModule, folder: Path, name: str, picture: Array
) -> None:
    """Write a picture, uint8 (H, W, 3), into a folder and into the W&B run."""
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "png")
    atomic_write(folder / f"{name}_{learner.updates:07d}.png", content.getvalue())
    for logger in trainer.loggers:
        if isinstance(logger, WandbRun):
            logger.log_picture(name, picture, f"{learner.updates:,} updates", learner.updates)


def save_points(folder: Path, name: str, points: np.ndarray[Any, Any]) -> None:
    """Write points (N, 2) as `points_NAME.npy`, float32, for who draws them anew."""
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.save(content, points.astype(np.float32), allow_pickle=False)
    atomic_write(folder / f"points_{name}.npy", content.getvalue())


def render_figure(figure: Any) -> Array:
    """Draw a matplotlib figure into pixels, uint8 (H, W, 3).

    A figure is a cycle of objects, a megabyte that would wait for Python's collector.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    gc.collect()
    return pixels


def image_grid(images: Tensor, columns: int | None = None) -> Array:
    """Lay images side by side; small ones are drawn twice as large.

    Args:
        images: (N, C, H, W) in [-1, 1], C of 1 or 3.
        columns: of the grid; by default as near to a square as N allows.

    Returns:
        uint8 (rows (H + 2) + 2, columns (W + 2) + 2, 3), with a border of two grey pixels; H and W
        as drawn.
    """
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    pixels = to_uint8(images)
    if pixels.shape[2] <= SMALL:
        pixels = pixels.repeat(2, axis=1).repeat(2, axis=2)
    height, width = pixels.shape[1:3]
    grid = np.full((rows * (height + 2) + 2, columns * (width + 2) + 2, 3), 96, np.uint8)
    for index, image in enumerate(pixels):
        top, left = (index // columns) * (height + 2) + 2, (index % columns) * (width + 2) + 2
        grid[top : top + height, left : left + width] = image
    return grid


def to_uint8(images: Tensor) -> Array:
    """Turn images (N, C, H, W) in [-1, 1] into uint8 (N, H, W, C)."""
    pixels: Array = to_uint8_nhwc(images).cpu().numpy()
    return pixels
