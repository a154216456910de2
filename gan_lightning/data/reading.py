"""Read the items of a map-style dataset as 8-bit images of one shape."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from gan_lightning.core.seeding import derived_seed, isolated_randomness
from gan_lightning.data.items import OVERSHOOT, InvalidItemError, ItemFormat, Pixels, channels_last
from gan_lightning.data.opening import OpenDataset, raised_by
from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import UserError, is_out_of_memory, storage_error, warn

__all__ = ["ItemReader", "make_reader", "only_zero_and_one", "probe_rows"]

PROBES = 16
"""Items that are read when a dataset is opened."""


@dataclass(frozen=True)
class ItemReader:
    """Reads the items of a dataset as images of one shape, with their labels.

    Args:
        source: the dataset.
        form: conversion of its items.
        shape: shape of every image, (H, W, C); None accepts any.
        draws: items draw from the global random number generators; these are then seeded with a
            function of the row, so that a row is the same image in every epoch and session.
    """

    source: OpenDataset
    form: ItemFormat
    shape: tuple[int, ...] | None = None
    draws: bool = False

    def read(self, row: int) -> tuple[Pixels, Any]:
        """Return the image of a row, uint8 (H, W, C), and its label, None where it has none.

        Raises:
            UserError: the dataset raises, the item is no image, or one of another shape.
        """
        with self._errors(row):
            image, label = self.form.split(self.item(row))
            pixels = self.form.pixels(image)
        if self.shape is not None and pixels.shape != self.shape:
            key = "size" if pixels.shape[:2] != self.shape[:2] else "channels"
            raise UserError(
                f"row {row} of {self.source.name} is an image of {dimensions(pixels.shape)}, "
                f"unlike others of {dimensions(self.shape)}; set data.{key} to make them equal"
            )
        return pixels, label

    def item(self, row: int) -> Any:
        """Return an item as the dataset has it."""
        with self._errors(row):
            if not self.draws:
                return self.source.dataset[row]
            with seeded_globally(derived_seed("item", row)):
                return self.source.dataset[row]

    def unscaled(self, row: int) -> np.ndarray[Any, Any]:
        """Return the image of a row as an array (H, W, C) with the values that the item has."""
        with self._errors(row):
            return channels_last(self.form.split(self.item(row))[0])

    def label(self, row: int) -> Any:
        """Return the label of a row, None where it has none."""
        with self._errors(row):
            return self.form.split(self.item(row))[1]

    @contextmanager
    def _errors(self, row: int) -> Iterator[None]:
        """Convert what a dataset of the user may raise, which is anything, to one line."""
        try:
            yield
        except InvalidItemError as error:
            raise UserError(f"row {row} of {self.source.name} {error}") from error
        except UserError:
            raise
        except Exception as error:
            if is_out_of_memory(error) or storage_error(error) is not None:
                raise
            raise UserError(f"row {row} of {self.source.name} {raised_by(error)}") from error


def make_reader(source: OpenDataset, form: ItemFormat) -> ItemReader:
    """Read a few items, and return a reader with their shape, channels and range of values.

    Warns where items are random.

    Raises:
        UserError: an item cannot be read, or the images have several shapes.
    """
    rows = probe_rows(len(source))
    reader = ItemReader(source, form)
    with seeded_globally(0):
        undrawn = next_random_numbers()
    with seeded_globally(0):
        images = [reader.unscaled(row) for row in rows]
        draws = next_random_numbers() != undrawn
    if is_binary := form.value_range is None and only_zero_and_one(*images):
        form = replace(form, value_range=(0.0, 1.0))
    form = replace(form, channels=_channels(form, images), value_range=_range(form, images))
    reader = replace(reader, form=form, draws=draws)
    first = [reader.read(row)[0] for row in rows]
    reader = replace(reader, shape=first[0].shape)
    again = [reader.read(row)[0] for row in rows]
    if is_first_process():
        if is_binary:
            warn(
                f"images of {source.name} are whole numbers 0 and 1, read as black and white; set "
                f"data.value_range=[0,255] if they are shades of 255"
            )
        _warn_of_random_items(source.name, draws, all(map(np.array_equal, first, again)))
    return reader


def only_zero_and_one(*images: np.ndarray[Any, Any]) -> bool:
    """Tell whether images of whole numbers are 0 and 1, which would be black as shades of 255."""
    are_whole = all(image.dtype.kind in "iu" for image in images)
    return are_whole and {*map(int, map(np.max, images))} in ({1}, {0, 1})


def probe_rows(count: int) -> list[int]:
    """Return up to `PROBES` rows, evenly spread, row 0 included."""
    return sorted({count * probe // PROBES for probe in range(PROBES)})


@contextmanager
def seeded_globally(seed: int) -> Iterator[None]:
    """Seed the generators of torch, numpy and random inside the block, then restore them."""
    python, array = random.getstate(), np.random.get_state()
    try:
        with isolated_randomness(seed):
            random.seed(seed)
            np.random.seed(seed % 2**32)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(array)


def next_random_numbers() -> tuple[float, ...]:
    """Draw a number from each global generator; equal ones mean that nothing was drawn before."""
    return torch.rand(()).item(), random.random(), np.random.random()


def dimensions(shape: tuple[int, ...]) -> str:
    """Write the shape (H, W, C) of an image: `32x32 pixels, grey`."""
    height, width, channels = shape
    return f"{width}x{height} pixels, {'grey' if channels == 1 else 'colour'}"


def _warn_of_random_items(name: str, draws: bool, repeatable: bool) -> None:
    if not repeatable:
        warn(
            f"items of {name} are random, and not from the global generators of torch, numpy or "
            f"random: a resumed run will differ from an uninterrupted one"
        )
    elif draws:
        warn(
            f"items of {name} are random; each is drawn once, from a seed of its row, so that a "
            f"resumed run is exact; to augment, set data.mirror or "
            f"model.regularisation.augmentation instead"
        )


def _channels(form: ItemFormat, images: list[np.ndarray[Any, Any]]) -> int | None:
    """Resolve `channels`: 3 if one of the images is in colour."""
    if form.channels is not None:
        return form.channels
    return 3 if any(image.shape[2] > 1 for image in images) else None


def _range(form: ItemFormat, images: list[np.ndarray[Any, Any]]) -> tuple[float, float] | None:
    """Resolve `value_range`: -1 to 1 if one of the float images has negative values."""
    if form.value_range is not None:
        return form.value_range
    signed = any(image.dtype.kind == "f" and image.min() < -OVERSHOOT for image in images)
    return (-1.0, 1.0) if signed else None
