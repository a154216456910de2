"""Steps of an optimizer through which gradients flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import grad
from torch.func import functional_call

from gan_lightning.core.compile import eager_mode
from gan_lightning.distributed.collectives import all_reduce_mean

__all__ = ["Weights", "called_with", "unroll"]

Weights = dict[str, Tensor]
"""Parameters by name."""

SMALLEST = 1e-30
"""Under a square root, so that a weight whose gradient has always been 0 has a derivative."""


def called_with(network: nn.Module, weights: Weights, data: Tensor) -> Tensor:
    """Return what a network gives for data (N, *shape) with other weights than its own."""
    with eager_mode():
        outputs: Tensor = functional_call(network, weights, (data,))
    return outputs


def unroll(
    weights: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    loss_of: Callable[[Weights], Tensor],
    steps: int,
) -> Weights:
    """Return what weights become after some steps of their optimizer, with the graph of the steps.

    The steps start from the optimizer's present state, and leave it and the weights as they were.
    With several processes a step is that of the mean of their losses, as the optimizer's own is.

    Args:
        weights: all in the optimizer.
        optimizer: Adam, RMSprop or SGD as `optimization.py` builds them.
        loss_of: weights to the loss that the optimizer minimises.
        steps: at least 0.

    Raises:
        TypeError: the optimizer is of another kind.
    """
    (group,) = optimizer.param_groups
    names, parameters = list(weights), list(weights.values())
    state = _joined([optimizer.state.get(weight, {}) for weight in parameters])
    rule = _rule(optimizer)

    def named(vector: Tensor) -> Weights:
        parts = vector.split([weight.numel() for weight in parameters])
        return {
            name: part.view_as(weight)
            for name, part, weight in zip(names, parts, parameters, strict=True)
        }

    # all weights as one vector: an optimizer's step is then a dozen operations, not a dozen each
    moved = _vector(parameters).detach().requires_grad_(True)
    with torch.autocast(moved.device.type, enabled=False):
        for _ in range(steps):
            (gradient,) = grad(loss_of(named(moved)), moved, create_graph=True)
            gradient = all_reduce_mean(gradient)
            moved = moved - rule(gradient + group["weight_decay"] * moved, state, group)
    return named(moved)


def _joined(states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Lay the optimizer's states of all weights end to end; empty before its first step."""
    if not states[0]:
        return {}
    return {
        key: states[0][key] if key == "step" else _vector([state[key] for state in states])
        for key in states[0]
        if isinstance(states[0][key], Tensor)
    }


def _vector(tensors: Sequence[Tensor]) -> Tensor:
    """Lay tensors end to end, each in the order of its indices, whatever its memory layout."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def _rule(optimizer: torch.optim.Optimizer) -> Callable[[Tensor, Any, Any], Tensor]:
    if isinstance(optimizer, torch.optim.Adam):
        return _adam
    if isinstance(optimizer, torch.optim.RMSprop):
        return _rmsprop
    if isinstance(optimizer, torch.optim.SGD):
        return _sgd
    raise TypeError(f"steps of {type(optimizer).__name__} cannot be unrolled")


def _adam(gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    first, second = group["betas"]
    step = float(state.get("step", 0)) + 1
    mean = first * state.get("exp_avg", 0) + (1 - first) * gradient
    square = second * state.get("exp_avg_sq", 0) + (1 - second) * gradient.square()
    state.update(step=step, exp_avg=mean, exp_avg_sq=square)
    root = square.clamp_min(SMALLEST).sqrt() / (1 - second**step) ** 0.5
    change: Tensor = group["lr"] / (1 - first**step) * mean / (root + group["eps"])
    return change


def _rmsprop(gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    decay = group["alpha"]
    square = decay * state.get("square_avg", 0) + (1 - decay) * gradient.square()
    state.update(square_avg=square)
    change: Tensor = group["lr"] * gradient / (square.clamp_min(SMALLEST).sqrt() + group["eps"])
    return change


def _sgd(gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    change: Tensor = group["lr"] * gradient
    return change
