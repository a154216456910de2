"""A dataset of random images of any size, for measuring how cost grows with image size.

Importing this module registers the dataset as `noise`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.data import DATASETS, BaseDataModule
from gan_lightning.data.base import DataConfig, to_float_nchw
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.settings import setting

__all__ = ["Noise"]

COUNT = 512


@dataclass
class NoiseConfig(DataConfig):
    """Config of the dataset."""

    size: int = setting(32, "Height and width of the images in pixels.", minimum=1)


class Noise(BaseDataModule):
    """512 RGB images of uniform noise, (3, size, size)."""

    Config: ClassVar[type[Any]] = NoiseConfig
    config: NoiseConfig

    def __init__(self, config: NoiseConfig) -> None:
        super().__init__(config)
        self.spec = DataSpec((3, config.size, config.size))
        rng = torch.Generator().manual_seed(0)
        shape = (COUNT, config.size, config.size, 3)
        self._images = torch.randint(256, shape, dtype=torch.uint8, generator=rng)

    def training_data(self) -> tuple[Tensor, None]:
        """Return uint8 images (512, H, W, 3), without labels."""
        return self._images, None

    def test_data(self) -> Batch:
        """Return the first eight images; nothing is evaluated on them."""
        return Batch(to_float_nchw(self._images[:8]))


DATASETS["noise"] = Noise
