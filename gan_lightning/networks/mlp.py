"""Multilayer perceptrons, for points and for small images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from gan_lightning.errors import check_choice
from gan_lightning.networks.base import (
    Encoder,
    NetworkConfig,
    NetworkFamily,
    Shape,
    unsupported_shape,
)
from gan_lightning.networks.dropout import Dropout
from gan_lightning.networks.labels import LabelVector

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "tanh": nn.Tanh,
}


@dataclass
class MLPConfig(NetworkConfig):
    """Widths and layers of the perceptrons."""

    # units of each hidden layer of the generator
    generator_hidden: list[int] = field(default_factory=lambda: [128, 128])
    # units of each hidden layer of the discriminator; the last one is the feature vector
    discriminator_hidden: list[int] = field(default_factory=lambda: [128, 128])
    # of all hidden layers: relu, leaky_relu (slope 0.2) or tanh
    activation: str = "relu"
    # batch normalisation of the generator's hidden layers
    batch_norm: bool = False
    # pieces of the discriminator's maxout units, in place of its activation; 0 for none
    maxout_pieces: int = 0
    # probability that a hidden unit of the discriminator is zeroed in training, in [0, 1)
    dropout: float = 0.0

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        check_choice("activation", self.activation, ACTIVATIONS)
        for name in ("generator_hidden", "discriminator_hidden"):
            widths = list(getattr(self, name))
            if not widths or min(widths) < 1:
                raise ValueError(f"{name} is {widths}; it needs a layer, each of 1 unit or more")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must lie in [0, 1)")
        if self.maxout_pieces < 0:
            raise ValueError(f"maxout_pieces is {self.maxout_pieces}; it must be at least 0")


class MLP(NetworkFamily[MLPConfig]):
    """Fully connected networks that take points (D,) and images (C, H, W) of any size.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), section 5, for the layout. The default widths
        are customary on 2-D mixtures; the code of Metz et al. 2017 (github.com/poolio/unrolled_gan)
        starts them as initialisation orthogonal_1.4.
    Deviations: maxout units in the discriminator are an option; images leave the generator through
        tanh.
    """

    Config: ClassVar[type[MLPConfig]] = MLPConfig

    def __init__(self, config: MLPConfig) -> None:
        super().__init__(config)
        self._activation = ACTIVATIONS[config.activation]

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build hidden layers and a linear output, with tanh for images."""
        _check(shape)
        widths = [inputs, *self.config.generator_hidden]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers.append(nn.Linear(before, after, bias=not self.config.batch_norm))
            if self.config.batch_norm:
                layers.append(nn.BatchNorm1d(after))
            layers.append(self._activation())
        layers.append(nn.Linear(widths[-1], math.prod(shape)))
        if len(shape) == 3:
            layers += [nn.Tanh(), nn.Unflatten(1, shape)]
        return self.initialised(nn.Sequential(*layers))

    def label_input(self, shape: Shape, classes: int) -> tuple[nn.Module, Shape]:
        """Put the one-hot label beside the flattened data, as Mirza, Osindero 2014 do."""
        _check(shape)
        return LabelVector(classes), (math.prod(shape) + classes,)

    def trunk(self, shape: Shape) -> Encoder:
        """Build the hidden layers of the discriminator; images are flattened."""
        _check(shape)
        widths = [math.prod(shape), *self.config.discriminator_hidden]
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(widths):
            if self.config.maxout_pieces:
                layers.append(Maxout(before, after, self.config.maxout_pieces))
            else:
                layers += [nn.Linear(before, after), self._activation()]
            if self.config.dropout > 0:
                layers.append(Dropout(self.config.dropout))
        encoder = Encoder(nn.Sequential(*layers), widths[-1])
        self.initialised(encoder)
        return encoder


class Maxout(nn.Module):
    """A layer of units, each the largest of several linear pieces.

    Args:
        inputs: length of the input vector.
        outputs: number of units.
        pieces: of each unit.

    Source: Goodfellow et al. 2013 (arXiv:1302.4389), section 3.
    """

    def __init__(self, inputs: int, outputs: int, pieces: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs * pieces)
        self.pieces = pieces

    def forward(self, data: Tensor) -> Tensor:
        """Map (N, inputs) to (N, outputs)."""
        values: Tensor = self.linear(data).unflatten(1, (-1, self.pieces)).max(2).values
        return values


def _check(shape: Shape) -> None:
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise unsupported_shape(
            "mlp",
            shape,
            valid="(D,) for points, (C, H, W) for images",
            fix="Reshape the data to one of them.",
        )
