"""Fast paths: code that replaces a plain call of PyTorch or Lightning to save time.

They cost readability, so all of them are here, each with what it replaces and its measured gain.
`ENABLED` switches each of them off; the weights of a run then stay equal in all bits, except for
`dropout`, which draws other random numbers. `benchmarks/fast_paths.py` times each on and off.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from gan_lightning.utils.hardware import flush_denormals

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule
    from pytorch_lightning.core.optimizer import LightningOptimizer

__all__ = [
    "ENABLED",
    "EMAUpdate",
    "backward",
    "can_step_directly",
    "disabled",
    "dropout",
    "keep_freed_memory",
    "reason_against_direct_steps",
    "set_up_process",
    "skip_cuda_driver_check",
    "step",
]

ENABLED = dict.fromkeys(("dropout", "ema_update", "direct_step", "malloc", "cuda_check"), True)
"""Whether each fast path is used, by name."""

KEPT_MEBIBYTES = 32
"""Largest block that glibc can take from its heap, by its own limit."""

STEP_HOOKS = ("on_before_backward", "on_after_backward", "on_before_optimizer_step")
"""Hooks that Lightning calls on a module and on callbacks around a backward pass and a step."""


@contextmanager
def disabled(*names: str) -> Iterator[None]:
    """Switch fast paths off inside the block.

    The paths `malloc` and `cuda_check` are settings of the process, which `set_up_process` changes.

    Raises:
        KeyError: a name is not in `ENABLED`.
    """
    before = {name: ENABLED[name] for name in names}
    ENABLED.update(dict.fromkeys(names, False))
    try:
        yield
    finally:
        ENABLED.update(before)


def dropout(data: Tensor, probability: float) -> Tensor:
    """Zero each element with a probability, and scale the others by 1 / (1 - probability).

    Replaces `torch.nn.functional.dropout` on CPUs, where PyTorch's Bernoulli sampler takes four
    times as long as its uniform one. The two draw different random numbers.

    Gain: a tenth of an update of a small network with dropout.

    Args:
        data: tensor of any shape.
        probability: probability of a zero, in [0, 1).

    Source: Hinton et al. 2012 (arXiv:1207.0580).
    """
    if data.device.type != "cpu" or not ENABLED["dropout"]:
        return functional.dropout(data, probability, training=True)
    kept = torch.rand_like(data, dtype=torch.float32) >= probability
    return data * kept.to(data.dtype).div_(1 - probability)


class EMAUpdate:
    """Updates the running average of a module's weights and buffers in one call.

    Replaces the update of `torch.optim.swa_utils.AveragedModel`, which waits for the device to
    tell whether it is the first one, and groups the tensors by device and type each time. The
    averages are equal in all bits.

    Gain: a fortieth of an update of a small network.
    """

    def __init__(self) -> None:
        self._tensors: list[tuple[list[Tensor], list[Tensor]]] = []

    def forget_tensors(self) -> None:
        """Drop the references to tensors, which a move to another device or type replaces."""
        self._tensors = []

    @torch.no_grad()
    def __call__(self, average: nn.Module, model: nn.Module, decay: float) -> None:
        """Move the average by 1 - decay of the way to the model; integer buffers are copied.

        Args:
            average: a copy of the module, the same one in each call.
            model: the module, the same one in each call.
            decay: in [0, 1].
        """
        if not self._tensors:
            pairs = list(zip(_state(average), _state(model), strict=True))
            self._tensors = [
                _transpose([pair for pair in pairs if pair[0].is_floating_point()]),
                _transpose([pair for pair in pairs if not pair[0].is_floating_point()]),
            ]
        (averages, values), (integer_averages, integer_values) = self._tensors
        torch._foreach_lerp_(averages, values, 1 - decay)
        if integer_averages:
            torch._foreach_copy_(integer_averages, integer_values)


def _state(module: nn.Module) -> Iterator[Tensor]:
    return chain(module.parameters(), module.buffers())


def _transpose(pairs: list[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    return [first for first, _ in pairs], [second for _, second in pairs]


def can_step_directly(module: LightningModule) -> bool:
    """Tell whether Lightning's code around a backward pass and a step would have no effect.

    It has none with one process, no gradient scaler, and no hook around backward passes or steps
    on the module or on a callback. `backward` and `step` then do without it.
    """
    return not reason_against_direct_steps(module)


def reason_against_direct_steps(module: LightningModule) -> str:
    """Name the code of Lightning or of the user around a step that has an effect, or return ""."""
    from pytorch_lightning import Callback, LightningModule
    from pytorch_lightning.strategies import SingleDeviceStrategy

    trainer = module.trainer
    watchers: list[tuple[object, type]] = [(module, LightningModule)]
    watchers += [(callback, Callback) for callback in trainer.callbacks]  # type: ignore[attr-defined]  # set outside of __init__
    if type(trainer.strategy) is not SingleDeviceStrategy:
        return f"the strategy is {type(trainer.strategy).__name__}, of several processes"
    if getattr(trainer.precision_plugin, "scaler", None) is not None:
        return "a gradient scaler looks at the gradients of each step"
    hooks = (
        f"{type(watcher).__name__}.{hook} is called at each step"
        for watcher, base in watchers
        for hook in STEP_HOOKS
        if getattr(type(watcher), hook) is not getattr(base, hook)
    )
    return next(hooks, "")


def backward(module: LightningModule, losses: Iterable[Tensor], direct: bool) -> None:
    """Backpropagate losses one after the other, which adds up their gradients.

    Replaces `manual_backward` as `step` replaces `LightningOptimizer.step`.

    Args:
        module: in training.
        losses: scalars; an iterator may compute each when it is asked for.
        direct: result of `can_step_directly`.
    """
    direct = direct and ENABLED["direct_step"]
    for loss in losses:
        loss.backward() if direct else module.manual_backward(loss)


def step(optimizer: LightningOptimizer, direct: bool) -> None:
    """Step an optimizer.

    Replaces `LightningOptimizer.step`, and in `backward` `manual_backward`, which pass through the
    strategy, the precision plugin and hooks, where `can_step_directly`. The weights are equal in
    all bits.

    Gain: 3 of 28 ms of an update of gan_ring.

    Args:
        optimizer: one of the module's optimizers.
        direct: result of `can_step_directly`.
    """
    optimizer.optimizer.step() if direct and ENABLED["direct_step"] else optimizer.step()


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next tensor, on Linux.

    Replaces the defaults of malloc, by which freed blocks of some MiB return to the kernel. Each
    page of the next block then costs a page fault.

    Gain: 18,000 page faults, of casts and gradients, in an update of infogan_mnist_paper.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None and ENABLED["malloc"]:
        trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD in malloc.h
        mallopt(mmap_threshold, KEPT_MEBIBYTES << 20)
        mallopt(trim_threshold, (1 << 31) - 1)


def skip_cuda_driver_check() -> None:
    """Let `torch.cuda.is_available` return False without a look at the driver, if it is False.

    Replaces the check by NVML, which Lightning enables, and in which each step of Adam searches for
    the driver's library.

    Gain: the search takes as long as a step of Adam on a small network.
    """
    if not torch.cuda.is_available():
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0" if ENABLED["cuda_check"] else "1"


def set_up_process() -> None:
    """Apply the settings of a process that trains or evaluates: denormals, malloc, CUDA check."""
    flush_denormals()
    skip_cuda_driver_check()
    keep_freed_memory()
