"""Some rows of training data: those that are used, and those that have labels."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.core.seeding import derived_seed
from gan_lightning.data.round_loader import IndexableData, Prefetchable

__all__ = ["RowSubset", "stratified_subset"]


class RowSubset:
    """Some rows of training data, which are read when they are indexed.

    Args:
        data: of which rows are chosen.
        rows: the chosen ones, int64 (N,).
    """

    def __init__(self, data: IndexableData, rows: Tensor) -> None:
        self._data, self._rows = data, rows

    def __len__(self) -> int:
        """Return the number of chosen rows."""
        return len(self._rows)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Return rows of the chosen ones as they are stored."""
        return self._data[self._rows[rows]]

    def prefetch(self, rows: Tensor) -> None:
        """Start to read rows of the chosen ones, where the data can do so in the background."""
        if isinstance(self._data, Prefetchable):
            self._data.prefetch(self._rows[rows])


def stratified_subset(labels: Tensor, count: int, seed: int) -> Tensor:
    """Choose rows at random, equally many of each class.

    Args:
        labels: class of every row, int64 (M,), in [0, classes).
        count: number of rows to choose.
        seed: seed of the choice.

    Returns:
        The chosen rows, int64 (count,), ordered by class.

    Raises:
        ValueError: `count` is no multiple of the number of classes, or a class has too few rows.
    """
    sizes = torch.bincount(labels)
    per_class, remainder = divmod(count, len(sizes))
    if remainder or per_class > sizes.min():
        raise ValueError(
            f"labelled is {count}; it must be a multiple of the {len(sizes)} classes, "
            f"at most {len(sizes) * int(sizes.min())}"
        )
    rng = torch.Generator().manual_seed(derived_seed(seed, "labelled"))
    order = torch.randperm(len(labels), generator=rng)
    chosen = [order[labels[order] == label][:per_class] for label in range(len(sizes))]
    return torch.cat(chosen)
