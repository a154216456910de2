"""The networks of InfoGAN's MNIST experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from gan_lightning.networks.base import (
    Encoder,
    NetworkConfig,
    NetworkFamily,
    Shape,
    unsupported_shape,
)
from gan_lightning.networks.layout import MapsToVector, VectorToMaps


@dataclass
class InfoGANNetworksConfig(NetworkConfig):
    """What the paper and its reference implementation leave open."""

    # slope of the discriminator's leaky ReLU below zero (reference implementation: 0.01)
    negative_slope: float = 0.1
    # channels beside the image; twice as many further in, sixteen times as many dense units
    width: int = 64
    initialisation: str = "normal_0.02"

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        if self.negative_slope < 0:
            raise ValueError(f"negative_slope is {self.negative_slope}; it must be at least 0")
        if self.width < 1:
            raise ValueError(f"width is {self.width}; it must be at least 1")


class InfoGANNetworks(NetworkFamily[InfoGANNetworksConfig]):
    """Two convolutions and a dense layer, and the same upside down.

    The discriminator's trunk is the encoder; D adds a linear unit, Q a dense layer of 128 units and
    a linear one. Images of any size divisible by 4. The paper has a width of 64, so 64 and 128
    channels and 1024 units.

    The paper's text and its code (github.com/openai/InfoGAN) differ: the leaky rate is 0.1 in
    appendix C and 0.01 in the code; the code normalises before
    the nonlinearity. We take the paper's rate and the code's order. From the code: weights from
    N(0, 0.02^2), norm scales from N(1, 0.02^2), biases 0, batch norm with epsilon 1e-5 and running
    averages of decay 0.9 (PyTorch's defaults).

    Raises:
        ValueError: a value of the config is out of range.

    Source: Chen et al. 2016 (arXiv:1606.03657), appendix C.
    Deviations: images leave the generator through tanh in [-1, 1], not as Bernoulli means in
        [0, 1]; the discriminator's convolutions start from a normal distribution, which the code
        truncates at two standard deviations; layers before a batch norm have no bias of their own.
    """

    Config: ClassVar[type[InfoGANNetworksConfig]] = InfoGANNetworksConfig

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build two dense layers and two 4x4 up-convolutions."""
        channels, height, width = _quarter(shape)
        outer, inner, units = self._widths()
        return self.initialised(
            nn.Sequential(
                nn.Linear(inputs, units, bias=False),
                nn.BatchNorm1d(units),
                nn.ReLU(),
                nn.Linear(units, inner * height * width, bias=False),
                nn.BatchNorm1d(inner * height * width),
                nn.ReLU(),
                VectorToMaps(inner, height, width),
                nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=False),
                nn.BatchNorm2d(outer),
                nn.ReLU(),
                nn.ConvTranspose2d(outer, channels, 4, 2, 1),
                nn.Tanh(),
            )
        )

    def trunk(self, shape: Shape) -> Encoder:
        """Build the trunk that D and Q share, up to the dense units."""
        channels, height, width = _quarter(shape)
        outer, inner, units = self._widths()
        layers = nn.Sequential(
            nn.Conv2d(channels, outer, 4, 2, 1),
            nn.LeakyReLU(self.config.negative_slope),
            nn.Conv2d(outer, inner, 4, 2, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.LeakyReLU(self.config.negative_slope),
            MapsToVector(),
            nn.Linear(inner * height * width, units, bias=False),
            nn.BatchNorm1d(units),
            nn.LeakyReLU(self.config.negative_slope),
        )
        encoder = Encoder(layers, units)
        self.initialised(encoder)
        return encoder

    def recognition(self, features: int, outputs: int) -> nn.Module:
        """Build Q's own layers: 128 units with batch norm, then one linear layer."""
        return self.initialised(
            nn.Sequential(
                nn.Linear(features, 128, bias=False),
                nn.BatchNorm1d(128),
                nn.LeakyReLU(self.config.negative_slope),
                nn.Linear(128, outputs),
            )
        )

    def _widths(self) -> tuple[int, int, int]:
        """Return the channels of the outer and the inner convolution, and the dense units."""
        return self.config.width, 2 * self.config.width, 16 * self.config.width


def _quarter(shape: Shape) -> tuple[int, int, int]:
    """Return the channels of the image, and height and width of the map a quarter its size."""
    if len(shape) != 3 or min(shape) < 1 or shape[1] % 4 or shape[2] % 4:
        raise unsupported_shape(
            "infogan",
            shape,
            valid="(C, H, W) with H and W divisible by 4",
            fix="Resize the images, or choose the mlp networks.",
        )
    channels, height, width = shape
    return channels, height // 4, width // 4
