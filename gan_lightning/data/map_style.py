"""DataModule of the images of a map-style dataset."""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.core.seeding import derived_seed
from gan_lightning.data.base import BaseDataModule, to_float_nchw
from gan_lightning.data.decoded import DecodedImages, ImageRows
from gan_lightning.data.items import ItemFormat
from gan_lightning.data.map_style_config import MapStyleConfig
from gan_lightning.data.opening import OpenDataset
from gan_lightning.data.reading import dimensions, make_reader
from gan_lightning.errors import UserError, warn
from gan_lightning.types import Batch, DataSpec

__all__ = ["MapStyleDataModule", "held_out_rows"]

MAX_TEST_IMAGES = 1_000

HELD_OUT_SHARE, MIN_HELD_OUT, MAX_HELD_OUT_SHARE = 50, 10, 5
"""Where there are no test data, one of 50 images is held out, at least 10, at most one of 5."""

CACHED_SHARE = 0.5
"""Share of the available memory that decoded images may take."""


class MapStyleDataModule(BaseDataModule):
    """Images of a dataset with numbered items, which are decoded lazily and kept as uint8.

    The model is trained on `training`; where there are no test data, some of the training data are
    held out.

    Args:
        config: an instance of the class's `Config`.

    Raises:
        UserError: the dataset cannot be opened, an item is no image or cannot be read, or a label
            is no class.
    """

    Config: ClassVar[type[Any]] = MapStyleConfig
    config: MapStyleConfig
    belongs_to_user: ClassVar[bool] = True

    def __init__(self, config: MapStyleConfig) -> None:
        super().__init__(config)
        training, test = self.open()
        self._training = self._decoded(training, self.item_format())
        form = self._training.reader.form
        self._test = None if test is None else self._decoded(test, form)
        count = len(training)
        self._held_out = held_out_rows(count) if test is None else torch.arange(0)
        is_training = torch.ones(count, dtype=torch.bool)
        is_training[self._held_out] = False
        self._rows = is_training.nonzero().squeeze(1)
        if not len(self._rows):
            raise UserError(f"{training.name} has {count} image; it must have at least 2")
        self.spec = self._spec()

    @abstractmethod
    def open(self) -> tuple[OpenDataset, OpenDataset | None]:
        """Return the training data, and the test data or None.

        Raises:
            UserError: they cannot be opened.
        """

    def item_format(self) -> ItemFormat:
        """Return what the items are, and what they are converted to."""
        config = self.config
        values = config.value_range
        return ItemFormat(
            config.size,
            config.fit,
            config.background,
            None if config.channels == "auto" else int(config.channels),
            value_range=None if values is None else (values[0], values[1]),
            image_key=config.image_key,
            label_key=config.label_key,
        )

    @property
    def random_mirror(self) -> bool:
        """Whether training images are mirrored at random, with probability 0.5."""
        return self.config.mirror

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names that the dataset has for its classes, else their numbers."""
        return self._source_names or super().class_names

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the metrics in the features of Inception, for colour images."""
        inception = ("inception",) if self.spec.shape[0] == 3 else ()
        return (*inception, *super().evaluators(conditional))

    @cached_property
    def reference_images(self) -> ImageRows:
        """All training images, with which generated images are compared."""
        return ImageRows(self._training, self._rows)

    def training_data(self) -> tuple[ImageRows, Tensor | None]:
        """Return the training images, uint8 (M, H, W, C), and their classes (M,) or None."""
        return self.reference_images, self._labels

    def test_data(self) -> Batch:
        """Return up to 1,000 test images (N, C, H, W) in [-1, 1], and their classes or None."""
        return self._test_batch

    def setup(self, stage: str) -> None:
        """Say, at the start of training, what the data are and where they are kept."""
        if stage == "fit" and (self.trainer is None or self.trainer.is_global_zero):
            warn(self.summary())

    def summary(self) -> str:
        """Describe the data in one line: number, shape, memory and test data."""
        test = (
            f"{len(self._held_out):,} more are held out for evaluation"
            if self._test is None
            else f"{len(self._test):,} test images"
        )
        return (
            f"{len(self._rows):,} training images of {self._training.reader.source.name}, "
            f"{dimensions(self._training.shape)}, {self._memory(self._training)}; {test}"
        )

    def _decoded(self, source: OpenDataset, form: ItemFormat) -> DecodedImages:
        """Return the images of a dataset, kept in memory if that is wanted and possible."""
        reader = make_reader(source, form)
        assert reader.shape is not None
        keep = self.config.cache and fits_in_memory(len(source) * math.prod(reader.shape))
        return DecodedImages(reader, keep, self.config.readers)

    def _spec(self) -> DataSpec:
        """Return shape and classes, after a comparison with the test data.

        Raises:
            UserError: training and test images differ in shape, or a label is no class.
        """
        height, width, channels = self._training.shape
        if self._test is not None and self._test.shape != self._training.shape:
            raise UserError(
                f"test images are of {dimensions(self._test.shape)}, training images of "
                f"{dimensions(self._training.shape)}; set data.size and data.channels"
            )
        shape = (channels, height, width)
        if self._labels is None:
            return DataSpec(shape)
        counts = torch.bincount(self._labels, minlength=len(self._source_names))
        shares = (counts / counts.sum()).tolist()
        return DataSpec(shape, classes=len(shares), class_shares=tuple(shares))

    @property
    def _source_names(self) -> tuple[str, ...]:
        return self._training.reader.source.class_names if self._has_labels else ()

    @cached_property
    def _has_labels(self) -> bool:
        return self.config.labels and self._training.has_labels

    @cached_property
    def _labels(self) -> Tensor | None:
        """Classes of the training images, int64 (M,), or None."""
        if not self._has_labels:
            return None
        labels = self._training.labels(self._rows, len(self._source_names) or None)
        if not self._source_names:
            check_numbering(labels, self._training.reader.source.name)
        return labels

    @cached_property
    def _test_batch(self) -> Batch:
        images, rows = self._training, self._held_out
        if self._test is not None:
            images, rows = self._test, torch.arange(len(self._test))
        rows = rows[:: -(-len(rows) // MAX_TEST_IMAGES)]
        labels = None if self.spec.classes is None else images.labels(rows, self.spec.classes)
        return Batch(to_float_nchw(images.images(rows)), labels)

    def _memory(self, images: DecodedImages) -> str:
        size = f"{images.nbytes / 1e6:,.1f} MB as uint8"
        if images.is_kept:
            return f"{size} in memory"
        reason = "data.cache is false" if not self.config.cache else "more than half of the memory"
        return f"{size}, not kept in memory: {reason}"


def held_out_rows(count: int) -> Tensor:
    """Choose the rows that are held out of training where there are no test data.

    One of 50, at least 10 and at most 1,000, but never more than one of 5; the same rows for every
    seed of a run.

    Returns:
        Rows in ascending order, int64, at least one.
    """
    chosen = min(max(count // HELD_OUT_SHARE, MIN_HELD_OUT), MAX_TEST_IMAGES)
    chosen = max(1, min(chosen, count // MAX_HELD_OUT_SHARE))
    rng = torch.Generator().manual_seed(derived_seed("held out", count))
    return torch.randperm(count, generator=rng)[:chosen].sort().values


def check_numbering(labels: Tensor, name: str) -> None:
    """Check that every class in 0..max occurs, where the dataset does not name its classes.

    Raises:
        UserError: one does not occur.
    """
    missing = (torch.bincount(labels) == 0).nonzero().squeeze(1).tolist()
    if missing:
        raise UserError(
            f"labels of {name} run to {int(labels.max())}, but {len(missing)} of them do not "
            f"occur, the first is {missing[0]}; number the classes 0, 1, 2, …, give the dataset a "
            f"list `classes` of their names, or set data.labels=false"
        )


def fits_in_memory(size: int) -> bool:
    """Tell whether half of the free memory holds a number of bytes."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # not on Linux
        return True
    free = next((int(line.split()[1]) for line in lines if line.startswith("MemAvailable")), 0)
    return size <= CACHED_SHARE * free * 1024 if free else True
