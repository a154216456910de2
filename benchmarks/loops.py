"""Three training loops for the same model: the Trainer, a bare loop, and a tutorial's loop.

Each builds an experiment's model and data and trains indefinitely. It calls `tick(model, updates)`
before every generator update (the Trainer: before every Lightning batch); `tick` raises `Finished`
to end it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stderr
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
from data_sources import (
    discriminator_steps,
    iterate_rounds,
    to_device,
    to_device_and_scale,
    tutorial_batches,
)
from games import Game, Real, game_of
from games.standard import UnrolledGAN
from torch import Tensor, default_generator, nn

from gan_lightning.config.schema import RunConfig
from gan_lightning.core.module import BaseModule
from gan_lightning.core.optim import OptimizerConfig, build_optimizer
from gan_lightning.core.seeding import derived_seed
from gan_lightning.training.build import build
from gan_lightning.training.checks import resolve_precision, resolve_threads, rounds_per_batch
from gan_lightning.training.train import train

__all__ = ["LOOPS", "Finished", "Tick", "bare", "textbook", "trainer"]

Tick = Callable[[BaseModule, int], None]
"""Called with the model and the number of updates made so far, before the next one."""

UNLIMITED = 10**9
"""More updates than any benchmark makes."""


class Finished(Exception):  # noqa: N818 - it ends a loop and is no error
    """Raised by a tick to end a loop."""


def trainer(config: RunConfig, tick: Tick) -> None:
    """Train with `training.train.train`, as the command line does, in a temporary run directory.

    All callbacks and loggers of a run are active. Evaluation, pictures and checkpoints run only
    after the last update, which the loop never reaches.
    """
    is_image = build(config)[1].spec.is_image
    config = replace(
        config,
        trainer=replace(
            config.trainer,
            max_updates=UNLIMITED,
            rounds_per_batch=rounds_per_batch(config, is_image),
        ),
        evaluation=replace(config.evaluation, every_n_updates=0),
        pictures=replace(config.pictures, every_n_updates=0),
        checkpoints=replace(config.checkpoints, every_n_updates=0),
    )

    def before_batch(model: BaseModule, batch: Any, batch_idx: int) -> None:
        tick(model, model.updates)

    with (
        patch.object(BaseModule, "on_train_batch_start", before_batch),
        TemporaryDirectory() as root,
        Path(os.devnull).open("w") as devnull,
        redirect_stderr(devnull),
    ):
        train(config, "benchmark", Path(root, "run"))


def bare(config: RunConfig, tick: Tick) -> None:
    """Train in a hand-written loop with the Trainer's optimizations, without Lightning or logging.

    Weights and random numbers are the same as the Trainer's.
    """
    model, data = build(config)
    torch.set_num_threads(resolve_threads(config, data.spec.is_image))
    device = _device(config)
    layout = torch.channels_last if data.spec.is_image else torch.preserve_format
    game = game_of(model.to(device, memory_format=layout))
    parameters = _optimizer_parameters(game)
    optimizers = [
        build_optimizer(weights, optimizer_config)
        for weights, optimizer_config in zip(parameters, _optimizer_configs(config), strict=True)
    ]
    precision = resolve_precision(config, data.spec.is_image)

    def train_one_round(minibatches: list[Real], updates: int) -> None:
        # A function, so that the tensors of a step are freed at its end, as in the Trainer.
        # torch.manual_seed takes 0.2 to 0.5 ms, because it records a traceback for each device
        # type; seeding the device's generator directly is faster.
        default = torch.cuda.default_generators[0] if device.type == "cuda" else default_generator
        default.manual_seed(derived_seed(config.seed, "play", 0, updates))
        rng = torch.Generator(device).manual_seed(derived_seed(config.seed, "prior", updates))
        with _autocast(precision, device):
            train_round(game, minibatches, optimizers, rng, frozen=parameters[0])

    for updates, minibatches in enumerate(iterate_rounds(data, config)):
        tick(model, updates)
        train_one_round([to_device_and_scale(real, device) for real in minibatches], updates)


def textbook(config: RunConfig, tick: Tick) -> None:
    """Train as PyTorch's DCGAN tutorial does: DataLoader, float32, no optimizations."""
    model, data = build(config)
    torch.manual_seed(config.seed)
    device = _device(config)
    game = game_of(model.to(device, memory_format=torch.contiguous_format))
    parameters = _optimizer_parameters(game)
    optimizers = [
        _tutorial_optimizer(weights, optimizer_config)
        for weights, optimizer_config in zip(parameters, _optimizer_configs(config), strict=True)
    ]
    steps = discriminator_steps(config)
    log: list[list[float]] = []
    batches = tutorial_batches(data, config)
    while True:
        tick(model, len(log))
        minibatches = [to_device(next(batches), device) for _ in range(steps)]
        losses = train_round(game, minibatches, optimizers, None, frozen=[])
        log.append([loss.item() for loss in losses])


def train_round(
    game: Game,
    minibatches: list[Real],
    optimizers: Sequence[torch.optim.Optimizer],
    rng: torch.Generator | None,
    frozen: Sequence[Tensor],
) -> list[Tensor]:
    """Train one round: a discriminator step for each minibatch, then one generator step.

    Args:
        game: networks and losses.
        minibatches: real data, on the device of the networks.
        optimizers: of the discriminator and of the generator.
        rng: generator of the prior's samples; None for the global generator.
        frozen: parameters for which the generator step computes no gradients.

    Returns:
        The last losses of the discriminator and the generator, scalars.
    """
    discriminator_optimizer, generator_optimizer = optimizers
    if isinstance(game, UnrolledGAN):
        game.optimizer = discriminator_optimizer
    for real in minibatches:
        is_last = real is minibatches[-1]
        with nullcontext() if is_last or not frozen else torch.no_grad():
            inputs = game.prior(len(real.data), real, rng)
            fake = game.generate(inputs)
        discriminator_optimizer.zero_grad()
        loss = game.discriminator_loss(real, fake.detach(), inputs)
        loss.backward()
        discriminator_optimizer.step()
        torch.clear_autocast_cache()
        game.after_discriminator_step()
    for parameter in frozen:
        parameter.requires_grad_(False)
    generator_optimizer.zero_grad()
    generator_loss = game.generator_loss(real, fake, inputs)
    generator_loss.backward()
    generator_optimizer.step()
    torch.clear_autocast_cache()
    game.after_generator_step()
    for parameter in frozen:
        parameter.requires_grad_(True)
    return [loss, generator_loss]


LOOPS: dict[str, Callable[[RunConfig, Tick], None]] = {
    "trainer": trainer,
    "bare": bare,
    "textbook": textbook,
}


def _optimizer_parameters(game: Game) -> list[list[nn.Parameter]]:
    """List the parameters of the discriminator's and of the generator's optimizer."""
    sides = [game.discriminator_players(), game.generator_players()]
    return [
        list(dict.fromkeys(weights for player in side for weights in player.parameters()))
        for side in sides
    ]


def _optimizer_configs(config: RunConfig) -> list[OptimizerConfig]:
    return [config.model.discriminator_optimizer, config.model.generator_optimizer]


def _tutorial_optimizer(
    parameters: list[nn.Parameter], config: OptimizerConfig
) -> torch.optim.Optimizer:
    """Build the optimizer as a tutorial does, neither fused nor of several tensors at a time."""
    rate, decay, eps = config.learning_rate, config.weight_decay, config.epsilon
    if config.name == "adam":
        betas = (config.betas[0], config.betas[1])
        return torch.optim.Adam(parameters, lr=rate, betas=betas, eps=eps, weight_decay=decay)
    if config.name == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=rate, eps=eps, weight_decay=decay)
    return torch.optim.SGD(parameters, lr=rate, weight_decay=decay)


def _device(config: RunConfig) -> torch.device:
    on_cuda = config.trainer.accelerator != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if on_cuda else "cpu")


def _autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Return the autocast context of the run's precision."""
    if precision == "32-true":
        return nullcontext()
    if precision != "bf16-mixed":
        raise ValueError(f"the bare loop supports 32-true and bf16-mixed, not {precision}")
    return torch.autocast(device.type, dtype=torch.bfloat16)
