"""Images of memory-mapped files, which are read when they are indexed."""

from __future__ import annotations

import math
import mmap
import sys
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["MemoryMappedImages"]

LUMA = (19_595, 38_470, 7_471)
"""Weights of red, green and blue in grey, in units of 1 / 65536, as in Pillow."""


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
        no_images = self._images[0][:0]  # a run that is resumed after its last update has no rows
        parts = [  # index_select copies complete images, indexing would copy byte by byte
            self._images[file].index_select(0, in_file[files == file])
            for file in files.unique().tolist()
        ]
        by_file = files.argsort(stable=True)
        images = torch.cat([no_images, *parts]).index_select(0, by_file.argsort())
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


def to_grey(images: Tensor) -> Tensor:
    """Convert colour images, uint8 (..., 3), to grey ones, uint8 (..., 1), by Pillow's weights."""
    red, green, blue = (images[..., [channel]].int() * LUMA[channel] for channel in range(3))
    return (red + green + blue + 32_768 >> 16).to(torch.uint8)
