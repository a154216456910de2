"""Gradient accumulation: a minibatch in parts, whose gradients are added up for one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor

from gan_lightning.types import Batch, Condition, Sample

if TYPE_CHECKING:
    from gan_lightning.gans.base import GAN
    from gan_lightning.gans.contract import LossTerms

__all__ = ["accumulate_and_step"]


def accumulate_and_step(
    gan: GAN,
    optimizer: LightningOptimizer,
    real: Batch,
    fake: Sample,
    loss: Callable[[Batch, Sample], LossTerms],
) -> LossTerms:
    """Add up the gradients of the parts of a minibatch, then step.

    Part j of k holds the rows j, j + k, j + 2k, ..., and its loss is weighted by its share of the
    rows. So a loss that is a mean over samples has the gradient of the undivided minibatch, and
    with several processes part j of all of them together is part j of a single process.

    Args:
        gan: in training; its config has the number of parts.
        optimizer: of the player that steps.
        real: real samples of this process, (N, *shape).
        fake: as many generated samples.
        loss: maps a part of both to the weighted loss terms of the player that steps.

    Returns:
        Means of the loss terms over the parts, by name, without graph.
    """
    means: dict[str, Tensor] = {}

    def losses() -> Iterator[Tensor]:
        parts = _parts(real, fake, gan.config.accumulate_gradients)
        for share, part_of_real, part_of_fake in parts:
            terms = loss(part_of_real, part_of_fake)
            for name, value in terms.items():
                means[name] = means.get(name, 0) + share * value.detach()
            yield share * reduce(add, terms.values())
            torch.clear_autocast_cache()  # its low-precision copies may have no graph

    gan.backpropagate_in_turn(losses())
    gan.update_rule.step(gan, optimizer)
    return means


def _parts(real: Batch, fake: Sample, count: int) -> Iterator[tuple[float, Batch, Sample]]:
    """Yield the parts of a minibatch, each with its share of the rows; none is empty."""
    size = len(real.data)
    for first in range(min(count, size)):
        rows = slice(first, None, count)
        sample = Sample(_rows(fake.data, rows), _rows_of_condition(fake.condition, rows))
        yield len(sample.data) / size, _rows_of_batch(real, rows), sample


def _rows_of_batch(batch: Batch, rows: slice) -> Batch:
    data, labels, source = (
        None if part is None else _rows(part, rows)
        for part in (batch.data, batch.labels, batch.source)
    )
    assert data is not None
    labelled = None if batch.labelled is None else _rows_of_batch(batch.labelled, rows)
    return Batch(data, labels, source, labelled)


def _rows_of_condition(condition: Condition, rows: slice) -> Condition:
    return Condition(**{name: _rows(part, rows) for name, part in condition.parts().items()})


def _rows(tensor: Tensor, rows: slice) -> Tensor:
    """Return some rows as a dense tensor, in the memory format of the whole."""
    return tensor[rows].clone()
