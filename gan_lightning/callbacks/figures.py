"""Where pictures go, and how a figure becomes one."""

from __future__ import annotations

import gc
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pytorch_lightning import Trainer

from gan_lightning.callbacks.periodic import Periodic
from gan_lightning.core.module import BaseModule
from gan_lightning.loggers import WandbRun
from gan_lightning.utils.files import atomic_write

__all__ = ["Array", "ImageCallback", "keep_points", "rendered", "show"]

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


def show(trainer: Trainer, learner: BaseModule, folder: Path, name: str, picture: Array) -> None:
    """Write a picture, uint8 (H, W, 3), into a folder and into the W&B run."""
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "png")
    atomic_write(folder / f"{name}_{learner.updates:07d}.png", content.getvalue())
    for logger in trainer.loggers:
        if isinstance(logger, WandbRun):
            logger.log_picture(name, picture, f"{learner.updates:,} updates", learner.updates)


def keep_points(folder: Path, name: str, points: np.ndarray[Any, Any]) -> None:
    """Write points (N, 2) as `points_NAME.npy`, float32, for who draws them anew."""
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.save(content, points.astype(np.float32), allow_pickle=False)
    atomic_write(folder / f"points_{name}.npy", content.getvalue())


def rendered(figure: Any) -> Array:
    """Draw a matplotlib figure into pixels, uint8 (H, W, 3).

    A figure is a cycle of objects, a megabyte that would wait for Python's collector.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    gc.collect()
    return pixels
