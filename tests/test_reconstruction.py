"""Reconstruction by gradient descent in the latent: against least squares, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from factories import copy_weights, make_config, make_gan, weights_equal
from torch import nn

from gan_lightning.config.schema import OPTIONAL_MEASURES
from gan_lightning.distributed.sharding import SINGLE_PROCESS
from gan_lightning.errors import UserError
from gan_lightning.evaluation import GAN_EVALUATORS, gan_evaluators, reconstruction
from gan_lightning.evaluation.reconstruction import reconstruction_errors
from gan_lightning.gans import GAN
from gan_lightning.training.build import build

MEASURE = "evaluation.measures=[reconstruction]"


def linear_gan(*overrides: str) -> GAN:
    gan = make_gan("gan", "model.latent_size=1", *overrides)
    gan.generator = nn.Linear(1, 2)
    with torch.no_grad():
        gan.generator.weight.copy_(torch.tensor([[1.5], [-0.5]]))
    return gan


def test_a_linear_generator_reconstructs_by_least_squares() -> None:
    gan = linear_gan("model.latent_prior=normal")
    before, random = copy_weights(gan), torch.get_rng_state()
    targets = torch.randn(12, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = reconstruction_errors(gan, targets, seed=0)
    weight, bias = gan.generator.weight.detach(), gan.generator.bias.detach()
    latents = torch.linalg.lstsq(weight, (targets - bias).T).solution
    expected = ((weight @ latents).T + bias - targets).square().mean(1)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)
    assert weights_equal(before, copy_weights(gan))
    assert all(value.grad is None for value in gan.parameters())
    assert torch.equal(random, torch.get_rng_state())


@pytest.mark.parametrize(("prior", "low"), [("uniform", -1.0), ("unit_uniform", 0.0)])
def test_latents_stay_in_the_support_of_the_prior(prior: str, low: float) -> None:
    gan = linear_gan(f"model.latent_prior={prior}")
    with torch.no_grad():
        gan.generator.weight.copy_(torch.tensor([[2.0], [0.0]]))
        gan.generator.bias.zero_()
    found = reconstruction_errors(gan, torch.tensor([[6.0, 0.0], [-6.0, 0.0]]), seed=0)
    expected = torch.tensor([(6 - 2) ** 2 / 2, (6 + 2 * low) ** 2 / 2])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_collapsed_generator_leaves_the_variance_of_the_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconstruction, "STEPS", 2)
    config = make_config("gan", MEASURE)
    gan, data = build(config)
    assert isinstance(gan, GAN)
    with torch.no_grad():
        for weight in gan.generator.parameters():
            weight.zero_()
    *_, evaluator = gan_evaluators(gan, data, SINGLE_PROCESS, config.evaluation.measures)
    rows, _ = data.training_data()
    every = rows[torch.arange(len(rows))]
    expected = every.square().mean().item()
    assert evaluator.compute()["reconstruction/error"] == pytest.approx(expected, rel=1e-5)


def test_generators_with_other_inputs_are_refused() -> None:
    gan, data = build(make_config("cgan"))
    assert isinstance(gan, GAN)
    with pytest.raises(UserError, match="the generator takes latent, labels, not the latent alone"):
        gan_evaluators(gan, data, SINGLE_PROCESS, ["reconstruction"])


def test_every_optional_measure_is_an_evaluator() -> None:
    assert {*OPTIONAL_MEASURES} <= {*GAN_EVALUATORS}
