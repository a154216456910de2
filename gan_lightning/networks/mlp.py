"""Multilayer perceptrons for points and small images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from gan_lightning.networks.base import (
    Encoder,
    NetworkConfig,
    NetworkFamily,
    Shape,
    check_sample_shape,
)
from gan_lightning.networks.dropout import Dropout
from gan_lightning.networks.labels import LabelVector
from gan_lightning.utils.settings import setting

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "tanh": nn.Tanh,
}


@dataclass
class MLPConfig(NetworkConfig):
    """Widths and options of the perceptrons."""

    generator_hidden: list[int] = setting(
        [128, 128], "Units of each hidden layer of the generator.", min_length=1, minimum=1
    )
    discriminator_hidden: list[int] = setting(
        [128, 128],
        "Units of each hidden layer of the discriminator; the last is the feature vector.",
        min_length=1,
        minimum=1,
    )
    activation: str = setting(
        "relu",
        "Activation of all hidden layers; leaky_relu has a negative slope of 0.2.",
        choices=ACTIVATIONS,
    )
    batch_norm: bool = setting(False, "Batch normalisation of the generator's hidden layers.")
    maxout_pieces: int = setting(
        0,
        "Pieces of the discriminator's maxout units, instead of the activation; 0 means no maxout.",
        minimum=0,
    )
    dropout: float = setting(
        0.0, "Dropout probability of the discriminator's hidden units.", minimum=0, below=1
    )


class MLP(NetworkFamily[MLPConfig]):
    """Fully connected networks for points (D,) and images (C, H, W) of any size.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), section 5, for the layout. The default widths
        are customary on 2-D mixtures; initialisation orthogonal_1.4 is that of the code of Metz et
        al. 2017 (github.com/poolio/unrolled_gan).
    Deviations: maxout units in the discriminator are an option; the generator's output for images
        is a tanh.
    """

    Config: ClassVar[type[MLPConfig]] = MLPConfig

    def __init__(self, config: MLPConfig) -> None:
        super().__init__(config)
        self._activation = ACTIVATIONS[config.activation]

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build hidden layers and a linear output layer, with tanh for images."""
        check_sample_shape("mlp", shape)
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
        return self.initialise_weights(nn.Sequential(*layers))

    def label_input(self, shape: Shape, classes: int) -> tuple[nn.Module, Shape]:
        """Append the one-hot label to the flattened sample, as Mirza, Osindero 2014 do."""
        check_sample_shape("mlp", shape)
        return LabelVector(classes), (math.prod(shape) + classes,)

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build the hidden layers of the discriminator; images are flattened."""
        check_sample_shape("mlp", shape)
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
        self.initialise_weights(encoder)
        return encoder


class Maxout(nn.Module):
    """A layer whose units are the maximum of several linear functions.

    Args:
        inputs: size of the input vector.
        outputs: number of units.
        pieces: linear functions per unit.

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
