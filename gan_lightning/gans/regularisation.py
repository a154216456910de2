"""Regularisers of the discriminator, available to every GAN."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_lightning.core.schedules import ScheduleConfig
from gan_lightning.gans.adaptive_augmentation import AdaptiveAugmentationConfig
from gan_lightning.gans.augmentation import AUGMENTATIONS, augment
from gan_lightning.gans.consistency import ConsistencyConfig, consistency_penalty
from gan_lightning.gans.gradient_penalties import dragan_penalty, gradient_penalty, r1, r2
from gan_lightning.gans.lecam import LeCamConfig
from gan_lightning.utils.settings import setting

__all__ = [
    "RegularisationConfig",
    "augment_and_add_noise",
    "penalties",
    "refuse_batch_norm_under_penalties",
]

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


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
    r1_r2_gradients: str = setting(
        "exact",
        "How r1 and r2 compute squared gradient norms: exact, by a second derivative; or "
        "finite_differences, an estimate from one random direction per sample.",
        choices=("exact", "finite_differences"),
    )
    finite_difference_step: float = setting(
        0.001,
        "Standard deviation of each coordinate of the steps of these differences.",
        above=0,
    )
    gradient_penalty: float = setting(
        0.0,
        "lambda: weight of the penalty on norms of the discriminator's gradient other than "
        "gradient_penalty_norm.",
        minimum=0,
    )
    gradient_penalty_schedule: ScheduleConfig | None = setting(
        None, "Schedule of gradient_penalty; null is constant."
    )
    gradient_penalty_points: str = setting(
        "between",
        "Where gradient_penalty is: between real and generated samples, as WGAN-GP's; or "
        "around_real, at real samples with noise of up to half the standard deviation of the "
        "minibatch, as DRAGAN's.",
        choices=("between", "around_real"),
    )
    gradient_penalty_norm: float = setting(
        1.0, "k: norm of the gradient without gradient_penalty.", minimum=0
    )
    one_sided: bool = setting(
        False, "Whether gradient_penalty is on norms above gradient_penalty_norm only."
    )
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
    ada: AdaptiveAugmentationConfig = setting(
        AdaptiveAugmentationConfig(),
        "Adaptive augmentation of all inputs of the discriminator, before augmentation.",
    )
    consistency: ConsistencyConfig = setting(
        ConsistencyConfig(), "Consistency of the scores of an image before and after a change."
    )
    lecam: LeCamConfig = setting(
        LeCamConfig(), "Penalty on scores that are far from averages of the other side's scores."
    )

    def used_penalty(self) -> str | None:
        """Return the name of the first penalty of gradients that has a weight; None without one."""
        names = ("r1", "r2", "gradient_penalty")
        return next((name for name in names if getattr(self, name)), None)

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

    def used_on_images(self) -> tuple[str, ...]:
        """Return the names of the regularisers in use that transform images."""
        used = {
            "augmentation": self.augmentation,
            "ada": self.ada.enabled,
            "consistency": self.consistency.real or self.consistency.generated,
        }
        return tuple(name for name, value in used.items() if value)

    def uses_scores(self) -> bool:
        """Tell whether a regulariser needs scores that the loss computes, too."""
        consistency = self.consistency.real or self.consistency.generated
        return bool(self.ada.enabled or self.lecam.weight or consistency)

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

    def values_at(self, update: int) -> tuple[float, ...]:
        """Return everything of this config that changes with the update."""
        return (
            self.r1_at(update),
            self.r2_at(update),
            self.gradient_penalty_at(update),
            self.instance_noise_at(update),
            update >= self.lecam.start_update,
        )

    def _lazy_factor(self, update: int) -> int:
        """Return the factor of lazy regularisation (Karras et al. 2020, arXiv:1912.04958)."""
        interval = self.r1_r2_every_n_updates
        return 0 if update % interval else interval


def _factor(schedule: ScheduleConfig | None, update: int) -> float:
    return 1.0 if schedule is None else schedule.factor(update)


def refuse_batch_norm_under_penalties(
    config: RegularisationConfig, players: Mapping[str, nn.Module]
) -> None:
    """Check that a discriminator whose gradients are penalised has no batch normalisation.

    Args:
        config: weights of the penalties.
        players: modules of the discriminator by name.

    Raises:
        ValueError: a penalty has a weight, and a module normalises over the minibatch, so that the
            gradient at a sample depends on the other samples.
    """
    used = config.used_penalty()
    if used is None:
        return
    for module in players.values():
        if any(isinstance(layer, BATCH_NORMS) for layer in module.modules()):
            raise ValueError(
                f"regularisation.{used} is {getattr(config, used)}, and the discriminator has "
                f"batch normalisation, which makes the gradient at a sample depend on the others: "
                f"set the normalisation of its networks to none, or {used} to 0"
            )


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
    exact = config.r1_r2_gradients == "exact"
    step = None if exact else config.finite_difference_step
    if config.r1:
        terms["r1"] = _weighted(config.r1_at(update), r1, discriminate, real, step)
    if config.r2:
        given = discriminate_fake or discriminate
        terms["r2"] = _weighted(config.r2_at(update), r2, given, fake, step)
    if config.gradient_penalty:
        target = (config.one_sided, config.gradient_penalty_norm)
        if config.gradient_penalty_points == "around_real":
            penalty = dragan_penalty(discriminate, real, *target)
        else:
            penalty = gradient_penalty(discriminate, real, fake, *target)
        terms["gradient_penalty"] = config.gradient_penalty_at(update) * penalty
    consistency, transforms = config.consistency, config.consistency.transforms
    if consistency.real:
        penalty = consistency_penalty(discriminate, real, transforms)
        terms["consistency_real"] = consistency.real * penalty
    if consistency.generated:
        penalty = consistency_penalty(discriminate_fake or discriminate, fake, transforms)
        terms["consistency_generated"] = consistency.generated * penalty
    return terms


def _weighted(
    weight: float,
    penalty: Callable[[Callable[[Tensor], Tensor], Tensor, float | None], Tensor],
    discriminate: Callable[[Tensor], Tensor],
    data: Tensor,
    step: float | None,
) -> Tensor:
    """Return a weighted penalty, which is not computed where its weight is 0."""
    if weight == 0:
        return torch.zeros((), device=data.device)
    return weight * penalty(discriminate, data, step)
