"""Base class of the hand-written GANs: networks and plain arithmetic on tensors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

__all__ = ["Game", "GeneratorInput", "Real", "averaged_tensors", "cross_entropies", "uniform"]


class Real(NamedTuple):
    """A minibatch of real data.

    Args:
        data: (N, *shape); images in [-1, 1].
        labels: (N,) int64, or None.
        source: source images of the translation, (N, *shape), or None.
        labelled: data and labels of the labelled minibatch of semi-supervised learning, or None.
    """

    data: Tensor
    labels: Tensor | None = None
    source: Tensor | None = None
    labelled: tuple[Tensor, Tensor] | None = None


class GeneratorInput(NamedTuple):
    """Input of the generator for one minibatch.

    Args:
        tensor: noise concatenated with codes and one-hot classes, (N, features), or source images.
        labels: classes or domains, (N,) int64, or None.
        category: InfoGAN's categorical code, (N,) int64, or None.
        continuous: InfoGAN's continuous codes, (N, codes) in [-1, 1], or None.
    """

    tensor: Tensor
    labels: Tensor | None = None
    category: Tensor | None = None
    continuous: Tensor | None = None


class Game(ABC):
    """Networks and losses of one GAN, as a script would write them.

    The networks belong to a freshly built model of the framework; nothing else of it is used.

    Args:
        model: the GAN whose networks are trained.

    Raises:
        ValueError: the config of the model has an option that is not supported here.
    """

    objectives: ClassVar[tuple[str, ...]] = ("non_saturating",)
    """Supported values of `model.objective`."""

    def __init__(self, model: Any) -> None:
        config = model.config
        objective = getattr(config, "objective", None)
        if objective is not None and objective not in self.objectives:
            raise ValueError(
                f"the hand-written {type(model).__name__} supports the objectives "
                f"{', '.join(self.objectives)}, not {objective}"
            )
        supported = {"label_smoothing": 0.0, **self.supported_options()}
        for name, value in supported.items():
            if getattr(config, name, value) != value:
                raise ValueError(
                    f"the hand-written {type(model).__name__} supports {name}={value}, "
                    f"not {getattr(config, name)}"
                )
        self.config, self.generator = config, model.generator
        self.size, self.latent_prior = config.latent_size, config.latent_prior
        self.ema_tensors = None if model.ema is None else averaged_tensors(model.ema.module)
        self.rounds = 0

    def supported_options(self) -> dict[str, Any]:
        """Return further config keys with the only value that is supported here."""
        return {}

    def after_generator_step(self) -> None:
        """Update the exponential moving average of the generator, if the model has one."""
        if self.ema_tensors is not None:
            decay = min(self.config.ema_decay, (1 + self.rounds) / (10 + self.rounds))
            weight = 1 - decay if self.rounds else 1.0
            torch._foreach_lerp_(self.ema_tensors, averaged_tensors(self.generator), weight)
            self.rounds += 1

    @abstractmethod
    def discriminator_players(self) -> list[nn.Module]:
        """List the modules that the discriminator's optimizer updates."""

    def generator_players(self) -> list[nn.Module]:
        """List the modules that the generator's optimizer updates."""
        return [self.generator]

    def prior(self, count: int, real: Real, rng: torch.Generator | None) -> GeneratorInput:
        """Sample the generator's input for `count` samples."""
        return GeneratorInput(self.noise(count, real, rng))

    def generate(self, inputs: GeneratorInput) -> Tensor:
        """Generate data, (N, *shape)."""
        data: Tensor = self.generator(inputs.tensor)
        return data

    @abstractmethod
    def discriminator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the discriminator's loss, a scalar."""

    @abstractmethod
    def generator_loss(self, real: Real, fake: Tensor, inputs: GeneratorInput) -> Tensor:
        """Return the generator's loss, a scalar."""

    def after_discriminator_step(self) -> None:  # noqa: B027 - most GANs do nothing here
        """Run after each step of the discriminator."""

    def noise(self, count: int, real: Real, rng: torch.Generator | None) -> Tensor:
        """Sample noise of the config's prior, (count, latent size)."""
        if self.latent_prior == "normal":
            return torch.randn(count, self.size, generator=rng, device=real.data.device)
        if self.latent_prior == "unit_uniform":
            return torch.rand(count, self.size, generator=rng, device=real.data.device)
        return uniform((count, self.size), real, rng)


def uniform(shape: tuple[int, ...], real: Real, rng: torch.Generator | None) -> Tensor:
    """Sample uniformly on [-1, 1], on the device of the data."""
    return torch.rand(shape, generator=rng, device=real.data.device).mul_(2).sub_(1)


def cross_entropies(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Sum the mean cross-entropies of real data with label 1 and generated data with label 0."""
    return softplus(-real_logits.float()).mean() + softplus(fake_logits.float()).mean()


def averaged_tensors(network: nn.Module) -> list[Tensor]:
    """List the floating-point parameters and buffers, of which a moving average is kept."""
    state = [*network.parameters(), *network.buffers()]
    return [part.detach() for part in state if part.is_floating_point()]
