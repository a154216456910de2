"""CUDA graphs: operations of a GPU that are captured once and replayed by a single launch.

A small network's operations take less time on a GPU than the host takes to launch them. A graph
holds the operations of a whole function with the addresses of their tensors. What the host computes
is frozen: Python's numbers, branches, and which tensors are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["BACKENDS", "CUDAGraphs", "GraphBackend"]

STEP = "step"
"""Key of an optimizer's state: the number of its steps."""


class GraphBackend(Protocol):
    """What captures operations and replays them."""

    def warm_up(self) -> AbstractContextManager[object]:
        """Return a context in which operations run eagerly, before they are captured."""
        ...

    def capture(self, function: Callable[[], None]) -> Callable[[], None]:
        """Capture the operations of a function, without running them.

        A replay draws random numbers from the states that the generators have by then.

        Args:
            function: changes no tensor except by operations on the device; has run in `warm_up`.

        Returns:
            Function that runs the operations on the same tensors, without waiting for them.
        """
        ...


class CUDAGraphs:
    """Captures by `torch.cuda.graph`, as PyTorch's notes on CUDA semantics say.

    Warm-up and capture are on a stream of their own. An optimizer has to be told that its step is
    captured; it counts its steps on the device. Calls of other threads, such as allocations of
    pinned memory, do not disturb a capture.

    Args:
        device: a CUDA GPU.
        generators: random number generators of the device, beside its own.
        optimizers: that step in a graph.

    Source: PyTorch documentation, "CUDA semantics", sections on CUDA graphs and on whole-network
        capture.
    """

    def __init__(
        self,
        device: torch.device,
        generators: Sequence[torch.Generator],
        optimizers: Sequence[torch.optim.Optimizer],
    ) -> None:
        self._stream = torch.cuda.Stream(device)
        self._generators, self._optimizers = generators, optimizers

    @contextmanager
    def warm_up(self) -> Iterator[None]:
        """Run operations on the stream, after those before the block and before those after it."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            yield
        torch.cuda.current_stream().wait_stream(self._stream)

    def capture(self, function: Callable[[], None]) -> Callable[[], None]:
        """Capture the operations of a function."""
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        _count_steps_on_device(self._optimizers)
        with (
            _capturable(self._optimizers),
            torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"),
        ):
            function()
        return graph.replay


def _count_steps_on_device(optimizers: Sequence[torch.optim.Optimizer]) -> None:
    """Move the number of steps to the device of the weights, as RMSprop keeps it on the host."""
    for optimizer in optimizers:
        for weight, state in optimizer.state.items():
            if isinstance(state.get(STEP), Tensor):
                state[STEP] = state[STEP].to(weight.device)


@contextmanager
def _capturable(optimizers: Sequence[torch.optim.Optimizer]) -> Iterator[None]:
    """Tell optimizers inside the block that their steps are captured.

    Outside of it the flag is that of the config, so that checkpoints do not hold it.
    """
    groups: list[dict[str, Any]] = [
        group
        for optimizer in optimizers
        for group in optimizer.param_groups
        if "capturable" in group
    ]
    before = [group["capturable"] for group in groups]
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group, flag in zip(groups, before, strict=True):
            group["capturable"] = flag


BuildBackend = Callable[
    [torch.device, Sequence[torch.Generator], Sequence[torch.optim.Optimizer]], GraphBackend
]
"""Builds a backend, with the arguments of `CUDAGraphs`."""

BACKENDS: dict[str, BuildBackend] = {"cuda": CUDAGraphs}
"""Kind of device -> what captures on it."""
