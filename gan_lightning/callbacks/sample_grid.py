"""A grid of generated images, drawn from fixed latents throughout a run."""

from __future__ import annotations

from pathlib import Path

from pytorch_lightning import Trainer

from gan_lightning.callbacks.figures import ImageCallback, image_grid, save_picture
from gan_lightning.core.module import BaseModule
from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans import GAN

__all__ = ["SampleGrid"]


class SampleGrid(ImageCallback):
    """Draws what the generator makes of one fixed latent, as training goes on.

    Args:
        folder: for the PNG files.
        every: updates between two pictures.
        samples: images in the grid.
    """

    def __init__(self, folder: Path, every: int, samples: int) -> None:
        super().__init__(folder, every)
        self.samples = samples

    def run(self, trainer: Trainer, learner: BaseModule) -> None:
        """Draw the grid."""
        if isinstance(learner, GAN) and trainer.is_global_zero:
            seed = derived_seed(learner.seed, "sample grid")
            picture = image_grid(learner.sample(self.samples, seed=seed).data)
            save_picture(trainer, learner, self.folder, "samples", picture)
