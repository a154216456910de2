"""Two sets of real images, whose difference is the floor of a measure."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor

from gan_lightning.data.base import to_float_nchw
from gan_lightning.data.round_loader import IndexableData
from gan_lightning.distributed.sharding import Shard
from gan_lightning.evaluation.base import CHUNK_SIZE

__all__ = ["RealHalves"]

SEED = 0


class RealHalves:
    """Two disjoint random sets of equally many real images, read in chunks.

    Args:
        images: all real images, uint8 (M, H, W, C).
        count: number of images of each set, at most M / 2.
        device: device of the chunks.
        shard: handles signals between two chunks.
    """

    def __init__(
        self, images: IndexableData, count: int, device: torch.device, shard: Shard
    ) -> None:
        self.count = count
        self._images, self._device, self._shard = images, device, shard.undivided()
        # random, because neighbours in a dataset may be similar
        order = np.random.RandomState(SEED).permutation(len(images))[: 2 * count]
        self._rows = torch.from_numpy(order).view(2, count)

    def chunks(self, half: int) -> Iterator[tuple[Tensor, int]]:
        """Yield images (N, C, H, W) in [-1, 1] of set 0 or 1, with the index of the first one."""
        for start in self._shard.iterate(range(0, self.count, CHUNK_SIZE)):
            rows = self._rows[half, start : start + CHUNK_SIZE]
            yield to_float_nchw(self._images[rows].to(self._device)), start

    def fingerprint(self) -> str:
        """Return a hash of the pixels of both sets."""
        digest = sha256()
        for rows in self._shard.iterate(self._rows.flatten().split(CHUNK_SIZE)):
            images = self._images[rows].cpu().contiguous()
            digest.update(f"{images.dtype} {tuple(images.shape)}".encode())
            digest.update(images.numpy().tobytes())
        return digest.hexdigest()
