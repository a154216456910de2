"""DataModules on the image store: CelebA, LSUN, pairs of images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.data.image_store import (
    ImageStoreConfig,
    ImageStoreDataModule,
)
from gan_lightning.errors import check_choice
from gan_lightning.utils.settings import setting

__all__ = ["LSUN", "CelebA"]

MAX_ATTRIBUTES = 6


@dataclass
class CelebAConfig(ImageStoreConfig):
    """202,599 faces with 40 attributes."""

    root: str = "data/celeba"
    attributes: list[str] = setting(
        [],
        "Attributes, for example Male and Smiling, whose combinations are the classes; none for no "
        "classes.",
    )

    def validate(self) -> None:
        """Check the number of attributes and that each is listed once.

        Raises:
            ValueError: naming the attributes.
        """
        if len(self.attributes) > MAX_ATTRIBUTES:
            raise ValueError(
                f"attributes has {len(self.attributes)} names, which make "
                f"{2 ** len(self.attributes)} classes; give at most {MAX_ATTRIBUTES}"
            )
        if len(set(self.attributes)) < len(self.attributes):
            raise ValueError(
                f"attributes is {', '.join(self.attributes)}; it must name each attribute once"
            )


class CelebA(ImageStoreDataModule):
    """Aligned faces, 3xSxS, of the official training and test splits.

    With k chosen attributes, the class of an image is the sum of 2^i over the attributes i that the
    image has.

    Source: Liu, Luo, Wang, Tang 2015 (arXiv:1411.7766).
    """

    Config: ClassVar[type[Any]] = CelebAConfig
    config: CelebAConfig
    prepare_command: ClassVar[str] = "celeba"

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the metrics of Inception, else those of any images, and those of classes."""
        return ("inception", "images_without_inception", "image_classes")

    @property
    def class_names(self) -> tuple[str, ...]:
        """Attributes of each class, joined by commas."""
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
        """Class of every image, from the chosen attributes.

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
class LSUNConfig(ImageStoreConfig):
    """Scenes of one category, for example 3,033,042 bedrooms."""

    root: str = "data/lsun"
    category: str = setting("bedroom", "Category of the scenes.")

    @property
    def part(self) -> str:
        """The category."""
        return self.category

    @property
    def title(self) -> str:
        """Name of the data in titles."""
        return f"lsun {self.category}"


class LSUN(ImageStoreDataModule):
    """Scenes, 3xSxS, of one category; the official validation split is the test data.

    Source: Yu et al. 2015 (arXiv:1506.03365).
    """

    Config: ClassVar[type[Any]] = LSUNConfig
    prepare_command: ClassVar[str] = "lsun"

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the metrics in the features of Inception, else those of any images."""
        return ("inception", "images_without_inception")
