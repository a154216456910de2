"""Rounds of the game from data that lies in memory, as a pure function of the update."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from gan_lightning.core.seeding import derived_seed
from gan_lightning.types import Batch

__all__ = ["IndexableData", "RoundLoader", "Schedule", "check_batch_size"]


class IndexableData(Protocol):
    """Data that can be indexed: a tensor, or what makes its rows when they are asked for."""

    def __len__(self) -> int:
        """Count the rows."""
        ...

    def __getitem__(self, rows: Tensor, /) -> Tensor:
        """Return the rows of these numbers, int64 of any shape: (*rows.shape, ...)."""
        ...


@runtime_checkable
class Prefetchable(Protocol):
    """Rows that are read the sooner for being announced."""

    def expect(self, rows: Tensor) -> None:
        """Take note of the rows that will be wanted next."""
        ...


@dataclass(frozen=True)
class Schedule:
    """How a run reads its data.

    Args:
        updates: generator updates of the whole run.
        discriminator_steps: minibatches a round.
        rounds_per_batch: rounds in one Lightning batch, to spread its cost over small steps.
        seed: of the order of the data.
    """

    updates: int
    discriminator_steps: int = 1
    rounds_per_batch: int = 1
    seed: int = 0


def check_batch_size(batch_size: int, data: int, world_size: int) -> None:
    """Check that a global minibatch can be filled and shared.

    Raises:
        ValueError: it is larger than the data, or the processes cannot share it evenly.
    """
    if not 1 <= batch_size <= data:
        raise ValueError(f"batch_size is {batch_size}; it must lie in 1..{data}")
    if batch_size % world_size:
        nearest = max(1, round(batch_size / world_size)) * world_size
        raise ValueError(
            f"batch_size is {batch_size}, the global minibatch, which {world_size} processes "
            f"cannot share evenly; the nearest that they can is {nearest}"
        )


class RoundLoader:
    """Iterate over a run's rounds, from any update to the last.

    The n-th minibatch of a run holds `batch_size` data: positions of a permutation of the data set
    that is a pure function of the seed and the epoch. Each process reads its own part, so no datum
    is seen twice in an epoch; what does not fill a minibatch waits for the next permutation.

    Where few data are labelled, minibatches of those come beside: they follow one permutation of
    the labelled data after another, without a gap, and are as large however few these are.

    A run whose rounds have all been played has one batch left, without a round: Lightning passes a
    run without a batch over, with all that is due at its end.

    Args:
        data: M rows, with `labels` (M,) or None.
        source: what each row is the translation of, M rows, or None.
        labelled: rows and labels of the few labelled data, or None.
        mirrors: whether half of the data are to be mirrored, at random.
        batch_size: of the global minibatch.
        schedule: of the run.
        first_update: rounds already played.
        rank: of this process, of `world_size`.

    Raises:
        ValueError: the batch is larger than the data, or the processes cannot share it.
    """

    def __init__(
        self,
        data: IndexableData,
        labels: Tensor | None,
        *,
        source: IndexableData | None = None,
        labelled: tuple[IndexableData, Tensor] | None = None,
        mirrors: bool = False,
        batch_size: int,
        schedule: Schedule,
        first_update: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        check_batch_size(batch_size, len(data), world_size)
        self._data, self._labels, self._source, self._labelled = data, labels, source, labelled
        self._mirrors = mirrors
        self._schedule = schedule
        self._first_update = first_update
        self._batch_size = batch_size
        self._share = batch_size // world_size
        self._part = slice(rank * self._share, (rank + 1) * self._share)
        self._per_epoch = len(data) // batch_size
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)

    def __len__(self) -> int:
        """Count the Lightning batches that are left."""
        size, last = self._schedule.rounds_per_batch, self._schedule.updates
        return max(1, -(-last // size) - self._first_update // size)

    def __iter__(self) -> Iterator[Batch]:
        """Yield rounds, data of shape (rounds, minibatches, N, ...)."""
        ahead = None
        for span, following in pairwise(chain(self._spans(), [None])):
            assert span is not None
            rows = self._rows(*span) if ahead is None else ahead
            if following is not None:
                ahead = self._rows(*following)
                self._expect(ahead)
            yield self._batch(*span, rows)

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Yield the first update of each batch that is left, and the first after it."""
        size, last = self._schedule.rounds_per_batch, self._schedule.updates
        update = self._first_update
        if update >= last:
            yield update, update
        while update < last:
            end = min((update // size + 1) * size, last)
            yield update, end
            update = end

    def _rows(self, start: int, end: int) -> Tensor:
        """Return the rows of this process in some updates, int64 (rounds, minibatches, N)."""
        parts = (self._minibatch(number) for number in self._minibatches(start, end))
        rows = torch.cat([self._order[:0], *parts])
        return rows.view(end - start, self._schedule.discriminator_steps, self._share)

    def _minibatches(self, start: int, end: int) -> range:
        steps = self._schedule.discriminator_steps
        return range(start * steps, end * steps)

    def _expect(self, rows: Tensor) -> None:
        """Announce rows to data that have to be read from a disk."""
        for data in (self._data, self._source):
            if isinstance(data, Prefetchable):
                data.expect(rows)

    def _batch(self, start: int, end: int, rows: Tensor) -> Batch:
        beside = None
        if self._labelled is not None:
            parts = (self._few(number) for number in self._minibatches(start, end))
            few = torch.cat([self._order[:0], *parts]).view_as(rows)
            data, classes = self._labelled
            beside = Batch(data[few], classes[few])
        mirrored = None
        if self._mirrors:
            sides = [self._sides(number) for number in self._minibatches(start, end)]
            mirrored = torch.cat([torch.empty(0, dtype=torch.bool), *sides]).view_as(rows)
        labels = None if self._labels is None else self._labels[rows]
        source = None if self._source is None else self._source[rows]
        return Batch(self._data[rows], labels, source, beside, mirrored)

    def _sides(self, number: int) -> Tensor:
        """Say which data of this process's part of a minibatch are mirrored."""
        rng = torch.Generator().manual_seed(derived_seed(self._schedule.seed, "mirror", number))
        return (torch.rand(self._batch_size, generator=rng) < 0.5)[self._part]

    def _minibatch(self, number: int) -> Tensor:
        epoch, position = divmod(number, self._per_epoch)
        if epoch != self._epoch:
            self._order = self._permutation(len(self._data), "order", epoch)
            self._epoch = epoch
        start = position * self._batch_size
        return self._order[start : start + self._batch_size][self._part]

    def _few(self, number: int) -> Tensor:
        """Return this process's labelled rows of a minibatch."""
        assert self._labelled is not None
        size, start = len(self._labelled[1]), number * self._batch_size
        epochs = range(start // size, (start + self._batch_size - 1) // size + 1)
        order = torch.cat([self._permutation(size, "labelled order", epoch) for epoch in epochs])
        return order[start % size :][: self._batch_size][self._part]

    def _permutation(self, size: int, name: str, epoch: int) -> Tensor:
        seed = derived_seed(self._schedule.seed, name, epoch)
        return torch.randperm(size, generator=torch.Generator().manual_seed(seed))
