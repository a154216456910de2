"""Running averages of weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

__all__ = ["grown", "running_average"]


def running_average(module: nn.Module, decay: Callable[[], float]) -> AveragedModel:
    """Make the exponential running average of a module's weights and buffers, without gradients.

    Args:
        module: that is averaged; the average's first update copies it.
        decay: asked at each update, in [0, 1).
    """

    def average(averaged: Any, current: Any, count: Any) -> None:
        get_ema_multi_avg_fn(decay())(averaged, current, count)

    return AveragedModel(module, multi_avg_fn=average, use_buffers=True).requires_grad_(False)


def grown(decay: float, updates: int) -> float:
    """Return a decay that grows from 0.1, so that the first weights are forgotten in time."""
    return min(decay, (1 + updates) / (10 + updates))
