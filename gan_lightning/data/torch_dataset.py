"""DataModule of any map-style torch Dataset, named by its import path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pytorch_lightning import LightningDataModule
from torch.utils.data import Dataset

from gan_lightning.data.loaders import datasets_of_module
from gan_lightning.data.map_style import MapStyleDataModule
from gan_lightning.data.map_style_config import MapStyleConfig
from gan_lightning.data.opening import (
    OpenDataset,
    check_map_style,
    construct,
    open_dataset,
    where,
)
from gan_lightning.errors import UserError
from gan_lightning.utils.import_path import import_object
from gan_lightning.utils.settings import setting

__all__ = ["TorchDataset", "TorchDatasetConfig"]

EXAMPLE = "for example torchvision.datasets:CIFAR10"


@dataclass
class TorchDatasetConfig(MapStyleConfig):
    """Any map-style torch Dataset of images, or of images and classes."""

    dataset: str = setting(
        "",
        "Import path `module:Name` of a torch Dataset, of a function that returns one, or of a "
        "LightningDataModule.",
    )
    init: dict[str, Any] = setting({}, "Arguments of the dataset, for example root.")
    test_init: dict[str, Any] = setting(
        {},
        "Arguments that differ for the test data, for example train: false; empty holds some "
        "training data out.",
    )

    @property
    def title(self) -> str:
        """Name of the data in titles: that of the class."""
        return self.dataset.rpartition(":")[2]


class TorchDataset(MapStyleDataModule):
    """Images of any map-style torch Dataset.

    Raises:
        UserError: the import path or the arguments are wrong, or what `MapStyleDataModule` raises.
    """

    Config: ClassVar[type[Any]] = TorchDatasetConfig
    config: TorchDatasetConfig

    def open(self) -> tuple[OpenDataset, OpenDataset | None]:
        """Construct the training data and, with `test_init`, the test data."""
        config = self.config
        if not config.dataset:
            raise UserError(f"data.dataset is empty; give `module:Name`, {EXAMPLE}")
        factory = import_object(config.dataset)
        name = where(factory, config.dataset)
        if isinstance(factory, type) and not issubclass(factory, LightningDataModule):
            check_map_style(factory, name)
        if not callable(factory) or isinstance(factory, Dataset):  # an instance in the module
            return open_dataset(factory, name), None
        training = construct(factory, config.init, "data.init", name)
        if isinstance(training, LightningDataModule):
            found = datasets_of_module(training)
            return found.training, found.test
        if not config.test_init:
            return open_dataset(training, name), None
        test = construct(factory, {**config.init, **config.test_init}, "data.test_init", name)
        return open_dataset(training, name), open_dataset(test, name)
