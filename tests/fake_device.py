"""A device that computes nothing, and fails where a GPU would wait or an Apple GPU has no type.

Tensors of PyTorch's "meta" device have a shape and a type, and no values. A training on it does
what a training on a GPU does, without its numbers, so that any experiment takes a moment. What
reads a value on the host fails, as does an operation on tensors of two devices. `strict` also fails
where PyTorch itself is patient: at copies between the host and the device that the host waits for,
and at float64 tensors.

The list of operations that wait is that of `torch.cuda.set_sync_debug_mode`, as its documentation
and the sources of PyTorch 2 give it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.accelerators import Accelerator
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gan_lightning.classifiers import Classifier
from gan_lightning.core.module import BaseModule
from gan_lightning.gans import GAN

DEVICE = torch.device("meta")

WAITING = (
    "_local_scalar_dense",
    "bincount",
    "equal",
    "histc",
    "is_nonzero",
    "_linalg_eigh",
    "_linalg_solve_ex",
    "_linalg_svd",
    "masked_select",
    "nonzero",
    "repeat_interleave",
    "_unique",
    "_unique2",
    "unique_consecutive",
    "unique_dim",
)
"""Operations of ATen whose kernels wait for the GPU."""

FROM_VALUES = (torch.tensor, torch.as_tensor, torch.asarray)
"""Functions that copy Python's numbers to a device, for which the host waits."""


class WaitError(AssertionError):
    """The host would wait for the device."""


class Float64Error(AssertionError):
    """A float64 tensor on the device."""


class _Operations(TorchDispatchMode):
    """Fails at an operation that waits for the device, and at a float64 tensor on it."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = function.overloadpacket.__name__
        given = _tensors((args, kwargs))
        on_device = [tensor for tensor in given if tensor.device == DEVICE]
        if on_device and name in WAITING:
            raise WaitError(f"{name} waits for the device")
        if on_device and name == "multinomial" and (args[1] == 1 or True not in args[2:3]):
            raise WaitError("multinomial checks the probabilities of a single draw on the host")
        if name in ("index", "index_put", "index_put_", "_index_put_impl_"):
            _check_mask(name, args, on_device)
        if name in ("_to_copy", "copy_", "copy"):
            _check_copy(name, given, args, kwargs)
        result = function(*args, **kwargs)
        made = _tensors(result)
        if any(tensor.device == DEVICE and tensor.dtype == torch.float64 for tensor in made):
            raise Float64Error(f"{function} makes a float64 tensor on the device")
        return result


class _Functions(TorchFunctionMode):
    """Fails where numbers of Python are copied to the device."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        device = kwargs.get("device")
        from_host = not isinstance(args[0], Tensor) if args else True
        to_device = device is not None and torch.device(device) == DEVICE
        if function in FROM_VALUES and from_host and to_device:
            raise WaitError(f"torch.{function.__name__} copies a value to the device")
        return function(*args, **kwargs)


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


def _check_copy(name: str, given: list[Tensor], args: Any, kwargs: Any) -> None:
    """The host waits for a copy from the device, and to it unless it is told not to."""
    devices = {tensor.device for tensor in given}
    if kwargs.get("device") is not None:
        devices.add(torch.device(kwargs["device"]))
    not_blocking = kwargs.get("non_blocking") or (name == "copy_" and True in args[2:3])
    to_device = torch.device(kwargs.get("device") or given[0].device) == DEVICE
    if len(devices) > 1 and not (not_blocking and to_device):
        way = "to the device without non_blocking=True" if to_device else "from the device"
        raise WaitError(f"{name} {way}")


def _check_mask(name: str, args: Any, on_device: list[Tensor]) -> None:
    """A mask is converted to row numbers, which waits, except to set all its places to a number."""
    mask = any(part.dtype in (torch.bool, torch.uint8) for part in _tensors(args[1]))
    fills = name != "index" and args[2].numel() == 1 and args[2].device.type in ("cpu", "meta")
    if on_device and mask and not fills:
        raise WaitError(f"{name} by a mask waits for the number of its places")


@contextmanager
def strict() -> Iterator[None]:
    """Fail inside the block where the host would wait, and at float64 on the device."""
    with _Functions(), _Operations():
        yield


class CopiesFromHost(TorchDispatchMode):
    """Fails where a tensor of the host enters the device; a CUDA graph would not keep it."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        given = _tensors((args, kwargs))
        result = function(*args, **kwargs)
        on_device = any(tensor.device == DEVICE for tensor in [*given, *_tensors(result)])
        # a scalar is passed by its value
        if on_device and any(tensor.device != DEVICE and tensor.ndim for tensor in given):
            raise WaitError(f"{function} copies from the host")
        return result


class FakeAccelerator(Accelerator):
    """Lets Lightning place a model on the device."""

    def setup_device(self, device: torch.device) -> None:
        """Accept the device."""

    def teardown(self) -> None:
        """Release nothing."""

    @staticmethod
    def parse_devices(devices: Any) -> Any:
        return devices

    @staticmethod
    def get_parallel_devices(devices: Any) -> list[torch.device]:
        return [DEVICE]

    @staticmethod
    def auto_device_count() -> int:
        return 1

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def name() -> str:
        return "fake"

    def get_device_stats(self, device: Any) -> dict[str, Any]:
        return {}


class FakeStrategy(SingleDeviceStrategy):
    """Makes up the values that Lightning asks for outside of steps: the device has none."""

    def reduce(self, tensor: Any, *args: Any, **kwargs: Any) -> Any:
        """Return ones, for example for the number of batches."""
        return torch.ones(tensor.shape, dtype=tensor.dtype)

    def batch_to_device(self, batch: Any, *args: Any, **kwargs: Any) -> Any:
        """Copy a batch, for which the host must not wait."""
        with strict():
            return super().batch_to_device(batch, *args, **kwargs)

    def teardown(self) -> None:
        """Leave the model on the device."""
        self.accelerator.teardown()


def fake_trainer(**settings: Any) -> Trainer:
    """Return a Trainer that trains on the device, and prints and writes nothing."""
    strategy = FakeStrategy(device=DEVICE, accelerator=FakeAccelerator())
    defaults: dict[str, Any] = {
        "max_epochs": 1,
        "strategy": strategy,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
    }
    return Trainer(**{**defaults, **settings})


def _generator(device: Any = "cpu") -> torch.Generator:
    """Return a generator of the host for the device, whose random functions ignore it."""
    kind = torch.device(device).type
    return _Generator("cpu" if kind == DEVICE.type else device)


_Generator, _autocast = torch.Generator, torch.autocast


def _autocast_of(device_type: str, *args: Any, **kwargs: Any) -> Any:
    """Return the autocast of the processor for the device, where it casts nothing."""
    return _autocast("cpu" if device_type == DEVICE.type else device_type, *args, **kwargs)


@pytest.fixture
def fake_device(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    """Let PyTorch take the device for an accelerator; `strict` holds in each training step.

    The steps of a GAN after the first copy nothing from the host.

    Returns a function that returns the updates after each step so far.
    """
    made: list[int] = []

    def make_strict(kind: type[BaseModule]) -> None:
        step = kind.training_step

        def strict_step(model: BaseModule, batch: Any, number: int) -> None:
            copies: Any = CopiesFromHost if made and isinstance(model, GAN) else nullcontext
            with strict(), copies():
                step(model, batch, number)
            made.append(model.updates)

        monkeypatch.setattr(kind, "training_step", strict_step)

    for kind in (GAN, Classifier):
        make_strict(kind)
    # at the start of a training the host waits once, to count the updates of a loaded average
    monkeypatch.setattr(GAN, "on_train_start", BaseModule.on_train_start)
    backend = SimpleNamespace(
        get_rng_state=lambda: None, set_rng_state=lambda state: None, is_available=lambda: True
    )
    supported = lambda: ["cpu", DEVICE.type]  # noqa: E731
    monkeypatch.setattr(
        sys.modules["torch.optim.optimizer"], "_get_fused_kernels_supported_devices", supported
    )
    monkeypatch.setattr(torch, "Generator", _generator)
    monkeypatch.setattr(torch, "autocast", _autocast_of)
    monkeypatch.setattr(torch, DEVICE.type, backend, raising=False)
    return lambda: made
