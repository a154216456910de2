"""Grid of generated images of the same latents throughout training."""

from __future__ import annotations

from pathlib import Path

from pytorch_lightning import Trainer

from gan_lightning.callbacks.figures import ImageCallback, image_grid, save_picture
from gan_lightning.core.module import BaseModule
from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans import GAN

__all__ = ["SampleGrid"]


class SampleGrid(ImageCallback):
    """Draw generated images of fixed latents.

    Args:
        folder: folder of the PNG files.
        every_n_updates: updates between two pictures.
        samples: number of images in the grid.
    """

    def __init__(self, folder: Path, every_n_updates: int, samples: int) -> None:
        super().__init__(folder, every_n_updates)
        self.samples = samples

    def on_interval(self, trainer: Trainer, model: BaseModule) -> None:
        """Draw the grid."""
        if isinstance(model, GAN) and trainer.is_global_zero:
            seed = derived_seed(model.seed, "sample grid")
            picture = image_grid(model.sample(self.samples, seed=seed).data)
            save_picture(trainer, model, self.folder, "samples", picture)
