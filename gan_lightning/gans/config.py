"""The keys that every GAN has."""

from __future__ import annotations

from dataclasses import dataclass, field

from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.errors import check_choice
from gan_lightning.gans.regularisation import RegularisationConfig

__all__ = ["GANConfig"]


@dataclass
class GANConfig:
    """What every GAN has; a variant overrides the defaults with its paper's."""

    # length of the noise vector
    latent_size: int = 100
    # distribution of the noise: uniform on [-1, 1], or standard normal
    latent_prior: str = "uniform"
    # minibatches that the discriminator plays in a round, before the generator's one step
    discriminator_steps: int = 1
    # decay of the running average of the generator's weights, an update; null keeps none. After n
    # updates it is at most (1 + n) / (10 + n), so that the first weights are forgotten in time
    ema_decay: float | None = None
    discriminator_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    generator_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    regularisation: RegularisationConfig = field(default_factory=RegularisationConfig)

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        if self.latent_size < 1:
            raise ValueError(f"latent_size is {self.latent_size}; it must be at least 1")
        check_choice("latent_prior", self.latent_prior, ("uniform", "normal"))
        if self.discriminator_steps < 1:
            raise ValueError(
                f"discriminator_steps is {self.discriminator_steps}; it must be at least 1"
            )
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise ValueError(f"ema_decay is {self.ema_decay}; it must lie in (0, 1), or be null")

    def check_minibatch(self, count: int) -> None:
        """Raise a ValueError where the losses need more than `count` data in a minibatch."""
