"""DataModules; the table of all data sets."""

from __future__ import annotations

from gan_lightning.data.base import DataConfig, IndexedData
from gan_lightning.data.dirac import Dirac
from gan_lightning.data.mnist import MNIST, DigitDomains, DigitPairs, StackedMNIST
from gan_lightning.data.rounds import RoundStream, Rows, Schedule
from gan_lightning.data.toys import Grid, Ring, SwissRoll

DATASETS: dict[str, type[IndexedData]] = {
    "mnist": MNIST,
    "stacked_mnist": StackedMNIST,
    "mnist_domains": DigitDomains,
    "mnist_pairs": DigitPairs,
    "ring": Ring,
    "grid": Grid,
    "swissroll": SwissRoll,
    "dirac": Dirac,
}

__all__ = [
    "DATASETS",
    "MNIST",
    "DataConfig",
    "DigitDomains",
    "DigitPairs",
    "Dirac",
    "Grid",
    "IndexedData",
    "Ring",
    "RoundStream",
    "Rows",
    "Schedule",
    "StackedMNIST",
    "SwissRoll",
]
