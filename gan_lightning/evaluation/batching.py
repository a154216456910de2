"""Chunks of data, each of which one process evaluates."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.sharding import Shard
from gan_lightning.evaluation.base import CHUNK_SIZE
from gan_lightning.types import Batch

__all__ = ["chunk_sizes", "iterate_chunks", "iterate_test_data"]


def iterate_test_data(data: BaseDataModule, device: torch.device, shard: Shard) -> Iterator[Batch]:
    """Yield this process's chunks of the test data."""
    return iterate_chunks(data.test_data(), device, shard)


def iterate_chunks(batch: Batch, device: torch.device, shard: Shard) -> Iterator[Batch]:
    """Yield this process's chunks of a batch of any size."""
    for start in shard.iterate(range(0, len(batch.data), CHUNK_SIZE)):
        yield batch.part(slice(start, start + CHUNK_SIZE), device)


def chunk_sizes(samples: int) -> list[tuple[int, int]]:
    """List the index and the size of each chunk of so many samples."""
    starts = range(0, samples, CHUNK_SIZE)
    return [(chunk, min(CHUNK_SIZE, samples - start)) for chunk, start in enumerate(starts)]
