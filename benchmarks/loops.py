"""Three loops that play the same game: ours, a bare one by hand, and a tutorial's.

Each builds an experiment's model and data and trains without end, calling `tick(model, updates)`
before every update (our loop: before every Lightning batch); `tick` raises `Finished` to end it.
"""

from __future__ import annotations

import lzma
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, redirect_stderr
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
from game import game_of
from torch import Tensor, default_generator
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    softplus,
)
from torch.utils.data import DataLoader, TensorDataset
from torchvision import datasets, transforms

from gan_lightning import embedded
from gan_lightning.build import build
from gan_lightning.data import MNIST, IndexedData
from gan_lightning.learner import Learner
from gan_lightning.optimization import OptimizerConfig
from gan_lightning.preflight import resolve_precision, rounds_per_batch
from gan_lightning.randomness import derived_seed
from gan_lightning.run import train
from gan_lightning.schema import RunConfig

__all__ = ["LOOPS", "Finished", "Tick", "bare", "textbook", "trainer"]

Tick = Callable[[Learner, int], None]
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
            max_steps=ENDLESS,
            rounds_per_batch=rounds_per_batch(config, is_image),
        ),
        evaluation=replace(config.evaluation, every=0),
        pictures=replace(config.pictures, every=0),
        checkpoints=replace(config.checkpoints, every=0),
    )

    def before_batch(learner: Learner, batch: Any, batch_idx: int) -> None:
        tick(learner, learner.updates)

    with (
        patch.object(Learner, "on_train_batch_start", before_batch),
        TemporaryDirectory() as root,
        Path(os.devnull).open("w") as nowhere,
        redirect_stderr(nowhere),
    ):
        train(config, "benchmark", Path(root, "run"))


def bare(config: RunConfig, tick: Tick) -> None:
    """Train by hand, with all of our tricks and the same numbers, without Lightning and a log."""
    learner, data = build(config)
    device = _device(config)
    layout = torch.channels_last if data.spec.is_image else torch.preserve_format
    game = game_of(learner.to(device, memory_format=layout))
    betas_of = _adam_settings(config)
    moving = [list(player.parameters()) for player in (game.discriminator, game.generator)]
    discriminator_step, generator_step = (
        torch.optim.Adam(parameters, lr=rate, betas=betas, fused=True)
        for parameters, (rate, betas) in zip(moving, betas_of, strict=True)
    )
    precision = resolve_precision(config, data.spec.is_image)
    everything, _ = data.training_data()
    size = config.data.batch_size

    def play(real: Tensor, updates: int) -> None:
        # A function, so that a step's tensors are freed at its end, as in GAN._play.
        # torch.manual_seed takes 0.2 to 0.5 ms: it notes a traceback for every kind of device.
        chance = torch.cuda.default_generators[0] if device.type == "cuda" else default_generator
        chance.manual_seed(derived_seed(config.seed, "play", 0, updates))
        rng = torch.Generator(device).manual_seed(derived_seed(config.seed, "prior", updates))
        with _autocast(precision, device):
            inputs, codes = game.prior(size, rng, device)
            fake = game.generator(inputs)
            real_logits, _ = game.discriminator(real, recognise=False)
            fake_logits, recognised = game.discriminator(fake.detach())
            loss = softplus(-real_logits.float()).mean() + softplus(fake_logits.float()).mean()
            discriminator_step.zero_grad()
            (loss + game.information(recognised, codes)).backward()
            discriminator_step.step()
            torch.clear_autocast_cache()
            for parameter in moving[0]:
                parameter.requires_grad_(False)
            fake_logits, recognised = game.discriminator(fake)
            loss = softplus(-fake_logits.float()).mean()
            generator_step.zero_grad()
            (loss + game.information(recognised, codes)).backward()
            generator_step.step()
            for parameter in moving[0]:
                parameter.requires_grad_(True)

    updates, order = 0, torch.empty(0)
    while True:
        tick(learner, updates)
        epoch, position = divmod(updates, len(everything) // size)
        if position == 0:
            rng = torch.Generator().manual_seed(derived_seed(config.seed, "order", epoch))
            order = torch.randperm(len(everything), generator=rng)
        real = everything[order[position * size : (position + 1) * size]].to(device)
        if real.dtype == torch.uint8:
            real = real.float().div_(127.5).sub_(1).movedim(-1, -3)
        play(real, updates)
        updates += 1


def textbook(config: RunConfig, tick: Tick) -> None:
    """Train as PyTorch's DCGAN tutorial does: a DataLoader, float32, plain Adam, both players."""
    learner, data = build(config)
    torch.manual_seed(config.seed)
    device = _device(config)
    game = game_of(learner.to(device))
    (discriminator_rate, discriminator_betas), (rate, betas) = _adam_settings(config)
    discriminator_adam = torch.optim.Adam(
        game.discriminator.parameters(), lr=discriminator_rate, betas=discriminator_betas
    )
    generator_adam = torch.optim.Adam(game.generator.parameters(), lr=rate, betas=betas)
    log: list[tuple[float, float]] = []
    for real in _tutorial_batches(data, config.data.batch_size):
        tick(learner, len(log))
        real = real.to(device)
        ones, zeros = torch.ones(len(real), device=device), torch.zeros(len(real), device=device)

        discriminator_adam.zero_grad()
        logits, _ = game.discriminator(real, recognise=False)
        real_loss = binary_cross_entropy_with_logits(logits, ones)
        real_loss.backward()
        inputs, codes = game.prior(len(real), None, device)
        fake = game.generator(inputs)
        logits, recognised = game.discriminator(fake.detach())
        fake_loss = binary_cross_entropy_with_logits(logits, zeros)
        fake_loss = fake_loss + game.information(recognised, codes)
        fake_loss.backward()
        discriminator_adam.step()

        generator_adam.zero_grad()
        logits, recognised = game.discriminator(fake)
        generator_loss = binary_cross_entropy_with_logits(logits, ones)
        generator_loss = generator_loss + game.information(recognised, codes)
        generator_loss.backward()
        generator_adam.step()
        log.append(((real_loss + fake_loss).item(), generator_loss.item()))


LOOPS: dict[str, Callable[[RunConfig, Tick], None]] = {
    "trainer": trainer,
    "bare": bare,
    "textbook": textbook,
}


def _adam_settings(config: RunConfig) -> list[tuple[float, tuple[float, float]]]:
    """Return learning rate and betas of the discriminator and of the generator."""
    settings = []
    for player in ("discriminator", "generator"):
        optimizer: OptimizerConfig = getattr(config.model, f"{player}_optimizer")
        if optimizer.name != "adam" or optimizer.weight_decay:
            raise ValueError(f"the loops by hand know plain adam only, not {optimizer}")
        settings.append((optimizer.learning_rate, (optimizer.betas[0], optimizer.betas[1])))
    return settings


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


def _tutorial_batches(data: IndexedData, size: int) -> Iterator[Tensor]:
    """Yield shuffled batches without end, from torchvision's MNIST or a TensorDataset."""
    if not isinstance(data, MNIST):
        points, _ = data.training_data()
        assert isinstance(points, Tensor)
        batches = DataLoader(TensorDataset(points), size, shuffle=True)
        while True:
            for (batch,) in batches:
                yield batch
    scale = transforms.Compose(
        [
            transforms.Resize(data.config.size),
            transforms.ToTensor(),
            transforms.Normalize((0.5,), (0.5,)),
        ]
    )
    with TemporaryDirectory() as root:
        raw = Path(root, datasets.MNIST.__name__, "raw")
        raw.mkdir(parents=True)
        for name in embedded.MD5:
            packed = (embedded.FOLDER / f"{name}.xz").read_bytes()
            (raw / name).write_bytes(lzma.decompress(packed))
        digits = datasets.MNIST(root, train=True, transform=scale)
    images = DataLoader(digits, size, shuffle=True)
    while True:
        for batch, _ in images:
            yield batch
