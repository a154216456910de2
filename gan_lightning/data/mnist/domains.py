"""Two domains of digits without pairs, for coupled GANs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.data.base import (
    BaseDataModule,
    DataConfig,
    to_float_nchw,
    to_uint8_nhwc,
)
from gan_lightning.data.mnist.datamodule import IMAGE_SIZES, MNIST, MNISTConfig
from gan_lightning.data.mnist.translations import TRANSLATIONS
from gan_lightning.data.mnist.usps import read_usps
from gan_lightning.data.subsets import stratified_subset
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.settings import setting

__all__ = ["DigitDomains", "DigitDomainsConfig"]


@dataclass
class DigitDomainsConfig(DataConfig):
    """MNIST digits and the second domain."""

    second: str = setting(
        "edges",
        "The second domain; usps needs your copy of the USPS digits.",
        choices=(*TRANSLATIONS, "usps"),
    )
    size: int = setting(28, "Height and width in pixels.", choices=IMAGE_SIZES)
    root: str = setting("", "Folder with usps.bz2 and usps.t.bz2.")
    labelled_domain: int = setting(
        0,
        "Domain of the `labelled` data: 0 for MNIST, 1 for the second; the other has no labels.",
        choices=(0, 1),
    )

    def validate(self) -> None:
        """Check that the ten digits can share the labelled data evenly.

        Raises:
            ValueError: naming the value.
        """
        if self.labelled % 10:
            raise ValueError(f"labelled is {self.labelled}; it must be a multiple of the 10 digits")


class DigitDomains(BaseDataModule):
    """Two domains of digits, equally many of each; no digit is in both. The class is the domain.

    The first half of the training digits are MNIST images (class 0). The second half are seen as
    edges or negatives only (class 1). With USPS, class 1 consists of the USPS digits, and class 0
    of equally many MNIST digits.

    Raises:
        ValueError: a value of the config is out of range.
        UserError: the USPS files are missing or damaged.

    Source: Liu, Tuzel 2016 (arXiv:1606.07536), section 4: two halves of the training set.
    """

    Config: ClassVar[type[Any]] = DigitDomainsConfig
    classes_are_domains: ClassVar[bool] = True
    config: DigitDomainsConfig

    def __init__(self, config: DigitDomainsConfig) -> None:
        super().__init__(config)
        self.spec = DataSpec((1, config.size, config.size), classes=2)
        self.digits = MNIST(MNISTConfig(size=config.size))

    @property
    def num_modes(self) -> int:
        """Number of digits that a generator should cover in the first domain."""
        return 10

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the two domains."""
        return ("digits", self.config.second)

    @property
    def model_spec(self) -> DataSpec:
        """`spec`, plus the digits as labelled classes where one domain has labelled data."""
        if not self.config.labelled:
            return self.spec
        domain = self.config.labelled_domain
        return replace(self.spec, labelled_classes=10, labelled_domain=domain)

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the metrics of pairs, where a generator is asked for each domain."""
        return ("digit_pairs",) if conditional else ()

    def pictures(self) -> tuple[str, ...]:
        """Return the pairs, a grid and a traversal."""
        return ("pairs", *super().pictures())

    def training_data(self) -> tuple[Tensor, Tensor]:
        """Return uint8 images (M, H, W, 1) of both domains, and their domains (M,)."""
        return self._training_images, self._training_domains

    def test_data(self) -> Batch:
        """Return test images (N, 1, H, W) in [-1, 1], half of them in each domain, and domains."""
        first, second = self._test_domains
        half = min(len(first.data), len(second.data)) // 2
        images = torch.cat([first.data[:half], second.data[half : 2 * half]])
        return Batch(images, torch.arange(2).repeat_interleave(half))

    def labelled_data(self) -> tuple[Tensor, Tensor] | None:
        """Return the labelled images of one domain and their digits, or None.

        Raises:
            ValueError: a digit has too few images, or the training data are limited, too.
        """
        config = self.config
        if not config.labelled:
            return None
        if config.training_samples:
            raise ValueError(
                f"labelled is {config.labelled} and training_samples is {config.training_samples}, "
                f"but labelled digits are chosen from all images of a domain; set one of them to 0"
            )
        images, digits = self._training_parts[config.labelled_domain]
        rows = stratified_subset(digits, config.labelled, self._labelled_seed)
        return images[rows], digits[rows]

    def target_test_data(self) -> Batch:
        """Return all test images of the domain without labels, and their digits."""
        return self._test_domains[1 - self.config.labelled_domain]

    def translate(self, images: Tensor) -> Tensor | None:
        """Translate images of the first domain into the second.

        Args:
            images: (N, 1, H, W) in [-1, 1].

        Returns:
            Images of the same shape, or None where the translation is unknown (USPS).
        """
        translation = TRANSLATIONS.get(self.config.second)
        if translation is None:
            return None
        return to_float_nchw(translation(to_uint8_nhwc(images)))

    @cached_property
    def _training_parts(self) -> list[tuple[Tensor, Tensor]]:
        """Images and digits of each domain."""
        images, digits = self.digits.training_data()
        if self.config.second == "usps":
            second, labels = read_usps(self.config.root, "train", self.config.size)
            return [(images[: len(second)], digits[: len(second)]), (second, labels)]
        half = len(images) // 2
        translated = _translated_half(self.config.second, self.config.size)
        return [(images[:half], digits[:half]), (translated, digits[half:])]

    @cached_property
    def _training_images(self) -> Tensor:
        return torch.cat([images for images, _ in self._training_parts])

    @cached_property
    def _training_domains(self) -> Tensor:
        sizes = torch.tensor([len(images) for images, _ in self._training_parts])
        return torch.arange(2).repeat_interleave(sizes)

    @cached_property
    def _test_domains(self) -> list[Batch]:
        """Test images and digits of each domain."""
        test = self.digits.test_data()
        if self.config.second == "usps":
            images, labels = read_usps(self.config.root, "test", self.config.size)
            return [test, Batch(to_float_nchw(images), labels)]
        translated = self.translate(test.data)
        assert translated is not None
        return [test, Batch(translated, test.labels)]


@lru_cache(maxsize=1)
def _translated_half(second: str, size: int) -> Tensor:
    """Translate the half of the training digits that is seen in the second domain only."""
    images, _ = MNIST(MNISTConfig(size=size)).training_data()
    return TRANSLATIONS[second](images[len(images) // 2 :])
