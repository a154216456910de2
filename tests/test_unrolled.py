"""The unrolled GAN against a loop written by hand and against the standard GAN."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from factories import copy_weights, make_config, quiet_trainer, train_model, weights_equal
from pytorch_lightning import Callback
from torch import Tensor
from torch.func import functional_call
from torch.func import grad as gradient_of

from gan_lightning.core.optim import build_optimizer
from gan_lightning.core.seeding import derived_seed
from gan_lightning.gans import UnrolledGAN
from gan_lightning.gans.regularisation import penalties
from gan_lightning.losses import OBJECTIVES
from gan_lightning.training.build import build
from gan_lightning.types import Batch, Sample

Named = dict[str, Tensor]
RATE = 0.05
SAME_SETTINGS = (
    "model.latent_prior=normal",
    f"model.discriminator_optimizer.learning_rate={RATE}",
    f"model.generator_optimizer.learning_rate={RATE}",
    "network.activation=tanh",
)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_without_unrolled_steps_it_is_the_standard_gan(objective: str) -> None:
    overrides = (*SAME_SETTINGS, f"model.objective={objective}")
    standard = copy_weights(train_model(make_config("gan", *overrides)))
    none, some = (
        copy_weights(
            train_model(make_config("unrolled", *overrides, f"model.unrolled_steps={steps}"))
        )
        for steps in (0, 1)
    )
    assert weights_equal(standard, none)
    assert not weights_equal(standard, some)


# --- against a loop written by hand


class Optimizer:
    """SGD and Adam as functions of (weights, gradients, state), by their papers."""

    @staticmethod
    def sgd(weights: Named, slopes: Named, state: Any) -> tuple[Named, Any]:
        return {name: weights[name] - RATE * slopes[name] for name in weights}, state

    @staticmethod
    def adam(weights: Named, slopes: Named, state: Any) -> tuple[Named, Any]:
        step, means, squares = state or (0, *(dict.fromkeys(weights, 0.0) for _ in range(2)))
        step += 1
        means = {name: 0.5 * means[name] + 0.5 * slopes[name] for name in weights}
        squares = {
            name: 0.999 * squares[name] + 0.001 * slopes[name] * slopes[name] for name in weights
        }
        moved = {
            name: weights[name]
            - RATE
            * (means[name] / (1 - 0.5**step))
            / ((squares[name] / (1 - 0.999**step)).sqrt() + 1e-8)
            for name in weights
        }
        return moved, (step, means, squares)


class RealDataRecorder(Callback):
    """Record the real samples of each round."""

    def __init__(self) -> None:
        self.data: list[Tensor] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Batch, _: int) -> None:
        self.data += batch.data[:, 0].unbind()


def by_hand(
    gan: UnrolledGAN, rounds: list[Tensor], step: Callable[..., Any], ahead: int
) -> tuple[Named, Named]:
    """Train by hand: per round one step of the discriminator and one of the unrolled generator."""
    discriminator, generator = (
        {name: weight.detach().clone() for name, weight in network.named_parameters()}
        for network in (gan.discriminator, gan.generator)
    )
    states: list[Any] = [None, None]
    for update, real in enumerate(rounds):
        rng = torch.Generator().manual_seed(derived_seed(0, "prior", update))
        noise = torch.randn((len(real), 4), generator=rng)

        def value(
            discriminator: Named, generator: Named, real: Tensor = real, noise: Tensor = noise
        ) -> Tensor:
            """Return the value of the game, which the discriminator maximises."""
            fake = functional_call(gan.generator, generator, (noise,))
            real_probability = functional_call(gan.discriminator, discriminator, (real,)).sigmoid()
            fake_probability = functional_call(gan.discriminator, discriminator, (fake,)).sigmoid()
            game: Tensor = real_probability.log().mean() + (1 - fake_probability).log().mean()
            return game

        def step_discriminator(
            discriminator: Named, generator: Named, state: Any, value: Any = value
        ) -> tuple[Named, Any]:
            slopes = gradient_of(lambda *players: -value(*players))(discriminator, generator)
            moved: tuple[Named, Any] = step(discriminator, slopes, state)
            return moved

        discriminator, states[0] = step_discriminator(discriminator, generator, states[0])

        def unrolled_value(
            generator: Named,
            start: Any = (discriminator, states[0]),
            step_discriminator: Any = step_discriminator,
            value: Any = value,
        ) -> Tensor:
            later, state = start
            for _ in range(ahead):
                later, state = step_discriminator(later, generator, state)
            game: Tensor = value(later, generator)
            return game

        slopes = gradient_of(unrolled_value)(generator)
        generator, states[1] = step(generator, slopes, states[1])
    return discriminator, generator


@pytest.mark.parametrize("ahead", [1, 3])
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_training_equals_the_loop_written_by_hand(name: str, ahead: int) -> None:
    optimizers = [f"model.{player}_optimizer.name={name}" for player in PLAYERS]
    overrides = (
        *SAME_SETTINGS,
        *optimizers,
        f"model.unrolled_steps={ahead}",
        "trainer.max_updates=4",
    )
    gan, data = build(make_config("unrolled", *overrides))
    start, _ = build(make_config("unrolled", *overrides))
    assert isinstance(gan, UnrolledGAN)
    assert isinstance(start, UnrolledGAN)
    rounds = RealDataRecorder()
    quiet_trainer(callbacks=[rounds]).fit(gan, datamodule=data)
    expected = by_hand(start, rounds.data, getattr(Optimizer, name), ahead)
    for player, named in zip(PLAYERS, expected, strict=True):
        for key, weight in getattr(gan, player).named_parameters():
            torch.testing.assert_close(weight.detach(), named[key], rtol=1e-3, atol=2e-5)


PLAYERS = ("discriminator", "generator")


# --- the steps are the discriminator's own


@pytest.mark.parametrize(
    "penalty", [(), ("r1=0.5", "r2=0.3"), ("gradient_penalty=2",), ("instance_noise=0.3",)], ids=str
)
@pytest.mark.parametrize("objective", ["minimax", "hinge", "relativistic"])
def test_the_generator_loss_is_that_of_a_copied_and_trained_discriminator(
    penalty: tuple[str, ...], objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = [f"model.regularisation.{word}" for word in penalty]
    run = make_config("unrolled", *SAME_SETTINGS, *overrides, f"model.objective={objective}")
    gan, data = build(run)
    assert isinstance(gan, UnrolledGAN)
    loss = gan.generator_loss
    played = []

    def watched(real: Batch, fake: Sample) -> Any:
        torch.manual_seed(5)
        found = loss(real, fake)["adversarial"]
        torch.manual_seed(5)
        expected = generator_loss_of_copy(gan, real, fake.detach())
        torch.testing.assert_close(found.detach(), expected.detach(), rtol=1e-4, atol=1e-5)
        played.append(found)
        return {"adversarial": found}

    monkeypatch.setattr(gan, "generator_loss", watched)
    quiet_trainer().fit(gan, datamodule=data)
    assert len(played) == 6


def generator_loss_of_copy(gan: UnrolledGAN, real: Batch, fake: Sample) -> Tensor:
    """Return the generator's loss after K steps of a copied discriminator and optimizer."""
    copied = copy.deepcopy(gan.discriminator).requires_grad_(True)
    optimizer = build_optimizer(list(copied.parameters()), gan.config.discriminator_optimizer)
    optimizer.load_state_dict(copy.deepcopy(gan.trainer.optimizers[0].state_dict()))
    for _ in range(gan.config.unrolled_steps):
        terms = penalties(gan.config.regularisation, 0, copied, real.data, fake.data)
        played = gan.objective.discriminator(copied(real.data), copied(fake.data))
        optimizer.zero_grad()
        torch.stack([played, *terms.values()]).sum().backward()
        optimizer.step()
    if gan.config.objective == "minimax":
        return -gan.objective.discriminator(copied(real.data), copied(fake.data))
    return gan.objective.generator_loss(copied(fake.data), lambda: copied(real.data))


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_it_trains_with_all_other_options(name: str, precision: str) -> None:
    overrides = (
        "model.regularisation.r1=0.1",
        "model.regularisation.gradient_penalty=1",
        "model.regularisation.instance_noise=0.1",
        "network.spectral_norm=true",
        "network.packing=2",
        "network.minibatch_kernels=3",
        f"model.discriminator_optimizer.name={name}",
    )
    run = make_config("unrolled", *overrides)
    gan, data = build(run)
    before = copy_weights(gan)
    quiet_trainer(precision=precision).fit(gan, datamodule=data)
    after = copy_weights(gan)
    assert all(value.isfinite().all() for value in after.values())
    moving = {name for name, _ in gan.named_parameters()}
    assert not [name for name in moving if torch.equal(before[name], after[name])]
