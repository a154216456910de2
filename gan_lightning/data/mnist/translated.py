"""Digits in two forms: two domains that never meet in a pair, and pairs of edges and digit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.data.base import (
    DataConfig,
    IndexedData,
    stratified_subset,
    to_float_nchw,
    to_uint8_nhwc,
)
from gan_lightning.data.mnist.datamodule import MNIST, MNISTConfig
from gan_lightning.data.mnist.usps import read_usps
from gan_lightning.errors import check_choice
from gan_lightning.types import Batch, DataSpec

__all__ = [
    "TRANSLATIONS",
    "DigitDomains",
    "DigitDomainsConfig",
    "DigitPairs",
    "DigitPairsConfig",
    "edges",
    "negative",
]


def edges(images: Tensor) -> Tensor:
    """Return the outlines of digits: each pixel's brightest neighbour of 3x3, less the pixel.

    Args:
        images: uint8 (N, H, W, 1).

    Returns:
        uint8 (N, H, W, 1), with a value that is at least 0.

    Source: the MNIST edges of the authors' code for coupled GANs (github.com/mingyuliutw/CoGAN).
    """
    brightest = images
    for side in (1, 2):
        before, after = (torch.zeros_like(brightest) for _ in range(2))
        length = brightest.shape[side]
        before.narrow(side, 1, length - 1).copy_(brightest.narrow(side, 0, length - 1))
        after.narrow(side, 0, length - 1).copy_(brightest.narrow(side, 1, length - 1))
        brightest = brightest.maximum(before).maximum(after)
    return brightest - images


def negative(images: Tensor) -> Tensor:
    """Return dark for bright and bright for dark, uint8 of the same shape."""
    return 255 - images


TRANSLATIONS: dict[str, Callable[[Tensor], Tensor]] = {"edges": edges, "negative": negative}
"""What is known of a second domain: uint8 digits (N, H, W, 1) to their like in it."""


@dataclass
class DigitDomainsConfig(DataConfig):
    """Digits as they are, and others in a second form."""

    # the second domain: edges, negative, or usps (the user's copy)
    second: str = "edges"
    # height and width in pixels: 28 or 32
    size: int = 28
    # folder with usps.bz2 and usps.t.bz2
    root: str = ""
    # domain of the `labelled` data: 0 for digits, 1 for the second; the other one has no labels
    labelled_domain: int = 0

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        MNISTConfig(size=self.size).validate()
        check_choice("second", self.second, [*TRANSLATIONS, "usps"])
        if self.labelled_domain not in (0, 1):
            raise ValueError(f"labelled_domain is {self.labelled_domain}; it must be 0 or 1")
        if self.labelled and self.labelled % 10:
            raise ValueError(f"labelled is {self.labelled}; it must be a multiple of the 10 digits")


class DigitDomains(IndexedData):
    """Two domains of digits, equally many of each; no digit is in both. A datum's class is its own.

    One half of the training digits are as they are (class 0); the other half are seen as edges or
    as negatives only (class 1). With USPS, they are as many digits as USPS has.

    Raises:
        ValueError: a value of the config is out of range.
        UserError: the user's USPS files are not there.

    Source: Liu, Tuzel 2016 (arXiv:1606.07536), section 4: two halves of the training set.
    """

    Config: ClassVar[type[Any]] = DigitDomainsConfig
    config: DigitDomainsConfig

    def __init__(self, config: DigitDomainsConfig) -> None:
        super().__init__(config)
        self.spec = DataSpec((1, config.size, config.size), classes=2)
        self.digits = MNIST(MNISTConfig(size=config.size))

    @property
    def num_modes(self) -> int:
        """Digits that the first domain should cover."""
        return 10

    @property
    def class_names(self) -> tuple[str, ...]:
        """The domains."""
        return ("digits", self.config.second)

    @property
    def model_spec(self) -> DataSpec:
        """What a model is told: always the domain, and of a few data in one domain the digit."""
        if not self.config.labelled:
            return self.spec
        domain = self.config.labelled_domain
        return replace(self.spec, labelled_classes=10, labelled_domain=domain)

    def training_data(self) -> tuple[Tensor, Tensor]:
        """Return uint8 images (M, H, W, 1) of both domains, and their domains (M,)."""
        return self._images, self._domains

    def test_data(self) -> Batch:
        """Return images of test digits, half of them in each domain, and their domains."""
        first, second = self._tests
        half = min(len(first.data), len(second.data)) // 2
        images = torch.cat([first.data[:half], second.data[half : 2 * half]])
        return Batch(images, torch.arange(2).repeat_interleave(half))

    def labelled_data(self) -> tuple[Tensor, Tensor] | None:
        """Return the few labelled images of one domain and their digits, or None.

        Raises:
            ValueError: a digit has too few.
        """
        config = self.config
        if not config.labelled:
            return None
        images, digits = self._training[config.labelled_domain]
        rows = stratified_subset(digits, config.labelled, self._draw_of_labels)
        return images[rows], digits[rows]

    def target_test(self) -> Batch:
        """Return all test images in the domain without labels, and their digits."""
        return self._tests[1 - self.config.labelled_domain]

    def translate(self, images: Tensor) -> Tensor | None:
        """Turn digits (N, 1, H, W) in [-1, 1] into their like in the second domain, if known."""
        known = TRANSLATIONS.get(self.config.second)
        if known is None:
            return None
        return to_float_nchw(known(to_uint8_nhwc(images)))

    @cached_property
    def _training(self) -> list[tuple[Tensor, Tensor]]:
        """Images and digits of each domain."""
        images, digits = self.digits.training_data()
        if self.config.second == "usps":
            others, labels = read_usps(self.config.root, "train", self.config.size)
            return [(images[: len(others)], digits[: len(others)]), (others, labels)]
        half = len(images) // 2
        translated = _second_half(self.config.second, self.config.size)
        return [(images[:half], digits[:half]), (translated, digits[half:])]

    @cached_property
    def _images(self) -> Tensor:
        return torch.cat([images for images, _ in self._training])

    @cached_property
    def _domains(self) -> Tensor:
        sizes = torch.tensor([len(images) for images, _ in self._training])
        return torch.arange(2).repeat_interleave(sizes)

    @cached_property
    def _tests(self) -> list[Batch]:
        test = self.digits.test_data()
        if self.config.second == "usps":
            images, labels = read_usps(self.config.root, "test", self.config.size)
            return [test, Batch(to_float_nchw(images), labels)]
        translated = self.translate(test.data)
        assert translated is not None
        return [test, Batch(translated, test.labels)]


@dataclass
class DigitPairsConfig(DataConfig):
    """Edges of digits, to be turned back into digits."""

    # height and width in pixels: 28 or 32
    size: int = 32

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        MNISTConfig(size=self.size).validate()


class DigitPairs(IndexedData):
    """Pairs of the edges of a digit (the source) and the digit; ten classes.

    Raises:
        ValueError: a value of the config is out of range.

    Source: the edges of Liu, Tuzel 2016; the task after Isola et al. 2017 (arXiv:1611.07004),
        section 4, whose edges are of shoes and handbags.
    """

    Config: ClassVar[type[Any]] = DigitPairsConfig
    config: DigitPairsConfig

    def __init__(self, config: DigitPairsConfig) -> None:
        super().__init__(config)
        shape = (1, config.size, config.size)
        self.spec = DataSpec(shape, classes=10, source_shape=shape)
        self.digits = MNIST(MNISTConfig(size=config.size))

    def training_data(self) -> tuple[Tensor, Tensor]:
        """Return uint8 images (60000, H, W, 1) and digits (60000,)."""
        return self.digits.training_data()

    def source_data(self) -> Tensor:
        """Return the edges of the training digits, uint8 (60000, H, W, 1)."""
        return _edges_of(self.config.size)

    def test_data(self) -> Batch:
        """Return test digits (10000, 1, H, W) in [-1, 1], their digits, and their edges."""
        return self._test

    @cached_property
    def _test(self) -> Batch:
        test = self.digits.test_data()
        return test._replace(source=to_float_nchw(edges(to_uint8_nhwc(test.data))))


@lru_cache(maxsize=1)
def _second_half(second: str, size: int) -> Tensor:
    """Translate the digits that are seen in the second domain only."""
    images, _ = MNIST(MNISTConfig(size=size)).training_data()
    return TRANSLATIONS[second](images[len(images) // 2 :])


@lru_cache(maxsize=1)
def _edges_of(size: int) -> Tensor:
    return edges(MNIST(MNISTConfig(size=size)).training_data()[0])
