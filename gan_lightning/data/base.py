"""The contract of the DataModules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from gan_lightning.core.seeding import derived_seed
from gan_lightning.data.round_loader import IndexableData, RoundLoader, Schedule
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.settings import check_settings

__all__ = ["DataConfig", "IndexedData"]


@dataclass
class DataConfig:
    """What every data set has."""

    # data of one minibatch, on all processes together
    batch_size: int = 64
    # data whose class a model is told, evenly of each class; 0 tells it the class of every datum
    labelled: int = 0
    # seed of the choice of those; null for the run's
    labelled_seed: int | None = None

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}; it must be at least 1")
        if self.labelled < 0:
            raise ValueError(f"labelled is {self.labelled}; it must be at least 0")


class IndexedData(LightningDataModule, ABC):
    """Data of which a batch is an index into rows, in memory or mapped from a disk.

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
        check_settings(config)
        self.config = config
        self.schedule: Schedule | None = None

    @property
    def num_modes(self) -> int | None:
        """Modes or classes that a generator should cover; None where there are none."""
        return self.spec.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """What a person calls each class; empty where there are none."""
        return tuple(map(str, range(self.spec.classes or 0)))

    @property
    def mirrors(self) -> bool:
        """Whether training images are shown mirrored half of the time."""
        return False

    @property
    def model_spec(self) -> DataSpec:
        """What a model is told of the data: with few labelled ones, no class of the others."""
        if not self.config.labelled:
            return self.spec
        return replace(self.spec, classes=None, labelled_classes=self.spec.classes)

    @abstractmethod
    def training_data(self) -> tuple[IndexableData, Tensor | None]:
        """Return all training data as held in memory, and its labels (M,) where it has any."""

    @abstractmethod
    def test_data(self) -> Batch:
        """Return real data that no model is trained on, as the networks see it."""

    def source_data(self) -> IndexableData | None:
        """Return what each training datum is the translation of, or None."""
        return None

    def labelled_data(self) -> tuple[IndexableData, Tensor] | None:
        """Return the few labelled training data and their classes, or None where all are labelled.

        Raises:
            ValueError: there are no classes, or `labelled` cannot be had evenly of each.
        """
        if not self.config.labelled:
            return None
        data, labels = self.training_data()
        if labels is None:
            raise ValueError(
                f"labelled is {self.config.labelled}, and these data have no classes; set it to 0"
            )
        rows = stratified_subset(labels, self.config.labelled, self._draw_of_labels)
        return data[rows], labels[rows]

    @property
    def _draw_of_labels(self) -> int:
        given = self.config.labelled_seed
        if given is not None:
            return given
        return 0 if self.schedule is None else self.schedule.seed

    def train_dataloader(self) -> RoundLoader:
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
        labelled = self.labelled_data()
        return RoundLoader(
            data,
            labels if self.model_spec.classes is not None else None,
            source=self.source_data(),
            labelled=labelled,
            mirrors=self.mirrors,
            batch_size=self.config.batch_size,
            schedule=self.schedule,
            first_update=getattr(learner, "updates", 0),
            rank=0 if trainer is None else trainer.global_rank,
            world_size=1 if trainer is None else trainer.world_size,
        )

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Scale a batch of images to [-1, 1], and mirror what is to be mirrored, on the device."""
        source, beside = batch.source, batch.labelled
        if source is not None:
            source = to_float_nchw(mirrored(source, batch.mirrored))
        if beside is not None:
            beside = Batch(to_float_nchw(beside.data), beside.labels)
        data = to_float_nchw(mirrored(batch.data, batch.mirrored))
        return Batch(data, batch.labels, source, beside)


def to_uint8_nhwc(images: Tensor) -> Tensor:
    """Turn floats (N, C, H, W) in [-1, 1] into uint8 images (N, H, W, C), as data are held."""
    scaled = images.detach().float().add(1).mul(127.5).round().clamp(0, 255)
    return scaled.to(torch.uint8).movedim(1, -1)


def stratified_subset(labels: Tensor, count: int, draw: int) -> Tensor:
    """Choose data at random, as many of each class.

    Args:
        labels: of all data, int64 (M,), in [0, classes).
        count: of the data to choose.
        draw: seed of the choice.

    Returns:
        Their rows, int64 (count,).

    Raises:
        ValueError: the classes cannot share them evenly, or one has too few data.
    """
    there = torch.bincount(labels)
    each, left = divmod(count, len(there))
    if left or each > there.min():
        raise ValueError(
            f"labelled is {count}; it must be a multiple of the {len(there)} classes, "
            f"up to {len(there) * int(there.min())}"
        )
    rng = torch.Generator().manual_seed(derived_seed(draw, "labelled"))
    order = torch.randperm(len(labels), generator=rng)
    sides = [order[labels[order] == label][:each] for label in range(len(there))]
    return torch.cat(sides)


def mirrored(images: Tensor, which: Tensor | None) -> Tensor:
    """Swap left and right of images (..., H, W, C) where `which`, bool (...,), says so."""
    if which is None:
        return images
    flat = images.flatten(0, which.ndim - 1)
    rows = torch.arange(len(flat), device=flat.device) + len(flat) * which.flatten()
    # whole images are copied so, which is faster than choosing number by number
    return torch.cat([flat, flat.flip(2)]).index_select(0, rows).view_as(images)


def to_float_nchw(data: Tensor) -> Tensor:
    """Turn uint8 images (..., H, W, C) into floats (..., C, H, W) in [-1, 1], without a copy more.

    Points pass unchanged.
    """
    if data.dtype != torch.uint8:
        return data
    return data.float().div_(127.5).sub_(1).movedim(-1, -3)
