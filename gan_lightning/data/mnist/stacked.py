"""Stacked MNIST: three digits as the channels of one image, a thousand classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.core.seeding import derived_seed
from gan_lightning.data.base import BaseDataModule, DataConfig
from gan_lightning.data.mnist.datamodule import IMAGE_SIZES, MNIST, MNISTConfig
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.settings import setting

__all__ = ["StackedDigits", "StackedMNIST", "StackedMNISTConfig"]

TEST_IMAGES = 10_000


@dataclass
class StackedMNISTConfig(DataConfig):
    """Images of three digits; PacGAN's number of images."""

    images: int = setting(128_000, "Number of training images.", minimum=1)
    size: int = setting(28, "Height and width in pixels.", choices=IMAGE_SIZES)
    data_seed: int = setting(0, "Seed of the choice of the digits.")


class StackedDigits:
    """Images of three digits each, stacked when they are indexed: 128,000 would take 300 MB.

    Args:
        digits: uint8 (M, H, W, 1).
        triples: rows of the three digits of each image, int64 (N, 3).
    """

    dtype = torch.uint8

    def __init__(self, digits: Tensor, triples: Tensor) -> None:
        self.digits = digits
        self.columns = triples.unbind(dim=1)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.columns[0])

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Stack the digits of these images, uint8 (*rows.shape, H, W, 3)."""
        digits = [self.digits[column[rows]].squeeze(-1) for column in self.columns]
        return torch.stack(digits, dim=-1)


class StackedMNIST(BaseDataModule):
    """Three random digits as the red, green and blue channel; digits a, b, c are class abc.

    Digits are chosen uniformly with replacement, once for the run: training images consist of the
    60,000 training digits, the 10,000 test images of the test digits.

    Raises:
        ValueError: a value of the config is out of range.
        UserError: an embedded file is missing or is not the published one.

    Source: Metz et al. 2017 (arXiv:1611.02163); Srivastava et al. 2017 (VEEGAN, arXiv:1705.07761);
        Lin et al. 2018 (PacGAN, arXiv:1712.04086). PacGAN's code (github.com/fjxmlzn/PacGAN,
        stacked_MNIST_experiments/VEEGAN_experiment) chooses 128,000 images once, without labels;
        for the comparison with Metz et al. it chooses new digits for every minibatch, as it says
        that they do.
    Deviations: that code uses the 70,000 digits of both sets; here the test digits occur in test
        images only.
    """

    Config: ClassVar[type[Any]] = StackedMNISTConfig
    config: StackedMNISTConfig

    def __init__(self, config: StackedMNISTConfig) -> None:
        super().__init__(config)
        self.spec = DataSpec((3, config.size, config.size), classes=1000)
        self._mnist = MNIST(MNISTConfig(size=config.size))

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the coverage of the thousand modes."""
        return ("stacked_digits",)

    def training_data(self) -> tuple[StackedDigits, Tensor]:
        """Return uint8 images (images, H, W, 3), stacked when indexed, and classes (images,)."""
        digits, labels = self._mnist.training_data()
        triples = self._triples("train", len(digits), self.config.images)
        return StackedDigits(digits, triples), _classes(labels[triples])

    def test_data(self) -> Batch:
        """Return images (10000, 3, H, W) in [-1, 1] and their classes (10000,)."""
        return self._test

    @cached_property
    def _test(self) -> Batch:
        test = self._mnist.test_data()
        digits, labels = test.data, test.labels
        assert labels is not None
        triples = self._triples("test", len(digits), TEST_IMAGES)
        return Batch(digits.squeeze(1)[triples], _classes(labels[triples]))

    def _triples(self, part: str, digits: int, images: int) -> Tensor:
        """Choose three digits for each image, int64 (images, 3) in [0, digits)."""
        seed = derived_seed(self.config.data_seed, "stacks", part)
        return torch.randint(digits, (images, 3), generator=torch.Generator().manual_seed(seed))


def _classes(labels: Tensor) -> Tensor:
    """Convert the labels of three digits (N, 3) to a class (N,) in [0, 1000)."""
    return labels @ torch.tensor([100, 10, 1])
