"""Fashion-MNIST and CIFAR-10 as DataModules, from the files that torchvision downloads."""

from __future__ import annotations

import pickle
from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from gan_lightning.data.base import BaseDataModule, DataConfig, to_float_nchw
from gan_lightning.store.published_files import CIFAR10_FILES, FASHION_MNIST_FILES, PublishedFiles
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.settings import setting

__all__ = ["CIFAR10", "CIFAR10Config", "FashionMNIST", "FashionMNISTConfig", "FingerprintedImages"]

Images = tuple[Tensor, Tensor]
"""Images uint8 (M, H, W, C) and their classes int64 (M,)."""


class FingerprintedImages:
    """Images in memory with a fingerprint, by which statistics of them are cached.

    Args:
        images: uint8 (M, H, W, C).
        fingerprint: identifies all of them.
    """

    def __init__(self, images: Tensor, fingerprint: str) -> None:
        self._images, self.fingerprint = images, fingerprint

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._images)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Return the images of these rows, uint8 (*rows.shape, H, W, C)."""
        return self._images[rows]


class TorchvisionImages(BaseDataModule):
    """Base of the datasets of ten classes whose files are verified and then kept in memory.

    Raises:
        UserError: a file is missing, cannot be read, or has another MD5 sum than the published one.
    """

    files: ClassVar[PublishedFiles]
    names: ClassVar[tuple[str, ...]]
    """Names of the classes."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        folder = self.files.find(Path(config.root)).resolve()
        self._training, self._test = (self._read(folder, part) for part in ("train", "test"))
        images, _ = self._training
        self.spec = DataSpec((images.shape[-1], *images.shape[1:-1]), classes=len(self.names))

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, as published."""
        return self.names

    @property
    def reference_images(self) -> FingerprintedImages:
        """All training images, with which generated images are compared."""
        fingerprint = f"{self.files.fingerprint} {self.spec.shape[-1]} pixels"
        return FingerprintedImages(self._training[0], fingerprint)

    def training_data(self) -> Images:
        """Return uint8 images (M, H, W, C) and classes (M,)."""
        return self._training

    def test_data(self) -> Batch:
        """Return images (10000, C, H, W) in [-1, 1] and classes (10000,)."""
        images, labels = self._test
        return Batch(to_float_nchw(images), labels)

    @abstractmethod
    def _read(self, folder: Path, part: str) -> Images:
        """Read the images of a part, train or test, the same tensors at each call."""


@dataclass
class FashionMNISTConfig(DataConfig):
    """60,000 training and 10,000 test images of clothes."""

    root: str = setting(
        "data/fashion_mnist",
        "Folder with the four files, unpacked or not, or with torchvision's FashionMNIST/raw.",
    )
    size: int = setting(
        28,
        "Height and width in pixels; 32 adds a border of two zeros on each side.",
        choices=(28, 32),
    )

    @property
    def identity(self) -> str | None:
        """Fingerprint of the images, wherever they lie; None where there are none."""
        return FASHION_MNIST_FILES.identity(Path(self.root))


class FashionMNIST(TorchvisionImages):
    """Grey pictures of clothes, 1x28x28 (or padded to 1x32x32), ten classes.

    Raises:
        ValueError: `size` is neither 28 nor 32.
        UserError: a file is missing, or is not the published one.

    Source: Xiao, Rasul, Vollgraf 2017 (arXiv:1708.07747).
    """

    Config: ClassVar[type[Any]] = FashionMNISTConfig
    config: FashionMNISTConfig
    files: ClassVar[PublishedFiles] = FASHION_MNIST_FILES
    names: ClassVar[tuple[str, ...]] = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the metrics of clothes."""
        return ("clothes",)

    def _read(self, folder: Path, part: str) -> Images:
        return _read_fashion_mnist(folder, part, self.config.size)


@dataclass
class CIFAR10Config(DataConfig):
    """50,000 training and 10,000 test photographs."""

    root: str = setting("data/cifar10", "Folder with cifar-10-batches-py, or this folder itself.")
    mirror: bool = setting(False, "Mirror each training image with probability 0.5.")

    @property
    def identity(self) -> str | None:
        """Fingerprint of the images, wherever they lie; None where there are none."""
        return CIFAR10_FILES.identity(Path(self.root))


class CIFAR10(TorchvisionImages):
    """Photographs, 3x32x32, of ten classes.

    Raises:
        UserError: a file is missing, or is not the published one; it is not unpickled then.

    Source: Krizhevsky 2009, Learning multiple layers of features from tiny images.
    """

    Config: ClassVar[type[Any]] = CIFAR10Config
    config: CIFAR10Config
    files: ClassVar[PublishedFiles] = CIFAR10_FILES
    names: ClassVar[tuple[str, ...]] = (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )

    @property
    def random_mirror(self) -> bool:
        """Whether training images are mirrored at random, with probability 0.5."""
        return self.config.mirror

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the metrics in the features of Inception, else those of any images."""
        return ("inception", "images_without_inception", "image_classes")

    def _read(self, folder: Path, part: str) -> Images:
        return _read_cifar10(folder, part)


@lru_cache(maxsize=2)
def _read_fashion_mnist(folder: Path, part: str, size: int) -> Images:
    """Read a part of Fashion-MNIST, with a border of zeros where the size is 32."""
    name = {"train": "train", "test": "t10k"}[part]
    pixels, classes = (
        np.frombuffer(FASHION_MNIST_FILES.read(folder, f"{name}-{kind}-ubyte"), np.uint8, offset=n)
        for kind, n in (("images-idx3", 16), ("labels-idx1", 8))
    )
    images = torch.from_numpy(pixels.reshape(-1, 28, 28).copy())
    images = pad(images, ((size - 28) // 2,) * 4) if size > 28 else images
    return images.unsqueeze(-1), torch.from_numpy(classes.astype(np.int64))


@lru_cache(maxsize=2)
def _read_cifar10(folder: Path, part: str) -> Images:
    """Read a part of CIFAR-10; a batch is a pickle of a dictionary with `data` and `labels`."""
    names = [name for name in CIFAR10_FILES.md5 if (name == "test_batch") == (part == "test")]
    batches = [pickle.loads(CIFAR10_FILES.read(folder, name), encoding="latin1") for name in names]
    pixels = np.concatenate([batch["data"] for batch in batches]).reshape(-1, 3, 32, 32)
    labels = np.concatenate([batch["labels"] for batch in batches]).astype(np.int64)
    images = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    return torch.from_numpy(images), torch.from_numpy(labels)
