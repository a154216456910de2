"""Losses against values computed by hand, their gradients' signs and their extremes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gan_lightning.losses import (
    categorical_negative_log_likelihood,
    discriminator_cross_entropy,
    gaussian_negative_log_likelihood,
    minimax_generator,
    non_saturating_generator,
    shared_information,
)

# logits of the probabilities 3/4 and 1/4
THREE_QUARTERS = math.log(3)
ONE_QUARTER = -math.log(3)
HALF_LOG_TWO_PI = 0.9189385332046727


def gradient(loss: object, logit: float) -> float:
    assert callable(loss)
    logits = torch.tensor([logit], requires_grad=True)
    (slope,) = torch.autograd.grad(loss(logits), logits)
    return float(slope)


def test_discriminator_cross_entropy_by_hand() -> None:
    real = torch.tensor([THREE_QUARTERS, 0.0])
    fake = torch.tensor([ONE_QUARTER, 0.0, THREE_QUARTERS])
    expected = -(math.log(3 / 4) + math.log(1 / 2)) / 2
    expected -= (math.log(3 / 4) + math.log(1 / 2) + math.log(1 / 4)) / 3
    assert discriminator_cross_entropy(real, fake).item() == pytest.approx(expected)


def test_cross_entropy_of_zero_logits_is_two_log_two() -> None:
    loss = discriminator_cross_entropy(torch.zeros(5), torch.zeros(7))
    assert loss.item() == pytest.approx(2 * math.log(2))


def test_generator_losses_by_hand() -> None:
    fake = torch.tensor([ONE_QUARTER, THREE_QUARTERS])
    minimax = (math.log(3 / 4) + math.log(1 / 4)) / 2
    non_saturating = -(math.log(1 / 4) + math.log(3 / 4)) / 2
    assert minimax_generator(fake).item() == pytest.approx(minimax)
    assert non_saturating_generator(fake).item() == pytest.approx(non_saturating)
    fake = torch.tensor([ONE_QUARTER])
    assert minimax_generator(fake).item() == pytest.approx(math.log(3 / 4))
    assert non_saturating_generator(fake).item() == pytest.approx(-math.log(1 / 4))


def test_minimax_is_the_discriminators_term_with_its_sign_turned() -> None:
    real, fake = torch.full((3,), 50.0), torch.tensor([-1.0, 0.5, 2.0])
    zero_sum = discriminator_cross_entropy(real, fake) + minimax_generator(fake)
    assert zero_sum.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("logit", [-8.0, -1.0, 0.0, 1.0, 8.0])
def test_generator_losses_decrease_in_the_logit(logit: float) -> None:
    assert gradient(minimax_generator, logit) < 0
    assert gradient(non_saturating_generator, logit) < 0


def test_only_minimax_saturates_when_the_discriminator_is_confident() -> None:
    assert abs(gradient(minimax_generator, -10.0)) < 1e-4
    assert gradient(non_saturating_generator, -10.0) == pytest.approx(-1, abs=1e-4)


def test_discriminator_raises_real_and_lowers_fake_logits() -> None:
    real, fake = torch.zeros(2, requires_grad=True), torch.zeros(2, requires_grad=True)
    discriminator_cross_entropy(real, fake).backward()
    torch.testing.assert_close(real.grad, torch.full((2,), -0.25))
    torch.testing.assert_close(fake.grad, torch.full((2,), 0.25))


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_extreme_logits_stay_finite(logit: float) -> None:
    logits = torch.tensor([logit], requires_grad=True)
    losses = [
        discriminator_cross_entropy(logits, logits),
        minimax_generator(logits),
        non_saturating_generator(logits),
        categorical_negative_log_likelihood(
            torch.stack([logits, -logits], dim=1), torch.tensor([0])
        ),
    ]
    for loss in losses:
        (slope,) = torch.autograd.grad(loss, logits)
        assert loss.isfinite()
        assert slope.isfinite().all()


def test_categorical_by_hand() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])) + 3
    loss = categorical_negative_log_likelihood(logits, torch.tensor([0, 1]))
    assert loss.item() == pytest.approx(-(math.log(0.5) + math.log(0.1)) / 2)


def test_gaussian_of_unit_variance_by_hand() -> None:
    mean = torch.tensor([[0.0, 1.0], [2.0, 0.0]])
    target = torch.tensor([[1.0, 1.0], [0.0, 3.0]])
    expected = ((1 + 0) + (4 + 9)) / 2 / 2 + 2 * HALF_LOG_TWO_PI
    assert gaussian_negative_log_likelihood(mean, target).item() == pytest.approx(expected)
    zero = torch.zeros_like(mean)
    same = gaussian_negative_log_likelihood(mean, target, log_variance=zero)
    assert same.item() == pytest.approx(expected)


def test_gaussian_agrees_with_torch_distributions() -> None:
    source = torch.Generator().manual_seed(0)
    mean, target, log_variance = (torch.randn(6, 3, generator=source) for _ in range(3))
    reference = torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = -reference.log_prob(target).sum(dim=1).mean()
    loss = gaussian_negative_log_likelihood(mean, target, log_variance)
    torch.testing.assert_close(loss, expected)


def test_losses_are_float32_for_bfloat16_logits() -> None:
    logits = torch.tensor([[0.3, -2.0]], dtype=torch.bfloat16)
    flat = logits[0]
    losses: list[tuple[Tensor, Tensor]] = [
        (discriminator_cross_entropy(flat, flat), discriminator_cross_entropy(flat.float(), flat)),
        (minimax_generator(flat), minimax_generator(flat.float())),
        (non_saturating_generator(flat), non_saturating_generator(flat.float())),
        (
            categorical_negative_log_likelihood(logits, torch.tensor([1])),
            categorical_negative_log_likelihood(logits.float(), torch.tensor([1])),
        ),
        (
            gaussian_negative_log_likelihood(logits, logits + 1, logits),
            gaussian_negative_log_likelihood(logits.float(), logits + 1, logits.float()),
        ),
    ]
    for loss, expected in losses:
        assert loss.dtype == torch.float32
        assert torch.equal(loss, expected)


def test_shared_information_by_hand() -> None:
    """Two samples: the category of the first is certain, that of the second is not."""
    first, second = [0.9, 0.1], [0.2, 0.8]
    changed_first, changed_second = [0.7, 0.3], [0.4, 0.6]
    joint = [[0.0, 0.0], [0.0, 0.0]]
    for before, after in ((first, changed_first), (second, changed_second)):
        for row in range(2):
            for column in range(2):
                product = (before[row] * after[column] + before[column] * after[row]) / 2
                joint[row][column] += product / 2
    marginal = [sum(row) for row in joint]
    expected = sum(
        joint[row][column] * math.log(joint[row][column] / marginal[row] / marginal[column])
        for row in range(2)
        for column in range(2)
    )
    found = shared_information(
        torch.tensor([first, second]).log(), torch.tensor([changed_first, changed_second]).log()
    )
    assert found.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("before", "after", "nats"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3], math.log(4)),
        ([0, 0, 1, 1], [0, 0, 1, 1], math.log(2)),
        ([2, 2, 2, 2], [2, 2, 2, 2], 0.0),  # one category has no information
        ([0, 1, 0, 1], [0, 0, 1, 1], 0.0),  # the categories are independent
    ],
)
def test_shared_information_of_certain_categories(
    before: list[int], after: list[int], nats: float
) -> None:
    logits = [1000 * torch.eye(4)[torch.tensor(chosen)] for chosen in (before, after)]
    for logit in logits:
        logit.requires_grad_(True)
    found = shared_information(*logits)
    assert found.item() == pytest.approx(nats, abs=1e-5)
    assert all(slope.isfinite().all() for slope in torch.autograd.grad(found, logits))
