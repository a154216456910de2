"""Training of a GAN, for every variant in the table."""

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


def trained_parameters(gan: LightningModule) -> list[tuple[str, torch.nn.Parameter]]:
    """List the named parameters without running averages, which no optimizer updates."""
    averages = ("ema.", "averaged_classifier.")
    return [pair for pair in gan.named_parameters() if not pair[0].startswith(averages)]


class StepRecorder(Callback):
    """Record at each optimizer step the parameters, and which of them have a gradient."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, dict[str, torch.Tensor], set[str]]] = []

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        number = trainer.optimizers.index(optimizer)
        now = {name: value.detach().clone() for name, value in trained_parameters(pl_module)}
        of_optimizer = {
            id(weight) for group in optimizer.param_groups for weight in group["params"]
        }
        with_gradient = {
            name
            for name, value in pl_module.named_parameters()
            if id(value) in of_optimizer and value.grad is not None and value.grad.abs().sum() > 0
        }
        self.steps.append((number, now, with_gradient))


def train_and_record(
    model: str, *overrides: str, precision: str = "32-true"
) -> tuple[GAN, StepRecorder]:
    gan, data = build(make_config(model, *overrides))
    watch = StepRecorder()
    quiet_trainer(callbacks=[watch], precision=precision).fit(gan, datamodule=data)
    assert isinstance(gan, GAN)
    return gan, watch


def parameter_names(gan: GAN, players: Any) -> set[str]:
    identities = {id(weight) for weight in parameters(players)}
    return {name for name, weight in gan.named_parameters() if id(weight) in identities}


@pytest.mark.parametrize("model", ALL_GANS)
@pytest.mark.parametrize(("steps", "precision"), [(1, "32-true"), (3, "bf16-mixed")])
def test_a_step_changes_the_parameters_of_its_player_only(
    model: str, steps: int, precision: str
) -> None:
    gan, watch = train_and_record(model, f"model.discriminator_steps={steps}", precision=precision)
    order = [number for number, _, _ in watch.steps]
    assert order == ([0] * steps + [1]) * 6
    players = [
        parameter_names(gan, gan.discriminator_players()),
        parameter_names(gan, gan.generator_players()),
    ]
    for (number, before, _), (_, after, _) in zip(watch.steps, watch.steps[1:], strict=False):
        moved = {name for name in before if not torch.equal(before[name], after[name])}
        assert moved
        assert moved <= players[number]


def shifts_all_scores(gan: GAN, name: str) -> bool:
    """Tell whether a weight shifts all scores equally, which does not change the loss."""
    real, fake = make_real_batch(gan, 8), gan.generate_from_prior(8).detach()
    weight = gan.get_parameter(name)
    found = []
    for _ in range(2):
        loss = torch.stack(list(gan.discriminator_loss(real, fake).values()))
        found.append((gan.discriminate(real.data, real.condition).detach(), loss.detach()))
        weight.data += 1
    (scores, loss), (moved, same_loss) = found
    return torch.allclose(moved, scores + 1) and torch.allclose(loss, same_loss, atol=1e-5)


@pytest.mark.parametrize("model", ALL_GANS)
def test_every_parameter_has_one_player_and_a_gradient(model: str) -> None:
    gan, watch = train_and_record(model)
    discriminator = parameter_names(gan, gan.discriminator_players())
    generator = parameter_names(gan, gan.generator_players())
    assert not discriminator & generator
    assert discriminator | generator == {name for name, _ in trained_parameters(gan)}
    for number, players in enumerate((discriminator, generator)):
        seen = set().union(*(names for which, _, names in watch.steps if which == number))
        silent = players - seen
        assert all(shifts_all_scores(gan, name) for name in silent), silent


@pytest.mark.parametrize("model", ALL_GANS)
def test_the_seed_determines_the_weights(model: str) -> None:
    first, second = (copy_weights(train_model(make_config(model))) for _ in range(2))
    assert weights_equal(first, second)
    assert not weights_equal(first, copy_weights(train_model(make_config(model, "seed=1"))))


@pytest.mark.parametrize("model", ALL_GANS)
def test_weights_do_not_depend_on_rounds_per_batch(model: str) -> None:
    one = train_model(make_config(model))
    several = train_model(make_config(model, "trainer.rounds_per_batch=4"))
    assert weights_equal(copy_weights(one), copy_weights(several))
    assert one.updates == several.updates == 6


def test_each_discriminator_step_has_its_own_minibatch() -> None:
    gan = train_model(make_config("gan", "model.discriminator_steps=5", "data.batch_size=4"))
    assert gan.updates == 6
    assert gan.images_seen == 6 * 5 * 4


def test_fast_dev_run_steps_both_players() -> None:
    run = make_config("gan", "model.discriminator_steps=5")
    gan, data = build(run)
    before = copy_weights(gan)
    quiet_trainer(fast_dev_run=True).fit(gan, datamodule=data)
    assert gan.updates == 1
    after = copy_weights(gan)
    assert all(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("model", ALL_GANS)
def test_loss_terms_are_named_finite_scalars_and_logged(model: str) -> None:
    gan, data = build(make_config(model, "log.every_n_updates=1"))
    quiet_trainer().fit(gan, datamodule=data)
    players = {name.split("/")[1] for name in gan.losses}
    assert players == {"discriminator", "generator"}
    assert all(torch.tensor(value).isfinite() for value in gan.losses.values())


@pytest.mark.parametrize("model", ALL_GANS)
def test_sample_depends_on_its_seed_and_changes_no_state(model: str) -> None:
    gan = make_gan(model)
    gan.train()
    before, state = copy_weights(gan), torch.get_rng_state()
    first, second = (gan.sample(5, seed=7).data for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, gan.sample(5, seed=8).data)
    assert torch.equal(torch.get_rng_state(), state)
    assert weights_equal(before, copy_weights(gan))
    assert gan.training
    assert all(part.training for part in gan.modules())


@pytest.mark.parametrize("model", ALL_GANS)
def test_generate_from_prior_uses_the_given_condition(model: str) -> None:
    gan = make_gan(model)
    fixed = gan.prior(5)
    sample = gan.generate_from_prior(5, fixed)
    assert sample.condition == fixed
    torch.manual_seed(0)
    once = gan.generate_from_prior(5, fixed)
    torch.manual_seed(0)  # of dropout, where that is the noise
    assert torch.equal(once.data, gan.generate_from_prior(5, fixed).data)
    assert sample.data.requires_grad
    assert not sample.detach().data.requires_grad


def test_the_latent_prior_has_its_distribution() -> None:
    uniform = make_gan("gan", "model.latent_prior=uniform").prior(4000).latent
    normal = make_gan("gan", "model.latent_prior=normal").prior(4000).latent
    assert uniform is not None
    assert normal is not None
    assert -1 <= uniform.min() < -0.99 < 0.99 < uniform.max() <= 1
    assert normal.std().item() == pytest.approx(1, abs=0.03)


def test_the_running_average_follows_the_generator() -> None:
    run = make_config("gan", "model.ema_decay=0.2", "trainer.max_updates=4")
    gan, data = build(run)
    assert isinstance(gan, GAN)
    expected = [value.detach().clone() for value in gan.generator.parameters()]

    class Average(Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
            before = pl_module.updates - 1
            decay = 0 if before == 0 else min(0.2, (1 + before) / (10 + before))
            for value, weight in zip(expected, pl_module.generator.parameters(), strict=True):
                value.copy_(decay * value + (1 - decay) * weight.detach())

    quiet_trainer(callbacks=[Average()]).fit(gan, datamodule=data)
    assert gan.ema is not None
    for value, weight in zip(expected, gan.ema.module.parameters(), strict=True):
        torch.testing.assert_close(value, weight.detach())
    latent = torch.ones(3, 4)
    shown = gan.sample(3, Condition(latent=latent), seed=0).data
    torch.testing.assert_close(shown, gan.ema.module(latent).detach())
    assert not torch.equal(shown, gan.generator(latent).detach())


def test_the_running_average_does_not_change_training() -> None:
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
    gan, data = build(run)
    assert isinstance(gan, GAN)
    stale: list[bool] = []
    loss = gan.discriminator_loss

    def checked(real: Batch, fake: Any) -> Any:
        inside = gan.discriminator(real.data)
        with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False):
            fresh = gan.discriminator(real.data)
        stale.append(not torch.equal(inside, fresh))
        return loss(real, fake)

    monkeypatch.setattr(gan, "discriminator_loss", checked)
    gan.config.discriminator_optimizer.learning_rate = 0.1
    quiet_trainer(precision="bf16-mixed").fit(gan, datamodule=data)
    assert len(stale) == 18
    assert not any(stale)


def test_frozen_restores_requires_grad() -> None:
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
def test_a_callback_that_observes_steps_does_not_change_the_weights(model: str) -> None:
    watcher = StepRecorder()
    train_and_record = train_model(make_config(model), callbacks=[watcher])
    assert len(watcher.steps) >= 2 * train_and_record.updates
    alone = train_model(make_config(model))
    assert weights_equal(copy_weights(train_and_record), copy_weights(alone))
