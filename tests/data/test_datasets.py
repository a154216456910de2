"""Properties that all datasets share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from image_trees import ROOTS, prepared_root
from published_copies import COPIES, small_copy

from gan_lightning.data import DATASETS, BaseDataModule, LoaderConfig
from gan_lightning.testing import check_datamodule

NAMES = sorted(DATASETS.keys() - {"huggingface"})  # which test_any_data checks


@pytest.fixture(params=NAMES)
def dataset(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[type[BaseDataModule], dict[str, str | int]]:
    """Return a dataset, and settings with which it can be built."""
    name: str = request.param
    settings: dict[str, str | int] = {"batch_size": 8}
    if name == "torch":
        settings["dataset"] = "any_datasets:Listed"
    if name in COPIES:
        small_copy(name, tmp_path, monkeypatch)
        settings["root"] = str(tmp_path)
    elif name in ROOTS:
        settings["root"] = str(prepared_root(name))
    return DATASETS[name], settings


def test_every_dataset_has_the_properties_of_a_data_module(
    dataset: tuple[type[BaseDataModule], dict[str, str | int]],
) -> None:
    owner, settings = dataset
    check_datamodule(owner, config=settings)


def test_images_use_their_range_and_lie_channels_last(
    dataset: tuple[type[BaseDataModule], dict[str, str | int]],
) -> None:
    owner, settings = dataset
    data = owner(owner.Config(**settings))
    if not data.spec.is_image:
        return
    data.loader_config = LoaderConfig(2, 3, 2)
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert -1 <= batch.data.min() < -0.9
    assert 0.9 < batch.data.max() <= 1
    assert batch.data[0, 0].is_contiguous(memory_format=torch.channels_last)
