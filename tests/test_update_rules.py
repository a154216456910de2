"""Update rules: each step by hand, resume, refusals, and what a round does around them.

`test_bilinear.py` has their contraction in closed form, `test_processes.py` two processes.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from factories import copy_weights, make_config, quiet_trainer, train_model
from torch import Tensor
from torch.autograd.functional import jacobian
from torch.func import functional_call
from torch.nn.functional import softplus

from gan_lightning.distributed.collectives import remember_randomness, synchronized_rng
from gan_lightning.errors import UserError
from gan_lightning.gans import GAN, GANS
from gan_lightning.gans.update_rules import (
    UPDATE_RULES,
    BothTerms,
    Simultaneous,
    Symplectic,
    UpdateRule,
    UpdateRuleConfig,
)
from gan_lightning.testing.gan_checks import Trainings, check_resume
from gan_lightning.testing.setups import find_setups
from gan_lightning.training.build import build
from gan_lightning.types import Batch, Condition

JOINT = [name for name, rule in UPDATE_RULES.items() if rule.is_joint]
ROUNDS, RATE, WEIGHT = 4, 0.05, 0.7
LOOKAHEAD, SHARE = 3, 0.25
BETAS, EPSILON = (0.5, 0.9), 1e-8
SMALL = ("network.generator_hidden=[3]", "network.discriminator_hidden=[3]", "data.batch_size=8")


def with_rule(rule: str, *more: str) -> list[str]:
    options = f"{{name: {rule}, weight: {WEIGHT}, lookahead_updates: {LOOKAHEAD}, "
    return [f"model.update_rule={options}lookahead_rate: {SHARE}}}", *more]


def optimizers(name: str, *more: str) -> list[str]:
    """Set both players' optimizers."""
    keys = (f"name={name}", f"learning_rate={RATE}", f"betas={list(BETAS)}", *more)
    return [f"model.{player}_optimizer.{key}" for player in PLAYERS for key in keys]


PLAYERS = ("discriminator", "generator")

Vector = Tensor
"""The weights of the discriminator, then those of the generator."""

Game = Callable[[Vector], tuple[Tensor, Tensor]]
"""Maps the weights to the loss of the discriminator and of the generator."""


class ByHand:
    """The game of a standard GAN as a function of one vector of all weights."""

    def __init__(self, gan: GAN) -> None:
        self.gan = deepcopy(gan)
        self.named = [
            (player, name, weight)
            for player in PLAYERS
            for name, weight in getattr(self.gan, player).named_parameters()
        ]
        self.own = torch.cat(
            [torch.full((w.numel(),), float(p == PLAYERS[0])) for p, _, w in self.named]
        ).bool()

    def start(self) -> Vector:
        return torch.cat([weight.detach().reshape(-1) for _, _, weight in self.named])

    def losses(self, real: Tensor, latent: Tensor) -> Game:
        def game(vector: Vector) -> tuple[Tensor, Tensor]:
            parts = vector.split([weight.numel() for _, _, weight in self.named])
            weights: dict[str, dict[str, Tensor]] = {player: {} for player in PLAYERS}
            for part, (player, name, weight) in zip(parts, self.named, strict=True):
                weights[player][name] = part.view_as(weight)
            fake = functional_call(self.gan.generator, weights["generator"], (latent,))
            scores = [
                functional_call(self.gan.discriminator, weights["discriminator"], (data,))
                for data in (real, fake)
            ]
            discriminator = softplus(-scores[0]).mean() + softplus(scores[1]).mean()
            return discriminator, softplus(-scores[1]).mean()

        return game

    def field(self, game: Game) -> Callable[[Vector], Vector]:
        """Return v: each player's gradient in its own weights."""

        def v(vector: Vector) -> Vector:
            if not vector.requires_grad:
                vector = vector.requires_grad_(True)
            first, second = (
                torch.autograd.grad(loss, vector, create_graph=True)[0] for loss in game(vector)
            )
            return torch.where(self.own, first, second)

        return v


@dataclass
class Steps:
    """SGD or Adam on a vector: maps gradients to steps, with moments."""

    name: str
    rounds: int = 0
    mean: Any = 0.0
    square: Any = 0.0
    previous: Any = 0.0
    slow: list[Vector] = field(default_factory=list)

    def __call__(self, gradient: Vector) -> Vector:
        gradient = gradient.detach()
        if self.name == "sgd":
            return -RATE * gradient
        self.rounds += 1
        first, second = BETAS
        self.mean = first * self.mean + (1 - first) * gradient
        self.square = second * self.square + (1 - second) * gradient**2
        mean, square = self.mean / (1 - first**self.rounds), self.square / (1 - second**self.rounds)
        step: Vector = -RATE * mean / (square.sqrt() + EPSILON)
        return step


def step_by_hand(rule: str, w: Vector, v: Callable[[Vector], Vector], steps: Steps) -> Vector:
    """Return the weights after a round of a rule with the gradients of both players at once."""
    field_at_w = v(w.clone())
    if rule == "simultaneous":
        return w + steps(field_at_w)
    if rule == "extragradient":
        half = w + steps(field_at_w)
        return w + steps(v(half))
    if rule == "optimistic":
        step = steps(field_at_w)
        step, steps.previous = 2 * step - steps.previous, step
        return w + step
    matrix: Tensor = jacobian(v, w.clone())
    if rule == "consensus":
        return w + steps(field_at_w + WEIGHT * (matrix.T @ field_at_w))
    antisymmetric = (matrix - matrix.T) / 2
    adjustment = antisymmetric.T @ field_at_w
    if rule == "aligned":
        descent = matrix.T @ field_at_w
        sign = (field_at_w @ descent) * (adjustment @ descent) / len(w) + 0.1
        adjustment = adjustment * sign.sign()
    adjusted: Vector = field_at_w + WEIGHT * adjustment
    return w + steps(adjusted)


@pytest.mark.parametrize(("stiffness", "sign"), [(1.0, 1.0), (-1.0, -1.0)])
def test_alignment_attracts_to_stable_points_only(stiffness: float, sign: float) -> None:
    """Of the field v = S w + A w with S = stiffness I, whose point 0 is stable where S > 0."""
    w = torch.tensor([3.0, 1.0], requires_grad=True)
    turn = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    v = stiffness * w + turn @ w
    for align in (False, True):
        rule = Symplectic(UpdateRuleConfig(name="symplectic", weight=WEIGHT, align=align))
        (added,) = rule.addition([v], [w], [v.detach()])
        expected = WEIGHT * turn.T @ v.detach()
        torch.testing.assert_close(added, expected * (sign if align else 1))


class Recorded:
    """Records the minibatch and the inputs of each round."""

    def __init__(self, gan: GAN, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rounds: list[tuple[Tensor, Tensor]] = []
        rule = type(gan.update_rule)
        end_round = rule.end_round

        def recording(
            self_: UpdateRule, gan: GAN, real: Batch, condition: Condition, terms: Any
        ) -> BothTerms:
            assert condition.latent is not None
            self.rounds.append((real.data, condition.latent))
            return end_round(self_, gan, real, condition, terms)

        monkeypatch.setattr(rule, "end_round", recording)


def train_recorded(
    monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[GAN, ByHand, list[tuple[Tensor, Tensor]]]:
    gan, data = build(make_config("gan", *SMALL, f"trainer.max_updates={ROUNDS}", *words))
    assert isinstance(gan, GAN)
    by_hand, recorded = ByHand(gan), Recorded(gan, monkeypatch)
    quiet_trainer().fit(gan, datamodule=data)
    return gan, by_hand, recorded.rounds


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("rule", [*JOINT, "aligned"])
def test_rounds_equal_those_by_hand(
    rule: str, optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "symplectic" if rule == "aligned" else rule
    align = ["model.update_rule.align=true"] if rule == "aligned" else []
    words = [*with_rule(name), *align, *optimizers(optimizer)]
    gan, by_hand, rounds = train_recorded(monkeypatch, *words)
    w, steps = by_hand.start(), Steps(optimizer)
    assert len(rounds) == ROUNDS
    for real, latent in rounds:
        w = step_by_hand(rule, w, by_hand.field(by_hand.losses(real, latent)), steps)
    torch.testing.assert_close(ByHand(gan).start(), w, rtol=1e-3, atol=2e-4)
    assert (by_hand.start() - w).abs().max() > 1e-2


@pytest.mark.parametrize("rule", ["alternating", "lookahead"])
def test_rounds_in_turn_equal_those_of_a_plain_loop_bit_for_bit(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gan, by_hand, rounds = train_recorded(monkeypatch, *with_rule(rule))
    loop = by_hand.gan
    players = [loop.discriminator, loop.generator]
    steps = [
        torch.optim.Adam(player.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
        for player in players
    ]
    weights = [weight for player in players for weight in player.parameters()]
    slow = [weight.detach().clone() for weight in weights]
    for number, (real, latent) in enumerate(rounds, start=1):
        fake = loop.generator(latent)
        scores = loop.discriminator(real), loop.discriminator(fake.detach())
        (softplus(-scores[0]).mean() + softplus(scores[1]).mean()).backward()
        steps[0].step()
        softplus(-loop.discriminator(fake)).mean().backward()
        steps[1].step()
        for step in steps:
            step.zero_grad()
        if rule == "lookahead" and number % LOOKAHEAD == 0:
            with torch.no_grad():
                for weight, start in zip(weights, slow, strict=True):
                    weight.copy_(torch.lerp(start, weight, SHARE))
                    start.copy_(weight)
    assert torch.equal(ByHand(gan).start(), ByHand(loop).start())


RESUMED = {
    **{rule: (rule, {}) for rule in UPDATE_RULES},
    "optimistic, two discriminator steps": ("optimistic", {"discriminator_steps": 2}),
    "lookahead, all steps": (
        "lookahead",
        {"discriminator_steps": 2, "generator_steps": 2, "accumulate_gradients": 2},
    ),
}


@pytest.mark.parametrize("name", RESUMED)
def test_a_resumed_training_equals_an_uninterrupted_one(name: str) -> None:
    """Of six rounds, by Adam; after three rounds lookahead is between two places."""
    rule, options = RESUMED[name]
    settings = {"name": rule, "lookahead_updates": 2}
    config = {"update_rule": settings, "ema_decay": 0.9, **options}
    check_resume(Trainings(find_setups(GANS["gan"], config, None, None)[0]))


@pytest.mark.parametrize("rule", UPDATE_RULES)
@pytest.mark.parametrize("optimizer", ["rmsprop", "adamw"])
def test_every_optimizer_tolerates_what_a_rule_keeps(rule: str, optimizer: str) -> None:
    clip = "clip_norm=0.1", "weight_decay=0.1", "schedule.warmup=4"
    words = [*with_rule(rule), *optimizers(optimizer, *clip)]
    gan = train_model(make_config("gan", *words, "model.freeze_discriminator_layers=1"))
    assert all(value.isfinite().all() for value in gan.state_dict().values())
    assert gan.updates == 6


@pytest.mark.parametrize("rule", JOINT)
def test_joint_rules_need_no_minibatch_of_the_generator(rule: str) -> None:
    config = make_config("gan", *with_rule(rule), "model.objective=relativistic")
    assert config.model.minibatches_per_round == 1
    gan = train_model(config)
    assert (gan.updates, gan.images_seen) == (6, 6 * 8)


@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_earlier_steps_of_the_discriminator_are_its_own(rule: str) -> None:
    config = make_config("wgan_gp", *with_rule(rule), "model.discriminator_steps=3")
    assert config.model.minibatches_per_round == 3
    gan = train_model(config)
    assert (gan.updates, gan.images_seen) == (6, 6 * 3 * 8)


@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_precision_and_the_number_of_rounds_in_a_batch(rule: str) -> None:
    words = [*with_rule(rule), "trainer.max_updates=4"]
    one = copy_weights(train_model(make_config("gan", *words)))
    four = copy_weights(train_model(make_config("gan", *words, "trainer.rounds_per_batch=4")))
    assert all(torch.equal(value, four[name]) for name, value in one.items())
    half = train_model(make_config("gan", *words, "trainer.precision=bf16-mixed"))
    for name, value in copy_weights(half).items():
        torch.testing.assert_close(value, one[name], rtol=0.05, atol=0.01)


def test_both_half_steps_draw_the_same_random_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["model.regularisation.instance_noise=0.5", "trainer.max_updates=1"]
    gan, data = build(make_config("gan", *with_rule("extragradient"), *words))
    assert isinstance(gan, GAN)
    seen: list[Tensor] = []
    loss = gan.discriminator_loss

    def recorded(real: Batch, fake: Any) -> Any:
        seen.append(real.data.clone())
        return loss(real, fake)

    monkeypatch.setattr(gan, "discriminator_loss", recorded)
    quiet_trainer().fit(gan, datamodule=data)
    assert len(seen) == 2
    assert torch.equal(*seen)


@pytest.mark.parametrize("world", [1, 2])
def test_remembered_random_numbers_are_drawn_again(world: int) -> None:
    from gan_lightning.distributed.collectives import shared_uniform

    device = torch.device("cpu")
    with synchronized_rng(0, 3, 0, world, device):
        torch.rand(2)
        replay = remember_randomness(device)
        first = torch.rand(3), shared_uniform(2, device)
        replay()
        second = torch.rand(3), shared_uniform(2, device)
    assert all(map(torch.equal, first, second))


REFUSED: dict[str, tuple[str, list[str], str]] = {
    "an unknown rule": ("gan", ["model.update_rule.name=extra"], "update_rule.name is 'extra'; va"),
    **{
        f"{rule} with {key}": ("gan", [*with_rule(rule), f"model.{key}=2"], f"{key} is 2, and upda")
        for rule in JOINT
        for key in ("generator_steps", "accumulate_gradients")
    },
    "a rate": ("gan", ["model.update_rule.lookahead_rate=2"], "lookahead_rate is 2.0; it must li"),
    **{
        f"{rule} through a pool": ("cyclegan", with_rule(rule), f"update_rule.name is {rule}, wh")
        for rule, cls in UPDATE_RULES.items()
        if cls.is_second_order
    },
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_rule_cannot_do_is_refused_in_one_line(case: str) -> None:
    model, words, message = REFUSED[case]
    with pytest.raises((ValueError, UserError)) as error:
        make_config(model, *words)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("rule", ["extragradient", "lookahead"])
def test_a_loss_scale_is_refused_where_both_players_step_at_once(rule: str) -> None:
    gan, data = build(make_config("gan", *with_rule(rule), "trainer.max_updates=1"))
    trainer = quiet_trainer()
    trainer.precision_plugin.scaler = torch.amp.GradScaler("cpu")  # type: ignore[attr-defined]
    if rule == "lookahead":
        trainer.fit(gan, datamodule=data)
        return
    with pytest.raises(UserError, match=r"16-mixed.*update_rule\.name is extragradient"):
        trainer.fit(gan, datamodule=data)


def test_a_rule_of_ones_own_is_one_more_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    class Backwards(Simultaneous):
        """Step the generator first."""

        def step_both(self, gan: GAN) -> None:
            discriminator, generator = gan.player_optimizers()
            self.step(gan, generator)
            self.step(gan, discriminator)

    monkeypatch.setitem(UPDATE_RULES, "backwards", Backwards)
    both = [
        copy_weights(train_model(make_config("gan", f"model.update_rule.name={rule}")))
        for rule in ("backwards", "simultaneous")
    ]
    assert all(torch.equal(value, both[1][name]) for name, value in both[0].items())
