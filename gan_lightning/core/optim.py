"""Optimizers by name: declared in a config, built for a player."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import nn

from gan_lightning.errors import check_choice
from gan_lightning.utils.settings import check_settings

__all__ = ["OPTIMIZERS", "OptimizerConfig", "build_optimizer", "optimizer_parameters"]


@dataclass
class OptimizerConfig:
    """One player's optimizer."""

    # adam, rmsprop or sgd
    name: str = "adam"
    # step size a generator (or discriminator) update
    learning_rate: float = 2e-4
    # adam's decay of its two moments, each in [0, 1)
    betas: list[float] = field(default_factory=lambda: [0.5, 0.999])
    # L2 penalty
    weight_decay: float = 0.0

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        check_choice("name", self.name, OPTIMIZERS)
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate is {self.learning_rate}; it must be positive")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas is {list(self.betas)}; it must be two numbers in [0, 1)")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay is {self.weight_decay}; it must be at least 0")


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


def build_optimizer(parameters: Parameters, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Build the optimizer that a config names.

    Raises:
        ValueError: a value of the config is out of range.
    """
    check_settings(config)
    return OPTIMIZERS[config.name](parameters, config)


def optimizer_parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """List the parameters that an optimizer moves."""
    return [weights for group in optimizer.param_groups for weights in group["params"]]
