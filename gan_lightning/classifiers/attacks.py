"""Adversarial examples: small changes of an image that a classifier answers wrongly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan_lightning.errors import check_choice

__all__ = ["AttackConfig", "perturbed"]

NORMS = ("linf", "l2")
RANGE = 2.0
"""Of images in [-1, 1], over that of the papers' images in [0, 1]."""


@dataclass
class AttackConfig:
    """An attack; lengths are in units of pixels in [0, 1], as in the papers.

    One step of length epsilon from the image itself is the fast gradient sign method; many, from a
    random start, are projected gradient descent.
    """

    # of the measure: robust/NAME
    name: str = "pgd"
    # linf or l2
    norm: str = "linf"
    # largest change
    epsilon: float = 0.3
    # change of one step
    step: float = 0.01
    steps: int = 40
    # begin anywhere in the ball, not at the image
    random_start: bool = True
    # attempts, of which the worst for the classifier counts
    restarts: int = 1

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        check_choice("norm", self.norm, NORMS)
        for key in ("epsilon", "step"):
            if getattr(self, key) < 0:
                raise ValueError(f"{key} is {getattr(self, key)}; it must be at least 0")
        for key in ("steps", "restarts"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} is {getattr(self, key)}; it must be at least 1")


def perturbed(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    attack: AttackConfig,
    rng: torch.Generator | None = None,
) -> Tensor:
    """Change images so that a classifier's loss grows.

    Args:
        network: images to logits (N, classes); used in the mode that it is in, its parameters get
            no gradient.
        images: (N, C, H, W) in [-1, 1].
        labels: true classes (N,).
        attack: how.
        rng: of the random starts.

    Returns:
        Images in [-1, 1], each within `epsilon` of its own; of several restarts the one with the
        largest loss.

    Source: Goodfellow, Shlens, Szegedy 2015 (arXiv:1412.6572), section 4 (one step); Madry et al.
        2018 (arXiv:1706.06083), section 2.1 (projected gradient descent).
    """
    best, best_loss = images, _losses(network, images, labels).detach()
    for _ in range(attack.restarts):
        found = _descended(network, images, labels, attack, rng)
        with torch.no_grad():
            loss = _losses(network, found, labels)
        worse = loss > best_loss
        best = torch.where(worse[:, None, None, None], found, best)
        best_loss = torch.where(worse, loss, best_loss)
    return best


def _descended(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    attack: AttackConfig,
    rng: torch.Generator | None,
) -> Tensor:
    epsilon, step = RANGE * attack.epsilon, RANGE * attack.step
    current = images
    if attack.random_start:
        current = (images + _in_ball(images, epsilon, attack.norm, rng)).clamp(-1, 1)
    for _ in range(attack.steps):
        current = current.detach().requires_grad_()
        (slope,) = torch.autograd.grad(_losses(network, current, labels).sum(), current)
        change = current.detach() + step * _steepest(slope, attack.norm) - images
        current = (images + _projected(change, epsilon, attack.norm)).clamp(-1, 1)
    return current.detach()


def _losses(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(network(images).float(), labels, reduction="none")


def _steepest(slope: Tensor, norm: str) -> Tensor:
    """Return the change of length 1 along which a linear loss grows most."""
    return slope.sign() if norm == "linf" else slope / _lengths(slope).clamp(min=1e-12)


def _projected(change: Tensor, epsilon: float, norm: str) -> Tensor:
    if norm == "linf":
        return change.clamp(-epsilon, epsilon)
    shrinking: Tensor = epsilon / _lengths(change).clamp(min=1e-12)
    return change * shrinking.clamp(max=1)


def _in_ball(images: Tensor, epsilon: float, norm: str, rng: torch.Generator | None) -> Tensor:
    """Draw changes uniformly from the ball."""
    if norm == "linf":
        drawn = torch.rand(images.shape, generator=rng, device=images.device)
        return drawn.mul_(2).sub_(1).mul_(epsilon)
    drawn = torch.randn(images.shape, generator=rng, device=images.device)
    radii = torch.rand(len(images), 1, 1, 1, generator=rng, device=images.device)
    radii = epsilon * radii.pow(1 / images[0].numel())
    return drawn / _lengths(drawn) * radii


def _lengths(change: Tensor) -> Tensor:
    lengths: Tensor = change.flatten(1).norm(dim=1)
    return lengths[:, None, None, None]
