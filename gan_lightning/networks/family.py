"""The contract of a network family, and the few rules that all families share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from torch import Tensor, nn

from gan_lightning.networks.heads import ScoreHead

Shape = tuple[int, ...]
"""Shape of one datum without the batch: (2,) for points, (C, H, W) for images."""

Choice = TypeVar("Choice")


class FamilyConfig(Protocol):
    """What the base reads of every family's config."""

    initialisation: str

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""


ConfigT = TypeVar("ConfigT", bound=FamilyConfig)


class Encoder(nn.Module):
    """The trunk of a discriminator: data (N, *shape) to features (N, features).

    A network that is no plain stack of layers subclasses it and overrides `forward`.

    Args:
        layers: a module from (N, *shape) to (N, features).
        features: width of the output.
    """

    def __init__(self, layers: nn.Module, features: int) -> None:
        super().__init__()
        self.layers = layers
        self.features = features

    def forward(self, data: Tensor) -> Tensor:
        """Map data, shape (N, *shape), to features, shape (N, features), unbounded."""
        features: Tensor = self.layers(data)
        return features


class NetworkFamily(ABC, Generic[ConfigT]):
    """Builds the networks of a GAN at any data shape that the family supports.

    Args:
        config: an instance of the class's `Config`.

    Raises:
        ValueError: a value of the config is out of range, or `initialisation` unknown.
    """

    Config: ClassVar[type[Any]]

    def __init__(self, config: ConfigT) -> None:
        config.validate()
        self.config = config
        self._initialise = choose(INITIALISATIONS, "initialisation", config.initialisation)

    @abstractmethod
    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build a generator.

        Args:
            inputs: length of its input vector: latent, codes and labels side by side.
            shape: shape of one datum.

        Returns:
            Module from (N, inputs) to (N, *shape); images in [-1, 1], points unbounded.

        Raises:
            ValueError: the family does not support the shape.
        """

    @abstractmethod
    def encoder(self, shape: Shape) -> Encoder:
        """Build the trunk of a discriminator for data of this shape.

        Raises:
            ValueError: the family does not support the shape.
        """

    def score_head(self, features: int) -> nn.Module:
        """Build the real/fake head: (N, features) to logits or critic scores, shape (N,)."""
        return self.initialised(ScoreHead(features))

    def recognition_head(self, features: int, outputs: int) -> nn.Module:
        """Build a head for codes or classes: (N, features) to (N, outputs), unbounded."""
        return self.initialised(nn.Linear(features, outputs))

    def initialised(self, network: nn.Module) -> nn.Module:
        """Apply the config's initialisation to every layer in place, and return the network."""
        return network.apply(self._initialise)


def choose(table: Mapping[str, Choice], option: str, name: str) -> Choice:
    """Look a config's word up.

    Raises:
        ValueError: the table has no such name; the message lists the valid ones.
    """
    if name not in table:
        valid = ", ".join(repr(key) for key in table)
        raise ValueError(f"{option} is {name!r}; valid are {valid}: set {option} to one of them.")
    return table[name]


def unsupported_shape(family: str, shape: Shape, valid: str, fix: str) -> ValueError:
    """Build the one-line error of a family that cannot work at a shape."""
    return ValueError(
        f"{family} networks do not support shape {tuple(shape)}; valid: {valid}. {fix}"
    )


def _weights(module: nn.Module) -> Tensor | None:
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    return module.weight if isinstance(module, kinds) else None


def _keep_default(module: nn.Module) -> None:
    """Leave PyTorch's own initialisation as it is."""


def _fill(fill: Callable[[Tensor], Any], norm_std: float = 0.0) -> Callable[[nn.Module], None]:
    """Make a rule: weights by `fill`, biases zero, norm scales from N(1, norm_std^2)."""

    def initialise(module: nn.Module) -> None:
        weight = _weights(module)
        if weight is not None:
            fill(weight)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.GroupNorm):
            nn.init.normal_(module.weight, 1.0, norm_std)
        else:
            return
        if isinstance(module.bias, Tensor):
            nn.init.zeros_(module.bias)

    return initialise


INITIALISATIONS: dict[str, Callable[[nn.Module], None]] = {
    "default": _keep_default,
    "normal_0.02": _fill(lambda weight: nn.init.normal_(weight, 0.0, 0.02), norm_std=0.02),
    "orthogonal": _fill(nn.init.orthogonal_),
    "orthogonal_0.8": _fill(lambda weight: nn.init.orthogonal_(weight, gain=0.8)),
    "xavier": _fill(nn.init.xavier_uniform_),
}
