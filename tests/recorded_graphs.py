"""A stand-in for CUDA graphs on a processor: operations that are recorded, and run again.

What a real graph freezes it freezes, too: Python's numbers, branches, and the tensors. What a real
graph refuses it refuses: operations for whose values the host waits, and random numbers of a
generator that the graph does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import pytest
import torch
from fake_device import WAITING
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from gan_lightning.core import cuda_graphs
from gan_lightning.gans import differentiable_optim

__all__ = ["RecordedGraphs", "recorded_graphs"]


class Operation(NamedTuple):
    """An operation of ATen with its tensors; those of `made` are its own."""

    function: Any
    args: Any
    kwargs: Any
    made: list[Tensor | None]


class RecordedGraphs:
    """Records operations on a processor as `cuda_graphs.CUDAGraphs` captures them on a GPU."""

    def __init__(
        self,
        device: torch.device,
        generators: Sequence[torch.Generator],
        optimizers: Sequence[torch.optim.Optimizer],
    ) -> None:
        self._generators = [torch.default_generator, *generators]

    def warm_up(self) -> AbstractContextManager[object]:
        return nullcontext()

    def capture(self, function: Callable[[], None]) -> Callable[[], None]:
        """Record a function, then put back all values that it has changed."""
        states = [generator.get_state() for generator in self._generators]
        recorder = Recorder(self._generators)
        with _AsOnGPU(), recorder:
            function()
        recorder.put_back()
        for generator, state in zip(self._generators, states, strict=True):
            generator.set_state(state)
        return recorder.replay


class Recorder(TorchDispatchMode):
    """Records operations while they run."""

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._known = {address(generator) for generator in generators}
        self._operations: list[Operation] = []
        self._before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        self._own: set[int] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function.overloadpacket.__name__ in WAITING:
            raise RuntimeError(f"{function} is not permitted in a capture")
        for value in tree_leaves((args, kwargs)):
            if isinstance(value, torch.Generator) and address(value) not in self._known:
                raise RuntimeError(f"{function} draws from a generator that is not registered")
        given = {storage_of(tensor): tensor for tensor in tensors_of((args, kwargs))}
        for key, tensor in given.items():
            if key not in self._own and key not in self._before:
                storage = tensor.untyped_storage()
                self._before[key] = storage, storage.clone()
        # as they are now: an operation may change the shape of a tensor later
        recorded = tree_map_only(Tensor, Tensor.detach, (args, kwargs))
        result = function(*args, **kwargs)
        made: list[Tensor | None] = []
        for tensor in tree_leaves(result):
            is_own = isinstance(tensor, Tensor) and storage_of(tensor) not in given
            made.append(tensor.detach() if is_own else None)
        self._own.update(storage_of(tensor) for tensor in made if tensor is not None)
        self._operations.append(Operation(function, recorded[0], recorded[1], made))
        return result

    def put_back(self) -> None:
        """Restore the values before the recording: a capture runs nothing."""
        for storage, values in self._before.values():
            storage.copy_(values)

    @torch.no_grad()
    def replay(self) -> None:
        """Run all operations on the same tensors."""
        with torch.autocast("cpu", enabled=False):
            for function, args, kwargs, made in self._operations:
                result = tree_leaves(function(*args, **kwargs))
                for tensor, value in zip(made, result, strict=True):
                    if tensor is not None:
                        tensor.copy_(value)


class _AsOnGPU(TorchFunctionMode):
    """Replaces a function that looks at its values on a processor only."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function is not torch.nn.functional.one_hot:
            return function(*args, **(kwargs or {}))
        labels, classes = args
        return labels.new_zeros(*labels.shape, classes).scatter_(-1, labels[..., None], 1)


def tensors_of(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


def storage_of(tensor: Tensor) -> int:
    return address(tensor.untyped_storage())


def address(value: Any) -> int:
    """Return the address of a C++ object, of which Python may have several."""
    number: int = value._cdata
    return number


@pytest.fixture
def recorded_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let GANs capture rounds on the processor.

    Unrolled steps take the number of steps as a tensor, as on a GPU.
    """
    monkeypatch.setitem(cuda_graphs.BACKENDS, "cpu", RecordedGraphs)
    monkeypatch.setattr(differentiable_optim, "_steps_made", lambda state: state.get("step", 0.0))
