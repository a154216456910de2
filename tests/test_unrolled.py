"""The unrolled game: against a loop written by hand, and against the game without looking ahead."""

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
SAME_GAME = (
    "model.latent_prior=normal",
    f"model.discriminator_optimizer.learning_rate={RATE}",
    f"model.generator_optimizer.learning_rate={RATE}",
    "network.activation=tanh",
)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_no_steps_is_the_standard_gan(objective: str) -> None:
    words = (*SAME_GAME, f"model.objective={objective}")
    standard = copy_weights(train_model(make_config("gan", *words)))
    none, some = (
        copy_weights(train_model(make_config("unrolled", *words, f"model.unrolled_steps={steps}")))
        for steps in (0, 1)
    )
    assert weights_equal(standard, none)
    assert not weights_equal(standard, some)


# --- against a loop written by hand


class Optimizer:
    """Plain functions of (weights, gradients, state): SGD and Adam as their papers have them."""

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


class Rounds(Callback):
    """The real data of each round."""

    def __init__(self) -> None:
        self.data: list[Tensor] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Batch, _: int) -> None:
        self.data += batch.data[:, 0].unbind()


def by_hand(
    learner: UnrolledGAN, rounds: list[Tensor], step: Callable[..., Any], ahead: int
) -> tuple[Named, Named]:
    """Play one discriminator step and one generator step a round, looking ahead."""
    discriminator, generator = (
        {name: weight.detach().clone() for name, weight in network.named_parameters()}
        for network in (learner.discriminator, learner.generator)
    )
    states: list[Any] = [None, None]
    for update, real in enumerate(rounds):
        rng = torch.Generator().manual_seed(derived_seed(0, "prior", update))
        noise = torch.randn((len(real), 4), generator=rng)

        def value(
            discriminator: Named, generator: Named, real: Tensor = real, noise: Tensor = noise
        ) -> Tensor:
            """What the discriminator raises and the generator lowers."""
            fake = functional_call(learner.generator, generator, (noise,))
            sure = functional_call(learner.discriminator, discriminator, (real,)).sigmoid()
            fooled = functional_call(learner.discriminator, discriminator, (fake,)).sigmoid()
            game: Tensor = sure.log().mean() + (1 - fooled).log().mean()
            return game

        def answer(
            discriminator: Named, generator: Named, state: Any, value: Any = value
        ) -> tuple[Named, Any]:
            slopes = gradient_of(lambda *players: -value(*players))(discriminator, generator)
            moved: tuple[Named, Any] = step(discriminator, slopes, state)
            return moved

        discriminator, states[0] = answer(discriminator, generator, states[0])

        def surrogate(
            generator: Named,
            start: Any = (discriminator, states[0]),
            answer: Any = answer,
            value: Any = value,
        ) -> Tensor:
            later, state = start
            for _ in range(ahead):
                later, state = answer(later, generator, state)
            game: Tensor = value(later, generator)
            return game

        slopes = gradient_of(surrogate)(generator)
        generator, states[1] = step(generator, slopes, states[1])
    return discriminator, generator


@pytest.mark.parametrize("ahead", [1, 3])
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_the_game_is_the_one_written_by_hand(name: str, ahead: int) -> None:
    optimizers = [f"model.{player}_optimizer.name={name}" for player in PLAYERS]
    words = (*SAME_GAME, *optimizers, f"model.unrolled_steps={ahead}", "trainer.max_updates=4")
    learner, data = build(make_config("unrolled", *words))
    start, _ = build(make_config("unrolled", *words))
    assert isinstance(learner, UnrolledGAN)
    assert isinstance(start, UnrolledGAN)
    rounds = Rounds()
    quiet_trainer(callbacks=[rounds]).fit(learner, datamodule=data)
    expected = by_hand(start, rounds.data, getattr(Optimizer, name), ahead)
    for player, named in zip(PLAYERS, expected, strict=True):
        for key, weight in getattr(learner, player).named_parameters():
            torch.testing.assert_close(weight.detach(), named[key], rtol=1e-3, atol=2e-5)


PLAYERS = ("discriminator", "generator")


# --- the steps are the discriminator's own


@pytest.mark.parametrize(
    "penalty", [(), ("r1=0.5",), ("gradient_penalty=2",), ("instance_noise=0.3",)], ids=str
)
@pytest.mark.parametrize("objective", ["minimax", "hinge"])
def test_the_generator_faces_the_discriminator_of_later(
    penalty: tuple[str, ...], objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [f"model.regularisation.{word}" for word in penalty]
    run = make_config("unrolled", *SAME_GAME, *words, f"model.objective={objective}")
    learner, data = build(run)
    assert isinstance(learner, UnrolledGAN)
    loss = learner.generator_loss
    played = []

    def watched(real: Batch, fake: Sample) -> Any:
        torch.manual_seed(5)
        found = loss(real, fake)["adversarial"]
        torch.manual_seed(5)
        expected = later(learner, real, fake.detach())
        torch.testing.assert_close(found.detach(), expected.detach(), rtol=1e-4, atol=1e-5)
        played.append(found)
        return {"adversarial": found}

    monkeypatch.setattr(learner, "generator_loss", watched)
    quiet_trainer().fit(learner, datamodule=data)
    assert len(played) == 6


def later(learner: UnrolledGAN, real: Batch, fake: Sample) -> Tensor:
    """Let a copy of the discriminator and its optimizer play on, and give the generator's loss."""
    copied = copy.deepcopy(learner.discriminator).requires_grad_(True)
    optimizer = build_optimizer(list(copied.parameters()), learner.config.discriminator_optimizer)
    optimizer.load_state_dict(copy.deepcopy(learner.trainer.optimizers[0].state_dict()))
    for _ in range(learner.config.unrolled_steps):
        terms = penalties(learner.config.regularisation, copied, real.data, fake.data)
        played = learner.objective.discriminator(copied(real.data), copied(fake.data))
        optimizer.zero_grad()
        torch.stack([played, *terms.values()]).sum().backward()
        optimizer.step()
    if learner.config.objective == "minimax":
        return -learner.objective.discriminator(copied(real.data), copied(fake.data))
    return learner.objective.generator(copied(fake.data))


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_it_plays_with_all_else(name: str, precision: str) -> None:
    words = (
        "model.regularisation.r1=0.1",
        "model.regularisation.gradient_penalty=1",
        "model.regularisation.instance_noise=0.1",
        "network.spectral_norm=true",
        "network.packing=2",
        "network.minibatch_kernels=3",
        f"model.discriminator_optimizer.name={name}",
    )
    run = make_config("unrolled", *words)
    learner, data = build(run)
    before = copy_weights(learner)
    quiet_trainer(precision=precision).fit(learner, datamodule=data)
    after = copy_weights(learner)
    assert all(value.isfinite().all() for value in after.values())
    moving = {name for name, _ in learner.named_parameters()}
    assert not [name for name in moving if torch.equal(before[name], after[name])]
