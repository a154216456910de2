"""DataModule of the images of an image store."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from gan_lightning.data.base import BaseDataModule, DataConfig, to_float_nchw
from gan_lightning.data.memory_mapped import MemoryMappedImages
from gan_lightning.errors import MissingDataError, UserError
from gan_lightning.store import Manifest, default_store, open_store
from gan_lightning.store.layout import INDEX, SHARD, TEST, TRAINING
from gan_lightning.store.manifest import read_manifest
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.commands import command_line
from gan_lightning.utils.names import printable
from gan_lightning.utils.settings import setting

__all__ = ["ImageStoreConfig", "ImageStoreDataModule", "MemoryMappedImages", "folder_title"]

MAX_TEST_IMAGES = 1_000

HELD_OUT_EVERY = 50
"""Where a store has no test split, each 50th image is held out of training."""


@dataclass
class ImageStoreConfig(DataConfig):
    """Location and options of an image store."""

    root: str = setting("", "Folder of the dataset, as given to `gan-lightning prepare`.")
    store: str = setting("", "Folder of the store; empty means next to the root.")
    size: int = setting(64, "Height and width in pixels.", minimum=8, maximum=1024)
    mirror: bool = setting(True, "Mirror each training image with probability 0.5.")
    fit: ClassVar[str] = "crop"

    @property
    def part(self) -> str:
        """Part of the dataset in the store; empty for all of it."""
        return ""

    @property
    def folder(self) -> Path:
        """Folder of the store."""
        if self.store:
            return Path(self.store)
        return default_store(Path(self.root), self.size, self.part, self.fit)

    @property
    def identity(self) -> str | None:
        """Fingerprint of the images in the store, wherever it lies; None without a store."""
        try:
            return read_manifest(self.folder).fingerprint
        except UserError:
            return None


def folder_title(config: ImageStoreConfig) -> str:
    """Return the name of the folder of a dataset, for titles and names of runs."""
    root = Path(config.root)
    if not config.root:
        return Path(config.store).name.removesuffix(".store")
    return printable(root.name if root.name not in ("", "..") else root.resolve().name)


class ImageStoreDataModule(BaseDataModule):
    """Images of a store, of which one batch at a time is in memory.

    The model is trained on the training split; the validation split is not used.

    Raises:
        UserError: the store is missing, unfinished, damaged, or holds another dataset or size.

    Attributes:
        manifest: description of the store.
    """

    Config: ClassVar[type[Any]] = ImageStoreConfig
    config: ImageStoreConfig
    belongs_to_user: ClassVar[bool] = True
    prepare_command: ClassVar[str]
    """Subcommand of `gan-lightning prepare` that makes the store."""
    channels: int = 3
    """Channels of an image: 1 for grey, 3 for colour."""

    def __init__(self, config: ImageStoreConfig) -> None:
        super().__init__(config)
        self.manifest = self._open_store()
        with np.load(config.folder / INDEX) as index:
            self._index = {name: torch.from_numpy(index[name]) for name in index.files}
        self.spec = self._spec()

    @property
    def random_mirror(self) -> bool:
        """Whether training images are mirrored at random, with probability 0.5."""
        return self.config.mirror

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the metrics in the features of Inception, and those of translations."""
        return ("inception", *super().evaluators(conditional))

    @cached_property
    def reference_images(self) -> MemoryMappedImages:
        """All training images, with which generated images are compared."""
        return self.select_images(self._training_indices)

    def training_data(self) -> tuple[MemoryMappedImages, Tensor | None]:
        """Return the training images, uint8 (M, S, S, C), and their classes (M,) or None."""
        labels = self._labels
        return self.reference_images, None if labels is None else labels[self._training_indices]

    def test_data(self) -> Batch:
        """Return up to 1,000 test images (N, C, S, S) in [-1, 1], and their classes or None."""
        return self._test

    def select_images(self, indices: Tensor, side: int | None = None) -> MemoryMappedImages:
        """Return some images of the store.

        Args:
            indices: numbers of the images in the index of the store, int64 (M,).
            side: in a store of pairs, 0 for the left images and 1 for the right ones.
        """
        sides = 1 if side is None else 2
        places = self._index["rows"][indices] * sides + (side or 0)
        digest = sha256(places.numpy().tobytes()).hexdigest()
        fingerprint = f"{self.manifest.fingerprint} {digest}"
        shape, grey = self.manifest.transform.shape[-3:], self.channels == 1
        fingerprint = f"{fingerprint} grey" if grey else fingerprint
        return MemoryMappedImages(
            self._memory_maps, shape, places, SHARD * sides, fingerprint, grey
        )

    def _spec(self) -> DataSpec:
        shape = (self.channels, self.config.size, self.config.size)
        labels = self._labels
        if labels is None:
            return DataSpec(shape)
        counts = torch.bincount(labels[self._training_indices], minlength=self._class_count)
        shares = (counts / counts.sum()).tolist()
        return DataSpec(shape, classes=len(shares), class_shares=tuple(shares))

    @cached_property
    def _labels(self) -> Tensor | None:
        """Class of every image in the store, int64, or None."""
        return None

    @property
    def _class_count(self) -> int:
        return len(self.manifest.classes)

    @cached_property
    def _test_indices(self) -> Tensor:
        """Indices of the test split, or of the images that are held out instead."""
        splits = self._index["splits"]
        test = (splits == TEST).nonzero().squeeze(1)
        return test if len(test) else torch.arange(0, len(splits), HELD_OUT_EVERY)

    @cached_property
    def _training_indices(self) -> Tensor:
        """Indices of the training split, without the images that are held out."""
        is_training = self._index["splits"] == TRAINING
        is_training[self._test_indices] = False
        return is_training.nonzero().squeeze(1)

    @property
    def _test_subset(self) -> Tensor:
        """Indices of at most 1,000 test images, evenly spread."""
        return self._test_indices[:: -(-len(self._test_indices) // MAX_TEST_IMAGES)]

    @cached_property
    def _test(self) -> Batch:
        indices = self._test_subset
        images = self.select_images(indices)[torch.arange(len(indices))]
        labels = None if self._labels is None else self._labels[indices]
        return Batch(to_float_nchw(images), labels)

    @cached_property
    def _memory_maps(self) -> list[mmap.mmap]:
        maps = []
        for shard in self.manifest.shards:
            with (self.config.folder / shard.name).open("rb") as file:
                maps.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return maps

    def _open_store(self) -> Manifest:
        config, folder = self.config, self.config.folder
        words = ["gan-lightning", "prepare", self.prepare_command, "--root", config.root or "DIR"]
        words += ["--category", config.part] if config.part else []
        command = command_line(*words, "--size", config.size)
        if not folder.is_dir():
            if folder.with_name(f"{folder.name}.partial").is_dir():
                raise UserError(f"the image store {folder} is unfinished; resume it by `{command}`")
            raise MissingDataError(
                f"the image store {folder} does not exist; make it by `{command}`, or name another "
                f"copy of the dataset by data.root"
            )
        manifest = open_store(folder)
        stored = manifest.transform
        if (stored.dataset, stored.size) != (self.prepare_command, config.size):
            raise UserError(
                f"{folder} is a store of {stored.dataset} images of {stored.size} pixels, not of "
                f"{self.prepare_command} images of {config.size} pixels; make one by `{command}`"
            )
        if stored.fit != config.fit:
            raise UserError(
                f"{folder} is a store of images with fit {stored.fit}, and data.fit is "
                f"{config.fit}; set data.fit={stored.fit}, or leave data.store out"
            )
        return manifest
