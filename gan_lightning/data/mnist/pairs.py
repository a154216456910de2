"""Pairs of the edges of a digit and the digit, for pix2pix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from torch import Tensor

from gan_lightning.data.base import BaseDataModule, DataConfig, to_float_nchw, to_uint8_nhwc
from gan_lightning.data.mnist.datamodule import IMAGE_SIZES, MNIST, MNISTConfig
from gan_lightning.data.mnist.translations import edges
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.settings import setting

__all__ = ["DigitPairs", "DigitPairsConfig"]


@dataclass
class DigitPairsConfig(DataConfig):
    """Edges of digits, which are translated back into digits."""

    size: int = setting(32, "Height and width in pixels.", choices=IMAGE_SIZES)


class DigitPairs(BaseDataModule):
    """Pairs of the edges of a digit (the source) and the digit; ten classes.

    Raises:
        ValueError: a value of the config is out of range.
        UserError: an embedded file is missing or is not the published one.

    Source: the edges of Liu, Tuzel 2016 (arXiv:1606.07536); the task after Isola et al. 2017
        (arXiv:1611.07004), section 4, whose edges are those of shoes and handbags.
    """

    Config: ClassVar[type[Any]] = DigitPairsConfig
    sources_are_edges: ClassVar[bool] = True
    config: DigitPairsConfig

    def __init__(self, config: DigitPairsConfig) -> None:
        super().__init__(config)
        shape = (1, config.size, config.size)
        self.spec = DataSpec(shape, classes=10, source_shape=shape)
        self.digits = MNIST(MNISTConfig(size=config.size))

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the distances from the targets, and the metrics of digits."""
        return ("digit_translations",)

    def training_data(self) -> tuple[Tensor, Tensor]:
        """Return uint8 images (60000, H, W, 1) and digits (60000,)."""
        return self.digits.training_data()

    def source_data(self) -> Tensor:
        """Return the edges of the training digits, uint8 (60000, H, W, 1)."""
        return _training_edges(self.config.size)

    def test_data(self) -> Batch:
        """Return test images (10000, 1, H, W) in [-1, 1], their digits, and their edges."""
        return _test_data(self.config.size)


@lru_cache(maxsize=1)
def _training_edges(size: int) -> Tensor:
    return edges(MNIST(MNISTConfig(size=size)).training_data()[0])


@lru_cache(maxsize=1)
def _test_data(size: int) -> Batch:
    test = MNIST(MNISTConfig(size=size)).test_data()
    return test._replace(source=to_float_nchw(edges(to_uint8_nhwc(test.data))))
