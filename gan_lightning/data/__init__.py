"""DataModules; the table of all data sets."""

from __future__ import annotations

from gan_lightning.data.base import DataConfig, ResidentData
from gan_lightning.data.mnist import MNIST
from gan_lightning.data.rounds import RoundStream, Schedule
from gan_lightning.data.toys import Grid, Ring, SwissRoll

DATASETS: dict[str, type[ResidentData]] = {
    "mnist": MNIST,
    "ring": Ring,
    "grid": Grid,
    "swissroll": SwissRoll,
}

__all__ = [
    "DATASETS",
    "MNIST",
    "DataConfig",
    "Grid",
    "ResidentData",
    "Ring",
    "RoundStream",
    "Schedule",
    "SwissRoll",
]
