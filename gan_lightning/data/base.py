"""Base class of the DataModules: minibatches, labelled subset, scaling of images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from gan_lightning.core.seeding import derived_seed
from gan_lightning.data.crop_and_mirror import crop_and_mirror
from gan_lightning.data.round_loader import IndexableData, LoaderConfig, RoundLoader
from gan_lightning.data.subsets import RowSubset, stratified_subset
from gan_lightning.types import Batch, DataSpec
from gan_lightning.utils.settings import check_settings, setting

__all__ = ["BaseDataModule", "DataConfig"]


@dataclass
class DataConfig:
    """Keys that every dataset has."""

    batch_size: int = setting(
        64, "Size of the global minibatch, summed over all processes.", minimum=1
    )
    training_samples: int = setting(
        0,
        "Number of training data that are used, a random choice that is the same for all seeds and "
        "contains every smaller one; 0 uses all of them.",
        minimum=0,
    )
    labelled: int = setting(
        0,
        "Number of labelled training data, equally many of each class; 0 labels all of them.",
        minimum=0,
    )
    labelled_seed: int | None = setting(
        None, "Seed of the choice of the labelled data; null means the seed of the run."
    )


class BaseDataModule(LightningDataModule, ABC):
    """Base of the DataModules: training data in memory or memory-mapped, indexed by minibatches.

    Training images are stored as uint8 (M, H, W, C), so that batches are in channels-last order,
    and are scaled to [-1, 1] on the device. Points are stored unchanged. There are no worker
    processes.

    Args:
        config: an instance of the class's `Config`.

    Raises:
        ValueError: a value of the config is out of range.

    Attributes:
        spec: shape and classes of the data.
        loader_config: rounds of the run; must be set before `train_dataloader` is called.
    """

    Config: ClassVar[type[Any]] = DataConfig
    shows_digits: ClassVar[bool] = False
    """Whether samples are single digits, whose slant and stroke width can be measured."""
    belongs_to_user: ClassVar[bool] = False
    """Whether the data are a copy of the user's, whose licence the user has to state."""
    classes_are_domains: ClassVar[bool] = False
    """Whether classes are domains: samples are evaluated as tuples, one of each domain."""
    sources_are_edges: ClassVar[bool] = False
    """Whether the source of a translation is the edges of its target, as of a person's drawing."""
    spec: DataSpec

    def __init__(self, config: DataConfig) -> None:
        super().__init__()
        check_settings(config)
        self.config = config
        self.loader_config: LoaderConfig | None = None

    @property
    def num_modes(self) -> int | None:
        """Number of modes or classes that a generator should cover, or None."""
        return self.spec.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class; empty where there are no classes."""
        return tuple(map(str, range(self.spec.classes or 0)))

    @property
    def class_attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the values of each attribute whose combinations are the classes; often none.

        `spec.attribute_names` has the same attributes, in the same order.
        """
        return {}

    def evaluators(self, conditional: bool = False) -> tuple[str, ...]:
        """Return what is measured of generated samples.

        By default these are measures of any images, and translations by their targets.

        Args:
            conditional: whether each sample is generated for a requested class.

        Returns:
            Names of `gan_lightning.evaluation.EVALUATORS` or `GAN_EVALUATORS`, or import paths
            `module:Class`.
        """
        images = ("images", "image_classes") if self.spec.is_image else ()
        return images if self.spec.source_shape is None else (*images, "targets")

    def pictures(self) -> tuple[str, ...]:
        """Return what is drawn of a GAN: translations, a grid and a traversal, or a scatter plot.

        Returns:
            Names of `gan_lightning.callbacks.PICTURES`, or import paths `module:Class`.
        """
        if self.spec.source_shape is not None:
            return ("translations",)
        if self.spec.is_image:
            return ("samples", "traversal")
        return ("scatter",) if self.spec.shape == (2,) else ()

    @property
    def random_mirror(self) -> bool:
        """Whether training images are mirrored at random, with probability 0.5."""
        return False

    @property
    def crop_margin(self) -> int:
        """Pixels by which training images are enlarged before a random crop; 0 for no crop."""
        return 0

    @property
    def model_spec(self) -> DataSpec:
        """`spec` as a model may use it: `classes` is None where only a few data are labelled."""
        if not self.config.labelled:
            return self.spec
        return replace(self.spec, classes=None, labelled_classes=self.spec.classes)

    @abstractmethod
    def training_data(self) -> tuple[IndexableData, Tensor | None]:
        """Return all training data as stored, M rows, and their classes, int64 (M,) or None."""

    def used_data(self) -> tuple[IndexableData, Tensor | None, IndexableData | None]:
        """Return the training data that the model sees, their classes and their sources.

        These are all training data, or the chosen ones where `training_samples` limits them.

        Raises:
            ValueError: there are fewer than `training_samples`.
        """
        data, labels = self.training_data()
        source, count = self.source_data(), self.config.training_samples
        if not count:
            return data, labels, source
        if count > len(data):
            raise ValueError(
                f"training_samples is {count}, and there are {len(data)} training data; set it to "
                f"at most so many, or to 0 for all of them"
            )
        rng = torch.Generator().manual_seed(derived_seed(0, "training_samples"))
        rows = torch.randperm(len(data), generator=rng)[:count]
        return (
            RowSubset(data, rows),
            None if labels is None else labels[rows],
            None if source is None else RowSubset(source, rows),
        )

    @abstractmethod
    def test_data(self) -> Batch:
        """Return real data that no model is trained on; images (N, C, H, W) in [-1, 1]."""

    def source_data(self) -> IndexableData | None:
        """Return the image that each training image is a translation of, M rows, or None."""
        return None

    def labelled_data(self) -> tuple[IndexableData, Tensor] | None:
        """Return the labelled training data and their classes, or None where all are labelled.

        Raises:
            ValueError: the data have no classes, or the classes cannot share `labelled` evenly.
        """
        if not self.config.labelled:
            return None
        data, labels, _ = self.used_data()
        if labels is None:
            raise ValueError(
                f"labelled is {self.config.labelled}, but these data have no classes; set it to 0"
            )
        rows = stratified_subset(labels, self.config.labelled, self._labelled_seed)
        return data[rows], labels[rows]

    @property
    def _labelled_seed(self) -> int:
        if self.config.labelled_seed is not None:
            return self.config.labelled_seed
        return 0 if self.loader_config is None else self.loader_config.seed

    def train_dataloader(self) -> RoundLoader:
        """Return a loader of the rounds that the model has not played yet.

        Raises:
            RuntimeError: `loader_config` is not set.
            ValueError: the batch size does not fit the data or the number of processes.
        """
        if self.loader_config is None:
            raise RuntimeError(
                "loader_config of the DataModule is None; set it to a LoaderConfig before training"
            )
        trainer = self.trainer
        model = None if trainer is None else trainer.lightning_module
        data, labels, source = self.used_data()
        labelled = self.labelled_data()
        return RoundLoader(
            data,
            labels if self.model_spec.classes is not None else None,
            source=source,
            labelled=labelled,
            random_mirror=self.random_mirror,
            crop_margin=self.crop_margin,
            batch_size=self.config.batch_size,
            loader_config=self.loader_config,
            first_update=getattr(model, "updates", 0),
            rank=0 if trainer is None else trainer.global_rank,
            world_size=1 if trainer is None else trainer.world_size,
            # Lightning's copies to a GPU do not block, which needs pinned memory
            pin_memory=getattr(model, "device", torch.device("cpu")).type == "cuda",
        )

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Crop and mirror images as the batch says and scale them to [-1, 1], on the device."""
        source, labelled = batch.source, batch.labelled
        if source is not None:
            source = to_float_nchw(crop_and_mirror(source, batch, self.crop_margin))
        if labelled is not None:
            labelled = Batch(to_float_nchw(labelled.data), labelled.labels)
        data = to_float_nchw(crop_and_mirror(batch.data, batch, self.crop_margin))
        return Batch(data, batch.labels, source, labelled)


def to_uint8_nhwc(images: Tensor) -> Tensor:
    """Convert float images (N, C, H, W) in [-1, 1] to uint8 (N, H, W, C)."""
    scaled = images.detach().float().add(1).mul(127.5).round().clamp(0, 255)
    return scaled.to(torch.uint8).movedim(1, -1)


def to_float_nchw(data: Tensor) -> Tensor:
    """Convert uint8 images (..., H, W, C) to float (..., C, H, W) in [-1, 1].

    Points, which are floats already, are returned unchanged.
    """
    if data.dtype != torch.uint8:
        return data
    return data.float().div_(127.5).sub_(1).movedim(-1, -3)
