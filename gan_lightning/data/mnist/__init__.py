"""The MNIST handwritten digits, embedded in the package."""

from gan_lightning.data.mnist.datamodule import MNIST, MNISTConfig
from gan_lightning.data.mnist.stacked import StackedMNIST, StackedMNISTConfig

__all__ = ["MNIST", "MNISTConfig", "StackedMNIST", "StackedMNISTConfig"]
