"""Differentiable collectives and random numbers of an update with several processes.

A process's gradients are those of the sum of all processes' losses. `AlternatingDDP` averages them
right before a step, so that they become the gradient of the mean loss. Outside of
`synchronized_rng` all functions act as for a single process, so that an evaluation in one process
can use the same losses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function

from gan_lightning.core.seeding import derived_seed, seed_generators

__all__ = [
    "all_gather",
    "all_reduce_mean",
    "own_part",
    "process_count",
    "remember_randomness",
    "shared_normal",
    "shared_uniform",
    "synchronized_rng",
]


class ProcessContext(NamedTuple):
    """The part of the global minibatch that a process has.

    Attributes:
        rank: rank of the process.
        world_size: number of processes.
        rng: random number generator in the same state in all processes; None for the global
            generators of a single process.
    """

    rank: int = 0
    world_size: int = 1
    rng: torch.Generator | None = None


SINGLE_PROCESS = ProcessContext()
CONTEXT = ContextVar("CONTEXT", default=SINGLE_PROCESS)


@contextmanager
def synchronized_rng(
    seed: int, update: int, rank: int, world_size: int, device: torch.device, minibatch: int = 0
) -> Iterator[None]:
    """Seed the random numbers of an update, a function of the arguments, inside the block.

    `shared_uniform` and `shared_normal` draw from a generator that is equal in all processes. The
    global generators, from which layers such as dropout draw, are different in each process.

    Args:
        seed: the run's seed.
        update: number of generator updates made so far.
        rank: rank of this process.
        world_size: number of processes.
        device: of the module.
        minibatch: number of the minibatch in its round, where a round does not come as a whole.
    """
    step = (update, minibatch) if minibatch else (update,)
    shared = derived_seed(seed, "play", 0, *step)  # also seeds the layers of a single process
    if world_size == 1:
        seed_generators(shared, device)
        yield
        return
    seed_generators(derived_seed(seed, "play", rank + 1, *step), device)
    rng = torch.Generator(device)
    rng.manual_seed(shared)
    token = CONTEXT.set(ProcessContext(rank, world_size, rng))
    try:
        yield
    finally:
        CONTEXT.reset(token)


def remember_randomness(device: torch.device) -> Callable[[], None]:
    """Return a function that restores the present states of all generators of an update.

    What is drawn after its call is equal to what is drawn from now on.

    Args:
        device: of the module.
    """
    rng, backend = CONTEXT.get().rng, getattr(torch, device.type)
    state = torch.get_rng_state()
    shared = None if rng is None else rng.get_state()
    on_device = None if device.type == "cpu" else backend.get_rng_state()

    def restore() -> None:
        torch.set_rng_state(state)
        if rng is not None and shared is not None:
            rng.set_state(shared)
        if on_device is not None:
            backend.set_rng_state(on_device)

    return restore


def shared_uniform(count: int, device: torch.device) -> Tensor:
    """Draw a number in [0, 1) for each sample of this process's part of the global minibatch.

    The number of a sample of the global minibatch is the same for any number of processes.

    Args:
        count: number of samples of this process, equal in all processes.
        device: of the numbers.

    Returns:
        Shape (count,).
    """
    _, world_size, rng = CONTEXT.get()
    return own_part(torch.rand(count * world_size, generator=rng, device=device))


def shared_normal(shape: Sequence[int], device: torch.device) -> Tensor:
    """Draw normally distributed numbers for this process's part of the global minibatch.

    Those of a sample of the global minibatch are the same for any number of processes.

    Args:
        shape: of this process's numbers, equal in all processes; samples first.
        device: of the numbers.
    """
    _, world_size, rng = CONTEXT.get()
    whole = (shape[0] * world_size, *shape[1:])
    return own_part(torch.randn(whole, generator=rng, device=device))


def own_part(rows: Tensor) -> Tensor:
    """Return the rows of this process from those of all processes, as `all_gather` orders them."""
    rank, world_size, _ = CONTEXT.get()
    count = len(rows) // world_size
    return rows if world_size == 1 else rows[rank * count :][:count]


def process_count() -> int:
    """Return the number of processes that share the present update."""
    return CONTEXT.get().world_size


def all_reduce_mean(tensor: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes, differentiable to any order.

    Args:
        tensor: of the same shape in all processes; all of them must call this function.
    """
    world_size = CONTEXT.get().world_size
    if world_size == 1:
        return tensor
    total: Tensor = _Sum.apply(tensor)
    return total / world_size


def all_gather(rows: Tensor) -> Tensor:
    """Return the rows of all processes in the order of the global minibatch, differentiable.

    Args:
        rows: rows of this process, (N, ...), N equal in all processes; all of them must call this
            function.

    Returns:
        Shape (N times the number of processes, ...).
    """
    if CONTEXT.get().world_size == 1:
        return rows
    gathered: Tensor = _Gather.apply(rows)
    return gathered


class _Sum(Function):
    """Sum over all processes; its gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        """Sum the tensors of all processes."""
        total = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Sum the gradients of all processes."""
        return _Sum.apply(gradients[0])


class _Gather(Function):
    """Concatenation of the rows of all processes; gradients return to the process of a row."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        """Concatenate the rows of all processes."""
        gathered = rows.new_empty((dist.get_world_size() * len(rows), *rows.shape[1:]))
        dist.all_gather_into_tensor(gathered, rows.contiguous())
        return gathered

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Sum the gradients of all processes, and return those of this process's rows."""
        total: Tensor = _Sum.apply(gradients[0])
        count = len(total) // dist.get_world_size()
        return total[dist.get_rank() * count :][:count]
