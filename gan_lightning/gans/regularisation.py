"""Regularisers of the discriminator that every variant takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.autograd import grad

from gan_lightning.core.compile import eager_mode
from gan_lightning.distributed.collectives import shared_uniform
from gan_lightning.errors import check_choice
from gan_lightning.gans.augmentation import AUGMENTATIONS, augmented

__all__ = [
    "RegularisationConfig",
    "augment_and_add_noise",
    "gradient_norms",
    "gradient_penalty",
    "penalties",
    "r1",
]


@dataclass
class RegularisationConfig:
    """All off by default; a variant whose paper has one turns it on."""

    # gamma of R1, gamma / 2 times the discriminator's squared gradient at real data
    r1: float = 0.0
    # lambda of the penalty on gradient norms that differ from 1 between real and generated data
    gradient_penalty: float = 0.0
    # penalise only norms above 1
    one_sided: bool = False
    # standard deviation of the Gaussian noise on all data that the discriminator is given
    instance_noise: float = 0.0
    # generator updates in which that noise falls linearly to 0; 0 keeps it
    instance_noise_updates: int = 0
    # changes of all images that the discriminator is given: colour, translation, cutout, affine
    augmentation: list[str] = field(default_factory=list)

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        for name in ("r1", "gradient_penalty", "instance_noise", "instance_noise_updates"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")
        for name in self.augmentation:
            check_choice("augmentation: one", name, AUGMENTATIONS)

    def noise_at(self, update: int) -> float:
        """Return the standard deviation of the instance noise at a generator update."""
        if not self.instance_noise_updates:
            return self.instance_noise
        return self.instance_noise * max(0.0, 1 - update / self.instance_noise_updates)


def augment_and_add_noise(
    config: RegularisationConfig, update: int, real: Tensor, fake: Tensor
) -> tuple[Tensor, Tensor]:
    """Augment real and generated data (N, *shape), and add an update's instance noise to both."""
    real, fake = augmented(real, config.augmentation), augmented(fake, config.augmentation)
    deviation = config.noise_at(update)
    if deviation == 0:
        return real, fake
    noise = [deviation * torch.randn_like(data) for data in (real, fake)]
    return real + noise[0], fake + noise[1]


def penalties(
    config: RegularisationConfig,
    discriminate: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
) -> dict[str, Tensor]:
    """Return the weighted loss terms that a config asks of the discriminator, by name.

    Args:
        config: which, and their weights.
        discriminate: data to scores.
        real: (N, *shape).
        fake: (N, *shape).
    """
    terms = {}
    if config.r1:
        terms["r1"] = config.r1 * r1(discriminate, real)
    if config.gradient_penalty:
        penalty = gradient_penalty(discriminate, real, fake, config.one_sided)
        terms["gradient_penalty"] = config.gradient_penalty * penalty
    return terms


def r1(discriminate: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Half the mean squared norm of the discriminator's gradient at real data.

    Args:
        discriminate: data to scores.
        real: (N, *shape).

    Returns:
        Scalar, at least 0, differentiable twice.

    Source: Mescheder, Geiger, Nowozin 2018 (arXiv:1801.04406), equation 9, without gamma.
    """
    return 0.5 * gradient_norms(discriminate, real).square().mean()


def gradient_penalty(
    discriminate: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    one_sided: bool = False,
) -> Tensor:
    """Mean of (|grad D| - 1)^2 on lines between real and generated data, a norm for each score.

    Args:
        discriminate: data to scores.
        real: (N, *shape).
        fake: (N, *shape).
        one_sided: of norms below 1 nothing is asked.

    Returns:
        Scalar, at least 0, differentiable twice.

    Source: Gulrajani et al. 2017 (arXiv:1704.00028), equation 3, without lambda; one-sided:
        Petzka, Fischer, Lukovnikov 2018 (arXiv:1709.08894).
    """
    excess = gradient_norms(discriminate, interpolated(real, fake)) - 1
    if one_sided:
        excess = excess.relu()
    return excess.square().mean()


def interpolated(real: Tensor, fake: Tensor) -> Tensor:
    """Return a point of each line from a real to a generated datum, uniform on the line."""
    position = shared_uniform(len(real), real.device).view(-1, *[1] * (real.ndim - 1))
    return torch.lerp(real.float(), fake.float(), position)


def gradient_norms(discriminate: Callable[[Tensor], Tensor], data: Tensor) -> Tensor:
    """Return the norm of each score's gradient in its data, with a graph; in float32.

    Args:
        discriminate: data (N, *shape) to scores (N,), or (N / m,) where m data are judged together:
            a norm is then that of a pack. Of several scores a datum it is their sum's.
        data: (N, *shape); its graph, where it has one, stays.

    Returns:
        Norms, one a datum or pack.
    """
    data = data.float()
    if not data.requires_grad:
        data = data.detach().requires_grad_(True)
    with eager_mode(), torch.autocast(data.device.type, enabled=False), torch.enable_grad():
        scores = discriminate(data)
        (gradient,) = grad(scores.sum(), data, create_graph=True)
    norms: Tensor = gradient.reshape(min(len(scores), len(data)), -1).norm(dim=1)
    return norms
