"""InfoGAN's information and consistency terms: their values and their gradients."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from factories import make_config, make_gan

from gan_lightning.errors import UserError
from gan_lightning.gans import InfoGAN
from gan_lightning.losses import shared_information
from gan_lightning.training.build import build
from gan_lightning.types import Batch, Condition


def infogan(*overrides: str) -> InfoGAN:
    gan = make_gan("infogan", *overrides)
    assert isinstance(gan, InfoGAN)
    return gan


def gradients(gan: InfoGAN, loss: torch.Tensor, *modules: str) -> dict[str, float]:
    gan.zero_grad()
    loss.backward()
    return {
        name: sum(
            0.0 if weight.grad is None else weight.grad.abs().sum().item()
            for weight in getattr(gan, name).parameters()
        )
        for name in modules
    }


MODULES = ("generator", "encoder", "score", "recognition")


def test_the_information_term_has_a_gradient_in_generator_and_q_only() -> None:
    gan = infogan()
    fake = gan.generate_from_prior(8)
    terms = gan.generator_loss(Batch(torch.randn(8, 2)), fake)
    found = gradients(gan, terms["information"], *MODULES)
    assert found["generator"] > 0
    assert found["recognition"] > 0
    assert found["score"] == 0


def test_the_discriminators_information_term_trains_q_but_not_the_generator() -> None:
    gan = infogan()
    fake = gan.generate_from_prior(8).detach()
    terms = gan.discriminator_loss(Batch(torch.randn(8, 2)), fake)
    found = gradients(gan, terms["information"], *MODULES)
    assert found["recognition"] > 0
    assert found["encoder"] > 0
    assert found["score"] == found["generator"] == 0


def test_the_adversarial_term_has_no_gradient_in_q() -> None:
    gan = infogan()
    fake = gan.generate_from_prior(8)
    terms = gan.generator_loss(Batch(torch.randn(8, 2)), fake)
    assert gradients(gan, terms["adversarial"], *MODULES)["recognition"] == 0


def test_information_loss_by_hand() -> None:
    gan = infogan("model.information_weight=0.5", "model.continuous_information_weight=0.25")
    fake = gan.generate_from_prior(6)
    codes = fake.condition
    assert codes.categorical is not None
    assert codes.continuous is not None
    recognised = gan.recognise(fake.data)
    expected = torch.zeros(())
    for index, logits in enumerate(recognised.categorical):
        log_probabilities = logits - logits.exp().sum(1, keepdim=True).log()
        chosen = log_probabilities[torch.arange(6), codes.categorical[:, index]]
        expected = expected - 0.5 * chosen.mean()
    squared = (recognised.continuous - codes.continuous).pow(2).sum(1).mean()
    expected = expected + 0.25 * (0.5 * squared + math.log(2 * math.pi))  # half of it a code
    found = gan.generator_loss(Batch(torch.randn(6, 2)), fake)["information"]
    torch.testing.assert_close(found, expected)


def test_weight_0_gives_no_gradient() -> None:
    gan = infogan("model.information_weight=0", "model.continuous_information_weight=0")
    terms = gan.generator_loss(Batch(torch.randn(4, 2)), gan.generate_from_prior(4))
    assert gradients(gan, terms["information"], *MODULES)["generator"] == 0


def test_codes_have_their_prior_distributions() -> None:
    gan = infogan()
    drawn = gan.prior(3000)
    assert drawn.categorical is not None
    assert drawn.continuous is not None
    for index, size in enumerate((3, 4)):
        shares = torch.bincount(drawn.categorical[:, index], minlength=size) / 3000
        assert (shares - 1 / size).abs().max() < 0.03
    assert drawn.continuous.shape == (3000, 2)
    assert -1 <= drawn.continuous.min() < -0.99 < 0.99 < drawn.continuous.max() <= 1


def test_samples_depend_on_the_categorical_codes() -> None:
    gan = infogan()
    fixed = gan.prior(2)
    assert fixed.categorical is not None
    other = (fixed.categorical + 1) % 3
    first = gan.generate_from_prior(2, fixed).data
    second = gan.generate_from_prior(2, fixed.updated(Condition(categorical=other))).data
    assert not torch.equal(first, second)


def test_codes_of_one_kind_only() -> None:
    categorical = infogan("model.continuous_codes=0")
    continuous = infogan("model.categorical_codes=[]")
    for gan in (categorical, continuous):
        terms = gan.generator_loss(Batch(torch.randn(4, 2)), gan.generate_from_prior(4))
        assert terms["information"].isfinite()


def test_recognised_uses_evaluation_mode_and_restores_modes() -> None:
    run = make_config(
        "infogan", data={"name": "mnist", "batch_size": 4}, network={"name": "infogan"}
    )
    gan, _ = build(run)
    assert isinstance(gan, InfoGAN)
    gan.train()
    images = torch.randn(4, 1, 28, 28)
    alone = gan.recognised(images[:1]).categorical[0]
    together = gan.recognised(images).categorical[0][:1]
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)
    assert all(part.training for part in gan.modules())


IMAGES = {
    "network": {"name": "infogan", "width": 4},
    "data": {"name": "mnist", "batch_size": 8},
}


def infogan_with_consistency(*overrides: str) -> InfoGAN:
    overrides = ("model.consistency_weight=0.5", *overrides)
    gan, _ = build(make_config("infogan", *overrides, **IMAGES))
    assert isinstance(gan, InfoGAN)
    return gan


def test_the_consistency_term_trains_q_and_the_encoder() -> None:
    gan = infogan_with_consistency()
    real, fake = Batch(torch.rand(8, 1, 28, 28) * 2 - 1), gan.generate_from_prior(8)
    terms = gan.discriminator_loss(real, fake)
    found = gradients(gan, terms["consistency"], *MODULES)
    assert found["recognition"] > 0
    assert found["encoder"] > 0
    assert found["score"] == found["generator"] == 0
    assert "consistency" not in gan.generator_loss(real, gan.generate_from_prior(8))


def test_consistency_is_the_information_shared_with_augmented_copies(monkeypatch: Any) -> None:
    monkeypatch.setattr("gan_lightning.gans.infogan.random_affine", lambda images: images.flip(3))
    gan = infogan_with_consistency("model.categorical_codes=[10,3]")
    real, fake = Batch(torch.rand(8, 1, 28, 28) * 2 - 1), gan.generate_from_prior(8)
    found = gan.discriminator_loss(real, fake)["consistency"]
    pairs = zip(
        gan.recognise(real.data).categorical,
        gan.recognise(real.data.flip(3)).categorical,
        strict=True,
    )
    expected = -0.5 * sum(shared_information(*pair) for pair in pairs)
    torch.testing.assert_close(found, expected)


def test_weight_0_gives_no_consistency_term() -> None:
    gan = infogan_with_consistency("model.consistency_weight=0")
    terms = gan.discriminator_loss(Batch(torch.rand(8, 1, 28, 28)), gan.generate_from_prior(8))
    assert set(terms) == {"adversarial", "information"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ("model.consistency_weight=1", "model.categorical_codes=[]"),
            "needs a categorical code",
        ),
        (("model.consistency_weight=1",), "these data are points"),
        (("model.consistency_weight=-1",), "consistency_weight is -1.0; it must be at least 0"),
    ],
)
def test_invalid_consistency_weights(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        infogan(*overrides)
