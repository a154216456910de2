"""The MNIST handwritten digits, embedded in the package."""

from gan_lightning.data.mnist.datamodule import MNIST, MNISTConfig

__all__ = ["MNIST", "MNISTConfig"]
