"""Networks of InfoGAN's MNIST experiment."""

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
from gan_lightning.utils.settings import setting


@dataclass
class InfoGANNetworksConfig(NetworkConfig):
    """Values in which the paper and its reference implementation differ, and the width."""

    negative_slope: float = setting(
        0.1,
        "Negative slope of the discriminator's leaky ReLU; 0.01 in the authors' code.",
        minimum=0,
    )
    width: int = setting(
        64,
        "Channels of the outer convolution; the inner one has 2 times, the dense layer 16 times as "
        "many.",
        minimum=1,
    )
    initialisation: str = "normal_0.02"


class InfoGANNetworks(NetworkFamily[InfoGANNetworksConfig]):
    """Two convolutions and a dense layer in the discriminator, the reverse in the generator.

    The encoder is the trunk that D and Q share; D adds a linear unit, Q a dense layer of 128 units
    and a linear layer. Images of any size divisible by 4 are supported. The paper's width is 64:
    64 and 128 channels and 1024 units.

    The paper's text and its code (github.com/openai/InfoGAN) differ: the slope of the leaky ReLU is
    0.1 in appendix C and 0.01 in the code, and the code normalises before the nonlinearity. Here
    the slope is the paper's and the order is the code's. Also from the code: weights from
    N(0, 0.02^2), norm scales from N(1, 0.02^2), biases 0, batch norm with epsilon 1e-5 and running
    averages with decay 0.9 (PyTorch's defaults).

    Raises:
        ValueError: a value of the config is out of range.

    Source: Chen et al. 2016 (arXiv:1606.03657), appendix C.
    Deviations: the generator's output is a tanh in [-1, 1] instead of Bernoulli means in [0, 1];
        the discriminator's convolutions are initialised from a normal distribution, which the code
        truncates at two standard deviations; layers before a batch norm have no bias.
    """

    Config: ClassVar[type[InfoGANNetworksConfig]] = InfoGANNetworksConfig

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build two dense layers and two 4x4 transposed convolutions."""
        channels, height, width = _channels_and_quarter_size(shape)
        outer, inner, units = self._widths()
        return self.initialise_weights(
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

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build the layers that D and Q share, up to the dense units."""
        channels, height, width = _channels_and_quarter_size(shape)
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
        self.initialise_weights(encoder)
        return encoder

    def recognition_layers(self, features: int, outputs: int) -> nn.Module:
        """Build the layers of Q: 128 units with batch norm, then one linear layer."""
        return self.initialise_weights(
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


def _channels_and_quarter_size(shape: Shape) -> tuple[int, int, int]:
    """Return the channels of the images, and a quarter of their height and of their width."""
    if len(shape) != 3 or min(shape) < 1 or shape[1] % 4 or shape[2] % 4:
        raise unsupported_shape(
            "infogan",
            shape,
            valid="(C, H, W) with H and W divisible by 4",
            fix="Resize the images, or set network.name=mlp.",
        )
    channels, height, width = shape
    return channels, height // 4, width // 4
