"""Three loops that play the same game: ours, a bare one by hand, and a tutorial's.

Each builds an experiment's model and data and trains without end, calling `tick(model, updates)`
before every update (our loop: before every Lightning batch); `tick` raises `Finished` to end it.
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
from games import Game, Real, game_of
from games.standard import UnrolledGAN
from reading import minibatches_of, moved, on_device, rounds_of_rows, tutorial_batches
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

ENDLESS = 10**9


class Finished(Exception):  # noqa: N818 - it ends a loop, nothing went wrong
    """Raised by a tick to end a loop."""


def trainer(config: RunConfig, tick: Tick) -> None:
    """Train by `run.train`, which the command line calls, in a folder that is deleted afterwards.

    Every callback and logger of a run is there; evaluation, pictures and checkpoints are due after
    the last update only, which never comes.
    """
    is_image = build(config)[1].spec.is_image
    config = replace(
        config,
        trainer=replace(
            config.trainer,
            max_updates=ENDLESS,
            rounds_per_batch=rounds_per_batch(config, is_image),
        ),
        evaluation=replace(config.evaluation, every_n_updates=0),
        pictures=replace(config.pictures, every_n_updates=0),
        checkpoints=replace(config.checkpoints, every_n_updates=0),
    )

    def before_batch(learner: BaseModule, batch: Any, batch_idx: int) -> None:
        tick(learner, learner.updates)

    with (
        patch.object(BaseModule, "on_train_batch_start", before_batch),
        TemporaryDirectory() as root,
        Path(os.devnull).open("w") as nowhere,
        redirect_stderr(nowhere),
    ):
        train(config, "benchmark", Path(root, "run"))


def bare(config: RunConfig, tick: Tick) -> None:
    """Train by hand, with all of our tricks and the same numbers, without Lightning and a log."""
    learner, data = build(config)
    torch.set_num_threads(resolve_threads(config, data.spec.is_image))
    device = _device(config)
    layout = torch.channels_last if data.spec.is_image else torch.preserve_format
    game = game_of(learner.to(device, memory_format=layout))
    players = _parameters(game)
    optimizers = [
        build_optimizer(moving, settings)
        for moving, settings in zip(players, _settings(config), strict=True)
    ]
    precision = resolve_precision(config, data.spec.is_image)

    def play(minibatches: list[Real], updates: int) -> None:
        # A function, so that a step's tensors are freed at its end, as in GAN._train_round.
        # torch.manual_seed takes 0.2 to 0.5 ms: it notes a traceback for every kind of device.
        chance = torch.cuda.default_generators[0] if device.type == "cuda" else default_generator
        chance.manual_seed(derived_seed(config.seed, "play", 0, updates))
        rng = torch.Generator(device).manual_seed(derived_seed(config.seed, "prior", updates))
        with _autocast(precision, device):
            play_round(game, minibatches, optimizers, rng, frozen=players[0])

    for updates, minibatches in enumerate(rounds_of_rows(data, config)):
        tick(learner, updates)
        play([on_device(real, device) for real in minibatches], updates)


def textbook(config: RunConfig, tick: Tick) -> None:
    """Train as PyTorch's DCGAN tutorial does: a DataLoader, float32, no tricks."""
    learner, data = build(config)
    torch.manual_seed(config.seed)
    device = _device(config)
    game = game_of(learner.to(device, memory_format=torch.contiguous_format))
    optimizers = [
        _plain_optimizer(moving, settings)
        for moving, settings in zip(_parameters(game), _settings(config), strict=True)
    ]
    steps = minibatches_of(config)
    log: list[list[float]] = []
    batches = tutorial_batches(data, config)
    while True:
        tick(learner, len(log))
        minibatches = [moved(next(batches), device) for _ in range(steps)]
        losses = play_round(game, minibatches, optimizers, None, frozen=[])
        log.append([loss.item() for loss in losses])


def play_round(
    game: Game,
    minibatches: list[Real],
    optimizers: Sequence[torch.optim.Optimizer],
    rng: torch.Generator | None,
    frozen: Sequence[Tensor],
) -> list[Tensor]:
    """Play a round: a step of the discriminator a minibatch, and one of the generator.

    Args:
        game: its players and rules.
        minibatches: of real data, on their device.
        optimizers: the discriminator's and the generator's.
        rng: of the prior; None for the global generator.
        frozen: parameters whose gradients the generator's step does not compute.

    Returns:
        Both players' last losses.
    """
    discriminator_step, generator_step = optimizers
    if isinstance(game, UnrolledGAN):
        game.optimizer = discriminator_step
    for real in minibatches:
        is_last = real is minibatches[-1]
        with nullcontext() if is_last or not frozen else torch.no_grad():
            given = game.prior(len(real.data), real, rng)
            fake = game.generate(given)
        discriminator_step.zero_grad()
        loss = game.discriminator_loss(real, fake.detach(), given)
        loss.backward()
        discriminator_step.step()
        torch.clear_autocast_cache()
        game.after_discriminator_step()
    for parameter in frozen:
        parameter.requires_grad_(False)
    generator_step.zero_grad()
    generator_loss = game.generator_loss(real, fake, given)
    generator_loss.backward()
    generator_step.step()
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


def _parameters(game: Game) -> list[list[nn.Parameter]]:
    """List what the discriminator's and what the generator's optimizer moves, each once."""
    sides = [game.discriminator_players(), [game.generator]]
    return [
        list(dict.fromkeys(weights for player in side for weights in player.parameters()))
        for side in sides
    ]


def _settings(config: RunConfig) -> list[OptimizerConfig]:
    return [config.model.discriminator_optimizer, config.model.generator_optimizer]


def _plain_optimizer(moving: list[nn.Parameter], config: OptimizerConfig) -> torch.optim.Optimizer:
    """Build the optimizer as a tutorial does: neither fused nor over all weights at once."""
    rate, decay = config.learning_rate, config.weight_decay
    if config.name == "adam":
        betas = (config.betas[0], config.betas[1])
        return torch.optim.Adam(moving, lr=rate, betas=betas, weight_decay=decay)
    if config.name == "rmsprop":
        return torch.optim.RMSprop(moving, lr=rate, weight_decay=decay)
    return torch.optim.SGD(moving, lr=rate, weight_decay=decay)


def _device(config: RunConfig) -> torch.device:
    on_cuda = config.trainer.accelerator != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if on_cuda else "cpu")


def _autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Compute in bfloat16 where the run does."""
    if precision == "32-true":
        return nullcontext()
    if precision != "bf16-mixed":
        raise ValueError(f"the bare loop knows 32-true and bf16-mixed, not {precision}")
    return torch.autocast(device.type, dtype=torch.bfloat16)
