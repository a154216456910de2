"""Images of any source as 8-bit squares of one size, in chunks: memory does not grow with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan_lightning.data.items import InvalidItemError, ItemFormat, channels_last
from gan_lightning.data.opening import OpenDataset
from gan_lightning.data.reading import ItemReader, make_reader, probe_rows
from gan_lightning.data.round_loader import IndexableData
from gan_lightning.errors import UserError

__all__ = [
    "CHUNK_SIZE",
    "ArraySource",
    "Chunk",
    "DatasetSource",
    "ImageSource",
    "Shape",
    "chosen_rows",
    "converted",
]

CHUNK_SIZE = 250
"""Images in memory at a time."""

SEED = 0


class Shape(NamedTuple):
    """What images are converted to.

    Attributes:
        size: height and width, in pixels.
        channels: 1 for grey, 3 for colour.
        fit: for images of another size: `crop` keeps the centre square, `pad` adds white borders,
            `stretch` changes the aspect ratio.
    """

    size: int
    channels: int
    fit: str = "crop"

    @property
    def item_format(self) -> ItemFormat:
        """Conversion of a decoded image."""
        return ItemFormat(self.size, self.fit, channels=self.channels)


class Chunk(NamedTuple):
    """Some images of a source.

    Attributes:
        rows: their rows, int64 (N,).
        images: uint8 (N, H, W, C).
    """

    rows: Tensor
    images: Tensor


class ImageSource(ABC):
    """Numbered images.

    Args:
        name: as the user wrote it.

    Attributes:
        kind: what it is, for people.
    """

    kind = "images"

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of images."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int] | None:
        """Size and channels of all images; None where they differ or are not square."""

    @abstractmethod
    def read(self, rows: Tensor, shape: Shape) -> Iterator[Chunk]:
        """Yield the images of rows in ascending order; those that are broken are left out.

        Args:
            rows: int64 (N,), ascending.
            shape: what they are converted to.

        Raises:
            UserError: the source cannot be read.
        """

    def images(self, rows: Tensor, shape: Shape) -> Tensor:
        """Return the images of rows in any order, uint8 (N, H, W, C); all must be readable."""
        ordered, place = rows.unique(return_inverse=True)
        chunks = [chunk.images for chunk in self.read(ordered, shape)]
        return torch.cat(chunks)[place]

    def fingerprint(self, rows: Tensor, shape: Shape) -> str:
        """Return a hash of the content of rows."""
        digest = sha256()
        for chunk in self.read(rows, shape):
            digest.update(chunk.images.numpy().tobytes())
        return digest.hexdigest()

    @property
    def remarks(self) -> list[str]:
        """Lines about what was left out."""
        return []


class ArraySource(ImageSource):
    """Images that a tensor of rows indexes, such as the training images of a DataModule.

    Args:
        name: as the user wrote it.
        images: uint8 (M, H, W, C).
        kind: what it is, for people.
    """

    def __init__(self, name: str, images: IndexableData, kind: str = "data set") -> None:
        super().__init__(name)
        self._images, self.kind = images, kind

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._images)

    @cached_property
    def shape(self) -> tuple[int, int] | None:
        """Size and channels of all images; None where they are not square."""
        height, width, channels = self._images[torch.tensor([0])].shape[1:]
        return (height, channels) if height == width else None

    def read(self, rows: Tensor, shape: Shape) -> Iterator[Chunk]:
        """Yield the images of rows, converted where their shape differs."""
        for part in rows.split(CHUNK_SIZE):
            yield Chunk(part, converted(self._images[part], shape))


class DatasetSource(ImageSource):
    """The images of a map-style torch Dataset.

    Args:
        name: as the user wrote it.
        dataset: the dataset.
    """

    kind = "torch Dataset"

    def __init__(self, name: str, dataset: OpenDataset) -> None:
        super().__init__(name)
        self._dataset = dataset
        self._readers: dict[Shape, ItemReader] = {}

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self._dataset)

    @cached_property
    def shape(self) -> tuple[int, int] | None:
        """Size and channels of some images; None where they differ or are not square."""
        form = ItemFormat()
        try:
            found = {
                channels_last(form.split(self._dataset.dataset[row])[0]).shape
                for row in probe_rows(len(self))
            }
        except InvalidItemError as error:
            raise UserError(f"an item of {self.name} {error}") from error
        height, width, channels = next(iter(found))
        return (height, min(channels, 3)) if len(found) == 1 and height == width else None

    def read(self, rows: Tensor, shape: Shape) -> Iterator[Chunk]:
        """Yield the images of rows."""
        if shape not in self._readers:
            self._readers[shape] = make_reader(self._dataset, shape.item_format)
        reader = self._readers[shape]
        for part in rows.split(CHUNK_SIZE):
            pixels = [reader.read(row)[0] for row in part.tolist()]
            yield Chunk(part, torch.from_numpy(np.stack(pixels)))


def converted(images: Tensor, shape: Shape) -> Tensor:
    """Convert images uint8 (N, H, W, C) to a shape, if they have another one."""
    if images.shape[1:] == (shape.size, shape.size, shape.channels):
        return images
    form = shape.item_format
    return torch.from_numpy(np.stack([form.pixels(image.numpy()) for image in images]))


def chosen_rows(total: int, count: int | None) -> Tensor:
    """Choose rows at random, the same at each call; all where there are not more than `count`.

    Returns:
        Rows in ascending order, int64.
    """
    if count is None or total <= count:
        return torch.arange(total)
    order = np.random.RandomState(SEED).permutation(total)[:count]
    return torch.from_numpy(np.sort(order))
