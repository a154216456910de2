"""DataModules; the table of all data sets."""

from __future__ import annotations

from gan_lightning.data.base import DataConfig, IndexedData
from gan_lightning.data.dirac import Dirac
from gan_lightning.data.image_datasets import LSUN, CelebA, PictureFolder, PicturePairs
from gan_lightning.data.image_store import StoredImages, StoredRows
from gan_lightning.data.mnist import MNIST, DigitDomains, DigitPairs, StackedMNIST
from gan_lightning.data.round_loader import IndexableData, RoundLoader, Schedule
from gan_lightning.data.toy2d import Grid, Ring, SwissRoll

DATASETS: dict[str, type[IndexedData]] = {
    "mnist": MNIST,
    "stacked_mnist": StackedMNIST,
    "mnist_domains": DigitDomains,
    "mnist_pairs": DigitPairs,
    "celeba": CelebA,
    "lsun": LSUN,
    "folder": PictureFolder,
    "pairs": PicturePairs,
    "ring": Ring,
    "grid": Grid,
    "swissroll": SwissRoll,
    "dirac": Dirac,
}

__all__ = [
    "DATASETS",
    "LSUN",
    "MNIST",
    "CelebA",
    "DataConfig",
    "DigitDomains",
    "DigitPairs",
    "Dirac",
    "Grid",
    "IndexableData",
    "IndexedData",
    "PictureFolder",
    "PicturePairs",
    "Ring",
    "RoundLoader",
    "Schedule",
    "StackedMNIST",
    "StoredImages",
    "StoredRows",
    "SwissRoll",
]
