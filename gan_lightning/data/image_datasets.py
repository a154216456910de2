"""Faces, scenes, any pictures, pairs: the DataModules on the image store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.data.base import to_float_nchw
from gan_lightning.data.image_store import StoredConfig, StoredImages, StoredRows
from gan_lightning.errors import check_choice
from gan_lightning.types import Batch, DataSpec

__all__ = ["LSUN", "CelebA", "PictureFolder", "PicturePairs"]

MOST_ATTRIBUTES = 6


@dataclass
class CelebAConfig(StoredConfig):
    """202,599 faces with 40 attributes."""

    root: str = "data/celeba"
    # attributes, as Male, Smiling; every combination of them is a class; none for no classes
    attributes: list[str] = field(default_factory=list)

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        if len(self.attributes) > MOST_ATTRIBUTES:
            raise ValueError(
                f"attributes are {len(self.attributes)}, which make "
                f"{2 ** len(self.attributes)} classes; give at most {MOST_ATTRIBUTES}"
            )
        if len(set(self.attributes)) < len(self.attributes):
            raise ValueError(f"attributes are {', '.join(self.attributes)}; one is there twice")


class CelebA(StoredImages):
    """Aligned faces, 3xSxS, of the official training and test parts.

    Of k chosen attributes a picture's class is the sum of 2^i over those i that it has.

    Source: Liu, Luo, Wang, Tang 2015 (arXiv:1411.7766).
    """

    Config: ClassVar[type[Any]] = CelebAConfig
    config: CelebAConfig
    prepared_by: ClassVar[str] = "celeba"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The attributes of each class, joined."""
        chosen = self.config.attributes
        return tuple(
            ", ".join(name for bit, name in enumerate(chosen) if number >> bit & 1) or "none"
            for number in range(self.spec.classes or 0)
        )

    @property
    def _class_count(self) -> int:
        return 1 << len(self.config.attributes)

    @cached_property
    def _labels(self) -> Tensor | None:
        """Combine the chosen attributes.

        Raises:
            ValueError: an attribute is unknown.
        """
        names = self.manifest.attribute_names
        if not self.config.attributes:
            return None
        for name in self.config.attributes:
            check_choice("attributes: one", name, names)
        columns = [names.index(name) for name in self.config.attributes]
        chosen = self._index["attributes"][:, columns].long()
        return (chosen << torch.arange(len(columns))).sum(1)


@dataclass
class LSUNConfig(StoredConfig):
    """Scenes of one category: 3,033,042 bedrooms."""

    root: str = "data/lsun"
    # of the scenes
    category: str = "bedroom"

    @property
    def part(self) -> str:
        """The category."""
        return self.category


class LSUN(StoredImages):
    """Scenes, 3xSxS, of one category; the validation part is the test data.

    Source: Yu et al. 2015 (arXiv:1506.03365).
    """

    Config: ClassVar[type[Any]] = LSUNConfig
    prepared_by: ClassVar[str] = "lsun"


@dataclass
class PictureFolderConfig(StoredConfig):
    """Pictures of the user's."""

    root: str = "data/pictures"


class PictureFolder(StoredImages):
    """Any pictures, 3xSxS; their sub-folders are classes."""

    Config: ClassVar[type[Any]] = PictureFolderConfig
    prepared_by: ClassVar[str] = "folder"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The sub-folders."""
        return tuple(self.manifest.classes)

    @cached_property
    def _labels(self) -> Tensor | None:
        """Return the sub-folder of every picture."""
        return self._index.get("labels")


@dataclass
class PicturePairsConfig(StoredConfig):
    """Pairs side by side, as pix2pix's data sets have them."""

    root: str = "data/pairs"
    # which half is the source: right (facades: B to A) or left
    source: str = "right"

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        check_choice("source", self.source, ("left", "right"))


class PicturePairs(StoredImages):
    """Pictures, 3xSxS, and what they are the translations of.

    Source: the data sets of Isola et al. 2017 (arXiv:1611.07004).
    """

    Config: ClassVar[type[Any]] = PicturePairsConfig
    config: PicturePairsConfig
    prepared_by: ClassVar[str] = "pairs"

    @property
    def _source_side(self) -> int:
        return ("left", "right").index(self.config.source)

    @cached_property
    def reference(self) -> StoredRows:
        """The targets of all training pairs."""
        return self.rows(self._training, 1 - self._source_side)

    def source_data(self) -> StoredRows:
        """Return the sources of the training pairs, uint8 (M, S, S, 3)."""
        return self.rows(self._training, self._source_side)

    def _spec(self) -> DataSpec:
        spec = super()._spec()
        return replace(spec, source_shape=spec.shape)

    @cached_property
    def _test(self) -> Batch:
        chosen = self._held_out
        every = torch.arange(len(chosen))
        targets, sources = (
            to_float_nchw(self.rows(chosen, side)[every])
            for side in (1 - self._source_side, self._source_side)
        )
        return Batch(targets, None, sources)
