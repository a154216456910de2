"""The networks of the semi-supervised GAN for MNIST: weight-normed layers with noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from gan_lightning.networks.base import Encoder, NetworkConfig, NetworkFamily, Shape

__all__ = ["Noise", "NormedLinear", "SalimansNetworks", "SalimansNetworksConfig"]

INK = 0.1
"""Mean square of the pixels of MNIST in [0, 1]."""


@dataclass
class SalimansNetworksConfig(NetworkConfig):
    """The authors' values for MNIST."""

    # units of each hidden layer of the generator
    generator_hidden: list[int] = field(default_factory=lambda: [500, 500])
    # units of each hidden layer of the discriminator
    discriminator_hidden: list[int] = field(default_factory=lambda: [1000, 500, 250, 250, 250])
    # standard deviation of the noise on the discriminator's input, in [0, 1] for images
    input_noise: float = 0.3
    # and on each of its hidden layers
    hidden_noise: float = 0.5
    # of the generator; the discriminator's layers have their own
    initialisation: str = "xavier"

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        for name in ("generator_hidden", "discriminator_hidden"):
            widths = list(getattr(self, name))
            if not widths or min(widths) < 1:
                raise ValueError(f"{name} is {widths}; it needs a layer, each of 1 unit or more")
        for name in ("input_noise", "hidden_noise"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")
        if self.spectral_norm:
            raise ValueError(
                "spectral_norm is true, and salimans networks have weight normalisation: set it to "
                "false"
            )


class SalimansNetworks(NetworkFamily[SalimansNetworksConfig]):
    """Fully connected networks; the discriminator's features are those of its last hidden layer.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Salimans et al. 2016 (arXiv:1606.03498), section 5.1 and their code
        (github.com/openai/improved-gan, mnist_svhn_cifar10/train_mnist_feature_matching.py).
    Deviations: a layer's scale starts where unit-variance units come out of inputs of mean 0; the
        code measures it on 500 images. The generator's batch norms have a scale.
    """

    Config: ClassVar[type[SalimansNetworksConfig]] = SalimansNetworksConfig

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build softplus layers with batch norm and a weight-normed output."""
        widths = [inputs, *self.config.generator_hidden]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.Softplus()]
        hidden = self.initialised(nn.Sequential(*layers))
        output = NormedLinear(widths[-1], math.prod(shape), scale=1.0, learns_scale=True)
        images = len(shape) == 3
        last = [nn.Tanh(), nn.Unflatten(1, shape)] if images else [nn.Unflatten(1, shape)]
        return nn.Sequential(hidden, output, *last)

    def trunk(self, shape: Shape) -> Encoder:
        """Build noise and a weight-normed layer, by turns."""
        config = self.config
        widths = [math.prod(shape), *config.discriminator_hidden]
        layers: list[nn.Module] = [nn.Flatten(), Brightness()]
        square, noise = INK, config.input_noise
        for before, after in pairwise(widths):
            scale = (square + noise**2) ** -0.5
            layers += [Noise(noise), NormedLinear(before, after, scale), nn.ReLU()]
            square, noise = 0.5, config.hidden_noise
        return Encoder(nn.Sequential(*layers), widths[-1])

    def recognition(self, features: int, outputs: int) -> nn.Module:
        """Build noise and a weight-normed layer whose scale is learnt."""
        noise = self.config.hidden_noise
        scale = (0.5 + noise**2) ** -0.5
        return nn.Sequential(Noise(noise), NormedLinear(features, outputs, scale, True))


class NormedLinear(nn.Module):
    """A linear layer each of whose rows has a length of its own, apart from its direction.

    Args:
        inputs: length of the input vector.
        outputs: number of units.
        scale: length of each row at first.
        learns_scale: whether it is learnt.

    Source: Salimans, Kingma 2016 (arXiv:1602.07868), equation 2.
    """

    def __init__(self, inputs: int, outputs: int, scale: float, learns_scale: bool = False) -> None:
        super().__init__()
        self.direction = nn.Parameter(0.1 * torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        lengths = torch.full((outputs, 1), scale)
        self.scale: Tensor
        if learns_scale:
            self.scale = nn.Parameter(lengths)
        else:
            self.register_buffer("scale", lengths)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, inputs) to (N, outputs)."""
        rows = self.direction * (self.scale / self.direction.norm(dim=1, keepdim=True))
        return linear(inputs, rows, self.bias)


class Noise(nn.Module):
    """Adds normal noise in training.

    Args:
        deviation: standard deviation, at least 0.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, values: Tensor) -> Tensor:
        """Return values of any shape with noise added, or as they are in evaluation mode."""
        if not self.training or not self.deviation:
            return values
        return values + self.deviation * torch.randn_like(values)


class Brightness(nn.Module):
    """Maps [-1, 1] to [0, 1]."""

    def forward(self, values: Tensor) -> Tensor:
        """Map values of any shape."""
        return (values + 1) / 2
