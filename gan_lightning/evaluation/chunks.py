"""Data in the chunks that processes share."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from gan_lightning.batch import Batch
from gan_lightning.data import IndexedData
from gan_lightning.evaluation.judges import CHUNK
from gan_lightning.share import Share

__all__ = ["in_chunks", "sizes_of_chunks", "tested"]


def tested(data: IndexedData, device: torch.device, share: Share) -> Iterator[Batch]:
    """Yield this process's part of the test data."""
    return in_chunks(data.test_data(), device, share)


def in_chunks(whole: Batch, device: torch.device, share: Share) -> Iterator[Batch]:
    """Yield this process's part of a minibatch of any size."""
    for start in share.of(range(0, len(whole.data), CHUNK)):
        yield whole.part(slice(start, start + CHUNK), device)


def sizes_of_chunks(samples: int) -> list[tuple[int, int]]:
    """List (number of the chunk, its size)."""
    starts = range(0, samples, CHUNK)
    return [(chunk, min(CHUNK, samples - start)) for chunk, start in enumerate(starts)]
