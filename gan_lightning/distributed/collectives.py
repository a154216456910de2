"""What the processes of one game do together inside an update: draw, average, gather.

A process's gradients are those of the sum of all processes' losses; `AlternatingDDP` averages them
right before a step, so that together they are the gradient of the mean. Outside an update a process
is alone: a picture or an evaluation may use the same losses without the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function

from gan_lightning.core.seeding import derived_seed, seed_generators

__all__ = ["all_gather", "all_reduce_mean", "shared_uniform", "synchronized_rng"]


class ProcessContext(NamedTuple):
    """Which part of the global minibatch a process plays.

    Args:
        rank: of this process, of `world_size`.
        world_size: number of processes.
        rng: in the same state on all of them; None for a single process's global generators.
    """

    rank: int = 0
    world_size: int = 1
    rng: torch.Generator | None = None


ALONE = ProcessContext()
PART = ContextVar("PART", default=ALONE)


@contextmanager
def synchronized_rng(
    seed: int, update: int, rank: int, world_size: int, device: torch.device
) -> Iterator[None]:
    """Let processes play an update together, its random numbers a function of the arguments.

    The global generators, of which the layers of networks draw, differ from process to process.
    """
    shared = derived_seed(seed, "play", 0, update)  # a single process has no other
    if world_size == 1:
        seed_generators(shared, device)
        yield
        return
    seed_generators(derived_seed(seed, "play", rank + 1, update), device)
    rng = torch.Generator(device)
    rng.manual_seed(shared)
    token = PART.set(ProcessContext(rank, world_size, rng))
    try:
        yield
    finally:
        PART.reset(token)


def shared_uniform(count: int, device: torch.device) -> Tensor:
    """Draw a number in [0, 1) for each datum of this process's part of the global minibatch.

    A datum's number is the same however many processes share the minibatch.

    Returns:
        Shape (count,).
    """
    rank, world_size, rng = PART.get()
    drawn = torch.rand(count * world_size, generator=rng, device=device)
    return drawn if world_size == 1 else drawn[rank * count :][:count]


def all_reduce_mean(tensor: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes, differentiable to any order.

    Args:
        tensor: of one shape on every process, each of which must call this.
    """
    world_size = PART.get().world_size
    if world_size == 1:
        return tensor
    total: Tensor = _Sum.apply(tensor)
    return total / world_size


def all_gather(rows: Tensor) -> Tensor:
    """Return the rows of all processes as the global minibatch has them, differentiable.

    Args:
        rows: of this process, (N, ...), as many on every process, each of which must call this.

    Returns:
        Shape (N times the number of processes, ...).
    """
    if PART.get().world_size == 1:
        return rows
    everything: Tensor = _Gather.apply(rows)
    return everything


class _Sum(Function):
    """The sum over all processes, whose gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        """Add up."""
        total = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Add the gradients up."""
        return _Sum.apply(gradients[0])


class _Gather(Function):
    """The rows of all processes; gradients go back to the process that a row came from."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        """Lay the rows of all processes end to end."""
        everything = rows.new_empty((dist.get_world_size() * len(rows), *rows.shape[1:]))
        dist.all_gather_into_tensor(everything, rows.contiguous())
        return everything

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Add the gradients up, and take those of this process's rows."""
        total: Tensor = _Sum.apply(gradients[0])
        count = len(total) // dist.get_world_size()
        return total[dist.get_rank() * count :][:count]
