"""Optimizer steps as differentiable functions, through which gradients flow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import grad
from torch.func import functional_call

from gan_lightning.core.compile import eager_mode
from gan_lightning.distributed.collectives import all_reduce_mean

__all__ = ["Weights", "call_with_weights", "unroll"]

Weights = dict[str, Tensor]
"""Parameters by name."""

SMALLEST = 1e-30
"""Lower bound of a square root's argument; the derivative of sqrt at 0 is infinite."""


def call_with_weights(network: nn.Module, weights: Weights, data: Tensor) -> Tensor:
    """Return the outputs of a network for data (N, *shape), with `weights` for its parameters."""
    with eager_mode():
        outputs: Tensor = functional_call(network, weights, (data,))
    return outputs


def unroll(
    weights: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    loss_of: Callable[[Weights], Tensor],
    steps: int,
    clip_norm: float | None = None,
    keep_graph: bool = False,
) -> Weights:
    """Return the weights after further optimizer steps, with the graph of the steps.

    The steps start from the optimizer's present state; the weights and the optimizer are not
    changed. With several processes a step uses the mean gradient, like a step of the optimizer.

    Args:
        weights: parameters by name, all of the optimizer's one parameter group.
        optimizer: Adam, AdamW, RMSprop or SGD, as `core/optim.py` builds them.
        loss_of: maps weights by name to the loss that the steps minimise, a scalar.
        steps: number of steps, at least 0.
        clip_norm: norm that the gradient of each step is clipped to, or None.
        keep_graph: whether the result is a function of the given weights, too, for an update rule
            that differentiates gradients.

    Raises:
        TypeError: the optimizer is of another class.
    """
    (group,) = optimizer.param_groups
    names, parameters = list(weights), list(weights.values())
    state = _concatenate_states([optimizer.state.get(weight, {}) for weight in parameters])
    update = _update_rule(optimizer)

    def by_name(vector: Tensor) -> Weights:
        parts = vector.split([weight.numel() for weight in parameters])
        return {
            name: part.view_as(weight)
            for name, part, weight in zip(names, parts, parameters, strict=True)
        }

    # all weights as one vector: a step is then a dozen operations, not a dozen for each weight
    vector = _concatenate(parameters)
    if not (keep_graph and vector.requires_grad):
        vector = vector.detach().requires_grad_(True)
    with torch.autocast(vector.device.type, enabled=False):
        for _ in range(steps):
            (gradient,) = grad(loss_of(by_name(vector)), vector, create_graph=True)
            gradient = all_reduce_mean(gradient)
            if clip_norm is not None:
                gradient = _clip(gradient, clip_norm)
            if group.get("decoupled_weight_decay"):
                vector = (1 - group["lr"] * group["weight_decay"]) * vector
            else:
                gradient = gradient + group["weight_decay"] * vector
            vector = vector - update(gradient, state, group)
    return by_name(vector)


def _clip(gradient: Tensor, limit: float) -> Tensor:
    """Scale a gradient down where its norm exceeds a limit, as the optimizer's own steps do."""
    norm = gradient.square().sum().clamp_min(SMALLEST).sqrt()
    return gradient * (limit / (norm + 1e-6)).clamp(max=1.0)


def _concatenate_states(states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Concatenate the optimizer's state of all weights; {} before its first step."""
    if not states[0]:
        return {}
    return {
        key: states[0][key] if key == "step" else _concatenate([state[key] for state in states])
        for key in states[0]
        if isinstance(states[0][key], Tensor)
    }


def _concatenate(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate tensors to a vector, in the order of their indices in any memory format."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def _update_rule(optimizer: torch.optim.Optimizer) -> Callable[[Tensor, Any, Any], Tensor]:
    """Return the function (gradient, state, group) -> change that is subtracted from weights."""
    if isinstance(optimizer, torch.optim.Adam):
        return _adam
    if isinstance(optimizer, torch.optim.RMSprop):
        return _rmsprop
    if isinstance(optimizer, torch.optim.SGD):
        return _sgd
    raise TypeError(f"steps of {type(optimizer).__name__} cannot be unrolled")


def _adam(gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    first, second = group["betas"]
    step = _steps_made(state) + 1
    mean = first * state.get("exp_avg", 0) + (1 - first) * gradient
    square = second * state.get("exp_avg_sq", 0) + (1 - second) * gradient.square()
    state.update(step=step, exp_avg=mean, exp_avg_sq=square)
    root = square.clamp_min(SMALLEST).sqrt() / _bias_correction(second, step) ** 0.5
    change: Tensor = group["lr"] / _bias_correction(first, step) * mean / (root + group["eps"])
    return change


def _steps_made(state: Mapping[str, Any]) -> float | Tensor:
    """Return the number of steps; as a tensor where a GPU counts them, for which the host waits."""
    step = state.get("step", 0)
    return step if isinstance(step, Tensor) and not step.is_cpu else float(step)


def _bias_correction(decay: float, step: float | Tensor) -> Any:
    """Return 1 - decay^step; of a tensor in its own precision, without cancellation."""
    if isinstance(step, Tensor):
        return -torch.expm1(step * (math.log(decay) if decay else -math.inf))
    return 1 - decay**step


def _rmsprop(gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    decay = group["alpha"]
    square = decay * state.get("square_avg", 0) + (1 - decay) * gradient.square()
    state.update(square_avg=square)
    change: Tensor = group["lr"] * gradient / (square.clamp_min(SMALLEST).sqrt() + group["eps"])
    return change


def _sgd(gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    change: Tensor = group["lr"] * gradient
    return change
