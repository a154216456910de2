"""Optimizers: their config, construction by name, schedules and gradient clipping."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from gan_lightning.core.schedules import BetasScheduleConfig, ScheduleConfig
from gan_lightning.utils.settings import check_settings, setting

__all__ = [
    "OPTIMIZERS",
    "OptimizerConfig",
    "apply_schedules",
    "build_optimizer",
    "optimizer_parameters",
    "scheduled_values",
]


@dataclass
class OptimizerConfig:
    """Config of one player's optimizer."""

    name: str = setting("adam", "Optimizer.", choices=lambda: OPTIMIZERS)
    learning_rate: float = setting(2e-4, "Learning rate.", above=0)
    betas: list[float] = setting(
        [0.5, 0.999], "Adam's decay of its two moments.", length=2, minimum=0, below=1
    )
    epsilon: float = setting(
        1e-8,
        "Added to the root of the second moment by adam, adamw and rmsprop; gradients far below it "
        "make small steps.",
        above=0,
    )
    weight_decay: float = setting(
        0.0,
        "L2 penalty on the weights, added to the gradient; adamw instead lowers each weight by "
        "this share times the learning rate.",
        minimum=0,
    )
    clip_norm: float | None = setting(
        None,
        "Largest norm of all gradients of the player together; larger ones are scaled down to it "
        "before the step. null does not clip.",
        above=0,
    )
    schedule: ScheduleConfig | None = setting(None, "Schedule of learning_rate; null is constant.")
    betas_schedule: BetasScheduleConfig | None = setting(
        None, "Schedule of betas, for adam and adamw; null is constant."
    )

    def validate(self) -> None:
        """Check that the optimizer has what is scheduled.

        Raises:
            ValueError: betas are scheduled of an optimizer without betas.
        """
        if self.betas_schedule is not None and self.name not in ("adam", "adamw"):
            raise ValueError(
                f"betas_schedule is set, and {self.name} has no betas; leave it out, or set name "
                f"to adam or adamw"
            )


Parameters = Iterable[nn.Parameter]


def _adam(kind: type[torch.optim.Adam]) -> Callable[..., torch.optim.Optimizer]:
    return lambda parameters, config: kind(
        parameters,
        lr=config.learning_rate,
        betas=(config.betas[0], config.betas[1]),
        eps=config.epsilon,
        weight_decay=config.weight_decay,
        fused=True,
    )


OPTIMIZERS: dict[str, Callable[[Parameters, OptimizerConfig], torch.optim.Optimizer]] = {
    "adam": _adam(torch.optim.Adam),
    "adamw": _adam(torch.optim.AdamW),
    "rmsprop": lambda parameters, config: torch.optim.RMSprop(
        parameters,
        lr=config.learning_rate,
        eps=config.epsilon,
        weight_decay=config.weight_decay,
        foreach=True,
    ),
    "sgd": lambda parameters, config: torch.optim.SGD(
        parameters, lr=config.learning_rate, weight_decay=config.weight_decay, foreach=True
    ),
}
"""Name -> function that builds the optimizer of some parameters."""

KIND_KEYS = ("betas", "alpha", "dampening")
"""Hyper-parameters that only Adam and AdamW, only RMSprop, and only SGD have."""


def build_optimizer(
    parameters: Parameters, config: OptimizerConfig, updates: Callable[[], int] | None = None
) -> torch.optim.Optimizer:
    """Build the optimizer that a config names; its steps clip gradients and follow the schedules.

    A state that it loads does not change its hyper-parameters, which are the config's.

    Args:
        parameters: the weights that it updates.
        config: config of the optimizer.
        updates: returns the number of generator updates made so far; required for schedules.

    Raises:
        ValueError: a value of the config is out of range, or there are schedules and no `updates`.
    """
    check_settings(config)
    optimizer = OPTIMIZERS[config.name](parameters, config)
    optimizer.register_load_state_dict_pre_hook(_keep_hyperparameters)
    if config.schedule is not None or config.betas_schedule is not None:
        if updates is None:
            raise ValueError("an optimizer with schedules needs `updates`, which is None")
        optimizer.register_step_pre_hook(lambda *_: apply_schedules(optimizer, config, updates()))
    if config.clip_norm is not None:
        limit = config.clip_norm
        optimizer.register_step_pre_hook(lambda *_: _clip_gradients(optimizer, limit))
    return optimizer


def apply_schedules(optimizer: torch.optim.Optimizer, config: OptimizerConfig, update: int) -> None:
    """Set the learning rate and the betas of an update, where the config schedules them.

    Args:
        optimizer: built by `build_optimizer` from the config.
        config: config of the optimizer.
        update: number of generator updates made so far.
    """
    for group in optimizer.param_groups:
        group.update(scheduled_values(config, update))


def scheduled_values(config: OptimizerConfig, update: int) -> dict[str, Any]:
    """Return the learning rate and the betas of an update, those that the config schedules.

    Args:
        config: config of the optimizer.
        update: number of generator updates made so far.

    Returns:
        Values by their names in `param_groups`.
    """
    values: dict[str, Any] = {}
    if config.schedule is not None:
        values["lr"] = config.learning_rate * config.schedule.factor(update)
    if config.betas_schedule is not None:
        values["betas"] = config.betas_schedule.betas(config.betas, update)
    return values


def optimizer_parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """List the parameters that an optimizer updates."""
    return [weights for group in optimizer.param_groups for weights in group["params"]]


def _clip_gradients(optimizer: torch.optim.Optimizer, limit: float) -> None:
    """Scale the gradients down where their norm, all together, exceeds a limit.

    With several processes they are averaged by now.
    """
    parameters = optimizer_parameters(optimizer)
    norm = get_total_norm([weight.grad for weight in parameters if weight.grad is not None])
    # in 16-mixed a fused optimizer divides the gradients by this factor itself, in its step
    scale: Tensor | None = getattr(optimizer, "grad_scale", None)
    clip_grads_with_norm_(parameters, limit, norm if scale is None else norm / scale)


def _keep_hyperparameters(
    optimizer: torch.optim.Optimizer, state: dict[str, Any]
) -> dict[str, Any]:
    """Return a state to load with the optimizer's own hyper-parameters.

    Moments of another kind of optimizer are left out: it then starts as in its first step.
    """
    (own,), (saved,) = optimizer.param_groups, state["param_groups"]
    same_kind = all((key in own) == (key in saved) for key in KIND_KEYS)
    return {
        "state": state["state"] if same_kind else {},
        "param_groups": [{**own, "params": saved["params"]}],
    }
