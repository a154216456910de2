"""DataModule of the images of an image store."""

from __future__ import annotations

import math
import mmap
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from gan_lightning.data.base import BaseDataModule, DataConfig, to_float_nchw
from gan_lightning.errors import UserError
from gan_lightning.store import Manifest, default_store, open_store
from gan_lightning.store.layout import INDEX, SHARD, TEST, TRAINING
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.names import printable
from gan_lightning.utils.settings import setting

__all__ = ["ImageStoreConfig", "ImageStoreDataModule", "MemoryMappedImages"]

MAX_TEST_IMAGES = 1_000

HELD_OUT_EVERY = 50
"""Where a store has no test split, each 50th image is held out of training."""

LUMA = (19_595, 38_470, 7_471)
"""Weights of red, green and blue in grey, in units of 1 / 65536, as in Pillow."""


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


class MemoryMappedImages:
    """Images in memory-mapped files, read from the disk when they are indexed.

    Args:
        files: maps of the files.
        shape: shape of an image, (S, S, 3).
        places: place of each row among the images of all files, int64 (M,).
        images_per_file: number of images in each file but the last.
        fingerprint: identifies the pixels of all rows.
        grey: convert images to one channel when they are read.

    Attributes:
        fingerprint: as given.
    """

    def __init__(
        self,
        files: Sequence[mmap.mmap],
        shape: tuple[int, ...],
        places: Tensor,
        images_per_file: int,
        fingerprint: str,
        grey: bool = False,
    ) -> None:
        self.fingerprint, self._grey = fingerprint, grey
        self._files, self._shape = files, shape
        self._places, self._images_per_file = places, images_per_file
        self._image_bytes = math.prod(shape)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*not writable")  # it is only read
            flat = [torch.frombuffer(file, dtype=torch.uint8) for file in files]
        self._images = [images.view(-1, self._image_bytes) for images in flat]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._places)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Read the images of these rows, uint8 (*rows.shape, S, S, C), C = 1 if grey, else 3."""
        places = self._places[rows.flatten()]
        files, in_file = places // self._images_per_file, places % self._images_per_file
        parts = [  # index_select copies complete images, indexing would copy byte by byte
            self._images[file].index_select(0, in_file[files == file])
            for file in files.unique().tolist()
        ]
        by_file = files.argsort(stable=True)
        images = torch.cat(parts).index_select(0, by_file.argsort())
        images = images.view(*rows.shape, *self._shape)
        return to_grey(images) if self._grey else images

    def prefetch(self, rows: Tensor) -> None:
        """Let the operating system read these rows from the disk in the background."""
        if sys.platform == "win32":  # which has no madvise
            return
        for place in self._places[rows.flatten()].tolist():
            file, image = divmod(place, self._images_per_file)
            start = image * self._image_bytes // mmap.PAGESIZE * mmap.PAGESIZE
            end = (image + 1) * self._image_bytes
            self._files[file].madvise(mmap.MADV_WILLNEED, start, end - start)


def folder_title(config: ImageStoreConfig) -> str:
    """Return the name of the folder of a dataset, for titles and names of runs."""
    root = Path(config.root)
    if not config.root:
        return Path(config.store).name.removesuffix(".store")
    return printable(root.name if root.name not in ("", "..") else root.resolve().name)


def to_grey(images: Tensor) -> Tensor:
    """Convert colour images, uint8 (..., 3), to grey ones, uint8 (..., 1), by Pillow's weights."""
    red, green, blue = (images[..., [channel]].int() * LUMA[channel] for channel in range(3))
    return (red + green + blue + 32_768 >> 16).to(torch.uint8)


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
        words = ["gan-lightning prepare", self.prepare_command, f"--root {config.root or 'DIR'}"]
        words += [f"--category {config.part}"] if config.part else []
        command = " ".join([*words, f"--size {config.size}"])
        if not folder.is_dir():
            if folder.with_name(f"{folder.name}.partial").is_dir():
                raise UserError(f"the image store {folder} is unfinished; resume it by `{command}`")
            raise UserError(
                f"the image store {folder} does not exist; make it by `{command}`, or set "
                f"data.root=DIR to another copy of the dataset"
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
