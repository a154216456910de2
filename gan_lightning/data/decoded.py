"""Images of a map-style dataset as uint8 rows, decoded when they are first indexed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from hashlib import sha256
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_lightning.data.items import InvalidItemError, Pixels, class_of
from gan_lightning.data.reading import ItemReader, probe_rows
from gan_lightning.errors import UserError

__all__ = ["DecodedImages", "ImageRows"]

CHUNK = 500
"""Images in memory at a time where all are read and none is kept."""


class DecodedImages:
    """Images of a dataset, each decoded when it is first read.

    Args:
        reader: reads the items, from `make_reader`.
        cache: keep decoded images in memory.
        threads: threads that read items; 1 where the dataset cannot be read by several at a time.
    """

    def __init__(self, reader: ItemReader, cache: bool = True, threads: int = 1) -> None:
        assert reader.shape is not None
        self.reader, self.shape = reader, reader.shape
        self._threads = 1 if reader.draws else threads  # global generators cannot be shared
        self._cache = self._empty(len(reader.source)) if cache else None
        self._is_cached = torch.zeros(len(reader.source), dtype=torch.bool)
        self._pending: dict[int, Future[tuple[Pixels, Any]]] = {}
        self._one_at_a_time = Lock()

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._is_cached)

    @property
    def nbytes(self) -> int:
        """Size of all images in bytes."""
        return len(self) * math.prod(self.shape)

    @property
    def is_kept(self) -> bool:
        """Whether decoded images are kept in memory."""
        return self._cache is not None

    @property
    def has_labels(self) -> bool:
        """Whether the items have labels."""
        return self.reader.label(0) is not None

    def images(self, rows: Tensor) -> Tensor:
        """Return the images of these rows, int64 (N,), as uint8 (N, H, W, C).

        Raises:
            UserError: an item cannot be read.
        """
        if self._cache is None:
            pixels = [pixels for pixels, _ in self._items(rows.tolist())]
            return torch.from_numpy(np.stack(pixels)) if pixels else self._empty(0)
        for _ in self._items(rows[~self._is_cached[rows]].unique().tolist()):
            pass
        return self._cache.index_select(0, rows)

    def prefetch(self, rows: Tensor) -> None:
        """Start to decode rows that are indexed next, in the background."""
        if not self.reader.draws:  # the training step uses the global generators meanwhile
            for row in rows[~self._is_cached[rows]].tolist():
                self._submit(row)

    def labels(self, rows: Tensor, classes: int | None) -> Tensor:
        """Return the classes of rows, int64 (N,).

        The dataset's own list of labels is used if it agrees with the items, else the items are
        read.

        Args:
            rows: int64 (N,).
            classes: number of classes; None if it is unknown.

        Raises:
            UserError: a label is no class, or an item cannot be read.
        """
        listed = self._listed_labels
        labels: list[int] = []
        for chunk in rows.split(CHUNK):
            numbers = chunk.tolist()
            items = (label for _, label in self._items(numbers))
            found = items if listed is None else listed[chunk].tolist()
            labels += [self._class(*pair, classes) for pair in zip(numbers, found, strict=True)]
        return torch.tensor(labels)

    @cached_property
    def _listed_labels(self) -> Tensor | None:
        """The dataset's list of labels, or None if it does not agree with the items."""
        listed = self.reader.source.listed_labels
        if listed is None:
            return None
        agrees = (
            self._class(row, self.reader.label(row), None) == int(listed[row])
            for row in probe_rows(len(self))
        )
        return listed if all(agrees) else None

    def _class(self, row: int, label: Any, classes: int | None) -> int:
        try:
            return class_of(label, classes)
        except InvalidItemError as error:
            raise UserError(f"row {row} of {self.reader.source.name} {error}") from error

    def _items(self, rows: Sequence[int]) -> Iterator[tuple[Pixels, Any]]:
        """Read items in the order of the rows, and keep their images if there is a cache."""
        if self._threads > 1:
            for row in rows:
                self._submit(row)
        for row in rows:
            future = self._pending.pop(row, None)
            pixels, label = self._read(row) if future is None else future.result()
            if self._cache is not None:
                self._cache.numpy()[row] = pixels
                self._is_cached[row] = True
            yield pixels, label

    def _read(self, row: int) -> tuple[Pixels, Any]:
        if self._threads > 1:
            return self.reader.read(row)
        with self._one_at_a_time:
            return self.reader.read(row)

    def _submit(self, row: int) -> None:
        if row not in self._pending:
            self._pending[row] = self._pool.submit(self._read, row)

    def _empty(self, count: int) -> Tensor:
        return torch.empty(count, *self.shape, dtype=torch.uint8)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix="items")


class ImageRows:
    """Some rows of decoded images, indexed by a tensor.

    Args:
        images: the images of the dataset.
        rows: their rows, int64 (M,).
    """

    def __init__(self, images: DecodedImages, rows: Tensor) -> None:
        self._images, self._rows = images, rows

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Return the images of these rows, int64 of any shape, as uint8 (*rows.shape, H, W, C)."""
        images = self._images.images(self._rows[rows.flatten()])
        return images.view(*rows.shape, *self._images.shape)

    def prefetch(self, rows: Tensor) -> None:
        """Start to decode rows that are indexed next, in the background."""
        self._images.prefetch(self._rows[rows.flatten()])

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the pixels of all rows."""
        digest = sha256()
        for rows in torch.arange(len(self)).split(CHUNK):
            digest.update(self[rows].numpy().tobytes())
        return digest.hexdigest()
