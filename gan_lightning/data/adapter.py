"""Make a DataModule of a Dataset, a DataLoader, a LightningDataModule or tensors of images."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, TensorDataset

from gan_lightning.data.base import BaseDataModule
from gan_lightning.data.loaders import dataset_of_loader, datasets_of_module
from gan_lightning.data.map_style import MapStyleDataModule
from gan_lightning.data.map_style_config import MapStyleConfig
from gan_lightning.data.opening import OpenDataset, open_dataset
from gan_lightning.errors import MissingDataError, UserError, nearest_first

__all__ = ["GivenData", "as_data_module"]


class GivenData(MapStyleDataModule):
    """Images of a dataset that was given in Python, not named in a config.

    Args:
        config: options of the images.
        training: the training data.
        test: the test data; None holds some training data out.

    Raises:
        UserError: there are no training data, because the run was read from its directory; or what
            `MapStyleDataModule` raises.
    """

    Config: ClassVar[type[Any]] = MapStyleConfig

    def __init__(
        self,
        config: MapStyleConfig,
        training: OpenDataset | None = None,
        test: OpenDataset | None = None,
    ) -> None:
        self._given = training, test
        super().__init__(config)

    def open(self) -> tuple[OpenDataset, OpenDataset | None]:
        """Return the datasets as given."""
        training, test = self._given
        if training is None:
            raise MissingDataError(
                "the data of this run were given in Python and are in no file; give them again, or "
                "name them in the config: data.name=torch data.dataset=module:Name"
            )
        return training, test


def as_data_module(data: Any, **settings: Any) -> BaseDataModule:
    """Return a DataModule whose order is a function of the seed, so that training resumes exactly.

    Args:
        data: a `BaseDataModule`, which is returned unchanged; a `LightningDataModule` or
            `DataLoader`, of which the dataset and the batch size are used; a map-style `Dataset`;
            images as one tensor or array (M, C, H, W), (M, H, W, C) or (M, H, W); or a pair of
            images and their classes.
        settings: keys of `MapStyleConfig`, for example `batch_size=64, size=32`.

    Raises:
        UserError: it is none of these, or its items are no images.
    """
    if isinstance(data, BaseDataModule):
        if settings:
            raise UserError(
                f"{', '.join(settings)} cannot be set for a {type(data).__name__}, which has its "
                f"own config; set them there"
            )
        return data
    if isinstance(data, LightningDataModule):
        return _given(*datasets_of_module(data), settings)
    if isinstance(data, DataLoader):
        return _given(dataset_of_loader(data), None, data.batch_size, settings)
    return _given(open_dataset(_dataset(data)), None, None, settings)


def _given(
    training: OpenDataset,
    test: OpenDataset | None,
    batch_size: int | None,
    settings: dict[str, Any],
) -> GivenData:
    """Build the DataModule, by default with the batch size of the loader, at most all data."""
    valid = [entry.name for entry in fields(MapStyleConfig)]
    for key in settings:
        if key not in valid:
            raise UserError(f"data.{key} is unknown; valid are {nearest_first(key, valid)}")
    known = {"batch_size": batch_size} if batch_size else {}
    try:
        return GivenData(MapStyleConfig(**{**known, **settings}), training, test)
    except ValueError as error:
        raise UserError(f"data: {error}") from error


def _dataset(data: Any) -> Any:
    """Return images as a tensor, or images and classes, as a dataset; others unchanged."""
    parts = data if isinstance(data, tuple) else (data,)
    if not all(isinstance(part, torch.Tensor | np.ndarray) for part in parts):
        return data
    tensors = [torch.as_tensor(part) for part in parts]
    lengths = {len(tensor) if tensor.ndim else 0 for tensor in tensors}
    if len(lengths) > 1:
        raise UserError(f"images and labels have the lengths {sorted(lengths)}; make them equal")
    return TensorDataset(*tensors)
