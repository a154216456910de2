"""Stacked MNIST: three digits as the channels of one image, a thousand classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.core.seeding import derived_seed
from gan_lightning.data.base import DataConfig, IndexedData
from gan_lightning.data.mnist.datamodule import MNIST, MNISTConfig
from gan_lightning.types import Batch, DataSpec

__all__ = ["StackedMNIST", "StackedMNISTConfig", "Stacks"]

TEST_IMAGES = 10_000


@dataclass
class StackedMNISTConfig(DataConfig):
    """PacGAN's number of images."""

    # number of training images
    images: int = 128_000
    # height and width in pixels: 28, or 32 with a border of zeros
    size: int = 28
    # of the draw of the digits
    data_seed: int = 0

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        MNISTConfig(size=self.size).validate()
        if self.images < 1:
            raise ValueError(f"images is {self.images}; it must be at least 1")


class Stacks:
    """Images of three digits each, gathered when they are asked for: 128,000 take 300 MB.

    Args:
        digits: uint8 (M, H, W, 1).
        triples: rows of the three digits of each image, int64 (N, 3).
    """

    dtype = torch.uint8

    def __init__(self, digits: Tensor, triples: Tensor) -> None:
        self.digits = digits
        self.columns = triples.unbind(dim=1)

    def __len__(self) -> int:
        """Count the images."""
        return len(self.columns[0])

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Gather the images of these numbers, uint8 (*rows.shape, H, W, 3)."""
        digits = [self.digits[column[rows]].squeeze(-1) for column in self.columns]
        return torch.stack(digits, dim=-1)


class StackedMNIST(IndexedData):
    """Three random digits as the red, green and blue of an image; digits a, b, c are class abc.

    Digits are drawn uniformly with replacement, once for the whole run: the training images of the
    60,000 training digits, 10,000 test images of the test digits.

    Raises:
        ValueError: `size` is neither 28 nor 32, or there is no image.
        UserError: an embedded file is missing or is not the published one.

    Source: Metz et al. 2017 (arXiv:1611.02163); Srivastava et al. 2017 (VEEGAN, arXiv:1705.07761);
        Lin et al. 2018 (PacGAN, arXiv:1712.04086). PacGAN's code (github.com/fjxmlzn/PacGAN,
        stacked_MNIST_experiments/VEEGAN_experiment) draws 128,000 images once, without labels; for
        the comparison with Metz et al. it draws every minibatch anew, as they are said to do.
    Deviations: that code draws from the 70,000 digits of both sets; here the test digits are left
        to the test images.
    """

    Config: ClassVar[type[Any]] = StackedMNISTConfig
    config: StackedMNISTConfig

    def __init__(self, config: StackedMNISTConfig) -> None:
        super().__init__(config)
        self.spec = DataSpec((3, config.size, config.size), classes=1000)
        self._mnist = MNIST(MNISTConfig(size=config.size))

    def training_data(self) -> tuple[Stacks, Tensor]:
        """Return images that are gathered when indexed, and their classes (images,)."""
        digits, labels = self._mnist.training_data()
        triples = self._triples("train", len(digits), self.config.images)
        return Stacks(digits, triples), _classes(labels[triples])

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
        seed = derived_seed(self.config.data_seed, "stacks", part)
        return torch.randint(digits, (images, 3), generator=torch.Generator().manual_seed(seed))


def _classes(labels: Tensor) -> Tensor:
    """Turn three digits (N, 3) into a number (N,) in [0, 1000)."""
    return labels @ torch.tensor([100, 10, 1])
