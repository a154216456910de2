"""The table of pictures, of which a dataset, a model and its networks name those that are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from gan_lightning.callbacks.adversarial_examples import AttackedDigits
from gan_lightning.callbacks.figures import ImageCallback
from gan_lightning.callbacks.histograms import WeightHistogram
from gan_lightning.callbacks.pairs import PairGrid, TranslationGrid
from gan_lightning.callbacks.phase_portrait import PhasePortrait
from gan_lightning.callbacks.sample_grid import SampleGrid
from gan_lightning.callbacks.scatter import Scatter
from gan_lightning.callbacks.traversal_grid import TraversalGrid
from gan_lightning.data import BaseDataModule
from gan_lightning.utils.import_path import import_object

__all__ = ["PICTURES", "PictureContext", "picture_callbacks"]


@dataclass(frozen=True)
class PictureContext:
    """What a callback that draws is built from.

    Attributes:
        data: the dataset.
        folder: folder of the PNG files.
        every_n_updates: updates between two pictures.
        samples: images in a sample grid.
    """

    data: BaseDataModule
    folder: Path
    every_n_updates: int
    samples: int = 64


PICTURES: dict[str, Callable[[PictureContext], ImageCallback]] = {
    "adversarial_examples": lambda c: AttackedDigits(
        c.folder, c.every_n_updates, c.data.test_data()
    ),
    "translations": lambda c: TranslationGrid(c.folder, c.every_n_updates, c.data.test_data()),
    "pairs": lambda c: PairGrid(c.folder, c.every_n_updates),
    "samples": lambda c: SampleGrid(c.folder, c.every_n_updates, c.samples),
    "traversal": lambda c: TraversalGrid(c.folder, c.every_n_updates),
    "scatter": lambda c: Scatter(c.folder, c.every_n_updates, c.data.test_data().data),
    "phase_portrait": lambda c: PhasePortrait(c.folder, c.every_n_updates),
    "weights": lambda c: WeightHistogram(c.folder, c.every_n_updates),
}
"""Name -> function that builds the callback that draws a picture.

`BaseDataModule.pictures`, `NetworkFamily.pictures` and `GAN.pictures` name those of a run.
"""


def picture_callbacks(names: Iterable[str], context: PictureContext) -> list[ImageCallback]:
    """Build the callbacks of some pictures, each once, in the given order.

    Args:
        names: names of `PICTURES`, or import paths `module:Class` of callbacks that are built
            from a `PictureContext`.
        context: what they are built from.

    Raises:
        UserError: an import path leads to no class.
    """
    factories = [PICTURES.get(name) or import_object(name) for name in dict.fromkeys(names)]
    return [factory(context) for factory in factories]
