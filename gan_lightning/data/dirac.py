"""The simplest dataset: one point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.data.base import BaseDataModule, DataConfig
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.settings import setting

__all__ = ["Dirac", "DiracConfig"]

TEST_POINTS = 1000


@dataclass
class DiracConfig(DataConfig):
    """All data are equal; only random regularisers need a larger minibatch."""

    batch_size: int = 1
    dimensions: int = setting(1, "D: coordinates of the point.", minimum=1)


class Dirac(BaseDataModule):
    """The Dirac distribution at 0, on the real line or in D dimensions.

    Args:
        config: keys of the data.

    Source: Mescheder, Geiger, Nowozin 2018 (arXiv:1801.04406), section 2.
    """

    Config: ClassVar[type[Any]] = DiracConfig
    config: DiracConfig

    def __init__(self, config: DiracConfig) -> None:
        super().__init__(config)
        self.spec = DataSpec((config.dimensions,))

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the distance of the players from their equilibrium."""
        return ("equilibrium",)

    def pictures(self) -> tuple[str, ...]:
        """Return nothing: a scatter plot would show a single point."""
        return ()

    def training_data(self) -> tuple[Tensor, None]:
        """Return one minibatch of zeros, (batch size, D)."""
        return torch.zeros(self.config.batch_size, *self.spec.shape), None

    def test_data(self) -> Batch:
        """Return zeros (1000, D)."""
        return Batch(torch.zeros(TEST_POINTS, *self.spec.shape))
