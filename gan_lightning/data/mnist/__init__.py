"""The MNIST handwritten digits, embedded in the package."""

from gan_lightning.data.mnist.datamodule import MNIST, MNISTConfig
from gan_lightning.data.mnist.stacked import StackedMNIST, StackedMNISTConfig
from gan_lightning.data.mnist.translated import (
    DigitDomains,
    DigitDomainsConfig,
    DigitPairs,
    DigitPairsConfig,
)

__all__ = [
    "MNIST",
    "DigitDomains",
    "DigitDomainsConfig",
    "DigitPairs",
    "DigitPairsConfig",
    "MNISTConfig",
    "StackedMNIST",
    "StackedMNISTConfig",
]
