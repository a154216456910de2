"""The contract of a network family, and the few rules that all families share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, final

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gan_lightning.errors import check_choice
from gan_lightning.networks.heads import ScoreHead
from gan_lightning.networks.labels import ConditionalEncoder, LabelMaps, LabelVector
from gan_lightning.networks.minibatch import MinibatchDiscrimination, Pack
from gan_lightning.utils.settings import check_settings

Shape = tuple[int, ...]
"""Shape of one datum without the batch: (2,) for points, (C, H, W) for images."""


@dataclass
class NetworkConfig:
    """What every family takes; a family overrides the defaults with its paper's."""

    # default (PyTorch's), normal_0.02, orthogonal, orthogonal_1.4 or xavier
    initialisation: str = "default"
    # data that the discriminator judges together (PacGAN); 1 judges each alone
    packing: int = 1
    # kernels of minibatch discrimination on the discriminator's features; 0 for none
    minibatch_kernels: int = 0
    # dimensions in which each of these kernels compares two data
    minibatch_dimensions: int = 5
    # whether they compare the data of all processes, or those of each process apart
    sync_minibatch_discrimination: bool = False
    # spectral normalisation of the discriminator's trunk and heads; EBGAN's decoder has none
    spectral_norm: bool = False

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        check_choice("initialisation", self.initialisation, INITIALISATIONS)
        for name in ("packing", "minibatch_dimensions"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.minibatch_kernels < 0:
            raise ValueError(
                f"minibatch_kernels is {self.minibatch_kernels}; it must be at least 0"
            )


ConfigT = TypeVar("ConfigT", bound=NetworkConfig)


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

    A family builds a generator and a trunk; what lets a discriminator see more than one datum at a
    time, packing and minibatch discrimination, and its spectral normalisation are the same for all.

    Args:
        config: an instance of the class's `Config`.

    Raises:
        ValueError: a value of the config is out of range.
    """

    Config: ClassVar[type[Any]]

    def __init__(self, config: ConfigT) -> None:
        check_settings(config)
        self.config = config
        self._initialise = INITIALISATIONS[config.initialisation]

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

    def translator(self, source: Shape, shape: Shape) -> nn.Module:
        """Build a generator of images from images: (N, *source) to (N, *shape) in [-1, 1].

        Raises:
            ValueError: the family has none, or does not support a shape.
        """
        raise ValueError("these networks translate no images; choose network.name=pix2pix")

    @abstractmethod
    def trunk(self, shape: Shape) -> Encoder:
        """Build the layers of a discriminator up to its features, for data of this shape.

        Raises:
            ValueError: the family does not support the shape.
        """

    @final
    def encoder(self, shape: Shape) -> Encoder:
        """Build a discriminator up to its features, all that the config asks for included.

        With packing m it maps (N, *shape) to (N / m, features): m data become one, their channels
        (or coordinates) side by side.

        Raises:
            ValueError: the family does not support the shape.
        """
        config = self.config
        encoder = self.trunk((config.packing * shape[0], *shape[1:]) if shape else shape)
        if config.packing > 1:
            encoder = Encoder(nn.Sequential(Pack(config.packing), encoder), encoder.features)
        if config.minibatch_kernels:
            kernels, dimensions = config.minibatch_kernels, config.minibatch_dimensions
            layer = MinibatchDiscrimination(
                encoder.features, kernels, dimensions, config.sync_minibatch_discrimination
            )
            encoder = Encoder(nn.Sequential(encoder, layer), encoder.features + kernels)
        self._normalised(encoder)
        return encoder

    @final
    def conditional_encoder(self, shape: Shape, classes: int) -> ConditionalEncoder:
        """Build an encoder that is told each datum's class, of `classes`.

        Raises:
            ValueError: the family does not support the shape.
        """
        join, joined = self.label_input(shape, classes)
        encoder = self.encoder(joined)
        return ConditionalEncoder(join, encoder, encoder.features)

    def label_input(self, shape: Shape, classes: int) -> tuple[nn.Module, Shape]:
        """Choose how labels come beside data of a shape, and say the shape of both together."""
        if len(shape) == 3:
            return LabelMaps(classes), (shape[0] + classes, *shape[1:])
        return LabelVector(classes), (math.prod(shape) + classes,)

    @final
    def discriminator(self, shape: Shape) -> nn.Module:
        """Build an encoder with a real/fake head: (N, *shape) to scores (N,), or (N / m,)."""
        encoder = self.encoder(shape)
        return nn.Sequential(encoder, self.score_head(encoder.features))

    @final
    def score_head(self, features: int) -> nn.Module:
        """Build the real/fake head: (N, features) to logits or critic scores, shape (N,)."""
        return self._normalised(self.scoring(features))

    @final
    def recognition_head(self, features: int, outputs: int) -> nn.Module:
        """Build a head for codes or classes: (N, features) to (N, outputs), unbounded."""
        return self._normalised(self.recognition(features, outputs))

    def scoring(self, features: int) -> nn.Module:
        """Build the layers of the real/fake head: by default one linear unit."""
        return self.initialised(ScoreHead(features))

    def recognition(self, features: int, outputs: int) -> nn.Module:
        """Build the layers of a head for codes or classes: by default one linear layer."""
        return self.initialised(nn.Linear(features, outputs))

    def _normalised(self, network: nn.Module) -> nn.Module:
        if self.config.spectral_norm:
            for layer in list(network.modules()):
                if _weights(layer) is not None:
                    spectral_norm(layer)
        return network

    def initialised(self, network: nn.Module) -> nn.Module:
        """Apply the config's initialisation to every layer in place, and return the network."""
        return network.apply(self._initialise)


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
    "orthogonal_1.4": _fill(lambda weight: nn.init.orthogonal_(weight, gain=1.4)),
    "xavier": _fill(nn.init.xavier_uniform_),
}
