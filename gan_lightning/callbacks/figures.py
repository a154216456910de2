"""Draw, save and log pictures; the base class of callbacks that do."""

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

Array = np.ndarray[Any, np.dtype[np.uint8]]

MAX_DOUBLED_SIZE = 32
"""Side in pixels up to which `image_grid` doubles the size of images."""


class ImageCallback(Periodic):
    """Base class of callbacks that write a picture every `every_n_updates` updates.

    Args:
        folder: folder of the PNG files.
        every_n_updates: updates between two pictures.
    """

    def __init__(self, folder: Path, every_n_updates: int) -> None:
        super().__init__(every_n_updates)
        self.folder = folder


def save_picture(
    trainer: Trainer, model: BaseModule, folder: Path, name: str, picture: Array
) -> None:
    """Write a picture, uint8 (H, W, 3), as `NAME_UPDATE.png` and log it to W&B."""
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "png")
    atomic_write(folder / f"{name}_{model.updates:07d}.png", content.getvalue())
    for logger in trainer.loggers:
        if isinstance(logger, WandbRun):
            logger.log_picture(name, picture, f"{model.updates:,} updates", model.updates)


def save_points(folder: Path, name: str, points: np.ndarray[Any, Any]) -> None:
    """Write points (N, 2) as `points_NAME.npy`, float32, for the interactive report."""
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.save(content, points.astype(np.float32), allow_pickle=False)
    atomic_write(folder / f"points_{name}.npy", content.getvalue())


def render_figure(figure: Any) -> Array:
    """Render a matplotlib figure into pixels, uint8 (H, W, 3), and free its memory.

    A figure contains reference cycles, so its memory, about a megabyte, would stay in use until the
    next run of Python's garbage collector.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    gc.collect()
    return pixels


def image_grid(images: Tensor, columns: int | None = None) -> Array:
    """Arrange images in a grid, row by row; images of at most 32 pixels are drawn twice as large.

    Args:
        images: (N, C, H, W) in [-1, 1], C of 1 or 3.
        columns: columns of the grid; by default the grid is as square as N allows.

    Returns:
        uint8 (rows (H + 2) + 2, columns (W + 2) + 2, 3), with borders of two grey pixels; H and W
        as drawn.
    """
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    pixels = to_uint8(images)
    if pixels.shape[2] <= MAX_DOUBLED_SIZE:
        pixels = pixels.repeat(2, axis=1).repeat(2, axis=2)
    height, width = pixels.shape[1:3]
    grid = np.full((rows * (height + 2) + 2, columns * (width + 2) + 2, 3), 96, np.uint8)
    for index, image in enumerate(pixels):
        top, left = (index // columns) * (height + 2) + 2, (index % columns) * (width + 2) + 2
        grid[top : top + height, left : left + width] = image
    return grid


def to_uint8(images: Tensor) -> Array:
    """Convert images (N, C, H, W) in [-1, 1] to uint8 (N, H, W, C)."""
    pixels: Array = to_uint8_nhwc(images).cpu().numpy()
    return pixels
