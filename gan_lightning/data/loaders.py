"""The datasets behind a DataLoader and behind a LightningDataModule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pytorch_lightning import LightningDataModule
from torch.utils.data import (
    DataLoader,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    default_collate,
)
from torch.utils.data.distributed import DistributedSampler

from gan_lightning.data.opening import OpenDataset, open_dataset, raised_by, where
from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import UserError, warn

__all__ = ["ModuleData", "dataset_of_loader", "datasets_of_module"]

REPLACED_SAMPLERS = (RandomSampler, SequentialSampler, DistributedSampler)
"""Samplers that read every item, in an order that the order of the run replaces."""


def dataset_of_loader(loader: Any, name: str = "") -> OpenDataset:
    """Return the dataset of a DataLoader, whose order and batches are not used.

    Args:
        loader: the DataLoader.
        name: how messages call its owner.

    Raises:
        UserError: it is no DataLoader, its dataset has no numbered items, or its sampler draws
            some items more often than others.
    """
    if not isinstance(loader, DataLoader):
        raise UserError(
            f"the training data of {name} are a {type(loader).__name__}; they must be one "
            f"torch.utils.data.DataLoader of a map-style Dataset"
        )
    dataset, sampler = loader.dataset, getattr(loader.batch_sampler, "sampler", loader.sampler)
    if isinstance(sampler, SubsetRandomSampler):
        dataset = Subset(dataset, list(sampler.indices))
    opened = open_dataset(dataset)
    if type(sampler) not in (*REPLACED_SAMPLERS, SubsetRandomSampler):
        raise UserError(
            f"the DataLoader of {opened.name} has a {type(sampler).__name__}, which cannot be "
            f"resumed exactly; pass a Dataset in which items occur as often as they should be drawn"
        )
    if loader.collate_fn is not default_collate and is_first_process():
        warn(
            f"collate_fn of the DataLoader of {opened.name} is not used: minibatches are stacked "
            f"images; transform each item in the Dataset instead"
        )
    return opened


class ModuleData(NamedTuple):
    """What is used of a LightningDataModule.

    Args:
        training: training data.
        test: test data, or None.
        batch_size: size of a minibatch of the training DataLoader, or None.
    """

    training: OpenDataset
    test: OpenDataset | None
    batch_size: int | None


def datasets_of_module(module: LightningDataModule) -> ModuleData:
    """Set up a LightningDataModule, and return its datasets and batch size.

    Test data are those of `test_dataloader`, else of `val_dataloader`.

    Raises:
        UserError: the module raises, or has no DataLoader of a map-style Dataset.
    """
    if is_first_process():
        _call(module, module.prepare_data)
    _call(module, module.setup, "fit")
    loader = _call(module, module.train_dataloader)
    training, batch_size = dataset_of_loader(loader, where(type(module))), loader.batch_size
    for stage, name in (("test", "test_dataloader"), ("validate", "val_dataloader")):
        if getattr(type(module), name) is getattr(LightningDataModule, name):
            continue
        _call(module, module.setup, stage)
        loader = _call(module, getattr(module, name))
        if isinstance(loader, DataLoader):
            return ModuleData(training, open_dataset(loader.dataset), batch_size)
    return ModuleData(training, None, batch_size)


def _call(module: LightningDataModule, method: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return method(*arguments)
    except UserError:
        raise
    except Exception as error:  # a module of the user may raise anything
        name = f"{method.__name__}() of {where(type(module))}"
        raise UserError(f"{name} {raised_by(error)}; correct it") from error
