"""Pictures of images that belong together: pairs of a coupled GAN, and translations."""

from __future__ import annotations

from pathlib import Path

import torch
from pytorch_lightning import Trainer

from gan_lightning.callbacks.figures import Array, ImageCallback, image_grid, save_picture
from gan_lightning.core.module import BaseModule
from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans import GAN, LabelledGAN
from gan_lightning.types import Batch, Condition

__all__ = ["PairGrid", "TranslationGrid", "draw_pairs", "draw_translations"]

PAIRS = 40
COLUMNS = 16
TRANSLATIONS = 10


class PairGrid(ImageCallback):
    """Draws what some fixed latents become in each domain, side by side."""

    def run(self, trainer: Trainer, learner: BaseModule) -> None:
        """Draw the grid."""
        if isinstance(learner, LabelledGAN) and trainer.is_global_zero:
            picture = draw_pairs(learner, derived_seed(learner.seed, "pairs"))
            save_picture(trainer, learner, self.folder, "pairs", picture)


class TranslationGrid(ImageCallback):
    """Draws test sources, what they are translated into, and what they are of.

    Args:
        folder: for the PNG files.
        every: updates between two pictures.
        test: data with their sources; the first twenty are drawn.
    """

    def __init__(self, folder: Path, every: int, test: Batch) -> None:
        super().__init__(folder, every)
        self.test = test

    def run(self, trainer: Trainer, learner: BaseModule) -> None:
        """Draw the grid."""
        if isinstance(learner, GAN) and trainer.is_global_zero:
            picture = draw_translations(learner, self.test, derived_seed(learner.seed, "pairs"))
            save_picture(trainer, learner, self.folder, "translations", picture)


def draw_pairs(gan: LabelledGAN, seed: int) -> Array:
    """Draw 40 latents in every domain, the images of a latent beside each other.

    Returns:
        uint8 (H, W, 3).
    """
    return image_grid(
        gan.sample_across(PAIRS, seed=seed).data, COLUMNS // gan.classes * gan.classes
    )


def draw_translations(gan: GAN, test: Batch, seed: int) -> Array:
    """Draw rows of ten sources, over rows of their translations, over rows of the targets.

    Returns:
        uint8 (H, W, 3).
    """
    rows = []
    for start in (0, TRANSLATIONS):
        part = test.part(slice(start, start + TRANSLATIONS), gan.device)
        assert part.source is not None
        made = gan.sample(len(part.data), Condition(source=part.source), seed=seed).data
        rows += [part.source, made, part.data]
    return image_grid(torch.cat(rows), TRANSLATIONS)
