"""Draw, save and log pictures; the base class of callbacks that do."""

from __future__ import annotations

import io
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import Logger, TensorBoardLogger
from torch import Tensor

from gan_lightning.callbacks.periodic import Periodic
from gan_lightning.callbacks.signals import StopRequested
from gan_lightning.core.module import BaseModule
from gan_lightning.data.base import to_uint8_nhwc
from gan_lightning.errors import UserError, is_out_of_memory, storage_error, summary, warn
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

    Pictures have no effect on training. A picture that cannot be drawn is left out with a warning,
    once for each kind, and training goes on.

    Args:
        folder: folder of the PNG files.
        every_n_updates: updates between two pictures.
    """

    def __init__(self, folder: Path, every_n_updates: int) -> None:
        super().__init__(every_n_updates)
        self.folder = folder
        self._warned = False

    def act(self, trainer: Trainer, model: BaseModule) -> None:
        """Draw and log the picture; warn where that fails.

        Raises:
            UserError: the user can fix the cause.
            OSError: the disk is full or cannot be written.
        """
        try:
            super().act(trainer, model)
        except (StopRequested, UserError):
            raise
        except Exception as error:  # a picture of any class must not end a training
            if storage_error(error) is not None or is_out_of_memory(error):
                raise
            logging.getLogger("gan_lightning").error("no picture", exc_info=error)
            if not self._warned:
                self._warned = True
                warn(
                    f"{type(self).__name__} cannot draw at update {model.updates:,}: "
                    f"{summary(error)}; its pictures are left out, and training goes on; the "
                    f"traceback is in log.txt of the run"
                )


def save_picture(
    trainer: Trainer, model: BaseModule, folder: Path, name: str, picture: Array
) -> None:
    """Write a picture, uint8 (H, W, 3), as `NAME_UPDATE.png` and give it to the loggers."""
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "png")
    atomic_write(folder / f"{name}_{model.updates:07d}.png", content.getvalue())
    for logger in trainer.loggers:
        log_picture(logger, name, picture, model.updates)


def log_picture(logger: Logger, name: str, picture: Array, update: int) -> None:
    """Log a picture, uint8 (H, W, 3), to W&B, TensorBoard or a logger with `log_image`."""
    caption = f"{update:,} updates"
    if isinstance(logger, WandbRun):
        logger.log_picture(name, picture, caption, update)
    elif isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(name, picture, update, dataformats="HWC")
    elif hasattr(logger, "log_image"):  # Lightning's WandbLogger
        logger.log_image(key=name, images=[picture], caption=[caption])


def save_points(folder: Path, name: str, points: np.ndarray[Any, Any]) -> None:
    """Write points (N, 2) as `points_NAME.npy`, float32, for the interactive report."""
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.save(content, points.astype(np.float32), allow_pickle=False)
    atomic_write(folder / f"points_{name}.npy", content.getvalue())


def render_figure(figure: Any) -> Array:
    """Render a matplotlib figure into pixels, uint8 (H, W, 3), and free the figure's own copy.

    A figure contains reference cycles, so its copy, megabytes, would stay in use until the next run
    of Python's garbage collector.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    del canvas.renderer
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
