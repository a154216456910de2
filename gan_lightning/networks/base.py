"""The interface of network families, and the options that all of them share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, final

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gan_lightning.networks.heads import ScoreHead
from gan_lightning.networks.labels import (
    ConditionalEncoder,
    LabelMaps,
    LabelVector,
    ProjectionEncoder,
)
from gan_lightning.networks.minibatch import MINIBATCH_LAYERS, Pack
from gan_lightning.utils.settings import check_settings, setting

Shape = tuple[int, ...]
"""Shape of one sample without the batch: (2,) for points, (C, H, W) for images."""

LAYERS_WITH_WEIGHTS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)


@dataclass
class NetworkConfig:
    """Options of every family; a family overrides the defaults with those of its paper."""

    initialisation: str = setting(
        "default",
        "Initialisation of the weights; default is PyTorch's.",
        choices=lambda: INITIALISATIONS,
        initial=True,
    )
    packing: int = setting(
        1, "Samples that the discriminator scores jointly (PacGAN); 1 means separately.", minimum=1
    )
    minibatch_kernels: int = setting(
        0,
        "Kernels of minibatch discrimination on the discriminator's features; 0 means none.",
        minimum=0,
    )
    minibatch_dimensions: int = setting(
        5, "Dimensions in which each of these kernels compares two samples.", minimum=1
    )
    minibatch_layer: str = setting(
        "salimans",
        "Layer of minibatch discrimination: salimans is the authors', which sums over the other "
        "samples and sets its scale by the first minibatch; mean is that of version 0.1.",
        choices=MINIBATCH_LAYERS,
    )
    sync_minibatch_discrimination: bool = setting(
        False,
        "Compare the samples of all processes in minibatch discrimination, not of each separately.",
    )
    spectral_norm: bool = setting(
        False,
        "Spectral normalisation of the discriminator's trunk and heads; not of a decoder.",
    )


ConfigT = TypeVar("ConfigT", bound=NetworkConfig)


class Encoder(nn.Module):
    """The trunk of a discriminator: samples (N, *shape) to features (N, features).

    A network that is not a plain stack of layers subclasses it and overrides `forward`.

    Args:
        layers: module from (N, *shape) to (N, features).
        features: size of the output.
    """

    def __init__(self, layers: nn.Module, features: int) -> None:
        super().__init__()
        self.layers = layers
        self.features = features

    def forward(self, data: Tensor) -> Tensor:
        """Map samples (N, *shape) to features (N, features), unbounded."""
        features: Tensor = self.layers(data)
        return features


class NetworkFamily(ABC, Generic[ConfigT]):
    """Builds the networks of a GAN for any data shape that the family supports.

    A family builds a generator and a trunk. Packing, minibatch discrimination and spectral
    normalisation of the discriminator are implemented here for all families.

    Args:
        config: an instance of the class's `Config`.

    Raises:
        ValueError: a value of the config is out of range.
    """

    Config: ClassVar[type[Any]]
    pictures: ClassVar[tuple[str, ...]] = ()
    """Names of pictures, of `gan_lightning.callbacks.PICTURES`, that show these networks."""

    def __init__(self, config: ConfigT) -> None:
        check_settings(config)
        self.config = config
        self._initialise = INITIALISATIONS[config.initialisation]

    @abstractmethod
    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build a generator.

        Args:
            inputs: size of its input vector: latent vector, codes and one-hot label, concatenated.
            shape: shape of one sample.

        Returns:
            Module from (N, inputs) to (N, *shape); images in [-1, 1], points unbounded.

        Raises:
            ValueError: the family does not support the shape.
        """

    def conditional_generator(self, inputs: int, classes: int, shape: Shape) -> nn.Module:
        """Build a generator of classes; by default `generator` of the concatenated input.

        Args:
            inputs: size of its latent vector.
            classes: number of classes.
            shape: shape of one sample.

        Returns:
            Module from (N, inputs + classes), latent vector and one-hot class, to (N, *shape), with
            the range of `generator`.

        Raises:
            ValueError: the family does not support the shape.
        """
        return self.generator(inputs + classes, shape)

    def translator(self, source: Shape, shape: Shape) -> nn.Module:
        """Build a generator of images from images: (N, *source) to (N, *shape) in [-1, 1].

        Raises:
            ValueError: the family has no such generator, or does not support a shape.
        """
        raise ValueError("these networks cannot translate images; set network.name=pix2pix")

    @abstractmethod
    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build the layers of a discriminator up to its features, for samples of this shape.

        Raises:
            ValueError: the family does not support the shape.
        """

    @final
    def encoder(self, shape: Shape) -> Encoder:
        """Build a discriminator up to its features: packing, trunk and minibatch discrimination.

        With packing m it maps (N, *shape) to (N / m, features): the channels (or coordinates) of m
        samples are concatenated.

        Raises:
            ValueError: the family does not support the shape.
        """
        config = self.config
        encoder = self.discriminator_trunk(
            (config.packing * shape[0], *shape[1:]) if shape else shape
        )
        if config.packing > 1:
            encoder = Encoder(nn.Sequential(Pack(config.packing), encoder), encoder.features)
        if config.minibatch_kernels:
            kernels, dimensions = config.minibatch_kernels, config.minibatch_dimensions
            layer = MINIBATCH_LAYERS[config.minibatch_layer](
                encoder.features, kernels, dimensions, config.sync_minibatch_discrimination
            )
            encoder = Encoder(nn.Sequential(encoder, layer), encoder.features + kernels)
        self._apply_spectral_norm(encoder)
        return encoder

    def conditional_encoder(
        self, shape: Shape, classes: int
    ) -> ConditionalEncoder | ProjectionEncoder:
        """Build an encoder whose second input is the class label, one of `classes`.

        By default labels are joined with the samples. A family overrides it to return
        `projection_encoder`.

        Raises:
            ValueError: the family does not support the shape.
        """
        join, joined_shape = self.label_input(shape, classes)
        encoder = self.encoder(joined_shape)
        return ConditionalEncoder(join, encoder, encoder.features)

    @final
    def projection_encoder(self, shape: Shape, classes: int) -> ProjectionEncoder:
        """Build an encoder of samples that compares their features with a vector of the class.

        Raises:
            ValueError: the family does not support the shape, or samples are packed.
        """
        if self.config.packing > 1:
            raise ValueError(
                f"packing is {self.config.packing}, and a projection discriminator compares each "
                f"sample with its own class; set it to 1"
            )
        encoder = self.encoder(shape)
        projection = ProjectionEncoder(encoder, encoder.features, classes)
        if self.config.spectral_norm:
            spectral_norm(projection.embedding)
        return projection

    def label_input(self, shape: Shape, classes: int) -> tuple[nn.Module, Shape]:
        """Build the module that joins samples and labels, and return it with the joined shape."""
        if len(shape) == 3:
            return LabelMaps(classes), (shape[0] + classes, *shape[1:])
        return LabelVector(classes), (math.prod(shape) + classes,)

    @final
    def discriminator(self, shape: Shape) -> nn.Module:
        """Build an encoder with a score head: (N, *shape) to scores (N,), with packs (N / m,)."""
        encoder = self.encoder(shape)
        return nn.Sequential(encoder, self.score_head(encoder.features))

    @final
    def score_head(self, features: int) -> nn.Module:
        """Build the real/fake head: (N, features) to logits or critic scores (N,)."""
        return self._apply_spectral_norm(self.score_layers(features))

    @final
    def conditional_score_head(self, features: int) -> nn.Module:
        """Build the real/fake head on the features of a `conditional_encoder`."""
        return self._apply_spectral_norm(self.conditional_score_layers(features))

    @final
    def recognition_head(self, features: int, outputs: int) -> nn.Module:
        """Build a head for codes or classes: (N, features) to (N, outputs), unbounded."""
        return self._apply_spectral_norm(self.recognition_layers(features, outputs))

    def score_layers(self, features: int) -> nn.Module:
        """Build the layers of the real/fake head; the default is one linear unit."""
        return self.initialise_weights(ScoreHead(features))

    def conditional_score_layers(self, features: int) -> nn.Module:
        """Build the layers of `conditional_score_head`; the default is `score_layers`."""
        return self.score_layers(features)

    def recognition_layers(self, features: int, outputs: int) -> nn.Module:
        """Build the layers of a head for codes or classes; the default is one linear layer."""
        return self.initialise_weights(nn.Linear(features, outputs))

    def _apply_spectral_norm(self, network: nn.Module) -> nn.Module:
        if self.config.spectral_norm:
            for layer in list(network.modules()):
                if _weight(layer) is not None:
                    spectral_norm(layer)
        return network

    def initialise_weights(self, network: nn.Module) -> nn.Module:
        """Initialise every layer in place as the config requires, and return the network."""
        return network.apply(self._initialise)


def unsupported_shape(family: str, shape: Shape, valid: str, fix: str) -> ValueError:
    """Build the error of a family that does not support a shape."""
    return ValueError(
        f"{family} networks do not support shape {tuple(shape)}; valid: {valid}. {fix}"
    )


def check_sample_shape(family: str, shape: Shape) -> None:
    """Check that a shape is that of points or images, for families that support all of them.

    Raises:
        ValueError: it is neither.
    """
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise unsupported_shape(
            family,
            shape,
            valid="(D,) for points, (C, H, W) for images",
            fix="Reshape the data to one of them.",
        )


def _weight(module: nn.Module) -> Tensor | None:
    return module.weight if isinstance(module, LAYERS_WITH_WEIGHTS) else None


def _keep_default(module: nn.Module) -> None:
    """Keep PyTorch's initialisation."""


def _initialiser(
    initialise_weight: Callable[[Tensor], Any], norm_std: float = 0.0
) -> Callable[[nn.Module], None]:
    """Build an initialiser of layers: biases 0, scales of norms from N(1, norm_std^2)."""

    def initialise(module: nn.Module) -> None:
        weight = _weight(module)
        if weight is not None:
            initialise_weight(weight)
        elif isinstance(module, NORMS) and module.affine:
            nn.init.normal_(module.weight, 1.0, norm_std)
        else:
            return
        if isinstance(module.bias, Tensor):
            nn.init.zeros_(module.bias)

    return initialise


def _orthogonal(weight: Tensor, gain: float = 1.0) -> None:
    """Make a weight orthogonal; a QR decomposition in several threads rounds in another way."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        nn.init.orthogonal_(weight, gain)
    finally:
        torch.set_num_threads(threads)


INITIALISATIONS: dict[str, Callable[[nn.Module], None]] = {
    "default": _keep_default,
    "normal_0.02": _initialiser(lambda weight: nn.init.normal_(weight, 0.0, 0.02), norm_std=0.02),
    "orthogonal": _initialiser(_orthogonal),
    "orthogonal_1.4": _initialiser(lambda weight: _orthogonal(weight, gain=1.4)),
    "xavier": _initialiser(nn.init.xavier_uniform_),
}
