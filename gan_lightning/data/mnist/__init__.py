"""Datasets made of the MNIST digits, which are embedded in the package."""

from gan_lightning.data.mnist.datamodule import MNIST, MNISTConfig
from gan_lightning.data.mnist.domains import DigitDomains, DigitDomainsConfig
from gan_lightning.data.mnist.pairs import DigitPairs, DigitPairsConfig
from gan_lightning.data.mnist.stacked import StackedMNIST, StackedMNISTConfig

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
