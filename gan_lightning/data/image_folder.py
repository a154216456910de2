"""DataModule of a folder of images, which is prepared when it is first used."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from gan_lightning.data.image_store import (
    ImageStoreConfig,
    ImageStoreDataModule,
    MemoryMappedImages,
    folder_title,
)
from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import UserError
from gan_lightning.store import FolderImages, Manifest
from gan_lightning.store.layout import FITS
from gan_lightning.utils.settings import setting

__all__ = ["ImageFolder"]


@dataclass
class ImageFolderConfig(ImageStoreConfig):
    """Your own images."""

    root: str = setting("data/pictures", "Folder of the images.")
    fit: str = setting(  # type: ignore[misc]  # a constant of the other datasets
        "crop",
        "How images become square: crop to the centre, pad with white borders, or stretch.",
        choices=FITS,
    )
    channels: str = setting(
        "auto",
        "Channels of the images: 1 is grey, 3 is colour; auto is 1 where no image has a colour.",
        choices=("auto", "1", "3"),
    )
    labels: str = setting(
        "", "CSV file with the columns file and label; empty means classes by sub-folder."
    )
    fingerprint: str = setting(
        "",
        "Fingerprint of the decoded images, which `train --images` fills in: a run does not train "
        "on other images. Empty means any images.",
    )

    @property
    def title(self) -> str:
        """Name of the data in titles: that of the folder."""
        return folder_title(self)

    @property
    def images(self) -> FolderImages:
        """The folder, and what is made of its images."""
        labels = Path(self.labels) if self.labels else None
        store = Path(self.store) if self.store else None
        return FolderImages(Path(self.root), self.size, self.fit, labels, store)


class ImageFolder(ImageStoreDataModule):
    """Images of a folder, CxSxS, whose classes are its sub-folders or stand in a CSV file.

    The store is made when it is missing. It is not compared with the folder, which may be gone;
    `gan-lightning train NAME --images DIR` compares them.

    Raises:
        UserError: the store is missing, and the folder cannot be read or has too few images.
    """

    Config: ClassVar[type[Any]] = ImageFolderConfig
    config: ImageFolderConfig
    prepare_command: ClassVar[str] = "folder"

    @cached_property
    def channels(self) -> int:  # type: ignore[override]  # constant in the other datasets
        """1 for grey images, 3 for colour."""
        if self.config.channels != "auto":
            return int(self.config.channels)
        return 1 if self.manifest.grey == self.manifest.images else 3

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self.manifest.classes)

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return those of the other datasets, but for Inception's, which needs three channels."""
        names = super().evaluators(conditional)
        return names if self.channels == 3 else tuple(n for n in names if n != "inception")

    @cached_property
    def _labels(self) -> Tensor | None:
        """Class of every image, or None where there are no classes."""
        return self._index.get("labels")

    def training_data(self) -> tuple[MemoryMappedImages, Tensor | None]:
        """Return the training images, uint8 (M, S, S, C), and their classes (M,) or None.

        Raises:
            UserError: the images are not those that the run was started with.
        """
        if self.config.fingerprint not in ("", self.manifest.fingerprint):
            raise UserError(
                f"the images in {self.config.folder} are not those that the run was started with, "
                f"since files of {self.config.root} have changed; restore these, or train a new run"
            )
        return super().training_data()

    def _open_store(self) -> Manifest:
        if not self.config.folder.is_dir() and Path(self.config.root).is_dir():
            self.config.images.prepare(_say, processes=1)  # notebooks cannot start processes
        return super()._open_store()


def _say(line: str) -> None:
    """Print a line of the summary of a folder on stderr, from one process."""
    if is_first_process():
        sys.stderr.write(f"{line}\n")
