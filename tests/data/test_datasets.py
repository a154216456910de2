"""Properties that all datasets share."""

from __future__ import annotations

import pytest
import torch
from image_trees import TREES, prepared_root

from gan_lightning.data import DATASETS, LoaderConfig


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_shapes_types_and_ranges(name: str) -> None:
    settings = {"root": str(prepared_root(name))} if name in TREES else {}
    dataset = DATASETS[name](DATASETS[name].Config(batch_size=8, **settings))
    data, labels = dataset.training_data()
    dataset.loader_config = LoaderConfig(2, 3, 2)
    batch = dataset.on_after_batch_transfer(next(iter(dataset.train_dataloader())), 0)
    size = dataset.config.batch_size
    assert batch.data.shape == (2, 3, size, *dataset.spec.shape)
    assert batch.data.dtype == torch.float32
    assert (labels is None) == (dataset.spec.classes is None)
    test = dataset.test_data()
    assert test.data.shape[1:] == dataset.spec.shape
    if dataset.spec.is_image:
        assert data[torch.tensor([0])].dtype == torch.uint8
        assert -1 <= batch.data.min() < -0.9
        assert 0.9 < batch.data.max() <= 1
        minibatch = batch.data[0, 0]
        assert minibatch.is_contiguous(memory_format=torch.channels_last)
