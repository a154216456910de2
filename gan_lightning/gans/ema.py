"""Exponential moving averages (EMA) of weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from gan_lightning.core import fast_paths

if TYPE_CHECKING:
    from gan_lightning.gans.base import GAN
    from gan_lightning.gans.config import GANConfig

__all__ = [
    "RunningAverage",
    "build_generator_ema",
    "ema_decay_schedule",
    "ema_generator",
    "rename_old_ema_keys",
    "scheduled_decay",
]


Tensors = tuple[Tensor, ...] | list[Tensor]


class RunningAverage(AveragedModel):
    """The exponential moving average of a module's weights and buffers, without gradients.

    Args:
        module: module that is averaged; `update_parameters` always gets this one.
        decay: returns the decay of each update, in [0, 1); 0 copies the module.

    Attributes:
        earlier: updates of the average before the first update of the run, of which it was loaded.
    """

    def __init__(self, module: nn.Module, decay: Callable[[], float]) -> None:
        super().__init__(module, multi_avg_fn=self._average, use_buffers=True)
        self.requires_grad_(False)
        self.earlier = 0
        self._decay = decay
        self._fast_update = fast_paths.EMAUpdate()

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Average the module's weights and buffers; integer buffers are copied."""
        if not fast_paths.ENABLED["ema_update"]:
            super().update_parameters(model)
            return
        self._fast_update(self.module, model, self._decay())
        self.n_averaged += 1

    def _average(self, averages: Tensors, values: Tensors, _: Tensor | int) -> None:
        """Average tensors of one type, for PyTorch's own update."""
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, values, 1 - self._decay())
        else:
            torch._foreach_copy_(averages, values)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> RunningAverage:
        """Move to another device or type, which replaces buffers by other tensors."""
        self._fast_update.forget_tensors()
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch's own
        return self


def scheduled_decay(config: GANConfig, updates: int, earlier: int = 0) -> float:
    """Return the decay of an update: the schedule's, within the bound of `ema_decay_schedule`.

    Args:
        config: with an `ema_decay`; its schedule multiplies the half-life of the average.
        updates: number of updates before this one.
        earlier: updates of an average that was loaded before the first of them.
    """
    assert config.ema_decay is not None
    decay = config.ema_decay
    if config.ema_schedule is not None:
        factor = config.ema_schedule.factor(updates)
        decay = decay ** (1 / factor) if factor else 0.0
    return ema_decay_schedule(decay, updates + earlier)


def ema_decay_schedule(decay: float, updates: int) -> float:
    """Return the decay of an update: it grows from 0, so that the first weights fade quickly.

    Args:
        decay: upper bound, in (0, 1).
        updates: number of updates before this one.
    """
    return min(decay, (1 + updates) / (10 + updates)) if updates else 0.0


def build_generator_ema(gan: GAN) -> RunningAverage | None:
    """Return a running average of the generator, or None without `ema_decay` in the config."""
    if gan.config.ema_decay is None:
        return None
    average = RunningAverage(
        gan.generator, lambda: scheduled_decay(gan.config, gan.updates, average.earlier)
    )
    return average


@contextmanager
def ema_generator(gan: GAN) -> Iterator[None]:
    """Replace `gan.generator` by its running average inside the block, where there is one."""
    trained = gan.generator
    if gan.ema is not None and gan.updates > 0:
        gan.generator = gan.ema.module
    try:
        yield
    finally:
        gan.generator = trained


def rename_old_ema_keys(gan: GAN, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Rename the keys of a checkpoint in which the attribute `ema` was called `averaged`."""
    for name in [name for name in state if name.startswith(f"{prefix}averaged.")]:
        state[name.replace("averaged.", "ema.", 1)] = state.pop(name)
