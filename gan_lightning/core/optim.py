"""Optimizers: their config, and their construction by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

from gan_lightning.utils.settings import check_settings, setting

__all__ = ["OPTIMIZERS", "OptimizerConfig", "build_optimizer", "optimizer_parameters"]


@dataclass
class OptimizerConfig:
    """Config of one player's optimizer."""

    name: str = setting("adam", "Optimizer.", choices=lambda: OPTIMIZERS)
    learning_rate: float = setting(2e-4, "Learning rate.", above=0)
    betas: list[float] = setting(
        [0.5, 0.999], "Adam's decay of its two moments.", length=2, minimum=0, below=1
    )
    weight_decay: float = setting(
        0.0, "L2 penalty on the weights, added to the gradient.", minimum=0
    )


Parameters = Iterable[nn.Parameter]

OPTIMIZERS: dict[str, Callable[[Parameters, OptimizerConfig], torch.optim.Optimizer]] = {
    "adam": lambda parameters, config: torch.optim.Adam(
        parameters,
        lr=config.learning_rate,
        betas=(config.betas[0], config.betas[1]),
        weight_decay=config.weight_decay,
        fused=True,
    ),
    "rmsprop": lambda parameters, config: torch.optim.RMSprop(
        parameters, lr=config.learning_rate, weight_decay=config.weight_decay, foreach=True
    ),
    "sgd": lambda parameters, config: torch.optim.SGD(
        parameters, lr=config.learning_rate, weight_decay=config.weight_decay, foreach=True
    ),
}
"""Name -> function that builds the optimizer of some parameters."""


def build_optimizer(parameters: Parameters, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Build the optimizer that a config names.

    Raises:
        ValueError: a value of the config is out of range.
    """
    check_settings(config)
    return OPTIMIZERS[config.name](parameters, config)


def optimizer_parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """List the parameters that an optimizer updates."""
    return [weights for group in optimizer.param_groups for weights in group["params"]]
