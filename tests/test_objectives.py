"""Adversarial losses against values computed by hand, and the objective of each variant."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from factories import make_gan, make_real_batch
from torch import Tensor
from torch.autograd import grad

from gan_lightning.errors import UserError
from gan_lightning.gans import GANS
from gan_lightning.gans.objectives import AdversarialConfig
from gan_lightning.losses import (
    OBJECTIVES,
    discriminator_cross_entropy,
    hinge_discriminator,
    least_squares_discriminator,
    least_squares_generator,
    margin_discriminator,
    relativistic_discriminator,
    relativistic_generator,
    wasserstein_critic,
    wasserstein_generator,
)
from gan_lightning.utils.settings import check_settings

REAL, FAKE = torch.tensor([-1.0, 0.5, 3.0]), torch.tensor([-2.0, 0.0])
Loss = Callable[..., Tensor]


def softplus(value: float) -> float:
    return math.log(1 + math.exp(value))


BY_HAND: dict[str, tuple[Tensor, float]] = {
    "hinge": (hinge_discriminator(REAL, FAKE), (2 + 0.5 + 0) / 3 + (0 + 1) / 2),
    "least squares, D": (
        least_squares_discriminator(REAL, FAKE),
        0.5 * (4 + 0.25 + 4) / 3 + 0.5 * (4 + 0) / 2,
    ),
    "least squares, D, label 0.5": (
        least_squares_discriminator(REAL, FAKE, real_label=0.5),
        0.5 * (2.25 + 0 + 6.25) / 3 + 0.5 * (4 + 0) / 2,
    ),
    "least squares, G": (least_squares_generator(FAKE), 0.5 * (9 + 1) / 2),
    "cross-entropy, label 0.9": (
        discriminator_cross_entropy(REAL, FAKE, real_label=0.9),
        sum(0.9 * softplus(-x) + 0.1 * softplus(x) for x in REAL.tolist()) / 3
        + sum(softplus(x) for x in FAKE.tolist()) / 2,
    ),
    "relativistic, D": (
        relativistic_discriminator(REAL[:2], FAKE),
        (softplus(-2 + 1) + softplus(0 - 0.5)) / 2,
    ),
    "relativistic, G": (
        relativistic_generator(FAKE, REAL[:2]),
        (softplus(-1 + 2) + softplus(0.5 - 0)) / 2,
    ),
    "critic": (wasserstein_critic(REAL, FAKE), -1 - 2.5 / 3),
    "Wasserstein, G": (wasserstein_generator(FAKE), 1.0),
    "margin": (
        margin_discriminator(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0, 7.0]), margin=5.0),
        1.5 + (4 + 1 + 0) / 3,
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(name: str) -> None:
    found, expected = BY_HAND[name]
    assert found.item() == pytest.approx(expected)


def slopes(loss: Loss, *scores: list[float]) -> list[list[float]]:
    """Gradient of a loss in each of its arguments."""
    inputs = [torch.tensor(values, requires_grad=True) for values in scores]
    return [slope.tolist() for slope in grad(loss(*inputs), inputs)]


def test_hinge_has_no_gradient_beyond_its_margin() -> None:
    real, fake = slopes(hinge_discriminator, [-3.0, 0.9, 1.1, 9.0], [-9.0, -1.1, -0.9, 3.0])
    assert real == [-0.25, -0.25, 0, 0]
    assert fake == [0, 0, 0.25, 0.25]


def test_energies_of_generated_samples_above_the_margin_have_no_gradient() -> None:
    loss = partial(margin_discriminator, margin=2.0)
    real, fake = slopes(loss, [0.0, 1.0, 9.0, 99.0], [0.0, 1.9, 2.1, 9.0])
    assert real == [0.25] * 4
    assert fake == [-0.25, -0.25, 0, 0]


def test_least_squares_has_its_minimum_at_the_labels() -> None:
    real, fake = slopes(least_squares_discriminator, [-1.0, 1.0, 3.0], [-3.0, 0.0, 3.0])
    assert real == pytest.approx([-2 / 3, 0, 2 / 3])
    assert fake == pytest.approx([-1, 0, 1])
    assert slopes(least_squares_generator, [-1.0, 1.0])[0] == [-1, 0]


@pytest.mark.parametrize("label", [0.5, 0.7, 0.9, 1.0])
def test_smoothing_changes_the_optimal_score_of_real_data_only(label: float) -> None:
    best = {"least_squares": label}
    if label < 1:
        best["minimax"] = best["non_saturating"] = math.log(label / (1 - label))
    plain = {name: slopes(OBJECTIVES[name].discriminator, [0.0], [0.3])[1] for name in best}
    for name, score in best.items():
        loss = partial(OBJECTIVES[name].discriminator, real_label=label)
        (below,), (at,), (above,) = (slopes(loss, [score + d], [0.3])[0] for d in (-0.1, 0, 0.1))
        assert below < 0 < above
        assert at == pytest.approx(0, abs=1e-6)
        assert slopes(loss, [score], [0.3])[1] == plain[name]


def test_real_label_1_is_no_smoothing() -> None:
    for objective in OBJECTIVES.values():
        if objective.smooth:
            plain = objective.discriminator(REAL, FAKE)
            assert torch.equal(objective.discriminator(REAL, FAKE, real_label=1.0), plain)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_have_the_sign_of_their_player(name: str) -> None:
    objective = OBJECTIVES[name]
    real, fake = slopes(objective.discriminator, [0.2, 0.1], [0.2, 0.1])
    assert max(real) < 0 < min(fake)
    inputs = [[-1.0, 0.0, 0.5]] * (2 if objective.relativistic else 1)
    assert max(slopes(objective.generator, *inputs)[0]) < 0


def test_relativistic_scores_are_equal_up_to_a_constant_and_each_pair_counts_alone() -> None:
    real, fake = torch.randn(2, 64, generator=torch.Generator().manual_seed(0)).double() * 3
    for loss, pair in (
        (relativistic_discriminator, (real, fake)),
        (relativistic_generator, (fake, real)),
    ):
        expected = -(pair[0] - pair[1]).sigmoid().log().mean()  # an independent form, in float64
        assert loss(*pair).item() == pytest.approx(expected.item(), abs=1e-6)
        assert loss(*(x + 7 for x in pair)).item() == pytest.approx(expected.item(), abs=1e-6)
        alone = slopes(loss, [0.5], [-1.0])[0]
        assert slopes(loss, [0.5, 0.5], [-1.0, 99.0])[0][0] == pytest.approx(alone[0] / 2)


def test_a_variant_without_a_choice_of_objective_refuses_one() -> None:
    for model in sorted(set(GANS) - set(VARIANTS)):
        with pytest.raises(UserError, match="key 'objective' in model is unknown") as raised:
            make_gan(model, "model.objective=relativistic")
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_are_finite_means_in_float32(name: str) -> None:
    objective = OBJECTIVES[name]
    pair = (REAL[:2], FAKE)
    generators = pair[::-1] if objective.relativistic else (FAKE,)
    for loss, scores in ((objective.discriminator, pair), (objective.generator, generators)):
        once = loss(*scores)
        twice = loss(*(torch.cat([part, part]) for part in scores))
        assert twice.item() == pytest.approx(once.item(), rel=1e-6)
        coarse = [part.bfloat16() for part in scores]
        assert torch.equal(loss(*coarse), loss(*(part.float() for part in coarse)))
        for extreme in (-1e4, 1e4):
            assert loss(*(torch.full((2,), extreme) for _ in scores)).isfinite()
            steep = slopes(loss, *([extreme] for _ in scores))
            assert all(math.isfinite(slope) for part in steep for slope in part)


VARIANTS = sorted(name for name in GANS if issubclass(GANS[name].Config, AdversarialConfig))
CHOICES = [
    (name, smoothing)
    for name, objective in OBJECTIVES.items()
    for smoothing in ([0.0, 0.25] if objective.smooth else [0.0])
]


@pytest.mark.parametrize("model", VARIANTS)
@pytest.mark.parametrize(("name", "smoothing"), CHOICES)
def test_a_variant_uses_the_objective_of_its_config(
    model: str, name: str, smoothing: float
) -> None:
    gan = make_gan(model, f"model.objective={name}", f"model.label_smoothing={smoothing}")
    batch, fake = make_real_batch(gan, 6), gan.generate_from_prior(6)
    real_scores = gan.discriminate(batch.data, batch.condition)
    fake_scores = gan.discriminate(fake.data, fake.condition)
    label = {"real_label": 1 - smoothing} if smoothing else {}
    expected = OBJECTIVES[name].discriminator(real_scores, fake_scores, **label)
    found = gan.discriminator_loss(batch, fake.detach())["adversarial"]
    half = 0.5 if model == "pix2pix" else 1  # the paper halves its discriminator's loss
    torch.testing.assert_close(found, half * expected)
    if model != "unrolled":  # its generator's loss is tested in test_unrolled.py
        found = gan.generator_loss(batch, fake)["adversarial"]
        others = (real_scores,) if name == "relativistic" else ()
        torch.testing.assert_close(found, OBJECTIVES[name].generator(fake_scores, *others))


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"objective": "minmax"}, "'minmax'; valid are minimax, .*hinge"),
        ({"label_smoothing": 0.6}, r"label_smoothing is 0.6; it must lie in \[0, 0.5\]"),
        ({"label_smoothing": -0.1}, r"label_smoothing is -0.1; it must lie in"),
        ({"objective": "hinge", "label_smoothing": 0.1}, "the hinge objective has no labels"),
    ],
)
def test_invalid_values(values: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        check_settings(AdversarialConfig(**values))


def test_without_smoothing_the_objective_is_that_of_the_table() -> None:
    for name, objective in OBJECTIVES.items():
        assert AdversarialConfig(objective=name).build_objective() is objective
