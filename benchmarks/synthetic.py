"""Images of noise of any size, to see how cost grows with it; they enter the table of data sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.data import DATASETS, IndexedData
from gan_lightning.data.base import DataConfig, to_float_nchw
from gan_lightning.types import Batch, DataSpec

__all__ = ["Noise"]

COUNT = 512


@dataclass
class NoiseConfig(DataConfig):
    """Colour images."""

    # height and width in pixels
    size: int = 32


class Noise(IndexedData):
    """Uniform noise, 3 x size x size."""

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
        """Return images that are there to be found, not to be measured."""
        return Batch(to_float_nchw(self._images[:8]))


DATASETS["noise"] = Noise
