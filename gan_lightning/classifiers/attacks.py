"""Adversarial examples: small perturbations of images that change a classifier's prediction."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan_lightning.utils.settings import setting

__all__ = ["AttackConfig", "perturb"]

NORMS = ("linf", "l2")
UNIT_LENGTH = 2.0
"""In the range [-1, 1] of images, the length that is 1 in the papers' range [0, 1]."""


@dataclass
class AttackConfig:
    """An attack in an epsilon ball; lengths are for pixels in [0, 1], as in the papers.

    One step of length epsilon from the clean image is the fast gradient sign method; several steps
    from a random start are projected gradient descent.
    """

    name: str = setting("pgd", "Name of the attack; the accuracy under it is `robust/NAME`.")
    norm: str = setting("linf", "Norm of the ball.", choices=NORMS)
    epsilon: float = setting(0.3, "Radius of the ball.", minimum=0)
    step: float = setting(0.01, "Length of one step.", minimum=0)
    steps: int = setting(40, "Number of steps.", minimum=1)
    random_start: bool = setting(
        True, "Start at a random point of the ball instead of the clean image."
    )
    restarts: int = setting(
        1,
        "Attempts per image; training uses the one with the largest loss, and an evaluation counts "
        "an image as misclassified if it is after any of them.",
        minimum=1,
    )


def perturb(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    attack: AttackConfig,
    rng: torch.Generator | None = None,
    prefer_errors: bool = False,
) -> Tensor:
    """Compute adversarial examples: images within epsilon that increase a classifier's loss.

    Args:
        network: images to logits (N, classes); its mode is kept and its parameters get no
            gradients.
        images: clean images (N, C, H, W) in [-1, 1].
        labels: true classes, int64 (N,).
        attack: config of the attack.
        rng: generator of the random starts; None for the global one.
        prefer_errors: keep an image that is misclassified rather than one that is not, even if its
            loss is smaller; an image that is right has survived all restarts.

    Returns:
        Images in [-1, 1], each within `epsilon` of its clean image; the one with the largest loss
        of all restarts and the clean image itself, or of the misclassified ones of them.

    Source: Goodfellow, Shlens, Szegedy 2015 (arXiv:1412.6572), section 4 (one step); Madry et al.
        2018 (arXiv:1706.06083), section 2.1 (projected gradient descent).
    """
    best = images
    best_loss, is_error = _losses_and_errors(network, images, labels)
    for _ in range(attack.restarts):
        candidate = _ascend(network, images, labels, attack, rng)
        loss, error = _losses_and_errors(network, candidate, labels)
        is_better = loss > best_loss
        if prefer_errors:
            is_better = (error & ~is_error) | ((error == is_error) & is_better)
        best = torch.where(is_better[:, None, None, None], candidate, best)
        best_loss = torch.where(is_better, loss, best_loss)
        is_error = torch.where(is_better, error, is_error)
    return best


def _ascend(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    attack: AttackConfig,
    rng: torch.Generator | None,
) -> Tensor:
    """Make projected gradient steps that increase the loss of each image."""
    epsilon, step = UNIT_LENGTH * attack.epsilon, UNIT_LENGTH * attack.step
    current = images
    if attack.random_start:
        current = (images + _random_in_ball(images, epsilon, attack.norm, rng)).clamp(-1, 1)
    for _ in range(attack.steps):
        current = current.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(_losses(network, current, labels).sum(), current)
        change = current.detach() + step * _steepest_direction(gradient, attack.norm) - images
        current = (images + _project(change, epsilon, attack.norm)).clamp(-1, 1)
    return current.detach()


@torch.no_grad()
def _losses_and_errors(network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss of each image, and whether it is misclassified."""
    logits = network(images).float()
    return cross_entropy(logits, labels, reduction="none"), logits.argmax(1) != labels


def _losses(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(network(images).float(), labels, reduction="none")


def _steepest_direction(gradient: Tensor, norm: str) -> Tensor:
    """Return the perturbation of norm 1 that increases a linear loss most."""
    if norm == "linf":
        return gradient.sign()
    return gradient / _l2_norms(gradient).clamp(min=1e-12)


def _project(change: Tensor, epsilon: float, norm: str) -> Tensor:
    """Project perturbations onto the ball."""
    if norm == "linf":
        return change.clamp(-epsilon, epsilon)
    factors: Tensor = epsilon / _l2_norms(change).clamp(min=1e-12)
    return change * factors.clamp(max=1)


def _random_in_ball(
    images: Tensor, epsilon: float, norm: str, rng: torch.Generator | None
) -> Tensor:
    """Draw perturbations uniformly from the ball."""
    if norm == "linf":
        change = torch.rand(images.shape, generator=rng, device=images.device)
        return change.mul_(2).sub_(1).mul_(epsilon)
    direction = torch.randn(images.shape, generator=rng, device=images.device)
    radii = torch.rand(len(images), 1, 1, 1, generator=rng, device=images.device)
    radii = epsilon * radii.pow(1 / images[0].numel())
    return direction / _l2_norms(direction) * radii


def _l2_norms(change: Tensor) -> Tensor:
    norms: Tensor = change.flatten(1).norm(dim=1)
    return norms[:, None, None, None]
