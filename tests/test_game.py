"""Training of a GAN, for every variant in the table."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from factories import (
    ALL_GANS,
    SMALL_MODELS,
    copy_weights,
    make_config,
    make_gan,
    quiet_trainer,
    train_model,
)
from torch.nn.functional import softplus

from gan_lightning.gans import GANS
from gan_lightning.gans.base import GAN
from gan_lightning.gans.directions import latent_std
from gan_lightning.gans.parameters import frozen
from gan_lightning.testing import check_gan
from gan_lightning.training.build import build
from gan_lightning.types import Batch, Sample

NETWORKS_OF = {"pix2pix": {"name": "pix2pix", "width": 2, "patch": 16}}
"""Networks of variants that are checked with other layers than small perceptrons."""


@pytest.mark.parametrize("model", ALL_GANS)
def test_every_variant_has_the_properties_of_a_gan(model: str) -> None:
    """`test_processes.py` compares two processes with one, all variants in the same two."""
    config, networks = SMALL_MODELS.get(model), NETWORKS_OF.get(model)
    check_gan(GANS[model], config=config, networks=networks, processes=False)


def test_each_discriminator_step_has_its_own_minibatch() -> None:
    gan = train_model(make_config("gan", "model.discriminator_steps=5", "data.batch_size=4"))
    assert gan.updates == 6
    assert gan.images_seen == 6 * 5 * 4


def test_pairs_of_the_generator_have_a_minibatch_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gan, data = build(
        make_config(
            "gan", "model.objective=relativistic", "data.batch_size=8", "trainer.max_updates=4"
        )
    )
    assert isinstance(gan, GAN)
    seen: list[torch.Tensor] = []

    def recording(loss: Any) -> Any:
        def recorded(real: Batch, fake: Sample) -> Any:
            seen.append(torch.cat([real.data, fake.data.detach()]))
            return loss(real, fake)

        return recorded

    for name in ("discriminator_loss", "generator_loss"):
        monkeypatch.setattr(gan, name, recording(getattr(gan, name)))
    quiet_trainer().fit(gan, datamodule=data)
    assert gan.updates == 4
    assert gan.images_seen == 4 * 2 * 8
    assert len(seen) == 8
    assert len(torch.cat(seen).unique(dim=0)) == 8 * 16


def test_the_generator_steps_again_from_the_latents_of_its_first_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Compared with a loop by hand, as the authors of PacGAN write it."""
    sizes = ("data.batch_size=8", "trainer.max_updates=1")
    steps = [f"model.{player}_optimizer.name=sgd" for player in ("discriminator", "generator")]
    gan, data = build(make_config("gan", "model.generator_steps=3", *sizes, *steps))
    assert isinstance(gan, GAN)
    by_hand = deepcopy(gan)
    given: list[tuple[Batch, Sample]] = []
    loss = gan.generator_loss

    def recorded(real: Batch, fake: Sample) -> Any:
        given.append((real, fake))
        return loss(real, fake)

    monkeypatch.setattr(gan, "generator_loss", recorded)
    quiet_trainer().fit(gan, datamodule=data)
    real, latents = given[0][0].data, given[0][1].condition.latent
    assert latents is not None
    assert len(given) == 3
    assert all(again.data is real for again, _ in given)
    assert all(fake.condition.latent is latents for _, fake in given)
    assert gan.updates == 1
    assert gan.images_seen == 8

    def step(player: torch.nn.Module, lost: torch.Tensor) -> None:
        weights = list(player.parameters())
        gradients = torch.autograd.grad(lost, weights)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight -= gan.config.generator_optimizer.learning_rate * gradient

    generator, discriminator = by_hand.generator, by_hand.discriminator
    scores = discriminator(real), discriminator(generator(latents).detach())
    step(discriminator, softplus(-scores[0]).mean() + softplus(scores[1]).mean())
    for _ in range(3):
        step(generator, softplus(-discriminator(generator(latents))).mean())
    expected = copy_weights(by_hand)
    for name, value in copy_weights(gan).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-7)


def test_an_update_is_a_round_of_any_number_of_generator_steps() -> None:
    """Average, losses and counters follow once a round."""
    gan = train_model(make_config("gan", "model.generator_steps=2", "model.ema_decay=0.9"))
    assert gan.updates == 6
    assert isinstance(gan, GAN)
    assert gan.ema is not None
    assert int(gan.ema.n_averaged) == 6


@pytest.mark.parametrize("model", ["gan", "unrolled", "infogan"])
def test_further_generator_steps_in_parts_equal_those_of_the_whole_minibatch(model: str) -> None:
    words = ["model.generator_steps=2", "trainer.max_updates=2"]
    whole = copy_weights(train_model(make_config(model, *words)))
    parts = copy_weights(train_model(make_config(model, *words, "model.accumulate_gradients=2")))
    once = copy_weights(train_model(make_config(model, *words[1:])))
    if model == "gan":  # the loss of the others compares the samples of a part
        for name, value in whole.items():
            torch.testing.assert_close(parts[name], value, rtol=1e-4, atol=1e-5)
    assert not all(torch.equal(whole[name], once[name]) for name in whole)
    assert not all(torch.equal(parts[name], once[name]) for name in whole)


def test_fast_dev_run_steps_both_players() -> None:
    run = make_config("gan", "model.discriminator_steps=5")
    gan, data = build(run)
    before = copy_weights(gan)
    quiet_trainer(fast_dev_run=True).fit(gan, datamodule=data)
    assert gan.updates == 1
    after = copy_weights(gan)
    assert all(not torch.equal(before[name], after[name]) for name in before)


def test_the_latent_prior_has_its_distribution() -> None:
    uniform = make_gan("gan", "model.latent_prior=uniform").prior(4000).latent
    normal = make_gan("gan", "model.latent_prior=normal").prior(4000).latent
    assert uniform is not None
    assert normal is not None
    assert -1 <= uniform.min() < -0.99 < 0.99 < uniform.max() <= 1
    assert normal.std().item() == pytest.approx(1, abs=0.03)
    gan = make_gan("gan", "model.latent_prior=unit_uniform")
    unit = gan.prior(4000).latent
    assert unit is not None
    assert 0 <= unit.min() < 0.01 < 0.99 < unit.max() <= 1
    for prior, latent in (("unit_uniform", unit), ("uniform", uniform), ("normal", normal)):
        assert latent.std().item() == pytest.approx(latent_std(prior), rel=0.03)


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
