"""Pictures of an image store as a DataModule."""

from __future__ import annotations

import math
import mmap
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

from gan_lightning.data.base import DataConfig, IndexedData, to_float_nchw
from gan_lightning.errors import UserError
from gan_lightning.store import Manifest, default_store, open_store
from gan_lightning.store.layout import INDEX, SHARD
from gan_lightning.types import Batch, DataSpec

__all__ = ["StoredConfig", "StoredImages", "StoredRows"]

HELD_OUT = 1_000
"""Pictures, at most, that stand for what no model is trained on."""

EVERY = 50
"""Where a data set has no test part, one picture in so many is held out of training."""

TEST = 2


@dataclass
class StoredConfig(DataConfig):
    """A copy of a data set, prepared."""

    # folder of the copy, as `gan-lightning prepare` was given it
    root: str = ""
    # folder of the store; empty for where `prepare` puts it
    store: str = ""
    # height and width in pixels
    size: int = 64
    # show each training picture mirrored half of the time
    mirror: bool = True

    @property
    def part(self) -> str:
        """What of the copy is in the store, as its name says; empty for all."""
        return ""

    @property
    def folder(self) -> Path:
        """Folder of the store."""
        if self.store:
            return Path(self.store)
        return default_store(Path(self.root), self.size, self.part)


class StoredRows:
    """Pictures in the mapped files of a store, read from the disk when they are indexed.

    Args:
        files: their maps.
        shape: of an image, (S, S, 3).
        places: of the rows, in images counted through all files, int64 (M,).
        in_file: images in each file but the last.
        fingerprint: of the pixels of all rows.

    Attributes:
        fingerprint: as given.
    """

    def __init__(
        self,
        files: Sequence[mmap.mmap],
        shape: tuple[int, ...],
        places: Tensor,
        in_file: int,
        fingerprint: str,
    ) -> None:
        self.fingerprint = fingerprint
        self._files, self._shape, self._places, self._in_file = files, shape, places, in_file
        self._size = math.prod(shape)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*not writable")  # it is only read
            flat = [torch.frombuffer(file, dtype=torch.uint8) for file in files]
        self._images = [images.view(-1, self._size) for images in flat]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._places)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Return the pictures of these rows, uint8 (*rows.shape, *shape)."""
        places = self._places[rows.flatten()]
        files, inside = places // self._in_file, places % self._in_file
        parts = [  # index_select copies whole images, which indexing does byte by byte
            self._images[file].index_select(0, inside[files == file])
            for file in files.unique().tolist()
        ]
        by_file = files.argsort(stable=True)
        found = torch.cat(parts).index_select(0, by_file.argsort())
        return found.view(*rows.shape, *self._shape)

    def expect(self, rows: Tensor) -> None:
        """Have the system read these rows from the disk meanwhile, many at a time."""
        for place in self._places[rows.flatten()].tolist():
            file, image = divmod(place, self._in_file)
            start = image * self._size // mmap.PAGESIZE * mmap.PAGESIZE
            end = (image + 1) * self._size
            self._files[file].madvise(mmap.MADV_WILLNEED, start, end - start)


class StoredImages(IndexedData):
    """Pictures of a store, at most as many in memory as a batch has.

    Training pictures are those of the data set's training part; validation ones are not used.

    Raises:
        UserError: the store is not there, not finished, damaged, or of other pictures.

    Attributes:
        manifest: of the store.
    """

    Config: ClassVar[type[Any]] = StoredConfig
    config: StoredConfig
    prepared_by: ClassVar[str]
    """Word after `gan-lightning prepare`."""

    def __init__(self, config: StoredConfig) -> None:
        super().__init__(config)
        self.manifest = self._opened()
        with np.load(config.folder / INDEX) as index:
            self._index = {name: torch.from_numpy(index[name]) for name in index.files}
        self.spec = self._spec()

    @property
    def mirrors(self) -> bool:
        """Whether training pictures are shown mirrored half of the time."""
        return self.config.mirror

    @cached_property
    def reference(self) -> StoredRows:
        """The pictures that generated ones are held against: all training pictures."""
        return self.rows(self._training)

    def training_data(self) -> tuple[StoredRows, Tensor | None]:
        """Return training pictures, uint8 (M, S, S, 3), and their classes, if any."""
        labels = self._labels
        return self.reference, None if labels is None else labels[self._training]

    def test_data(self) -> Batch:
        """Return up to 1,000 pictures (N, 3, S, S) in [-1, 1] that no model is trained on."""
        return self._test

    def rows(self, chosen: Tensor, side: int | None = None) -> StoredRows:
        """Return pictures by their number in the store's index; of a pair, one side."""
        sides = 1 if side is None else 2
        places = self._index["rows"][chosen] * sides + (side or 0)
        numbers = sha256(places.numpy().tobytes()).hexdigest()
        fingerprint = f"{self.manifest.fingerprint} {numbers}"
        shape = self.manifest.recipe.shape[-3:]
        return StoredRows(self._mapped, shape, places, SHARD * sides, fingerprint)

    def _spec(self) -> DataSpec:
        size = self.config.size
        labels = self._labels
        if labels is None:
            return DataSpec((3, size, size))
        counts = torch.bincount(labels[self._training], minlength=self._class_count)
        shares = (counts / counts.sum()).tolist()
        return DataSpec((3, size, size), classes=len(shares), class_shares=tuple(shares))

    @cached_property
    def _labels(self) -> Tensor | None:
        """Class of every picture in the store, int64, or None."""
        return None

    @property
    def _class_count(self) -> int:
        return len(self.manifest.classes)

    @cached_property
    def _testing(self) -> Tensor:
        """Numbers of the test pictures."""
        test = (self._index["splits"] == TEST).nonzero().squeeze(1)
        return test if len(test) else torch.arange(0, len(self._index["splits"]), EVERY)

    @cached_property
    def _training(self) -> Tensor:
        """Numbers of the training pictures."""
        training = self._index["splits"] == 0
        if not (self._index["splits"] == TEST).any():
            training[self._testing] = False
        return training.nonzero().squeeze(1)

    @property
    def _held_out(self) -> Tensor:
        """Numbers of the test pictures that are looked at, evenly spread."""
        return self._testing[:: -(-len(self._testing) // HELD_OUT)]

    @cached_property
    def _test(self) -> Batch:
        chosen = self._held_out
        images = self.rows(chosen)[torch.arange(len(chosen))]
        labels = None if self._labels is None else self._labels[chosen]
        return Batch(to_float_nchw(images), labels)

    @cached_property
    def _mapped(self) -> list[mmap.mmap]:
        """Map the files; nothing is read yet."""
        files = []
        for shard in self.manifest.shards:
            with (self.config.folder / shard.name).open("rb") as file:
                files.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return files

    def _opened(self) -> Manifest:
        config, folder = self.config, self.config.folder
        words = ["gan-lightning prepare", self.prepared_by, f"--root {config.root or 'DIR'}"]
        words += [f"--category {config.part}"] if config.part else []
        again = " ".join([*words, f"--size {config.size}"])
        if not folder.is_dir():
            begun = folder.with_name(f"{folder.name}.partial").is_dir()
            raise UserError(
                f"the image store {folder} is not finished; go on by `{again}`"
                if begun
                else f"there is no image store {folder}; make it by `{again}`, or name another "
                f"copy by data.root=DIR"
            )
        manifest = open_store(folder)
        recipe = manifest.recipe
        if (recipe.dataset, recipe.size) != (self.prepared_by, config.size):
            raise UserError(
                f"{folder} is a store of {recipe.dataset} pictures of {recipe.size} pixels, not of "
                f"{self.prepared_by} of {config.size}; make one by `{again}`"
            )
        return manifest
