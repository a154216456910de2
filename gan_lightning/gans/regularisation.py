"""Regularisers of the discriminator, available to every GAN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import grad

from gan_lightning.core.compile import eager_mode
from gan_lightning.core.schedules import ScheduleConfig
from gan_lightning.distributed.collectives import shared_uniform
from gan_lightning.gans.augmentation import AUGMENTATIONS, augment
from gan_lightning.utils.settings import setting

__all__ = [
    "RegularisationConfig",
    "augment_and_add_noise",
    "gradient_norms",
    "gradient_penalty",
    "interpolate",
    "penalties",
    "r1",
    "r2",
]


@dataclass
class RegularisationConfig:
    """Regularisers of the discriminator; a variant enables those of its paper."""

    r1: float = setting(
        0.0,
        "gamma: weight of R1, half the squared norm of the discriminator's gradient at real "
        "samples.",
        minimum=0,
    )
    r1_schedule: ScheduleConfig | None = setting(None, "Schedule of r1; null is constant.")
    r2: float = setting(
        0.0,
        "gamma: weight of R2, half the squared norm of the discriminator's gradient at generated "
        "samples.",
        minimum=0,
    )
    r2_schedule: ScheduleConfig | None = setting(None, "Schedule of r2; null is constant.")
    r1_r2_every_n_updates: int = setting(
        1,
        "Generator updates from one use of r1 and r2 to the next, by which their weights are "
        "multiplied; 1 uses them in every update.",
        minimum=1,
    )
    gradient_penalty: float = setting(
        0.0,
        "lambda: weight of the penalty on gradient norms other than 1 between real and generated "
        "samples.",
        minimum=0,
    )
    gradient_penalty_schedule: ScheduleConfig | None = setting(
        None, "Schedule of gradient_penalty; null is constant."
    )
    one_sided: bool = setting(False, "Whether gradient_penalty is on norms above 1 only.")
    instance_noise: float = setting(
        0.0,
        "Standard deviation of Gaussian noise that is added to all inputs of the discriminator.",
        minimum=0,
    )
    instance_noise_updates: int = setting(
        0,
        "Generator updates in which instance_noise falls linearly to 0; 0 keeps it constant.",
        minimum=0,
    )
    instance_noise_schedule: ScheduleConfig | None = setting(
        None,
        "Schedule of instance_noise, in place of instance_noise_updates; null is constant.",
    )
    augmentation: list[str] = setting(
        [],
        "Differentiable augmentations of all inputs of the discriminator, in this order.",
        choices=lambda: AUGMENTATIONS,
    )

    def validate(self) -> None:
        """Check that the instance noise has one schedule.

        Raises:
            ValueError: it has two.
        """
        if self.instance_noise_schedule is not None and self.instance_noise_updates:
            raise ValueError(
                f"instance_noise_updates is {self.instance_noise_updates}, and "
                f"instance_noise_schedule is set, too; leave one of them out"
            )

    def r1_at(self, update: int) -> float:
        """Return the weight of R1 in a generator update, 0 where it is left out."""
        return self.r1 * _factor(self.r1_schedule, update) * self._lazy_factor(update)

    def r2_at(self, update: int) -> float:
        """Return the weight of R2 in a generator update, 0 where it is left out."""
        return self.r2 * _factor(self.r2_schedule, update) * self._lazy_factor(update)

    def gradient_penalty_at(self, update: int) -> float:
        """Return the weight of the gradient penalty in a generator update."""
        return self.gradient_penalty * _factor(self.gradient_penalty_schedule, update)

    def instance_noise_at(self, update: int) -> float:
        """Return the standard deviation of the instance noise in a generator update."""
        if not self.instance_noise_updates:
            return self.instance_noise * _factor(self.instance_noise_schedule, update)
        return self.instance_noise * max(0.0, 1 - update / self.instance_noise_updates)

    def _lazy_factor(self, update: int) -> int:
        """Return the factor of lazy regularisation (Karras et al. 2020, arXiv:1912.04958)."""
        interval = self.r1_r2_every_n_updates
        return 0 if update % interval else interval


def _factor(schedule: ScheduleConfig | None, update: int) -> float:
    return 1.0 if schedule is None else schedule.factor(update)


def augment_and_add_noise(
    config: RegularisationConfig, update: int, real: Tensor, fake: Tensor
) -> tuple[Tensor, Tensor]:
    """Augment real and generated samples, then add instance noise to both.

    Args:
        config: names of the augmentations, and the standard deviation of the noise.
        update: number of generator updates made so far.
        real: real samples, (N, *shape).
        fake: generated samples, (N, *shape); their graph is kept.

    Returns:
        Both minibatches; the given tensors themselves where the config changes nothing.
    """
    real, fake = augment(real, config.augmentation), augment(fake, config.augmentation)
    deviation = config.instance_noise_at(update)
    if deviation == 0:
        return real, fake
    noise = [deviation * torch.randn_like(data) for data in (real, fake)]
    return real + noise[0], fake + noise[1]


def penalties(
    config: RegularisationConfig,
    update: int,
    discriminate: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    discriminate_fake: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, Tensor]:
    """Return the weighted penalties that a config enables, by name; the same names in each update.

    Args:
        config: weights of the penalties, with their schedules.
        update: number of generator updates made so far.
        discriminate: maps samples (N, *shape) to scores.
        real: real samples, (N, *shape).
        fake: generated samples, (N, *shape).
        discriminate_fake: maps generated samples to scores, where their classes are others than
            those of the real samples; by default `discriminate`.
    """
    terms = {}
    if config.r1:
        terms["r1"] = _weighted(config.r1_at(update), r1, discriminate, real)
    if config.r2:
        terms["r2"] = _weighted(config.r2_at(update), r2, discriminate_fake or discriminate, fake)
    if config.gradient_penalty:
        penalty = gradient_penalty(discriminate, real, fake, config.one_sided)
        terms["gradient_penalty"] = config.gradient_penalty_at(update) * penalty
    return terms


def _weighted(
    weight: float,
    penalty: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor],
    discriminate: Callable[[Tensor], Tensor],
    data: Tensor,
) -> Tensor:
    """Return a weighted penalty, which is not computed where its weight is 0."""
    if weight == 0:
        return torch.zeros((), device=data.device)
    return weight * penalty(discriminate, data)


def r1(discriminate: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Return half the mean squared norm of the discriminator's gradient at real samples.

    Args:
        discriminate: maps samples (N, *shape) to scores.
        real: real samples, (N, *shape).

    Returns:
        Scalar, at least 0, twice differentiable.

    Source: Mescheder, Geiger, Nowozin 2018 (arXiv:1801.04406), equation 9, without gamma.
    Deviations: in training the samples are those that the discriminator is given: with augmentation
        or instance noise the gradient is that at the changed sample, and with respect to it. Code
        of later papers differentiates with respect to the image before its augmentation.
    """
    return 0.5 * gradient_norms(discriminate, real).square().mean()


def r2(discriminate: Callable[[Tensor], Tensor], fake: Tensor) -> Tensor:
    """Return half the mean squared norm of the discriminator's gradient at generated samples.

    Args:
        discriminate: maps samples (N, *shape) to scores.
        fake: generated samples, (N, *shape).

    Returns:
        Scalar, at least 0, twice differentiable.

    Source: Mescheder, Geiger, Nowozin 2018 (arXiv:1801.04406), equation 10, without gamma.
    Deviations: as those of `r1`.
    """
    return 0.5 * gradient_norms(discriminate, fake).square().mean()


def gradient_penalty(
    discriminate: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    one_sided: bool = False,
) -> Tensor:
    """Return the mean of (|grad D| - 1)^2 at random points between real and generated samples.

    Args:
        discriminate: maps samples (N, *shape) to scores.
        real: real samples, (N, *shape).
        fake: generated samples, (N, *shape).
        one_sided: whether norms below 1 are not penalised.

    Returns:
        Scalar, at least 0, twice differentiable.

    Source: Gulrajani et al. 2017 (arXiv:1704.00028), equation 3, without lambda; one-sided:
        Petzka, Fischer, Lukovnikov 2018 (arXiv:1709.08894).
    """
    excess = gradient_norms(discriminate, interpolate(real, fake)) - 1
    if one_sided:
        excess = excess.relu()
    return excess.square().mean()


def interpolate(real: Tensor, fake: Tensor) -> Tensor:
    """Return a uniformly random point between each real sample and a generated one, (N, *shape)."""
    position = shared_uniform(len(real), real.device).view(-1, *[1] * (real.ndim - 1))
    return torch.lerp(real.float(), fake.float(), position)


def gradient_norms(discriminate: Callable[[Tensor], Tensor], data: Tensor) -> Tensor:
    """Return the norm of each score's gradient with respect to its sample, in float32.

    Args:
        discriminate: maps samples (N, *shape) to scores: (N,); (N / m,) where it packs m samples,
            whose norm is then that of the pack; or several per sample, of which the gradient of the
            sum is taken.
        data: samples, (N, *shape); their graph is kept.

    Returns:
        Norms with their graph, one per sample or pack.
    """
    data = data.float()
    # the weights of an unrolled discriminator depend on generated samples, too; the gradient with
    # respect to a view of the samples leaves that path out
    data = data.view_as(data) if data.requires_grad else data.detach().requires_grad_(True)
    with eager_mode(), torch.autocast(data.device.type, enabled=False), torch.enable_grad():
        scores = discriminate(data)
        (gradient,) = grad(scores.sum(), data, create_graph=True)
    norms: Tensor = gradient.reshape(min(len(scores), len(data)), -1).norm(dim=1)
    return norms
