"""Cartoon faces with eleven known attributes as a DataModule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.data.image_store import ImageStoreConfig, ImageStoreDataModule
from gan_lightning.errors import check_choice
from gan_lightning.utils.settings import setting

__all__ = ["Faces", "FacesConfig"]

MAX_CLASSES = 64


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


class Faces(ImageStoreDataModule):
    """Cartoon faces, 3xSxS, whose attributes are known exactly and independent of each other.

    With chosen attributes, the class of a face numbers the combination of its values; the values of
    the first attribute vary fastest.

    Raises:
        ValueError: an attribute is unknown or chosen twice, or there are more than 64 classes.
        UserError: the store is missing, unfinished, damaged, or holds another dataset or size.

    Source: drawn from parts of Avataaars by Pablo Stanley (https://avataaars.com).
    """

    Config: ClassVar[type[Any]] = FacesConfig
    config: FacesConfig
    belongs_to_user: ClassVar[bool] = False
    prepare_command: ClassVar[str] = "faces"

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the metrics of Inception, else those of any images, and those of classes."""
        return ("inception", "images_without_inception", "image_classes")

    @property
    def attribute_values(self) -> dict[str, tuple[str, ...]]:
        """Names of the values of every attribute."""
        manifest = self.manifest
        pairs = zip(manifest.attribute_names, manifest.attribute_values, strict=True)
        return {name: tuple(values) for name, values in pairs}

    @property
    def training_attributes(self) -> Tensor:
        """Numbers of the values of the training faces, int64 (M, 11)."""
        return self._index["attributes"][self._training_indices].long()

    @property
    def test_attributes(self) -> Tensor:
        """Numbers of the values of the faces of `test_data`, int64 (N, 11)."""
        return self._index["attributes"][self._test_subset].long()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Values of the attributes of each class, joined by commas."""
        if not self.config.attributes:
            return ()
        chosen = [self.attribute_values[name] for name in reversed(self.config.attributes)]
        return tuple(", ".join(reversed(values)) for values in product(*chosen))

    @property
    def _class_count(self) -> int:
        return math.prod(len(self.attribute_values[name]) for name in self.config.attributes)

    @cached_property
    def _labels(self) -> Tensor | None:
        """Class of every face, from the chosen attributes."""
        chosen, names = self.config.attributes, list(self.attribute_values)
        if not chosen:
            return None
        for name in chosen:
            check_choice("attributes: one", name, names)
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"attributes is {', '.join(chosen)}; it must name each attribute once")
        if self._class_count > MAX_CLASSES:
            raise ValueError(
                f"attributes is {', '.join(chosen)}, which make {self._class_count} classes; "
                f"choose attributes with at most {MAX_CLASSES} combinations"
            )
        labels = torch.zeros(len(self._index["attributes"]), dtype=torch.int64)
        for name in reversed(chosen):
            values = self._index["attributes"][:, names.index(name)]
            labels = labels * len(self.attribute_values[name]) + values
        return labels
