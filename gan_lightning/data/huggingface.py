"""DataModule of image datasets of the package `datasets` of Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from gan_lightning.data.items import ItemFormat
from gan_lightning.data.map_style import MapStyleDataModule
from gan_lightning.data.map_style_config import MapStyleConfig
from gan_lightning.data.opening import OpenDataset, open_dataset, raised_by
from gan_lightning.errors import UserError, nearest_first
from gan_lightning.utils.optional import require
from gan_lightning.utils.settings import setting

__all__ = ["HuggingFace", "HuggingFaceConfig"]

SAVED = ("dataset_info.json", "dataset_dict.json")
"""Files of a folder that `save_to_disk` has written."""


@dataclass
class HuggingFaceConfig(MapStyleConfig):
    """An image dataset of the package `datasets`."""

    path: str = setting(
        "",
        "Folder of images or of `save_to_disk`, name of a loader such as imagefolder, or name of a "
        "dataset of the Hub in the local cache.",
    )
    subset: str = setting("", "Configuration of the dataset, `name` of `datasets.load_dataset`.")
    split: str = setting("train", "Split to train on, for example train or train[:5000].")
    test_split: str = setting("", "Split of the test data; empty holds some training data out.")
    init: dict[str, Any] = setting(
        {}, "Further arguments of `datasets.load_dataset`, for example data_dir."
    )
    image_key: str = setting("", "Column of the images; empty means the first image column.")
    label_key: str = setting("", "Column of the labels; empty means the first column of classes.")
    download: bool = setting(False, "Allow to download from the Hub; false uses no network.")

    @property
    def title(self) -> str:
        """Name of the data in titles: that of the dataset or of the folder."""
        return Path(self.init.get("data_dir") or self.path).name


class HuggingFace(MapStyleDataModule):
    """Images of a dataset of Hugging Face's `datasets`, with the column of classes if it has one.

    Raises:
        UserError: `datasets` is not installed, or there is no such dataset, split or column.
    """

    Config: ClassVar[type[Any]] = HuggingFaceConfig
    config: HuggingFaceConfig

    def open(self) -> tuple[OpenDataset, OpenDataset | None]:
        """Open the splits; nothing is downloaded unless `download` is set."""
        require("huggingface")
        config = self.config
        if not config.path:
            raise UserError(
                "data.path is empty; give a folder, or the name of a dataset in the local cache"
            )
        training = self._load(config.split)
        self._keys = self._columns(training)
        if not config.test_split:
            return self._named(training), None
        return self._named(training), self._named(self._load(config.test_split, "test_split"))

    def item_format(self) -> ItemFormat:
        """Return what the items are, with the names of their columns."""
        image_key, label_key = self._keys
        return replace(super().item_format(), image_key=image_key, label_key=label_key)

    def _load(self, split: str, key: str = "split") -> Any:
        """Return a split as a `datasets.Dataset`.

        Raises:
            UserError: there is no such dataset or split.
        """
        import datasets

        config, path = self.config, Path(self.config.path).expanduser()
        is_saved = any((path / name).is_file() for name in SAVED)
        try:
            with network(config.download):
                if not is_saved:
                    return datasets.load_dataset(
                        config.path, config.subset or None, split=split, **config.init
                    )
                saved: Any = datasets.load_from_disk(str(path))
        except Exception as error:  # readers of many formats may raise anything
            fix = f"correct data.path, data.{key} or data.init"
            if not config.download and isinstance(error, ConnectionError):
                fix += ", or set data.download=true to allow a download"
            raise UserError(f"data.path is {config.path!r}, which {raised_by(error)}; {fix}") from (
                error
            )
        if isinstance(saved, datasets.Dataset):
            return saved
        if split not in saved:
            raise UserError(
                f"data.{key} is {split!r}; splits of {path} are {nearest_first(split, saved)}"
            )
        return saved[split]

    def _columns(self, dataset: Any) -> tuple[str, str]:
        """Return the columns of images and labels, "" for no labels.

        Raises:
            UserError: there is no such column.
        """
        from datasets import ClassLabel, Image

        features, config = getattr(dataset, "features", None) or {}, self.config
        for key, column in (("image_key", config.image_key), ("label_key", config.label_key)):
            if column and column not in features:
                valid = nearest_first(column, features)
                raise UserError(f"data.{key} is {column!r}; columns of {config.path} are {valid}")
        images = [name for name, kind in features.items() if isinstance(kind, Image)]
        labels = [name for name, kind in features.items() if isinstance(kind, ClassLabel)]
        if not config.image_key and not images:
            valid = ", ".join(features) or "unknown"
            raise UserError(
                f"{config.path} has no column of images; set data.image_key to one of {valid}"
            )
        return config.image_key or images[0], config.label_key or next(iter(labels), "")

    def _named(self, dataset: Any) -> OpenDataset:
        """Return a split with its name for messages, its classes and its labels."""
        split = f" ({dataset.split})" if getattr(dataset, "split", None) else ""
        opened = open_dataset(dataset, f"{self.config.path}{split}")
        column = self._keys[1]
        if not column or not self.config.labels:
            return opened
        names = tuple(getattr(dataset.features[column], "names", None) or ())
        return replace(opened, class_names=names, listed_labels=listed_labels(dataset, column))


def listed_labels(dataset: Any, column: str) -> Tensor | None:
    """Return a column of whole numbers as int64 (M,), or None."""
    values = np.asarray(dataset.with_format("numpy")[column][:])
    return torch.from_numpy(values.astype(np.int64)) if values.dtype.kind in "iu" else None


@contextmanager
def network(allowed: bool) -> Iterator[None]:
    """Keep `datasets` from using the network inside the block, unless it is allowed."""
    from datasets import config
    from huggingface_hub import constants

    modules: tuple[Any, ...] = (config, constants)
    before = [module.HF_HUB_OFFLINE for module in modules]
    for module in modules:
        module.HF_HUB_OFFLINE = module.HF_HUB_OFFLINE or not allowed
    try:
        yield
    finally:
        for module, value in zip(modules, before, strict=True):
            module.HF_HUB_OFFLINE = value
