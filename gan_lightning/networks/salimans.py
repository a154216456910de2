"""Networks of the semi-supervised GAN for MNIST: weight-normalised layers with noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from gan_lightning.networks.base import (
    INITIALISATIONS,
    Encoder,
    NetworkConfig,
    NetworkFamily,
    Shape,
    check_sample_shape,
)
from gan_lightning.utils.settings import setting

__all__ = ["GaussianNoise", "SalimansNetworks", "SalimansNetworksConfig", "WeightNormLinear"]

MEAN_SQUARE_OF_MNIST = 0.1
"""Mean square of the pixels of MNIST in [0, 1]."""


@dataclass
class SalimansNetworksConfig(NetworkConfig):
    """The authors' values for MNIST."""

    generator_hidden: list[int] = setting(
        [500, 500], "Units of each hidden layer of the generator.", min_length=1, minimum=1
    )
    discriminator_hidden: list[int] = setting(
        [1000, 500, 250, 250, 250],
        "Units of each hidden layer of the discriminator.",
        min_length=1,
        minimum=1,
    )
    input_noise: float = setting(
        0.3,
        "Standard deviation of the noise on the discriminator's input, for pixels in [0, 1].",
        minimum=0,
    )
    hidden_noise: float = setting(
        0.5,
        "Standard deviation of the noise on the discriminator's hidden layers.",
        minimum=0,
    )
    output: str = setting(
        "tanh",
        "Last layer of the generator of images: tanh, or the authors' sigmoid, whose pixels in "
        "[0, 1] are then mapped to [-1, 1].",
        choices=lambda: OUTPUTS,
    )
    initialisation: str = setting(
        "xavier",
        "Initialisation of the generator; the discriminator's layers have their own.",
        choices=INITIALISATIONS,
        initial=True,
    )

    def validate(self) -> None:
        """Raise a ValueError if spectral normalisation is requested."""
        if self.spectral_norm:
            raise ValueError(
                "spectral_norm is true and salimans networks have weight normalisation; set it to "
                "false"
            )


class SalimansNetworks(NetworkFamily[SalimansNetworksConfig]):
    """Fully connected networks; the discriminator's features are its last hidden layer.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Salimans et al. 2016 (arXiv:1606.03498), section 5.1 and their code
        (github.com/openai/improved-gan, mnist_svhn_cifar10/train_mnist_feature_matching.py).
    Deviations: the initial scale of a layer is computed so that its outputs have unit variance for
        inputs of mean 0; the code measures it on 500 images, and sets the bias so that the mean
        output is 0. The generator's batch norms have a scale. The default output is a tanh. Images
        are in [-1, 1] outside of the networks; the discriminator maps them to [0, 1].
    """

    Config: ClassVar[type[SalimansNetworksConfig]] = SalimansNetworksConfig

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build softplus layers with batch norm and a weight-normalised output layer."""
        check_sample_shape("salimans", shape)
        widths = [inputs, *self.config.generator_hidden]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.Softplus()]
        hidden = self.initialise_weights(nn.Sequential(*layers))
        output = WeightNormLinear(widths[-1], math.prod(shape), scale=1.0, learnable_scale=True)
        is_image = len(shape) == 3
        pixels = OUTPUTS[self.config.output]() if is_image else []
        return nn.Sequential(hidden, output, *pixels, nn.Unflatten(1, shape))

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build weight-normalised layers, with noise before each."""
        check_sample_shape("salimans", shape)
        config = self.config
        widths = [math.prod(shape), *config.discriminator_hidden]
        layers: list[nn.Module] = [nn.Flatten(), ToUnitRange()]
        mean_square, noise = MEAN_SQUARE_OF_MNIST, config.input_noise
        for before, after in pairwise(widths):
            scale = (mean_square + noise**2) ** -0.5
            layers += [GaussianNoise(noise), WeightNormLinear(before, after, scale), nn.ReLU()]
            mean_square, noise = 0.5, config.hidden_noise
        return Encoder(nn.Sequential(*layers), widths[-1])

    def recognition_layers(self, features: int, outputs: int) -> nn.Module:
        """Build noise and a weight-normalised layer with a learnable scale."""
        noise = self.config.hidden_noise
        scale = (0.5 + noise**2) ** -0.5
        return nn.Sequential(
            GaussianNoise(noise), WeightNormLinear(features, outputs, scale, learnable_scale=True)
        )


class WeightNormLinear(nn.Module):
    """A linear layer with weight normalisation: direction and norm of each row are separate.

    Args:
        inputs: size of the input vector.
        outputs: number of units.
        scale: initial norm of each row.
        learnable_scale: whether the norm is a parameter; else it is constant.

    Source: Salimans, Kingma 2016 (arXiv:1602.07868), equation 2.
    """

    def __init__(
        self, inputs: int, outputs: int, scale: float, learnable_scale: bool = False
    ) -> None:
        super().__init__()
        self.direction = nn.Parameter(0.1 * torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        scales = torch.full((outputs, 1), scale)
        self.scale: Tensor
        if learnable_scale:
            self.scale = nn.Parameter(scales)
        else:
            self.register_buffer("scale", scales)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, inputs) to (N, outputs)."""
        weight = self.direction * (self.scale / self.direction.norm(dim=1, keepdim=True))
        return linear(inputs, weight, self.bias)


class GaussianNoise(nn.Module):
    """Adds Gaussian noise in training mode.

    Args:
        std: standard deviation, at least 0.
    """

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, values: Tensor) -> Tensor:
        """Add noise to values of any shape; return them unchanged in evaluation mode."""
        if not self.training or not self.std:
            return values
        return values + self.std * torch.randn_like(values)


class FromUnitRange(nn.Module):
    """Maps values from [0, 1] to [-1, 1]."""

    def forward(self, values: Tensor) -> Tensor:
        """Map values of any shape."""
        return 2 * values - 1


OUTPUTS: dict[str, Callable[[], list[nn.Module]]] = {
    "tanh": lambda: [nn.Tanh()],
    "sigmoid": lambda: [nn.Sigmoid(), FromUnitRange()],
}
"""Name -> function that builds the layers that bound the generator's pixels."""


class ToUnitRange(nn.Module):
    """Maps values from [-1, 1] to [0, 1]."""

    def forward(self, values: Tensor) -> Tensor:
        """Map values of any shape."""
        return (values + 1) / 2
