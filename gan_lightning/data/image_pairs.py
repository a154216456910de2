"""Pairs of images in an image store: those of pix2pix's datasets, line art and drawings."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.core.seeding import derived_seed
from gan_lightning.data.base import to_float_nchw
from gan_lightning.data.image_store import (
    ImageStoreConfig,
    ImageStoreDataModule,
    MemoryMappedImages,
    folder_title,
)
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.settings import setting

__all__ = ["ImagePairs", "ImagePairsConfig", "OpenMoji", "OpenMojiConfig"]

SIDES = ("left", "right")

JITTER = 286 / 256 - 1
"""Share of a side by which `jitter` enlarges an image before it is cropped."""


@dataclass
class PairedStoreConfig(ImageStoreConfig):
    """Options of all stores of pairs."""

    jitter: bool = setting(
        False,
        "Enlarge each training pair by 286 / 256 and crop it to its size at random, as the authors "
        "of pix2pix do.",
    )


class PairedStore(ImageStoreDataModule):
    """Images, 3xSxS, and the source images that they are translations of."""

    config: PairedStoreConfig

    @property
    @abstractmethod
    def _source_side(self) -> int:
        """Side of a pair in the store that is the source: 0 for left, 1 for right."""

    @property
    def crop_margin(self) -> int:
        """Pixels by which pairs are enlarged before a random crop; 0 without jitter."""
        return round(self.config.size * JITTER) if self.config.jitter else 0

    @cached_property
    def reference_images(self) -> MemoryMappedImages:
        """Targets of all training pairs."""
        return self.select_images(self._training_indices, 1 - self._source_side)

    def source_data(self) -> MemoryMappedImages:
        """Return the sources of the training pairs, uint8 (M, S, S, 3)."""
        return self.select_images(self._training_indices, self._source_side)

    def _spec(self) -> DataSpec:
        spec = super()._spec()
        return replace(spec, source_shape=spec.shape)

    @cached_property
    def _test(self) -> Batch:
        indices = self._test_subset
        rows = torch.arange(len(indices))
        targets, sources = (
            to_float_nchw(self.select_images(indices, side)[rows])
            for side in (1 - self._source_side, self._source_side)
        )
        return Batch(targets, None, sources)


@dataclass
class ImagePairsConfig(PairedStoreConfig):
    """Pairs of images in one file, as in pix2pix's datasets."""

    root: str = "data/pairs"
    source: str = setting(
        "right",
        "Half of the file that is the source, for example right for facades.",
        choices=SIDES,
    )

    @property
    def title(self) -> str:
        """Name of the data in titles: that of the folder."""
        return folder_title(self)


class ImagePairs(PairedStore):
    """Images, 3xSxS, and the source images that they are translations of.

    Source: the datasets of Isola et al. 2017 (arXiv:1611.07004).
    """

    Config: ClassVar[type[Any]] = ImagePairsConfig
    config: ImagePairsConfig
    prepare_command: ClassVar[str] = "pairs"

    @property
    def _source_side(self) -> int:
        return SIDES.index(self.config.source)


@dataclass
class OpenMojiConfig(PairedStoreConfig):
    """4,495 emojis, about an eighth of which are for tests."""

    root: str = "data/openmoji"
    paired: bool = setting(
        True,
        "Give each emoji its own line art in training; false gives it that of another one, for "
        "translation between unpaired domains. Test data are always pairs.",
    )


class OpenMoji(PairedStore):
    """Coloured emojis, 3xSxS, and their line art, the source.

    The variants of an emoji in skin tone, gender, hair and direction are all in the training data,
    or all in the test data.

    Source: OpenMoji (https://openmoji.org), CC BY-SA 4.0.
    """

    Config: ClassVar[type[Any]] = OpenMojiConfig
    config: OpenMojiConfig
    belongs_to_user: ClassVar[bool] = False
    prepare_command: ClassVar[str] = "openmoji"

    @property
    def _source_side(self) -> int:
        return SIDES.index("left")

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the metrics of translations, and of their colours."""
        return (*super().evaluators(conditional), "target_colours")

    def source_data(self) -> MemoryMappedImages:
        """Return the line art of the training emojis, uint8 (M, S, S, 3), shuffled if unpaired."""
        if self.config.paired:
            return super().source_data()
        return self.select_images(self._training_indices[self.partners], self._source_side)

    @cached_property
    def _test_subset(self) -> Tensor:
        """Indices of the test emojis in a random order, the same for all seeds.

        In that of their code points the first ones, which are drawn during training, would all be
        signs.
        """
        indices = super()._test_subset
        rng = torch.Generator().manual_seed(derived_seed(0, "shown"))
        return indices[torch.randperm(len(indices), generator=rng)]

    @cached_property
    def partners(self) -> Tensor:
        """Row of the training emoji whose line art each one gets if unpaired, never its own, (M,).

        It is the same for all seeds, so that all runs have the same data.
        """
        count = len(self._training_indices)
        rng = torch.Generator().manual_seed(derived_seed(0, "unpaired"))
        order = torch.randperm(count, generator=rng)
        partners = torch.empty_like(order)
        partners[order] = order.roll(1)
        return partners
