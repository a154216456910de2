"""The simplest dataset: one point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.data.base import BaseDataModule, DataConfig
from gan_lightning.types import Batch, DataSpec

__all__ = ["Dirac", "DiracConfig"]

TEST_POINTS = 1000


@dataclass
class DiracConfig(DataConfig):
    """All data are equal; only random regularisers need a larger minibatch."""

    batch_size: int = 1


class Dirac(BaseDataModule):
    """The Dirac distribution at 0 on the real line.

    Source: Mescheder, Geiger, Nowozin 2018 (arXiv:1801.04406), section 2.
    """

    Config: ClassVar[type[Any]] = DiracConfig
    spec = DataSpec((1,))

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return the distance of the players from their equilibrium."""
        return ("equilibrium",)

    def training_data(self) -> tuple[Tensor, None]:
        """Return one minibatch of zeros, (batch size, 1)."""
        return torch.zeros(self.config.batch_size, 1), None

    def test_data(self) -> Batch:
        """Return zeros (1000, 1)."""
        return Batch(torch.zeros(TEST_POINTS, 1))
