"""The contract of the DataModules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from gan_lightning.batch import Batch, DataSpec
from gan_lightning.data.rounds import RoundStream, Rows, Schedule

__all__ = ["DataConfig", "ResidentData"]


@dataclass
class DataConfig:
    """What every data set has."""

    # data of one minibatch, on all processes together
    batch_size: int = 64

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}; it must be at least 1")


class ResidentData(LightningDataModule, ABC):
    """Data that fits in memory and stays there: a batch is an index into it.

    Images are held as uint8 (M, H, W, C), so that a batch is in channels-last order, and are
    scaled to [-1, 1] on the device; points are held as they are. There are no worker processes.

    Args:
        config: an instance of the class's `Config`.

    Raises:
        ValueError: a value of the config is out of range.

    Attributes:
        spec: shape and classes.
        schedule: of the run; `run.py` sets it before training.
    """

    Config: ClassVar[type[Any]] = DataConfig
    spec: DataSpec

    def __init__(self, config: DataConfig) -> None:
        super().__init__()
        config.validate()
        self.config = config
        self.schedule: Schedule | None = None

    @property
    def kinds(self) -> int | None:
        """Modes or classes that a generator should cover; None where there are none."""
        return self.spec.classes

    @abstractmethod
    def training_data(self) -> tuple[Rows, Tensor | None]:
        """Return all training data as held in memory, and its labels (M,) where it has any."""

    @abstractmethod
    def test_data(self) -> Batch:
        """Return real data that no model is trained on, as the networks see it."""

    def train_dataloader(self) -> RoundStream:
        """Return the rounds that the model has not played yet.

        Raises:
            RuntimeError: no schedule is set.
            ValueError: the batch size does not fit the data or the processes.
        """
        if self.schedule is None:
            raise RuntimeError("set the DataModule's schedule before training: see data/rounds.py")
        trainer = self.trainer
        learner = None if trainer is None else trainer.lightning_module
        data, labels = self.training_data()
        return RoundStream(
            data,
            labels,
            batch_size=self.config.batch_size,
            schedule=self.schedule,
            first_update=getattr(learner, "updates", 0),
            rank=0 if trainer is None else trainer.global_rank,
            world_size=1 if trainer is None else trainer.world_size,
        )

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Scale a batch of images to [-1, 1], on the device."""
        return Batch(as_networks_see(batch.data), batch.labels)


def as_networks_see(data: Tensor) -> Tensor:
    """Turn uint8 images (..., H, W, C) into floats (..., C, H, W) in [-1, 1], without a copy more.

    Points pass unchanged.
    """
    if data.dtype != torch.uint8:
        return data
    return data.float().div_(127.5).sub_(1).movedim(-1, -3)
