"""MNIST as a DataModule, read from the embedded files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from gan_lightning.assets.loader import read_idx
from gan_lightning.data.base import BaseDataModule, DataConfig, to_float_nchw
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.settings import setting

__all__ = ["IMAGE_SIZES", "MNIST", "MNISTConfig"]

IMAGE_SIZES = (28, 32)
"""Height and width of the digits in pixels: as published, or with a border of zeros."""


@dataclass
class MNISTConfig(DataConfig):
    """60,000 training and 10,000 test digits."""

    size: int = setting(
        28,
        "Height and width in pixels; 32 adds a border of two zeros on each side.",
        choices=IMAGE_SIZES,
    )


class MNIST(BaseDataModule):
    """Handwritten digits, 1x28x28 (or padded to 1x32x32), ten classes.

    Raises:
        ValueError: `size` is neither 28 nor 32.
        UserError: an embedded file is missing or is not the published one.

    Source: LeCun, Cortes, Burges; see ATTRIBUTION.md next to the files.
    """

    Config: ClassVar[type[Any]] = MNISTConfig
    shows_digits: ClassVar[bool] = True
    config: MNISTConfig

    def __init__(self, config: MNISTConfig) -> None:
        super().__init__(config)
        self.spec = DataSpec((1, config.size, config.size), classes=10)

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the metrics of digits."""
        return ("digits", "digit_pixels")

    def training_data(self) -> tuple[Tensor, Tensor]:
        """Return uint8 images (60000, H, W, 1) and digits (60000,)."""
        return self._images("train-images-idx3-ubyte"), _labels("train-labels-idx1-ubyte")

    def test_data(self) -> Batch:
        """Return images (10000, 1, H, W) in [-1, 1] and their digits (10000,)."""
        images = self._images("t10k-images-idx3-ubyte")
        return Batch(to_float_nchw(images), _labels("t10k-labels-idx1-ubyte"))

    def _images(self, name: str) -> Tensor:
        images = torch.from_numpy(read_idx(name)).view(-1, 28, 28, 1)
        border = (self.config.size - 28) // 2
        return _padded_images(name, border) if border else images


@lru_cache(maxsize=2)
def _padded_images(name: str, border: int) -> Tensor:
    """Return uint8 images (M, H, W, 1) with a border of zeros, the same tensor at each call."""
    images = torch.from_numpy(read_idx(name)).view(-1, 28, 28)
    return pad(images, (border,) * 4).unsqueeze(-1)


def _labels(name: str) -> Tensor:
    return torch.from_numpy(read_idx(name)).long()
