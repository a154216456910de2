"""Data in the chunks that processes share."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.sharding import Shard
from gan_lightning.evaluation.base import CHUNK
from gan_lightning.types import Batch

__all__ = ["in_chunks", "sizes_of_chunks", "tested"]


def tested(data: BaseDataModule, device: torch.device, share: Shard) -> Iterator[Batch]:
    """Yield this process's part of the test data."""
    return in_chunks(data.test_data(), device, share)


def in_chunks(whole: Batch, device: torch.device, share: Shard) -> Iterator[Batch]:
    """Yield this process's part of a minibatch of any size."""
    for start in share.of(range(0, len(whole.data), CHUNK)):
        yield whole.part(slice(start, start + CHUNK), device)


def sizes_of_chunks(samples: int) -> list[tuple[int, int]]:
    """List (number of the chunk, its size)."""
    starts = range(0, samples, CHUNK)
    return [(chunk, min(CHUNK, samples - start)) for chunk, start in enumerate(starts)]
