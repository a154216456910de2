"""Properties that all datasets share."""

from __future__ import annotations

import pytest
import torch
from image_trees import TREES, prepared_root

from gan_lightning.data import DATASETS, LoaderConfig
from gan_lightning.testing import check_datamodule

NAMES = sorted(DATASETS.keys() - {"huggingface"})  # which test_any_data checks


def settings(name: str) -> dict[str, str | int]:
    own = {"torch": {"dataset": "any_datasets:Listed"}}.get(name, {})
    root = {"root": str(prepared_root(name))} if name in TREES else {}
    return {"batch_size": 8, **own, **root}


@pytest.mark.parametrize("name", NAMES)
def test_every_dataset_has_the_properties_of_a_data_module(name: str) -> None:
    check_datamodule(DATASETS[name], config=settings(name))


@pytest.mark.parametrize("name", NAMES)
def test_images_use_their_range_and_lie_channels_last(name: str) -> None:
    dataset = DATASETS[name](DATASETS[name].Config(**settings(name)))
    if not dataset.spec.is_image:
        return
    dataset.loader_config = LoaderConfig(2, 3, 2)
    batch = dataset.on_after_batch_transfer(next(iter(dataset.train_dataloader())), 0)
    assert -1 <= batch.data.min() < -0.9
    assert 0.9 < batch.data.max() <= 1
    assert batch.data[0, 0].is_contiguous(memory_format=torch.channels_last)
