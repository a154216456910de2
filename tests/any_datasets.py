"""Datasets of the tests of own data, which configs name by import path."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from pytorch_lightning import LightningDataModule
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset

COUNT = 60


def pixels(row: int, width: int = 16, height: int = 16) -> np.ndarray[Any, Any]:
    """Return a random colour image, uint8 (H, W, 3), a function of its row."""
    return np.random.default_rng(row).integers(0, 256, (height, width, 3), dtype=np.uint8)


class Pictures(Dataset[Any]):
    """Random colour images of three classes, in the manner that `kind` names."""

    def __init__(self, root: str = "", kind: str = "plain", train: bool = True) -> None:
        if kind == "no files":
            raise RuntimeError("Dataset not found. You can use download=True to download it")
        self.kind, self.first = kind, 0 if train else 1000
        self.reads: list[int] = []

    def __len__(self) -> int:
        return {"empty": 0, "single": 1}.get(self.kind, COUNT)

    def __getitem__(self, row: int) -> Any:
        self.reads.append(row)
        image, label = Image.fromarray(pixels(self.first + row)), row % 3
        if self.kind == "raises" and row == 37:
            raise KeyError("gone")
        if self.kind == "global draws":
            jitter = torch.rand(()).item() + random.random() + np.random.random()
            return np.float32(pixels(row) / 255 * jitter / 3), label
        if self.kind == "own draws":
            return np.random.default_rng().random((16, 16, 3)), label
        sizes = {"sizes": (16 + row // 30, 16), "shapes": (16 + row % 3, 12 + row % 5)}
        if self.kind in sizes:
            return Image.fromarray(pixels(row, *sizes[self.kind])), label
        items: dict[str, Any] = {
            "image": image,
            "text": ("no image", label),
            "five channels": (torch.zeros(5, 8, 8), label),
            "wide range": (torch.full((3, 8, 8), 7.0), label),
            "fraction": (image, 0.5),
            "attributes": (image, torch.zeros(40)),
            "negative": (image, label - 1),
            "gaps": (image, 5 * label),
            "mapping": {"image": image, "label": label},
            "other keys": {"img": image, "label": label},
        }
        return items.get(self.kind, (image, label))


class Downloadable(Pictures):
    """A dataset whose files are missing, with the arguments of torchvision's."""

    def __init__(self, root: str, train: bool = True, download: bool = False) -> None:
        super().__init__(root, "plain" if download else "no files", train)


class Named(Pictures):
    """A dataset with the names of too few classes."""

    classes = ("one", "two")


class Listed(Pictures):
    """A dataset with a list of all labels, so that none has to be read."""

    classes = ("one", "two", "three")

    def __init__(self, offset: int = 0, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.targets = [(row + offset) % 3 for row in range(COUNT)]


class NoLength(Dataset[Any]):
    def __getitem__(self, row: int) -> Any:
        return pixels(row)


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        yield pixels(0)


class Network(nn.Module):
    pass


class PictureModule(LightningDataModule):
    """A plain LightningDataModule of pictures."""

    def __init__(self, batch_size: int = 4, with_test: bool = True) -> None:
        super().__init__()
        self.batch_size, self.with_test, self.calls = batch_size, with_test, ["init"]

    def prepare_data(self) -> None:
        self.calls.append("prepare_data")

    def setup(self, stage: str) -> None:
        self.calls.append(stage)
        self.training, self.test = Listed(), Listed(train=False)

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.training, self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.test, self.batch_size)


def pictures(**arguments: Any) -> Pictures:
    """Return a dataset, as a function that a config names."""
    return Pictures(**arguments)


LISTED = Listed()
"""A dataset that a config names as it is."""


def save_for_hugging_face(folder: Path) -> None:
    """Write the pictures by `save_to_disk`, and three of each class in folders."""
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
    from datasets import Image as ImageColumn

    columns = Features(
        {
            "note": Value("string"),
            "picture": ImageColumn(),
            "kind": ClassLabel(names=["cat", "dog", "emu"]),
        }
    )

    def dataset(first: int, count: int) -> Dataset:
        items = {
            "note": ["text"] * count,
            "picture": [Image.fromarray(pixels(first + row)) for row in range(count)],
            "kind": [row % 3 for row in range(count)],
        }
        return Dataset.from_dict(items, features=columns)

    training, test = dataset(0, COUNT), dataset(1000, 9)
    training.save_to_disk(folder / "saved")
    DatasetDict({"train": training, "test": test}).save_to_disk(folder / "splits")
    for row in range(9):
        path = folder / "photos" / "abc"[row % 3] / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(row, 16 + row)).save(path)
