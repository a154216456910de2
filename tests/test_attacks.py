"""Adversarial attacks against closed forms, and adversarial training."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gan_lightning.callbacks.adversarial_examples import draw_attack
from gan_lightning.classifiers import AdversarialClassifier, attacks
from gan_lightning.classifiers.adversarial import AdversarialClassifierConfig
from gan_lightning.classifiers.attacks import AttackConfig, perturb
from gan_lightning.networks.madry_net import MadryNet
from gan_lightning.types import Batch, DataSpec

FGSM = AttackConfig(name="fgsm", epsilon=0.1, step=0.1, steps=1, random_start=False)
SHAPE = (1, 4, 4)


def linear(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 2))


def digits(count: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    images = torch.rand(count, *SHAPE, generator=rng) - 0.5  # far from the ends of the range
    return images, torch.randint(2, (count,), generator=rng)


def losses(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return cross_entropy(network(images), labels, reduction="none").detach()


def margins(network: nn.Module, labels: torch.Tensor) -> torch.Tensor:
    """Return the weights of (wrong logit - correct logit) for each label, (N, 16)."""
    weight = network.get_parameter("1.weight").detach()
    difference = weight[1] - weight[0]
    return torch.where(labels[:, None] == 0, difference, -difference)


def test_fast_gradient_sign_is_optimal_for_a_linear_classifier() -> None:
    """Goodfellow et al., section 5: the margin grows by epsilon times the weights' L1 norm."""
    network, (images, labels) = linear(), digits()
    attacked = perturb(network, images, labels, FGSM)
    expected = images + 2 * 0.1 * margins(network, labels).sign().view_as(images)
    torch.testing.assert_close(attacked, expected)
    logits = network(attacked) - network(images)
    correct, wrong = labels[:, None], 1 - labels[:, None]
    growth = (logits.gather(1, wrong) - logits.gather(1, correct)).squeeze(1)
    torch.testing.assert_close(growth, 2 * 0.1 * margins(network, labels).abs().sum(1))


def test_projected_gradient_descent_finds_the_same_optimum() -> None:
    network, (images, labels) = linear(), digits()
    attack = AttackConfig(epsilon=0.1, step=0.02, steps=30)
    rng = torch.Generator().manual_seed(3)
    attacked = perturb(network, images, labels, attack, rng)
    torch.testing.assert_close(attacked, perturb(network, images, labels, FGSM))


def test_the_optimal_l2_perturbation_is_parallel_to_the_weights() -> None:
    network, (images, labels) = linear(), digits()
    attack = AttackConfig(norm="l2", epsilon=0.2, step=0.1, steps=40)
    attacked = perturb(network, images, labels, attack, torch.Generator().manual_seed(3))
    weights = margins(network, labels)
    expected = images.flatten(1) + 2 * 0.2 * weights / weights.norm(dim=1, keepdim=True)
    torch.testing.assert_close(attacked.flatten(1), expected, atol=1e-4, rtol=1e-4)


def convolutional() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2)
    )


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("steps", [1, 7])
def test_perturbations_stay_within_epsilon_and_the_range(norm: str, steps: int) -> None:
    network = convolutional().eval()
    rng = torch.Generator().manual_seed(2)
    images = torch.rand(20, *SHAPE, generator=rng) * 2 - 1
    labels = torch.randint(2, (20,), generator=rng)
    attack = AttackConfig(norm=norm, epsilon=0.3, step=0.2, steps=steps)
    attacked = perturb(network, images, labels, attack, rng)
    change = (attacked - images).flatten(1)
    size = change.abs().amax(1) if norm == "linf" else change.norm(dim=1)
    assert size.max() <= 2 * 0.3 + 1e-5
    assert attacked.abs().max() <= 1
    assert (losses(network, attacked, labels) >= losses(network, images, labels)).all()


def test_restarts_are_never_weaker_and_images_are_independent() -> None:
    network, (images, labels) = convolutional().eval(), digits(12)
    attack = AttackConfig(epsilon=0.1, step=0.05, steps=3)
    restarting = AttackConfig(epsilon=0.1, step=0.05, steps=3, restarts=5)
    once = perturb(network, images, labels, attack, torch.Generator().manual_seed(0))
    often = perturb(network, images, labels, restarting, torch.Generator().manual_seed(0))
    assert (losses(network, often, labels) >= losses(network, once, labels) - 1e-6).all()
    whole = perturb(network, images, labels, FGSM)
    parts = [perturb(network, images[i : i + 3], labels[i : i + 3], FGSM) for i in (0, 3, 6, 9)]
    torch.testing.assert_close(whole, torch.cat(parts))


class RightWithALargerLoss(nn.Module):
    """Of a positive pixel the second of four classes is likeliest; else all are, the first most."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        doubtful, wrong = torch.tensor([[0.01, 0.0, 0.0, 0.0], [0.0, 0.01, -9.0, -9.0]])
        return torch.where(images.flatten(1) > 0, wrong, doubtful)


@pytest.mark.parametrize("clean", [0.1, -0.1])
def test_an_evaluation_keeps_an_error_that_has_a_smaller_loss(
    clean: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, label = torch.full((1, 1, 1, 1), clean), torch.tensor([0])
    monkeypatch.setattr(attacks, "_ascend", lambda *_: -images)
    network = RightWithALargerLoss()
    right, error = -images.abs(), images.abs()
    assert losses(network, right, label) > losses(network, error, label)
    assert torch.equal(perturb(network, images, label, FGSM), right)
    assert torch.equal(perturb(network, images, label, FGSM, prefer_errors=True), error)


def test_the_initialisation_of_the_authors_code() -> None:
    torch.manual_seed(0)
    for layer in MadryNet("truncated_normal").modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert layer.weight.abs().max() <= 0.2
            # the standard deviation of a normal variable within two of its deviations is 0.88
            assert layer.weight.std().item() == pytest.approx(0.088, rel=0.1)
            assert layer.bias is not None
            assert layer.bias.unique().tolist() == pytest.approx([0.1])


def test_the_network_is_unchanged() -> None:
    network, (images, labels) = convolutional().train(), digits()
    network.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    perturb(network, images, labels, AttackConfig(steps=3))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())


def classifier(**settings: Any) -> AdversarialClassifier:
    torch.manual_seed(0)
    config = AdversarialClassifierConfig(**settings)
    return AdversarialClassifier(config, DataSpec((1, 28, 28), classes=10), updates=10)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_the_loss_combines_clean_and_adversarial_images(alpha: float) -> None:
    model = classifier(clean_weight=alpha, training=FGSM)
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(4, 1, 28, 28, generator=rng) * 2 - 1
    labels = torch.tensor([1, 2, 3, 4])
    attacked = perturb(model.network, images, labels, FGSM)
    clean, robust = (
        cross_entropy(model.network(side), labels).item() for side in (images, attacked)
    )
    terms = model.loss_terms(images, labels)
    assert robust > clean
    total = sum(value.item() for value in terms.values())
    assert total == pytest.approx(alpha * clean + (1 - alpha) * robust, rel=1e-5)


def test_the_warm_up_scales_the_attack_linearly() -> None:
    full = AttackConfig(epsilon=0.3, step=0.01, steps=2)
    model = classifier(training=full, warmup_updates=4)
    epsilons = []
    for model.updates in range(6):
        attack = model.attack()
        assert (attack.steps, attack.random_start) == (2, True)
        assert attack.step / attack.epsilon == pytest.approx(full.step / full.epsilon)
        epsilons.append(attack.epsilon)
    assert epsilons == pytest.approx([0.075, 0.15, 0.225, 0.3, 0.3, 0.3])
    assert classifier(training=full).attack() == full


def test_no_gradient_passes_through_the_attack() -> None:
    """The gradient of the weights is taken at fixed adversarial images (Danskin's theorem)."""
    model = classifier(training=FGSM)
    images, labels = torch.rand(3, 1, 28, 28), torch.tensor([0, 1, 2])
    model.loss_terms(images, labels)["attacked"].backward()
    weight = model.network.get_parameter("layers.0.weight")
    gradient = weight.grad
    assert gradient is not None
    model.zero_grad()
    attacked = perturb(model.network, images, labels, FGSM)
    cross_entropy(model.network(attacked), labels).backward()
    torch.testing.assert_close(gradient, weight.grad)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"clean_weight": 1.5}, "clean_weight is 1.5"),
        ({"warmup_updates": -1}, "warmup_updates is -1"),
        ({"attacks": [AttackConfig(steps=0)]}, r"attacks\[0\]\.steps is 0"),
        ({"attacks": [AttackConfig(norm="l3")]}, r"attacks\[0\]\.norm is 'l3'; valid are"),
        ({"attacks": [AttackConfig(), AttackConfig()]}, "pgd, pgd; the names must differ"),
    ],
)
def test_invalid_settings_raise(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(**settings)


@pytest.mark.usefixtures("drawn_figures")
def test_the_picture_has_three_rows() -> None:
    test = Batch(torch.rand(12, 1, 28, 28) * 2 - 1, torch.arange(12) % 10)
    picture = draw_attack(classifier(), test, FGSM)
    assert picture.shape[2] == 3
    assert picture.std() > 10


def test_random_starts_are_uniform_in_the_ball() -> None:
    """In two dimensions half of the perturbations lie within 1 / sqrt(2) of the radius."""
    from gan_lightning.classifiers.attacks import _random_in_ball

    images = torch.zeros(4000, 1, 1, 2)
    rng = torch.Generator().manual_seed(0)
    radii = _random_in_ball(images, 3.0, "l2", rng).flatten(1).norm(dim=1)
    assert radii.max() <= 3 + 1e-5
    assert (radii < 3 / math.sqrt(2)).float().mean().item() == pytest.approx(0.5, abs=0.03)
