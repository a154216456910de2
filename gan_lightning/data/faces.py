"""Cartoon faces with eleven known attributes as a DataModule."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from gan_lightning.data.image_store import (
    ImageStoreConfig,
    ImageStoreDataModule,
    MemoryMappedImages,
)
from gan_lightning.data.round_loader import IndexableData
from gan_lightning.errors import check_choice
from gan_lightning.types import MAX_COMBINATIONS, DataSpec
from gan_lightning.utils.settings import setting

__all__ = ["Faces", "FacesConfig"]

MIN_JUDGED_SIZE = 32
"""Height and width from which the shipped classifier reads the attributes of a face."""


class _FacesOfTwoSizes:
    """Images of some size, and after them as many smaller ones, enlarged to it bilinearly.

    Args:
        images: uint8 (M, S, S, 3).
        smaller: uint8 (M, s, s, 3).
    """

    def __init__(self, images: IndexableData, smaller: IndexableData) -> None:
        self._images, self._smaller = images, smaller

    def __len__(self) -> int:
        return len(self._images) + len(self._smaller)

    def __getitem__(self, rows: Tensor) -> Tensor:
        images, count = self._images[rows % len(self._images)], len(self._images)
        is_smaller = rows >= count
        if is_smaller.any():
            channels_first = self._smaller[rows[is_smaller] - count].movedim(-1, 1).float()
            size = images.shape[-2]
            enlarged = interpolate(channels_first, (size, size), mode="bilinear")
            images[is_smaller] = enlarged.round().to(torch.uint8).movedim(1, -1)
        return images


@dataclass
class FacesConfig(ImageStoreConfig):
    """20,000 training and 2,000 test faces."""

    root: str = "data/faces"
    mirror: bool = setting(False, "Mirror each training image with probability 0.5.")
    attributes: list[str] = setting(
        [],
        "Attributes, for example mouth and skin, whose combinations are the classes; none for no "
        "classes.",
    )
    smaller_size: int = setting(
        0,
        "Height and width of a second store of the same faces, which are enlarged to data.size and "
        "are training images too, for a classifier that reads both sizes; 0 for none.",
        minimum=0,
    )

    def validate(self) -> None:
        """Raise a ValueError unless the second size is smaller than the first."""
        if self.smaller_size >= self.size:
            raise ValueError(
                f"smaller_size is {self.smaller_size}; it must be below size = {self.size}"
            )


class Faces(ImageStoreDataModule):
    """Cartoon faces, 3xSxS, whose attributes are known exactly and independent of each other.

    With chosen attributes, the class of a face numbers the combination of its values; the values of
    the first attribute vary fastest. A GAN takes at most 64 classes, a classifier of attributes any
    number.

    Raises:
        ValueError: an attribute is unknown or chosen twice.
        UserError: the store is missing, unfinished, damaged, or holds another dataset or size.

    Source: drawn from parts of Avataaars by Pablo Stanley (https://avataaars.com).
    """

    Config: ClassVar[type[Any]] = FacesConfig
    config: FacesConfig
    belongs_to_user: ClassVar[bool] = False
    prepare_command: ClassVar[str] = "faces"

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the metrics of Inception, else those of any images, those of classes, and faces'.

        Attributes are read of faces of at least 32 pixels.
        """
        judged = ("faces", "arithmetic") if self.config.size >= MIN_JUDGED_SIZE else ()
        return (*judged, "inception", "images_without_inception", "image_classes")

    @property
    def attribute_values(self) -> dict[str, tuple[str, ...]]:
        """Names of the values of every attribute."""
        manifest = self.manifest
        pairs = zip(manifest.attribute_names, manifest.attribute_values, strict=True)
        return {name: tuple(values) for name, values in pairs}

    @property
    def class_attributes(self) -> dict[str, tuple[str, ...]]:
        """Names of the values of the chosen attributes."""
        return {name: self.attribute_values[name] for name in self.config.attributes}

    @property
    def training_attributes(self) -> Tensor:
        """Numbers of the values of the training faces, int64 (M, 11)."""
        return self._index["attributes"][self._training_indices].long()

    @property
    def test_attributes(self) -> Tensor:
        """Numbers of the values of the faces of `test_data`, int64 (N, 11)."""
        return self._index["attributes"][self._test_subset].long()

    @cached_property
    def smaller(self) -> Faces | None:
        """The same faces of `smaller_size`, or None."""
        size = self.config.smaller_size
        return Faces(replace(self.config, size=size, smaller_size=0, store="")) if size else None

    def training_data(  # type: ignore[override]  # faces of two sizes are in no single file
        self,
    ) -> tuple[IndexableData, Tensor | None]:
        """Return the training faces, uint8 (M, S, S, 3), and their classes (M,) or None.

        With a `smaller_size` there are twice as many, the second half enlarged.
        """
        labels = None if self._labels is None else self._labels[self._training_indices]
        if self.smaller is None:
            return self.reference_images, labels
        both = _FacesOfTwoSizes(self.reference_images, self.smaller.reference_images)
        return both, None if labels is None else labels.repeat(2)

    def test_faces(self) -> tuple[MemoryMappedImages, Tensor]:
        """Return all test faces, uint8 (M, S, S, 3), and the values of their attributes (M, 11).

        Those of `test_data` are at most 1,000 of them.
        """
        indices = self._test_indices
        return self.select_images(indices), self._index["attributes"][indices].long()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Values of the attributes of each class, joined by commas; empty for more than 64."""
        if not 0 < self._class_count <= MAX_COMBINATIONS:
            return ()
        chosen = [self.attribute_values[name] for name in reversed(self.config.attributes)]
        return tuple(", ".join(reversed(values)) for values in product(*chosen))

    @property
    def _class_count(self) -> int:
        return self._combinations.classes or 0

    @cached_property
    def _combinations(self) -> DataSpec:
        """Shape of a face, and the chosen attributes, whose combinations are the classes."""
        chosen, names = self.config.attributes, list(self.attribute_values)
        for name in chosen:
            check_choice("attributes: one", name, names)
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"attributes is {', '.join(chosen)}; it must name each attribute once")
        sizes = tuple(len(self.attribute_values[name]) for name in chosen)
        return DataSpec(
            (self.channels, self.config.size, self.config.size),
            classes=math.prod(sizes) if chosen else None,
            attribute_names=(*chosen,),
            attribute_sizes=sizes,
        )

    def _spec(self) -> DataSpec:
        spec = self._combinations
        if spec.classes is None or spec.classes > MAX_COMBINATIONS:
            return spec
        return replace(spec, class_shares=super()._spec().class_shares)

    @cached_property
    def _labels(self) -> Tensor | None:
        """Class of every face, from the chosen attributes."""
        if not self.config.attributes:
            return None
        names = list(self.attribute_values)
        columns = [names.index(name) for name in self.config.attributes]
        return self._combinations.combination_of(self._index["attributes"][:, columns].long())
