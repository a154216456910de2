"""Grid of generated images of the same latents throughout training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytorch_lightning import Trainer

from gan_lightning.callbacks.figures import Array, ImageCallback, image_grid, save_picture
from gan_lightning.callbacks.labelled_grids import balanced_labels, class_grid
from gan_lightning.core.module import BaseModule
from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans import GAN
from gan_lightning.types import Condition

__all__ = ["SampleGrid", "draw_samples"]


class SampleGrid(ImageCallback):
    """Draw generated images of fixed latents; those of a class-conditional GAN by class.

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
            names = getattr(getattr(trainer, "datamodule", None), "class_names", ())
            picture = draw_samples(model, self.samples, seed, names)
            save_picture(trainer, model, self.folder, "samples", picture)


def draw_samples(gan: GAN, count: int, seed: int, class_names: Sequence[str] = ()) -> Array:
    """Draw samples in a grid, by class where the generator takes classes.

    Args:
        gan: a GAN on images.
        count: number of images.
        seed: seed of the latents.
        class_names: name of each class of the data; by default its number.

    Returns:
        uint8 (H, W, 3).
    """
    classes = gan.data.classes
    if "labels" not in gan.condition_fields() or classes is None:
        return image_grid(gan.sample(count, seed=seed).data)
    labels = balanced_labels(count, classes).to(gan.device)
    images = gan.sample(count, Condition(labels=labels), seed=seed).data
    return class_grid(images, labels, classes, class_names)
