"""Grids of pairs of a coupled GAN, and of translations with their sources and targets."""

from __future__ import annotations

from pathlib import Path

import torch
from pytorch_lightning import Trainer

from gan_lightning.callbacks.figures import Array, ImageCallback, image_grid, save_picture
from gan_lightning.core.module import BaseModule
from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans import GAN
from gan_lightning.types import Batch, Condition

__all__ = ["PairGrid", "TranslationGrid", "draw_pairs", "draw_translations"]

PAIRS = 40
COLUMNS = 16
TRANSLATIONS = 10


class PairGrid(ImageCallback):
    """Draw the images of fixed latents in every domain, next to each other."""

    def on_interval(self, trainer: Trainer, model: BaseModule) -> None:
        """Draw the grid."""
        if (
            isinstance(model, GAN)
            and "labels" in model.condition_fields()
            and trainer.is_global_zero
        ):
            picture = draw_pairs(model, derived_seed(model.seed, "pairs"))
            save_picture(trainer, model, self.folder, "pairs", picture)


class TranslationGrid(ImageCallback):
    """Draw sources of the test data, their translations and their targets.

    Args:
        folder: folder of the PNG files.
        every_n_updates: updates between two pictures.
        test: test data with sources; the first twenty are drawn.
    """

    def __init__(self, folder: Path, every_n_updates: int, test: Batch) -> None:
        super().__init__(folder, every_n_updates)
        self.test = test

    def on_interval(self, trainer: Trainer, model: BaseModule) -> None:
        """Draw the grid."""
        if isinstance(model, GAN) and trainer.is_global_zero:
            picture = draw_translations(model, self.test, derived_seed(model.seed, "pairs"))
            save_picture(trainer, model, self.folder, "translations", picture)


def draw_pairs(gan: GAN, seed: int) -> Array:
    """Draw the images of 40 latents in every domain; images of one latent are neighbours.

    Returns:
        uint8 (H, W, 3).
    """
    classes = gan.data.classes
    assert classes is not None
    return image_grid(gan.sample_across(PAIRS, seed=seed).data, COLUMNS // classes * classes)


def draw_translations(gan: GAN, test: Batch, seed: int) -> Array:
    """Draw twenty translations: a row of ten sources, of translations, of targets; then again.

    Returns:
        uint8 (H, W, 3).
    """
    rows = []
    for start in (0, TRANSLATIONS):
        part = test.part(slice(start, start + TRANSLATIONS), gan.device)
        assert part.source is not None
        translations = gan.sample(len(part.data), Condition(source=part.source), seed=seed).data
        rows += [part.source, translations, part.data]
    return image_grid(torch.cat(rows), TRANSLATIONS)
