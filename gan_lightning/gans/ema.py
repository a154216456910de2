"""Running averages of weights."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

__all__ = ["RunningAverage", "ema_decay_schedule"]


class RunningAverage(AveragedModel):
    """The exponential running average of a module's weights and buffers, without gradients.

    PyTorch's class but for the update, which there waits for the device to say whether it is the
    first, and sorts its tensors anew each time: a fortieth of a small network's step.

    Args:
        module: that is averaged, always this one.
        decay: asked at each update, in [0, 1); 0 takes the module as it is.
    """

    def __init__(self, module: nn.Module, decay: Callable[[], float]) -> None:
        super().__init__(module, use_buffers=True)
        self.requires_grad_(False)
        self._decay = decay
        self._pairs: list[tuple[list[Tensor], list[Tensor]]] = []

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Go by 1 - decay of the way to the module's present state; whole numbers are copied."""
        if not self._pairs:
            both = list(zip(_state(self.module), _state(model), strict=True))
            fractions = [pair for pair in both if pair[0].is_floating_point()]
            numbers = [pair for pair in both if not pair[0].is_floating_point()]
            self._pairs = [_apart(fractions), _apart(numbers)]
        (averages, present), (kept, counts) = self._pairs
        torch._foreach_lerp_(averages, present, 1 - self._decay())
        if kept:
            torch._foreach_copy_(kept, counts)
        self.n_averaged += 1

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> RunningAverage:
        """Move to another device or type, where buffers are other tensors."""
        self._pairs = []
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch's own
        return self


def _state(module: nn.Module) -> chain[Tensor]:
    return chain(module.parameters(), module.buffers())


def _apart(pairs: list[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    return [own for own, _ in pairs], [other for _, other in pairs]


def ema_decay_schedule(decay: float, updates: int) -> float:
    """Return a decay that grows from 0, so that the first weights are forgotten in time."""
    return min(decay, (1 + updates) / (10 + updates)) if updates else 0.0
