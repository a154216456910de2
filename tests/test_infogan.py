"""InfoGAN's information term: where its gradient goes, and what it is."""

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
    learner = make_gan("infogan", *overrides)
    assert isinstance(learner, InfoGAN)
    return learner


def gradients(learner: InfoGAN, loss: torch.Tensor, *modules: str) -> dict[str, float]:
    learner.zero_grad()
    loss.backward()
    return {
        name: sum(
            0.0 if weight.grad is None else weight.grad.abs().sum().item()
            for weight in getattr(learner, name).parameters()
        )
        for name in modules
    }


MODULES = ("generator", "encoder", "score", "recognition")


def test_information_has_gradient_in_generator_and_q_and_none_in_the_real_fake_head() -> None:
    learner = infogan()
    fake = learner.generate_from_prior(8)
    terms = learner.generator_loss(Batch(torch.randn(8, 2)), fake)
    found = gradients(learner, terms["information"], *MODULES)
    assert found["generator"] > 0
    assert found["recognition"] > 0
    assert found["score"] == 0


def test_the_discriminators_information_trains_q_and_never_the_generator() -> None:
    learner = infogan()
    fake = learner.generate_from_prior(8).detach()
    terms = learner.discriminator_loss(Batch(torch.randn(8, 2)), fake)
    found = gradients(learner, terms["information"], *MODULES)
    assert found["recognition"] > 0
    assert found["encoder"] > 0
    assert found["score"] == found["generator"] == 0


def test_the_adversarial_term_has_no_gradient_in_q() -> None:
    learner = infogan()
    fake = learner.generate_from_prior(8)
    terms = learner.generator_loss(Batch(torch.randn(8, 2)), fake)
    assert gradients(learner, terms["adversarial"], *MODULES)["recognition"] == 0


def test_information_loss_by_hand() -> None:
    learner = infogan("model.information_weight=0.5", "model.continuous_information_weight=0.25")
    fake = learner.generate_from_prior(6)
    codes = fake.condition
    assert codes.categorical is not None
    assert codes.continuous is not None
    recognised = learner.recognise(fake.data)
    expected = torch.zeros(())
    for index, logits in enumerate(recognised.categorical):
        log_probabilities = logits - logits.exp().sum(1, keepdim=True).log()
        chosen = log_probabilities[torch.arange(6), codes.categorical[:, index]]
        expected = expected - 0.5 * chosen.mean()
    squared = (recognised.continuous - codes.continuous).pow(2).sum(1).mean()
    expected = expected + 0.25 * (0.5 * squared + math.log(2 * math.pi))  # half of it a code
    found = learner.generator_loss(Batch(torch.randn(6, 2)), fake)["information"]
    torch.testing.assert_close(found, expected)


def test_no_weight_no_gradient() -> None:
    learner = infogan("model.information_weight=0", "model.continuous_information_weight=0")
    terms = learner.generator_loss(Batch(torch.randn(4, 2)), learner.generate_from_prior(4))
    assert gradients(learner, terms["information"], *MODULES)["generator"] == 0


def test_codes_have_their_priors() -> None:
    learner = infogan()
    drawn = learner.prior(3000)
    assert drawn.categorical is not None
    assert drawn.continuous is not None
    for index, size in enumerate((3, 4)):
        shares = torch.bincount(drawn.categorical[:, index], minlength=size) / 3000
        assert (shares - 1 / size).abs().max() < 0.03
    assert drawn.continuous.shape == (3000, 2)
    assert -1 <= drawn.continuous.min() < -0.99 < 0.99 < drawn.continuous.max() <= 1


def test_one_hot_codes_reach_the_generator() -> None:
    learner = infogan()
    fixed = learner.prior(2)
    assert fixed.categorical is not None
    other = (fixed.categorical + 1) % 3
    first = learner.generate_from_prior(2, fixed).data
    second = learner.generate_from_prior(2, fixed.updated(Condition(categorical=other))).data
    assert not torch.equal(first, second)


def test_codes_of_one_kind_only() -> None:
    categorical = infogan("model.continuous_codes=0")
    continuous = infogan("model.categorical_codes=[]")
    for learner in (categorical, continuous):
        terms = learner.generator_loss(Batch(torch.randn(4, 2)), learner.generate_from_prior(4))
        assert terms["information"].isfinite()


def test_recognised_is_in_evaluation_mode_and_puts_modes_back() -> None:
    run = make_config(
        "infogan", data={"name": "mnist", "batch_size": 4}, network={"name": "infogan"}
    )
    learner, _ = build(run)
    assert isinstance(learner, InfoGAN)
    learner.train()
    images = torch.randn(4, 1, 28, 28)
    alone = learner.recognised(images[:1]).categorical[0]
    together = learner.recognised(images).categorical[0][:1]
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)
    assert all(part.training for part in learner.modules())


IMAGES = {
    "network": {"name": "infogan", "width": 4},
    "data": {"name": "mnist", "batch_size": 8},
}


def consistent(*overrides: str) -> InfoGAN:
    words = ("model.consistency_weight=0.5", *overrides)
    learner, _ = build(make_config("infogan", *words, **IMAGES))
    assert isinstance(learner, InfoGAN)
    return learner


def test_consistency_trains_q_and_its_encoder_on_real_images_alone() -> None:
    learner = consistent()
    real, fake = Batch(torch.rand(8, 1, 28, 28) * 2 - 1), learner.generate_from_prior(8)
    terms = learner.discriminator_loss(real, fake)
    found = gradients(learner, terms["consistency"], *MODULES)
    assert found["recognition"] > 0
    assert found["encoder"] > 0
    assert found["score"] == found["generator"] == 0
    assert "consistency" not in learner.generator_loss(real, learner.generate_from_prior(8))


def test_consistency_is_what_changed_images_tell_of_the_unchanged(monkeypatch: Any) -> None:
    monkeypatch.setattr("gan_lightning.gans.infogan.random_affine", lambda images: images.flip(3))
    learner = consistent("model.categorical_codes=[10,3]")
    real, fake = Batch(torch.rand(8, 1, 28, 28) * 2 - 1), learner.generate_from_prior(8)
    found = learner.discriminator_loss(real, fake)["consistency"]
    pairs = zip(
        learner.recognise(real.data).categorical,
        learner.recognise(real.data.flip(3)).categorical,
        strict=True,
    )
    expected = -0.5 * sum(shared_information(*pair) for pair in pairs)
    torch.testing.assert_close(found, expected)


def test_without_a_weight_there_is_no_consistency_term() -> None:
    learner = consistent("model.consistency_weight=0")
    terms = learner.discriminator_loss(
        Batch(torch.rand(8, 1, 28, 28)), learner.generate_from_prior(8)
    )
    assert set(terms) == {"adversarial", "information"}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ("model.consistency_weight=1", "model.categorical_codes=[]"),
            "needs a categorical code",
        ),
        (("model.consistency_weight=1",), "these data are points"),
        (("model.consistency_weight=-1",), "consistency_weight is -1.0; it must be at least 0"),
    ],
)
def test_consistency_that_cannot_be_is_refused(overrides: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=said):
        infogan(*overrides)
