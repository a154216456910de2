"""Loader of the minibatches of each round, whose order is a function of the seed and the update."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from gan_lightning.core.seeding import derived_seed
from gan_lightning.types import Batch

__all__ = ["IndexableData", "LoaderConfig", "Prefetchable", "RoundLoader", "check_batch_size"]


class IndexableData(Protocol):
    """Data that a tensor of row numbers indexes: a tensor, or an object that reads rows lazily."""

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def __getitem__(self, rows: Tensor, /) -> Tensor:
        """Return the rows of these numbers, int64 of any shape, as a tensor (*rows.shape, ...)."""
        ...


@runtime_checkable
class Prefetchable(Protocol):
    """Rows that support prefetching."""

    def prefetch(self, rows: Tensor) -> None:
        """Start to read rows that are indexed next, without waiting for them."""
        ...


@dataclass(frozen=True)
class LoaderConfig:
    """How a run divides its data into minibatches, rounds and Lightning batches.

    Args:
        updates: generator updates of the run, hence its number of rounds.
        minibatches_per_round: minibatches of each round, at least 1.
        rounds_per_batch: rounds in one Lightning batch; more of them spread the cost of a batch
            over several updates.
        seed: seed of the order of the data.
    """

    updates: int
    minibatches_per_round: int = 1
    rounds_per_batch: int = 1
    seed: int = 0


def check_batch_size(batch_size: int, data: int, world_size: int) -> None:
    """Check that the data fill a global minibatch and that the processes divide it evenly.

    Args:
        batch_size: size of the global minibatch.
        data: number of training data.
        world_size: number of processes.

    Raises:
        ValueError: it is larger than the data, or not a multiple of the number of processes.
    """
    if not 1 <= batch_size <= data:
        raise ValueError(
            f"batch_size is {batch_size}; it must lie in 1..{data}, the number of training data"
        )
    if batch_size % world_size:
        nearest = max(1, round(batch_size / world_size)) * world_size
        raise ValueError(
            f"batch_size is {batch_size}, the size of the global minibatch; it must be a multiple "
            f"of the {world_size} processes; the nearest is {nearest}"
        )


class RoundLoader:
    """Iterate over the rounds of a run, from any update to the last.

    The n-th minibatch of a run holds `batch_size` rows of a permutation of the dataset, which is a
    function of the seed and the epoch. Each process reads its own slice of the minibatch, so no
    row is read twice in an epoch. Rows that do not fill a minibatch are dropped from the epoch.

    Where only a few data are labelled, each minibatch is accompanied by a labelled minibatch of
    the same size. Labelled minibatches read one permutation of the labelled data after another,
    without dropping rows.

    A run whose rounds have all been played has one batch left, which contains no round: Lightning
    skips a run without any batch, including the callbacks at its end.

    Args:
        data: training data, M rows.
        labels: class of each row, int64 (M,), or None.
        source: image that each row is a translation of, M rows, or None.
        labelled: labelled data and their classes, where only a few data are labelled, or None.
        random_mirror: select half of the images, at random, to be mirrored.
        crop_margin: largest offset of a random crop; 0 for no crop.
        batch_size: size of the global minibatch.
        loader_config: number of rounds, minibatches of a round, and seed.
        first_update: rounds that have been played already.
        rank: rank of this process.
        world_size: number of processes.
        pin_memory: yield batches in pinned memory, for a CUDA GPU.

    Raises:
        ValueError: the batch is larger than the data, or the processes cannot divide it evenly.
    """

    def __init__(
        self,
        data: IndexableData,
        labels: Tensor | None,
        *,
        source: IndexableData | None = None,
        labelled: tuple[IndexableData, Tensor] | None = None,
        random_mirror: bool = False,
        crop_margin: int = 0,
        batch_size: int,
        loader_config: LoaderConfig,
        first_update: int = 0,
        rank: int = 0,
        world_size: int = 1,
        pin_memory: bool = False,
    ) -> None:
        check_batch_size(batch_size, len(data), world_size)
        self._data, self._labels, self._source, self._labelled = data, labels, source, labelled
        self._random_mirror, self._crop_margin = random_mirror, crop_margin
        self._config = loader_config
        self._first_update = first_update
        self._pin_memory = pin_memory
        self._batch_size = batch_size
        self._local_batch_size = batch_size // world_size
        self._local = slice(rank * self._local_batch_size, (rank + 1) * self._local_batch_size)
        self._minibatches_per_epoch = len(data) // batch_size
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)

    def __len__(self) -> int:
        """Return the number of Lightning batches that are left."""
        size, last = self._config.rounds_per_batch, self._config.updates
        return max(1, -(-last // size) - self._first_update // size)

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches of rounds, with data of shape (rounds, minibatches, N, ...)."""
        prefetched = None
        for updates, following in pairwise(chain(self._update_ranges(), [None])):
            assert updates is not None
            rows = self._rows(updates) if prefetched is None else prefetched
            if following is not None:
                prefetched = self._rows(following)
                self._prefetch(prefetched)
            batch = self._batch(updates, rows)
            yield batch.pin_memory() if self._pin_memory else batch

    def _update_ranges(self) -> Iterator[range]:
        """Yield the updates of each Lightning batch that is left."""
        size, last = self._config.rounds_per_batch, self._config.updates
        update = self._first_update
        if update >= last:
            yield range(update, update)
        while update < last:
            end = min((update // size + 1) * size, last)
            yield range(update, end)
            update = end

    def _minibatch_numbers(self, updates: range) -> range:
        steps = self._config.minibatches_per_round
        return range(updates.start * steps, updates.stop * steps)

    def _rows(self, updates: range) -> Tensor:
        """Return the rows that this process reads, int64 (rounds, minibatches, N)."""
        minibatches = map(self._minibatch_rows, self._minibatch_numbers(updates))
        rows = torch.cat([self._order[:0], *minibatches])
        return rows.view(len(updates), self._config.minibatches_per_round, self._local_batch_size)

    def _prefetch(self, rows: Tensor) -> None:
        for data in (self._data, self._source):
            if isinstance(data, Prefetchable):
                data.prefetch(rows)

    def _batch(self, updates: range, rows: Tensor) -> Batch:
        numbers = self._minibatch_numbers(updates)
        labelled = None
        if self._labelled is not None:
            minibatches = map(self._labelled_minibatch_rows, numbers)
            labelled_rows = torch.cat([self._order[:0], *minibatches]).view_as(rows)
            data, classes = self._labelled
            labelled = Batch(data[labelled_rows], classes[labelled_rows])
        mirror_mask = None
        if self._random_mirror:
            masks = map(self._mirror_mask, numbers)
            mirror_mask = torch.cat([torch.empty(0, dtype=torch.bool), *masks]).view_as(rows)
        offsets = None
        if self._crop_margin:
            drawn = map(self._crop_offsets, numbers)
            none = torch.empty(0, 2, dtype=torch.int64)
            offsets = torch.cat([none, *drawn]).view(*rows.shape, 2)
        labels = None if self._labels is None else self._labels[rows]
        source = None if self._source is None else self._source[rows]
        return Batch(self._data[rows], labels, source, labelled, mirror_mask, offsets)

    def _minibatch_rows(self, number: int) -> Tensor:
        """Return the rows that this process reads of a minibatch, int64 (N,)."""
        epoch, position = divmod(number, self._minibatches_per_epoch)
        if epoch != self._epoch:
            self._order = self._permutation(len(self._data), "order", epoch)
            self._epoch = epoch
        start = position * self._batch_size
        return self._order[start : start + self._batch_size][self._local]

    def _labelled_minibatch_rows(self, number: int) -> Tensor:
        """Return the rows that this process reads of a labelled minibatch, int64 (N,)."""
        assert self._labelled is not None
        size, start = len(self._labelled[1]), number * self._batch_size
        epochs = range(start // size, (start + self._batch_size - 1) // size + 1)
        order = torch.cat([self._permutation(size, "labelled order", epoch) for epoch in epochs])
        return order[start % size :][: self._batch_size][self._local]

    def _mirror_mask(self, number: int) -> Tensor:
        """Select the images of a minibatch that this process mirrors, bool (N,)."""
        rng = torch.Generator().manual_seed(derived_seed(self._config.seed, "mirror", number))
        return (torch.rand(self._batch_size, generator=rng) < 0.5)[self._local]

    def _crop_offsets(self, number: int) -> Tensor:
        """Draw where the crops of a minibatch begin, for this process, int64 (N, 2)."""
        rng = torch.Generator().manual_seed(derived_seed(self._config.seed, "crop", number))
        largest = self._crop_margin + 1
        return torch.randint(largest, (self._batch_size, 2), generator=rng)[self._local]

    def _permutation(self, size: int, name: str, epoch: int) -> Tensor:
        seed = derived_seed(self._config.seed, name, epoch)
        return torch.randperm(size, generator=torch.Generator().manual_seed(seed))
