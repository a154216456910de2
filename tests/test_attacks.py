"""Attacks against closed forms, and the classifier that is trained on them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gan_lightning.callbacks.adversarial_examples import draw_attack
from gan_lightning.classifiers import AdversarialClassifier
from gan_lightning.classifiers.adversarial import AdversarialClassifierConfig
from gan_lightning.classifiers.attacks import AttackConfig, perturbed
from gan_lightning.types import Batch, DataSpec

FGSM = AttackConfig(name="fgsm", epsilon=0.1, step=0.1, steps=1, random_start=False)
SHAPE = (1, 4, 4)


def linear(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 2))


def digits(count: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    images = torch.rand(count, *SHAPE, generator=rng) - 0.5  # far from the range's ends
    return images, torch.randint(2, (count,), generator=rng)


def losses(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return cross_entropy(network(images), labels, reduction="none").detach()


def margins(network: nn.Module, labels: torch.Tensor) -> torch.Tensor:
    """Weights of (wrong logit - right logit) for each label, (N, 16)."""
    weight = network.get_parameter("1.weight").detach()
    difference = weight[1] - weight[0]
    return torch.where(labels[:, None] == 0, difference, -difference)


def test_one_signed_step_is_the_worst_of_a_linear_classifier() -> None:
    """Goodfellow et al., section 5: the margin grows by epsilon times the weights' sum norm."""
    network, (images, labels) = linear(), digits()
    attacked = perturbed(network, images, labels, FGSM)
    expected = images + 2 * 0.1 * margins(network, labels).sign().view_as(images)
    torch.testing.assert_close(attacked, expected)
    logits = network(attacked) - network(images)
    right, wrong = labels[:, None], 1 - labels[:, None]
    growth = (logits.gather(1, wrong) - logits.gather(1, right)).squeeze(1)
    torch.testing.assert_close(growth, 2 * 0.1 * margins(network, labels).abs().sum(1))


def test_many_steps_from_anywhere_find_the_same_corner() -> None:
    network, (images, labels) = linear(), digits()
    attack = AttackConfig(epsilon=0.1, step=0.02, steps=30)
    rng = torch.Generator().manual_seed(3)
    found = perturbed(network, images, labels, attack, rng)
    torch.testing.assert_close(found, perturbed(network, images, labels, FGSM))


def test_the_worst_euclidean_change_lies_along_the_weights() -> None:
    network, (images, labels) = linear(), digits()
    attack = AttackConfig(norm="l2", epsilon=0.2, step=0.1, steps=40)
    found = perturbed(network, images, labels, attack, torch.Generator().manual_seed(3))
    along = margins(network, labels)
    expected = images.flatten(1) + 2 * 0.2 * along / along.norm(dim=1, keepdim=True)
    torch.testing.assert_close(found.flatten(1), expected, atol=1e-4, rtol=1e-4)


def convolutional() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2)
    )


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("steps", [1, 7])
def test_changes_stay_within_epsilon_and_the_range(norm: str, steps: int) -> None:
    network = convolutional().eval()
    rng = torch.Generator().manual_seed(2)
    images = torch.rand(20, *SHAPE, generator=rng) * 2 - 1
    labels = torch.randint(2, (20,), generator=rng)
    attack = AttackConfig(norm=norm, epsilon=0.3, step=0.2, steps=steps)
    found = perturbed(network, images, labels, attack, rng)
    change = (found - images).flatten(1)
    size = change.abs().amax(1) if norm == "linf" else change.norm(dim=1)
    assert size.max() <= 2 * 0.3 + 1e-5
    assert found.abs().max() <= 1
    assert (losses(network, found, labels) >= losses(network, images, labels)).all()


def test_restarts_are_never_weaker_and_each_image_stands_alone() -> None:
    network, (images, labels) = convolutional().eval(), digits(12)
    attack = AttackConfig(epsilon=0.1, step=0.05, steps=3)
    more = AttackConfig(epsilon=0.1, step=0.05, steps=3, restarts=5)
    once = perturbed(network, images, labels, attack, torch.Generator().manual_seed(0))
    often = perturbed(network, images, labels, more, torch.Generator().manual_seed(0))
    assert (losses(network, often, labels) >= losses(network, once, labels) - 1e-6).all()
    whole = perturbed(network, images, labels, FGSM)
    parts = [perturbed(network, images[i : i + 3], labels[i : i + 3], FGSM) for i in (0, 3, 6, 9)]
    torch.testing.assert_close(whole, torch.cat(parts))


def test_the_network_is_left_as_it_was() -> None:
    network, (images, labels) = convolutional().train(), digits()
    network.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    perturbed(network, images, labels, AttackConfig(steps=3))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())


def learner(**settings: Any) -> AdversarialClassifier:
    torch.manual_seed(0)
    config = AdversarialClassifierConfig(**settings)
    return AdversarialClassifier(config, DataSpec((1, 28, 28), classes=10), updates=10)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_the_loss_is_that_of_clean_and_attacked_images(alpha: float) -> None:
    model = learner(clean_weight=alpha, training=FGSM)
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(4, 1, 28, 28, generator=rng) * 2 - 1
    labels = torch.tensor([1, 2, 3, 4])
    attacked = perturbed(model.network, images, labels, FGSM)
    clean, robust = (
        cross_entropy(model.network(side), labels).item() for side in (images, attacked)
    )
    terms = model.losses_of(images, labels)
    assert robust > clean
    found = sum(value.item() for value in terms.values())
    assert found == pytest.approx(alpha * clean + (1 - alpha) * robust, rel=1e-5)


def test_a_warm_up_grows_the_attack_to_its_full_length() -> None:
    full = AttackConfig(epsilon=0.3, step=0.01, steps=2)
    model = learner(training=full, warmup_updates=4)
    lengths = []
    for model.updates in range(6):
        attack = model.attack()
        assert (attack.steps, attack.random_start) == (2, True)
        assert attack.step / attack.epsilon == pytest.approx(full.step / full.epsilon)
        lengths.append(attack.epsilon)
    assert lengths == pytest.approx([0.075, 0.15, 0.225, 0.3, 0.3, 0.3])
    assert learner(training=full).attack() == full


def test_no_gradient_passes_through_the_attack() -> None:
    """The attacked images are data: the loss moves the weights at fixed images (Danskin)."""
    model = learner(training=FGSM)
    images, labels = torch.rand(3, 1, 28, 28), torch.tensor([0, 1, 2])
    model.losses_of(images, labels)["attacked"].backward()
    weight = model.network.get_parameter("layers.0.weight")
    found = weight.grad
    assert found is not None
    model.zero_grad()
    attacked = perturbed(model.network, images, labels, FGSM)
    cross_entropy(model.network(attacked), labels).backward()
    torch.testing.assert_close(found, weight.grad)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"clean_weight": 1.5}, "clean_weight is 1.5"),
        ({"warmup_updates": -1}, "warmup_updates is -1"),
        ({"attacks": [AttackConfig(steps=0)]}, r"attacks\[0\]\.steps is 0"),
        ({"attacks": [AttackConfig(norm="l3")]}, r"attacks\[0\]\.norm is 'l3'; valid are"),
        ({"attacks": [AttackConfig(), AttackConfig()]}, "pgd, pgd; each needs its own"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        learner(**settings)


def test_the_picture_has_three_rows() -> None:
    test = Batch(torch.rand(12, 1, 28, 28) * 2 - 1, torch.arange(12) % 10)
    picture = draw_attack(learner(), test, FGSM)
    assert picture.shape[2] == 3
    assert picture.std() > 10


def test_a_ball_is_drawn_from_evenly() -> None:
    """In two dimensions half of the draws lie within 1 / sqrt(2) of the radius."""
    from gan_lightning.classifiers.attacks import _in_ball

    images = torch.zeros(4000, 1, 1, 2)
    radii = _in_ball(images, 3.0, "l2", torch.Generator().manual_seed(0)).flatten(1).norm(dim=1)
    assert radii.max() <= 3 + 1e-5
    assert (radii < 3 / math.sqrt(2)).float().mean().item() == pytest.approx(0.5, abs=0.03)
