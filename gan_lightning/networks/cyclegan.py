"""Networks of CycleGAN: a residual translator and a PatchGAN discriminator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from gan_lightning.networks.base import Shape
from gan_lightning.networks.patches import PatchConfig, PatchNetworks, check_square
from gan_lightning.utils.settings import setting

__all__ = ["CycleGANNetworks", "CycleGANNetworksConfig"]


@dataclass
class CycleGANNetworksConfig(PatchConfig):
    """Options of the paper's networks."""

    norm: str = "instance"
    blocks: int = setting(
        9,
        "Residual blocks at a quarter of the resolution; the paper has 6 for 128 and 9 for 256 "
        "pixels.",
        minimum=1,
    )


class CycleGANNetworks(PatchNetworks[CycleGANNetworksConfig]):
    """A residual translator and a PatchGAN; sides of 32, 64, 128 or 256 pixels.

    The translator halves its input twice, has residual blocks there, and doubles it twice.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Zhu, Park, Isola, Efros 2017 (arXiv:1703.10593), appendix 7.2; Johnson, Alahi, Fei-Fei
        2016 (arXiv:1603.08155) for the translator.
    """

    Config: ClassVar[type[CycleGANNetworksConfig]] = CycleGANNetworksConfig
    name = "cyclegan"

    def translator(self, source: Shape, shape: Shape) -> nn.Module:
        """Build a network from (N, *source) to (N, *shape) in [-1, 1]."""
        check_square(self.name, source)
        check_square(self.name, shape)
        width, norm = self.config.width, self.norm
        layers = _layer(nn.Conv2d(source[0], width, 7, padding=3, padding_mode="reflect"), norm)
        for inputs in (width, 2 * width):
            layers += _layer(nn.Conv2d(inputs, 2 * inputs, 3, 2, 1), norm)
        layers += [ResidualBlock(4 * width, norm) for _ in range(self.config.blocks)]
        for inputs in (4 * width, 2 * width):
            layers += _layer(nn.ConvTranspose2d(inputs, inputs // 2, 3, 2, 1, 1), norm)
        layers += [nn.Conv2d(width, shape[0], 7, padding=3, padding_mode="reflect"), nn.Tanh()]
        return self.initialise_weights(nn.Sequential(*layers))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose output is added to their input.

    Args:
        width: channels of the maps.
        norm: builds the normalisation of maps, given their number of channels.
    """

    def __init__(self, width: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        first, second = (
            nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect") for _ in range(2)
        )
        self.layers = nn.Sequential(*_layer(first, norm), second, norm(width))

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, width, H, W) to the same shape."""
        changed: Tensor = maps + self.layers(maps)
        return changed


def _layer(
    convolution: nn.Conv2d | nn.ConvTranspose2d, norm: Callable[[int], nn.Module]
) -> list[nn.Module]:
    """Return a convolution, the normalisation of its maps, and a ReLU."""
    return [convolution, norm(convolution.out_channels), nn.ReLU()]
