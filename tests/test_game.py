"""The game's contract, for every variant in the table."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from factories import (
    ALL_GANS,
    copy_weights,
    make_config,
    make_gan,
    make_real_batch,
    quiet_trainer,
    train_model,
    weights_equal,
)
from pytorch_lightning import Callback, LightningModule, Trainer
from torch.optim import Optimizer

from gan_lightning.gans import GANS
from gan_lightning.gans.base import GAN
from gan_lightning.gans.parameters import frozen, parameters
from gan_lightning.training.build import build
from gan_lightning.types import Batch, Condition


def playing(learner: LightningModule) -> list[tuple[str, torch.nn.Parameter]]:
    """List the weights, without running averages, which no optimizer moves."""
    averages = ("ema.", "averaged_classifier.")
    return [pair for pair in learner.named_parameters() if not pair[0].startswith(averages)]


class StepWatch(Callback):
    """Records at each optimizer step which parameters have a gradient and which have moved."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, dict[str, torch.Tensor], set[str]]] = []

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        number = trainer.optimizers.index(optimizer)
        now = {name: value.detach().clone() for name, value in playing(pl_module)}
        stepping = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
        with_gradient = {
            name
            for name, value in pl_module.named_parameters()
            if id(value) in stepping and value.grad is not None and value.grad.abs().sum() > 0
        }
        self.steps.append((number, now, with_gradient))


def watched(model: str, *overrides: str, precision: str = "32-true") -> tuple[GAN, StepWatch]:
    learner, data = build(make_config(model, *overrides))
    watch = StepWatch()
    quiet_trainer(callbacks=[watch], precision=precision).fit(learner, datamodule=data)
    assert isinstance(learner, GAN)
    return learner, watch


def names_of(learner: GAN, players: Any) -> set[str]:
    moving = {id(weight) for weight in parameters(players)}
    return {name for name, weight in learner.named_parameters() if id(weight) in moving}


@pytest.mark.parametrize("model", ALL_GANS)
@pytest.mark.parametrize(("steps", "precision"), [(1, "32-true"), (3, "bf16-mixed")])
def test_a_step_moves_the_stepping_player_only(model: str, steps: int, precision: str) -> None:
    learner, watch = watched(model, f"model.discriminator_steps={steps}", precision=precision)
    order = [number for number, _, _ in watch.steps]
    assert order == ([0] * steps + [1]) * 6
    players = [
        names_of(learner, learner.discriminator_players()),
        names_of(learner, learner.generator_players()),
    ]
    for (number, before, _), (_, after, _) in zip(watch.steps, watch.steps[1:], strict=False):
        moved = {name for name in before if not torch.equal(before[name], after[name])}
        assert moved
        assert moved <= players[number]


def shifts_all_scores(learner: GAN, name: str) -> bool:
    """Whether a weight only adds the same to all scores, of which the loss takes differences."""
    real, fake = make_real_batch(learner, 8), learner.generate_from_prior(8).detach()
    weight = learner.get_parameter(name)
    found = []
    for _ in range(2):
        loss = torch.stack(list(learner.discriminator_loss(real, fake).values()))
        found.append((learner.discriminate(real.data, real.condition).detach(), loss.detach()))
        weight.data += 1
    (scores, loss), (moved, same_loss) = found
    return torch.allclose(moved, scores + 1) and torch.allclose(loss, same_loss, atol=1e-5)


@pytest.mark.parametrize("model", ALL_GANS)
def test_every_parameter_has_a_player_and_a_gradient(model: str) -> None:
    learner, watch = watched(model)
    discriminator = names_of(learner, learner.discriminator_players())
    generator = names_of(learner, learner.generator_players())
    assert not discriminator & generator
    assert discriminator | generator == {name for name, _ in playing(learner)}
    for number, players in enumerate((discriminator, generator)):
        seen = set().union(*(names for which, _, names in watch.steps if which == number))
        silent = players - seen
        assert all(shifts_all_scores(learner, name) for name in silent), silent


@pytest.mark.parametrize("model", ALL_GANS)
def test_same_seed_same_weights_and_another_seed_others(model: str) -> None:
    first, second = (copy_weights(train_model(make_config(model))) for _ in range(2))
    assert weights_equal(first, second)
    assert not weights_equal(first, copy_weights(train_model(make_config(model, "seed=1"))))


@pytest.mark.parametrize("model", ALL_GANS)
def test_rounds_of_a_batch_do_not_change_the_game(model: str) -> None:
    one = train_model(make_config(model))
    several = train_model(make_config(model, "trainer.rounds_per_batch=4"))
    assert weights_equal(copy_weights(one), copy_weights(several))
    assert one.updates == several.updates == 6


def test_a_batch_is_an_update_with_fresh_minibatches_for_each_discriminator_step() -> None:
    learner = train_model(make_config("gan", "model.discriminator_steps=5", "data.batch_size=4"))
    assert learner.updates == 6
    assert learner.images_seen == 6 * 5 * 4


def test_fast_dev_run_moves_both_players() -> None:
    run = make_config("gan", "model.discriminator_steps=5")
    learner, data = build(run)
    before = copy_weights(learner)
    quiet_trainer(fast_dev_run=True).fit(learner, datamodule=data)
    assert learner.updates == 1
    after = copy_weights(learner)
    assert all(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("model", ALL_GANS)
def test_loss_terms_are_named_finite_scalars_and_logged(model: str) -> None:
    learner, data = build(make_config(model, "log.every_n_updates=1"))
    quiet_trainer().fit(learner, datamodule=data)
    players = {name.split("/")[1] for name in learner.losses}
    assert players == {"discriminator", "generator"}
    assert all(torch.tensor(value).isfinite() for value in learner.losses.values())


@pytest.mark.parametrize("model", ALL_GANS)
def test_sample_is_a_function_of_its_seed_and_touches_nothing(model: str) -> None:
    learner = make_gan(model)
    learner.train()
    before, state = copy_weights(learner), torch.get_rng_state()
    first, second = (learner.sample(5, seed=7).data for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, learner.sample(5, seed=8).data)
    assert torch.equal(torch.get_rng_state(), state)
    assert weights_equal(before, copy_weights(learner))
    assert learner.training
    assert all(part.training for part in learner.modules())


@pytest.mark.parametrize("model", ALL_GANS)
def test_draw_holds_fixed_what_a_condition_fixes(model: str) -> None:
    learner = make_gan(model)
    fixed = learner.prior(5)
    sample = learner.generate_from_prior(5, fixed)
    assert sample.condition == fixed
    torch.manual_seed(0)
    once = learner.generate_from_prior(5, fixed)
    torch.manual_seed(0)  # of dropout, where that is the noise
    assert torch.equal(once.data, learner.generate_from_prior(5, fixed).data)
    assert sample.data.requires_grad
    assert not sample.detach().data.requires_grad


def test_the_latent_prior_has_its_range() -> None:
    uniform = make_gan("gan", "model.latent_prior=uniform").prior(4000).latent
    normal = make_gan("gan", "model.latent_prior=normal").prior(4000).latent
    assert uniform is not None
    assert normal is not None
    assert -1 <= uniform.min() < -0.99 < 0.99 < uniform.max() <= 1
    assert normal.std().item() == pytest.approx(1, abs=0.03)


def test_the_running_average_follows_the_generator() -> None:
    run = make_config("gan", "model.ema_decay=0.2", "trainer.max_updates=4")
    learner, data = build(run)
    assert isinstance(learner, GAN)
    expected = [value.detach().clone() for value in learner.generator.parameters()]

    class Average(Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
            before = pl_module.updates - 1
            decay = 0 if before == 0 else min(0.2, (1 + before) / (10 + before))
            for value, weight in zip(expected, pl_module.generator.parameters(), strict=True):
                value.copy_(decay * value + (1 - decay) * weight.detach())

    quiet_trainer(callbacks=[Average()]).fit(learner, datamodule=data)
    assert learner.ema is not None
    for value, weight in zip(expected, learner.ema.module.parameters(), strict=True):
        torch.testing.assert_close(value, weight.detach())
    latent = torch.ones(3, 4)
    shown = learner.sample(3, Condition(latent=latent), seed=0).data
    torch.testing.assert_close(shown, learner.ema.module(latent).detach())
    assert not torch.equal(shown, learner.generator(latent).detach())


def test_the_running_average_does_not_change_the_game() -> None:
    plain, averaged = (
        train_model(make_config("gan")),
        train_model(make_config("gan", "model.ema_decay=0.9")),
    )
    kept = {k: v for k, v in copy_weights(averaged).items() if not k.startswith("ema.")}
    assert weights_equal(copy_weights(plain), kept)


def test_autocast_uses_the_weights_that_the_last_step_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Autocast caches low-precision weights; a critic's second step must not use the first's."""
    run = make_config("gan", "model.discriminator_steps=3", "trainer.precision=bf16-mixed")
    learner, data = build(run)
    assert isinstance(learner, GAN)
    stale: list[bool] = []
    loss = learner.discriminator_loss

    def checked(real: Batch, fake: Any) -> Any:
        inside = learner.discriminator(real.data)
        with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False):
            fresh = learner.discriminator(real.data)
        stale.append(not torch.equal(inside, fresh))
        return loss(real, fake)

    monkeypatch.setattr(learner, "discriminator_loss", checked)
    learner.config.discriminator_optimizer.learning_rate = 0.1
    quiet_trainer(precision="bf16-mixed").fit(learner, datamodule=data)
    assert len(stale) == 18
    assert not any(stale)


def test_frozen_puts_back_only_what_it_took() -> None:
    layer = torch.nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    with frozen(layer.parameters()):
        assert not layer.weight.requires_grad
    assert layer.weight.requires_grad
    assert not layer.bias.requires_grad


@pytest.mark.parametrize("model", ALL_GANS)
def test_no_variant_inherits_from_another_and_each_names_its_paper(model: str) -> None:
    variant = GANS[model]
    assert not any(base in GANS.values() for base in variant.__mro__[1:])
    assert "Source:" in (variant.__doc__ or "")
    assert "arXiv" in (variant.__doc__ or "")


@pytest.mark.parametrize("model", ALL_GANS)
def test_steps_are_the_same_with_and_without_a_hook_that_watches_them(model: str) -> None:
    watcher = StepWatch()
    watched = train_model(make_config(model), callbacks=[watcher])
    assert len(watcher.steps) >= 2 * watched.updates
    alone = train_model(make_config(model))
    assert weights_equal(copy_weights(watched), copy_weights(alone))
