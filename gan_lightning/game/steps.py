"""The next steps of both players: how long their gradients are, and whether their steps turn."""

from __future__ import annotations

from copy import deepcopy

from torch import Tensor
from torch.optim import Optimizer

from gan_lightning.core.optim import OptimizerConfig, build_optimizer, optimizer_parameters
from gan_lightning.game.field import GradientField
from gan_lightning.gans import GAN

__all__ = ["PLAYERS", "successive_steps"]

PLAYERS = ("discriminator", "generator")


def successive_steps(gan: GAN, field: GradientField) -> dict[str, float]:
    """Measure the gradients of both players, and the angle between two successive steps.

    The steps are the next ones of the training's optimizers, of both players at once, on the
    field's minibatch. The optimizers themselves do not change.

    Args:
        gan: in training, inside `probe`.
        field: of the GAN.

    Returns:
        game/gradient_norm/discriminator and /generator; game/step_cosine/discriminator and
        /generator, in [-1, 1]: near 1 a player goes straight on, near -1 it jumps to and fro.
    """
    config = gan.config
    optimizers = [
        _copy(gan, optimizer.optimizer, own)
        for optimizer, own in zip(
            gan.player_optimizers(),
            (config.discriminator_optimizer, config.generator_optimizer),
            strict=True,
        )
    ]
    vector = field()
    point, first = _step(gan, field, optimizers, vector)
    _, second = _step(gan, field, optimizers, field(point))
    field.move_to(field.start)
    measures = {}
    for player, gradient, *steps in zip(
        PLAYERS,
        vector.split(field.sizes),
        first.split(field.sizes),
        second.split(field.sizes),
        strict=True,
    ):
        measures[f"game/gradient_norm/{player}"] = gradient.norm().item()
        measures[f"game/step_cosine/{player}"] = _cosine(*steps)
    return measures


def _copy(gan: GAN, optimizer: Optimizer, config: OptimizerConfig) -> Optimizer:
    """Return an optimizer of the same weights, in their present type, with the same state."""
    copy = build_optimizer(optimizer_parameters(optimizer), config, lambda: gan.updates)
    copy.load_state_dict(deepcopy(optimizer.state_dict()))
    return copy


def _step(
    gan: GAN, field: GradientField, optimizers: list[Optimizer], vector: Tensor
) -> tuple[Tensor, Tensor]:
    """Step both players along the field; return the new point and the way to it, both (W,)."""
    before = field.point()
    field.set_gradients(vector)
    for optimizer in optimizers:
        optimizer.step()
    field.set_gradients(None)
    gan.after_discriminator_step()
    after = field.point()
    return after, after - before


def _cosine(first: Tensor, second: Tensor) -> float:
    lengths = (first.norm() * second.norm()).item()
    return (first @ second).item() / lengths if lengths else 0.0
