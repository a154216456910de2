"""LeCam's averages and penalty, balanced consistency, and scores that are computed once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from factories import (
    copy_weights,
    make_config,
    make_gan,
    make_real_batch,
    train_model,
    weights_equal,
)
from torch import Tensor

from gan_lightning.errors import UserError
from gan_lightning.gans import GAN, StandardGAN
from gan_lightning.gans.consistency import consistency_penalty
from gan_lightning.gans.lecam import LeCam, LeCamConfig, lecam_penalty
from gan_lightning.gans.random_transforms import random_transforms
from gan_lightning.gans.regularisation import RegularisationConfig, penalties
from gan_lightning.gans.scores import scores_computed_once
from gan_lightning.testing import check_gan
from gan_lightning.training.build import build

SCORES = torch.randn(5, 2, 8, generator=torch.Generator().manual_seed(0))
"""Scores of real and generated samples in five steps."""

IMAGES = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
DIGITS = {
    "network": {"name": "dcgan", "width": 4},
    "data": {"name": "mnist", "size": 32, "batch_size": 8},
}
LECAM = "model.regularisation.lecam={weight: 0.3, decay: 0.9}"
BOTH = "model.regularisation.consistency={real: 10, generated: 5}"


def test_lecam_in_numpy() -> None:
    """Averages with exponential weights, divided by their sum, then the authors' formula."""
    lecam, decay = LeCam(LeCamConfig(weight=0.3, decay=0.9, start_update=2)), 0.9
    scores = SCORES.double().numpy()
    for step in range(5):
        found = lecam(step, *SCORES[step])
        weights = decay ** np.arange(step, -1, -1.0)
        real, fake = (weights @ scores[: step + 1].mean(2)) / weights.sum()
        np.testing.assert_allclose(lecam.averages.numpy(), [real, fake], rtol=1e-5)
        expected = (np.maximum(scores[step, 0] - fake, 0) ** 2).mean()
        expected += (np.maximum(real - scores[step, 1], 0) ** 2).mean()
        assert found.item() == pytest.approx(0.3 * expected if step >= 2 else 0, rel=1e-5)


def test_lecam_has_a_gradient_in_scores_beyond_the_other_average() -> None:
    real, fake = torch.tensor([2.0, -3.0, 0.5]), torch.tensor([1.0, -1.0])
    real.requires_grad_(True)
    fake.requires_grad_(True)
    penalty = lecam_penalty(real, fake, torch.tensor(0.25), torch.tensor(-0.5))
    slopes = torch.autograd.grad(penalty, (real, fake))
    torch.testing.assert_close(slopes[0], torch.tensor([2.5, 0.0, 1.0]) * 2 / 3)
    torch.testing.assert_close(slopes[1], torch.tensor([0.0, -1.25]))


def test_lecam_takes_the_scores_of_the_losses() -> None:
    gan = make_gan("cgan", LECAM)
    real, fake = make_real_batch(gan, 8), gan.generate_from_prior(8).detach()
    scores = [
        gan.discriminate(real.data, real.condition),
        gan.discriminate(fake.data, fake.condition),
    ]
    own = LeCam(gan.config.regularisation.lecam)
    torch.testing.assert_close(gan.discriminator_terms(real, fake)["lecam"], own(0, *scores))
    assert gan.lecam is not None
    assert torch.equal(gan.lecam.averages, own.averages)
    assert "lecam.averages" in gan.state_dict()
    assert not any("lecam" in name for name in make_gan("gan").state_dict())


def test_consistency_compares_scores_before_and_after_the_transformations() -> None:
    def score(images: Tensor) -> Tensor:
        return images[:, 0, :, :4].sum((1, 2))  # of the left side

    torch.manual_seed(3)
    moved = random_transforms(IMAGES, ["flip", "translation"])
    expected = ((score(IMAGES) - score(moved)).numpy() ** 2).mean()
    torch.manual_seed(3)
    found = consistency_penalty(score, IMAGES, ["flip", "translation"])
    assert found.item() == pytest.approx(expected, rel=1e-5)
    settings = RegularisationConfig()
    settings.consistency.real, settings.consistency.generated = 10, 5
    torch.manual_seed(3)
    terms = penalties(settings, 0, score, IMAGES, 2 * IMAGES)
    assert terms["consistency_real"].item() == pytest.approx(10 * expected, rel=1e-5)
    assert terms["consistency_generated"].item() > 0
    assert consistency_penalty(lambda images: images.mean((1, 2, 3)), IMAGES, ["flip"]) < 1e-12


def test_consistency_has_a_gradient_through_both_scores() -> None:
    """With a weight in front of a score, the gradient is twice the penalty."""
    weight = torch.ones((), requires_grad=True)
    torch.manual_seed(0)
    found = consistency_penalty(lambda x: weight * x[:, 0, :, :4].sum((1, 2)), IMAGES, ["flip"])
    (slope,) = torch.autograd.grad(found, weight)
    torch.testing.assert_close(slope, 2 * found.detach())


def count_calls(gan: GAN) -> list[int]:
    """Count the samples of each call of the discriminator."""
    calls: list[int] = []
    player, *_ = gan.discriminator_players().values()
    player.register_forward_hook(lambda *args: calls.append(len(args[1][0])))
    return calls


@pytest.mark.parametrize(
    ("words", "evaluations"), [((), 2), ((LECAM,), 2), ((BOTH,), 4), ((BOTH, LECAM), 4)]
)
def test_a_score_is_computed_once_in_a_step(words: tuple[str, ...], evaluations: int) -> None:
    gan, _ = build(make_config("gan", *words, **DIGITS))
    assert isinstance(gan, GAN)
    calls = count_calls(gan)
    real, fake = make_real_batch(gan, 8), gan.generate_from_prior(8).detach()
    gan.discriminator_terms(real, fake)
    assert calls == [8] * evaluations
    assert "discriminate" not in vars(gan)


def test_scores_of_other_tensors_or_conditions_are_others() -> None:
    gan: Any = make_gan("cgan")
    real, calls = make_real_batch(gan, 8), count_calls(gan)
    other = real._replace(labels=gan.require_labels(real.condition).flip(0))
    with scores_computed_once(gan):
        first, again, shuffled, copied = (
            gan.discriminate(each.data, each.condition)
            for each in (real, real, other, real._replace(data=real.data.clone()))
        )
    assert first is again
    assert not torch.equal(first, shuffled)
    assert torch.equal(first, copied)
    assert len(calls) == 3
    assert gan.discriminate(real.data, real.condition) is not first


@pytest.mark.parametrize("word", [LECAM, BOTH])
def test_the_seed_determines_the_training(word: str) -> None:
    first, second, plain = (
        copy_weights(train_model(make_config("gan", *words, **DIGITS)))
        for words in ((word,), (word,), ())
    )
    assert weights_equal(first, second)
    assert not weights_equal({name: first[name] for name in plain}, plain)


@pytest.mark.parametrize("model", ["acgan", "ebgan", "infogan", "semi_supervised", "wgan"])
def test_every_variant_has_lecam(model: str) -> None:
    gan = train_model(make_config(model, LECAM, "log.every_n_updates=1"))
    assert "loss/discriminator/lecam" in gan.losses
    assert isinstance(gan, GAN)
    assert gan.lecam is not None
    assert gan.lecam.averages.abs().min() > 0


@pytest.mark.parametrize(
    ("model", "words", "sections", "said"),
    [
        ("gan", (BOTH,), {}, "regularisation.consistency needs images, and these data are points"),
        ("pix2pix", (BOTH,), {}, "consistency would change images and their sources differently"),
        (
            "gan",
            ("model.regularisation.consistency.transforms=[mirror]",),
            DIGITS,
            "transforms.0. is 'mirror'; valid are",
        ),
        (
            "gan",
            ("model.regularisation.lecam.decay=1",),
            {},
            r"lecam.decay is 1.0; it must lie in \[0, 1\)",
        ),
    ],
)
def test_mistakes(model: str, words: Any, sections: dict[str, Any], said: str) -> None:
    with pytest.raises((UserError, ValueError), match=said) as error:
        build(make_config(model, *words, **sections))
    assert "\n" not in str(error.value)


def test_training_with_all_of_them_is_resumed_exactly() -> None:
    settings = {
        "lecam": {"weight": 0.3, "decay": 0.9},
        "consistency": {"real": 1, "generated": 1},
        "ada": {"enabled": True, "target": -1, "images": 100, "interval": 8},
    }
    config = {"latent_size": 4, "regularisation": settings}
    networks = {"name": "dcgan", "width": 2}
    check_gan(StandardGAN, config=config, networks=networks, data=(1, 16, 16), processes=False)
