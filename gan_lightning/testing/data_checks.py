"""The properties of every DataModule, and `check_datamodule`, which checks all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from gan_lightning.data import BaseDataModule, DataConfig, IndexableData, LoaderConfig
from gan_lightning.data.base import to_uint8_nhwc
from gan_lightning.testing.declared import (
    check_config_is_checked,
    check_declarations,
    make_config,
)
from gan_lightning.testing.failure import describing, require
from gan_lightning.types import Batch

__all__ = ["check_datamodule"]

UPDATES, STEPS, ROUNDS = 7, 2, 3
ROWS = 20_000
"""Training data that are compared with the test data, evenly spread."""


def check_datamodule(
    cls: type[BaseDataModule], *, config: DataConfig | Mapping[str, Any] | None = None
) -> None:
    """Check that a DataModule gives what its `spec` says, in an order that can be resumed.

    Shapes, types, ranges and labels agree with the spec; the order of the data is a function of the
    seed and the update; two ranks share a minibatch; no test datum is in the training data.

    Args:
        cls: subclass of `BaseDataModule`.
        config: an instance of its `Config`, or values by name, for example
            `{"root": folder, "batch_size": 8}`; None for the defaults.

    Raises:
        AssertionError: it does not have a property; one sentence names class and property.
    """
    check_declarations(cls, BaseDataModule, DataConfig)
    values = make_config(cls, config)
    with describing(cls, "building it"):
        data = cls(values)
        check_config_is_checked(cls, values, cls)
    if data.config.batch_size % 2:
        data.config = replace(data.config, batch_size=2)
    with describing(cls, "its training data"):
        check_training_data(data)
    with describing(cls, "its minibatches"):
        check_batches(data)
        check_order(data)
        check_ranks(data)
    with describing(cls, "its test data"):
        check_test_data(data)
        check_held_out(data)


def check_training_data(data: BaseDataModule) -> None:
    """Check number, type and labels of the training data."""
    owner, spec = type(data), data.spec
    rows, labels = data.training_data()
    first = rows[torch.arange(1)]
    shape = (*spec.shape[1:], spec.shape[0]) if spec.is_image else spec.shape
    require(
        tuple(first.shape[1:]) == shape,
        owner,
        f"training_data returns rows of shape {tuple(first.shape[1:])}, and the spec says {shape}"
        + (" (H, W, C)" if spec.is_image else ""),
    )
    require(
        first.dtype == (torch.uint8 if spec.is_image else torch.float32),
        owner,
        f"training_data returns {first.dtype}; images must be uint8 in 0..255, points float32",
    )
    again = type(data)(data.config).training_data()[0][torch.arange(1)]
    require(torch.equal(first, again), owner, "two objects with the same config have other data")
    require(
        (labels is None) == (spec.classes is None),
        owner,
        f"spec.classes is {spec.classes}, and training_data returns labels: {labels is not None}",
    )
    if labels is not None:
        _check_labels(data, labels, len(rows), "training_data")
    source = data.source_data()
    require(
        (source is None) == (spec.source_shape is None),
        owner,
        "spec.source_shape and source_data() disagree on whether there are sources",
    )
    require(
        source is None or len(source) == len(rows),
        owner,
        f"there are {0 if source is None else len(source)} sources of {len(rows)} training data",
    )


def check_batches(data: BaseDataModule) -> None:
    """Check shapes, types and ranges of a batch as a GAN gets it."""
    owner, spec, size = type(data), data.spec, data.config.batch_size
    batches = [_on_device(data, batch) for batch in islice(_loader(data), 2)]
    batch, head = batches[0], (ROUNDS, STEPS, size)
    _require_shape(data, "a batch", batch.data, (*head, *spec.shape))
    require(batch.data.dtype == torch.float32, owner, f"a batch has the type {batch.data.dtype}")
    require(bool(batch.data.isfinite().all()), owner, "a batch has values that are not finite")
    _check_images(data, torch.cat([part.data.flatten(0, 2) for part in batches]), "batches have")
    if spec.source_shape is not None:
        assert batch.source is not None
        _require_shape(data, "a batch of sources", batch.source, (*head, *spec.source_shape))
    if data.model_spec.classes is not None:
        require(batch.labels is not None, owner, "a batch has no labels, and the spec has classes")
        assert batch.labels is not None
        _require_shape(data, "a batch of labels", batch.labels, head)


def check_order(data: BaseDataModule) -> None:
    """Check that the order is a function of the seed and the update."""
    owner = type(data)
    first, again = _stream(data), _stream(data)
    require(torch.equal(first, again), owner, "two loaders with the same seed give other data")
    resumed = _stream(data, first_update=3)
    require(
        torch.equal(first[3:], resumed),
        owner,
        "a loader that is resumed after 3 updates gives other data than an uninterrupted one",
    )
    varies = len(first.flatten(0, 2).unique(dim=0)) > 1
    require(
        not torch.equal(first, _stream(data, seed=1)) or not varies,
        owner,
        "another seed gives the data in the same order",
    )


def check_ranks(data: BaseDataModule) -> None:
    """Check that two processes share each minibatch without overlap."""
    whole = _stream(data)
    parts = [_stream(data, rank=rank, world_size=2) for rank in range(2)]
    require(
        torch.equal(torch.cat(parts, 2), whole),
        type(data),
        "the minibatches of two processes are not the halves of those of one",
    )


def check_test_data(data: BaseDataModule) -> None:
    """Check shapes, types and ranges of the test data."""
    owner, spec, test = type(data), data.spec, data.test_data()
    count = len(test.data)
    require(count > 0, owner, "there are no test data")
    _require_shape(data, "test_data", test.data, (count, *spec.shape))
    require(test.data.dtype == torch.float32, owner, f"test_data has the type {test.data.dtype}")
    _check_images(data, test.data, "test_data has")
    require(
        torch.equal(test.data[:2], data.test_data().data[:2]), owner, "test_data changes by call"
    )
    if test.labels is not None:
        _check_labels(data, test.labels, count, "test_data")
    if spec.source_shape is not None:
        require(test.source is not None, owner, "test_data has no sources")
        assert test.source is not None
        _require_shape(data, "the sources of test_data", test.source, (count, *spec.source_shape))


def check_held_out(data: BaseDataModule) -> None:
    """Check that no test datum is in the training data, unless all test data are equal."""
    test = data.test_data().data
    stored = to_uint8_nhwc(test) if data.spec.is_image else test
    held_out = set(_keys(stored))
    if len(held_out) == 1:  # a distribution of one point
        return
    rows, _ = data.training_data()
    known = _training_rows(rows)
    common = sum(key in held_out for key in _keys(known))
    require(
        common == 0,
        type(data),
        f"{common} of {len(known):,} training data are test data, too; evaluation would reward "
        f"a copy",
    )


def _training_rows(rows: IndexableData) -> Tensor:
    indices = torch.arange(0, len(rows), -(-len(rows) // ROWS))
    return torch.cat([rows[part] for part in indices.split(1000)])


def _keys(rows: Tensor) -> list[bytes]:
    """Return the bytes of each row."""
    return [row.tobytes() for row in rows.contiguous().numpy()]


def _loader(
    data: BaseDataModule, seed: int = 0, first_update: int = 0, rank: int = 0, world_size: int = 1
) -> Any:
    """Return the loader that a Trainer would get."""
    data.loader_config = LoaderConfig(UPDATES, STEPS, ROUNDS, seed)
    model = SimpleNamespace(updates=first_update)
    trainer: Any = SimpleNamespace(lightning_module=model, global_rank=rank, world_size=world_size)
    data.trainer = trainer
    try:
        return data.train_dataloader()
    finally:
        data.trainer = None


def _stream(data: BaseDataModule, **settings: int) -> Tensor:
    """Return all data of a loader, (updates, minibatches, N, *shape)."""
    return torch.cat([_on_device(data, batch).data for batch in _loader(data, **settings)])


def _on_device(data: BaseDataModule, batch: Batch) -> Batch:
    moved: Batch = data.on_after_batch_transfer(batch, 0)
    return moved


def _check_labels(data: BaseDataModule, labels: Tensor, count: int, where: str) -> None:
    owner, classes = type(data), data.spec.classes or 0
    require(
        labels.dtype == torch.int64 and labels.shape == (count,),
        owner,
        f"{where} has labels of type {labels.dtype} and shape {tuple(labels.shape)}; they must be "
        f"int64 ({count},)",
    )
    low, high = int(labels.min()), int(labels.max())
    require(
        low >= 0 and high < classes,
        owner,
        f"{where} has labels in {low}..{high}, and the spec has {classes} classes",
    )


def _check_images(data: BaseDataModule, images: Tensor, where: str) -> None:
    """Check that images lie in [-1, 1], and are not in [0, 1] or [0, 255]."""
    if not data.spec.is_image:
        return
    low, high = float(images.min()), float(images.max())
    require(
        -1 <= low < 0 and high <= 1,
        type(data),
        f"{where} pixels in [{low:.3g}, {high:.3g}]; scale images to [-1, 1]",
    )


def _require_shape(
    data: BaseDataModule, where: str, tensor: Tensor, shape: tuple[int, ...]
) -> None:
    require(
        tuple(tensor.shape) == shape,
        type(data),
        f"{where} has shape {tuple(tensor.shape)}, and the spec says {shape}",
    )
