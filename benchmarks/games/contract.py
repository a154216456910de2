"""What a game by hand has: networks, and plain arithmetic on them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

__all__ = ["Game", "Given", "Real", "cross_entropies", "numbers_of", "uniform"]


class Real(NamedTuple):
    """A minibatch of real data.

    Args:
        data: (N, *shape); images in [-1, 1].
        labels: (N,) int64, or None.
        source: what the data are translations of, (N, *shape), or None.
        few: the minibatch of the few labelled data, and their classes, or None.
    """

    data: Tensor
    labels: Tensor | None = None
    source: Tensor | None = None
    few: tuple[Tensor, Tensor] | None = None


class Given(NamedTuple):
    """What a minibatch is generated from.

    Args:
        inputs: of the generator: noise with codes and classes one-hot, or images.
        labels: classes or domains, (N,) int64, or None.
        category: of InfoGAN's first code, (N,) int64, or None.
        continuous: InfoGAN's continuous codes, (N, codes) in [-1, 1], or None.
    """

    inputs: Tensor
    labels: Tensor | None = None
    category: Tensor | None = None
    continuous: Tensor | None = None


class Game(ABC):
    """Players and rules of one paper, as a script would have them.

    The networks are those of a freshly built model, taken apart; no class of the framework plays.

    Args:
        model: whose networks these are.

    Raises:
        ValueError: the model has an option that is not written here.
    """

    objectives: ClassVar[tuple[str, ...]] = ("non_saturating",)
    """Which are written here, where the model has a choice."""

    def __init__(self, model: Any) -> None:
        config = model.config
        objective = getattr(config, "objective", None)
        if objective is not None and objective not in self.objectives:
            raise ValueError(
                f"the game by hand of {type(model).__name__} has the objectives "
                f"{', '.join(self.objectives)}, and not {objective}"
            )
        plain = {"label_smoothing": 0.0, **self.options()}
        for name, value in plain.items():
            if getattr(config, name, value) != value:
                raise ValueError(
                    f"the game by hand of {type(model).__name__} has {name}={value}, "
                    f"and not {getattr(config, name)}"
                )
        self.config, self.generator = config, model.generator
        self.size, self.normal = config.latent_size, config.latent_prior == "normal"
        self.generator_average = None if model.ema is None else numbers_of(model.ema.module)
        self.played = 0

    def options(self) -> dict[str, Any]:
        """Name the values that this game has of the config, other than the usual ones."""
        return {}

    def after_generator_step(self) -> None:
        """Take the new generator into its running average, where the config asks for one."""
        if self.generator_average is not None:
            kept = min(self.config.ema_decay, (1 + self.played) / (10 + self.played))
            share = 1 - kept if self.played else 1.0
            torch._foreach_lerp_(self.generator_average, numbers_of(self.generator), share)
            self.played += 1

    @abstractmethod
    def discriminator_players(self) -> list[nn.Module]:
        """List what the discriminator's optimizer moves."""

    def prior(self, count: int, real: Real, rng: torch.Generator | None) -> Given:
        """Draw what `count` data are generated from."""
        return Given(self.noise(count, real, rng))

    def generate(self, given: Given) -> Tensor:
        """Map it to data, (N, *shape)."""
        data: Tensor = self.generator(given.inputs)
        return data

    @abstractmethod
    def discriminator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """Return what the discriminator minimises, a scalar."""

    @abstractmethod
    def generator_loss(self, real: Real, fake: Tensor, given: Given) -> Tensor:
        """Return what the generator minimises, a scalar."""

    def after_discriminator_step(self) -> None:  # noqa: B027 - most papers do nothing
        """Do what the paper does after each of its steps."""

    def noise(self, count: int, real: Real, rng: torch.Generator | None) -> Tensor:
        """Draw noise, uniform on [-1, 1] or standard normal, shape (count, latent size)."""
        if not self.normal:
            return uniform((count, self.size), real, rng)
        return torch.randn(count, self.size, generator=rng, device=real.data.device)


def uniform(shape: tuple[int, ...], real: Real, rng: torch.Generator | None) -> Tensor:
    """Draw numbers uniform on [-1, 1], on the device of the data."""
    return torch.rand(shape, generator=rng, device=real.data.device).mul_(2).sub_(1)


def cross_entropies(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Sum the mean cross-entropies of real data labelled 1 and generated data labelled 0."""
    return softplus(-real_logits.float()).mean() + softplus(fake_logits.float()).mean()


def numbers_of(network: nn.Module) -> list[Tensor]:
    """List what a running average is taken of: weights and running statistics, not counts."""
    state = [*network.parameters(), *network.buffers()]
    return [part.detach() for part in state if part.is_floating_point()]
