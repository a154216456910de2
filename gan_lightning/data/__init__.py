"""DataModules; the table of all data sets."""

from __future__ import annotations

from gan_lightning.data.base import DataConfig, ResidentData
from gan_lightning.data.dirac import Dirac
from gan_lightning.data.mnist import MNIST, StackedMNIST
from gan_lightning.data.rounds import RoundStream, Rows, Schedule
from gan_lightning.data.toys import Grid, Ring, SwissRoll

DATASETS: dict[str, type[ResidentData]] = {
    "mnist": MNIST,
    "stacked_mnist": StackedMNIST,
    "ring": Ring,
    "grid": Grid,
    "swissroll": SwissRoll,
    "dirac": Dirac,
}

__all__ = [
    "DATASETS",
    "MNIST",
    "DataConfig",
    "Dirac",
    "Grid",
    "ResidentData",
    "Ring",
    "RoundStream",
    "Rows",
    "Schedule",
    "StackedMNIST",
    "SwissRoll",
]
