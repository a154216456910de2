"""DataModules, and the table of all datasets."""

from __future__ import annotations

from gan_lightning.data.adapter import as_data_module
from gan_lightning.data.base import BaseDataModule, DataConfig
from gan_lightning.data.dirac import Dirac
from gan_lightning.data.faces import Faces
from gan_lightning.data.huggingface import HuggingFace
from gan_lightning.data.image_datasets import LSUN, CelebA
from gan_lightning.data.image_folder import ImageFolder
from gan_lightning.data.image_pairs import ImagePairs, OpenMoji
from gan_lightning.data.image_store import ImageStoreDataModule, MemoryMappedImages
from gan_lightning.data.mnist import MNIST, DigitDomains, DigitPairs, StackedMNIST
from gan_lightning.data.round_loader import IndexableData, LoaderConfig, RoundLoader
from gan_lightning.data.torch_dataset import TorchDataset
from gan_lightning.data.torchvision_datasets import CIFAR10, FashionMNIST
from gan_lightning.data.toy2d import Grid, Ring, SwissRoll

DATASETS: dict[str, type[BaseDataModule]] = {
    "mnist": MNIST,
    "stacked_mnist": StackedMNIST,
    "mnist_domains": DigitDomains,
    "mnist_pairs": DigitPairs,
    "fashion_mnist": FashionMNIST,
    "cifar10": CIFAR10,
    "faces": Faces,
    "celeba": CelebA,
    "lsun": LSUN,
    "folder": ImageFolder,
    "pairs": ImagePairs,
    "openmoji": OpenMoji,
    "torch": TorchDataset,
    "huggingface": HuggingFace,
    "ring": Ring,
    "grid": Grid,
    "swissroll": SwissRoll,
    "dirac": Dirac,
}

__all__ = [
    "CIFAR10",
    "DATASETS",
    "LSUN",
    "MNIST",
    "BaseDataModule",
    "CelebA",
    "DataConfig",
    "DigitDomains",
    "DigitPairs",
    "Dirac",
    "Faces",
    "FashionMNIST",
    "Grid",
    "HuggingFace",
    "ImageFolder",
    "ImagePairs",
    "ImageStoreDataModule",
    "IndexableData",
    "LoaderConfig",
    "MemoryMappedImages",
    "OpenMoji",
    "Ring",
    "RoundLoader",
    "StackedMNIST",
    "SwissRoll",
    "TorchDataset",
    "as_data_module",
]
