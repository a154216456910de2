"""Networks of image-to-image translation: a U-Net and a PatchGAN discriminator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_lightning.networks.base import Shape
from gan_lightning.networks.dropout import dropout
from gan_lightning.networks.patches import PatchConfig, PatchNetworks, check_square
from gan_lightning.utils.settings import setting

__all__ = ["DropoutNoise", "Pix2PixNetworks", "Pix2PixNetworksConfig", "UNet"]

DROPOUT_LAYERS = 3
"""The first layers of the decoder have dropout."""


@dataclass
class Pix2PixNetworksConfig(PatchConfig):
    """Options of the paper's networks."""

    dropout: float = setting(
        0.5,
        "Dropout probability in the first three decoder layers, also in evaluation mode.",
        minimum=0,
        below=1,
    )
    rectified_skips: bool = setting(
        False,
        "Rectify what the encoder passes to the decoder again by a ReLU, as in the authors' code.",
    )


class Pix2PixNetworks(PatchNetworks[Pix2PixNetworksConfig]):
    """A U-Net generator with dropout as noise and a PatchGAN; sides of 32, 64, 128 or 256 pixels.

    Each score depends on a square of `patch` pixels of the zero-padded image.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Isola et al. 2017 (arXiv:1611.07004), section 3.2 and appendix 6.1.
    Deviations: with `norm` batch, the decoder is normalised by running statistics at test time;
        the paper normalises by the statistics of the test image, as `norm` instance does. In the
        authors' code each layer of the decoder begins with a ReLU, which rectifies the skips and
        the single pixel in the middle again; here `rectified_skips` does.
    """

    Config: ClassVar[type[Pix2PixNetworksConfig]] = Pix2PixNetworksConfig

    name = "pix2pix"

    def translator(self, source: Shape, shape: Shape) -> nn.Module:
        """Build a U-Net from (N, *source) to (N, *shape) in [-1, 1]."""
        check_square(self.name, source)
        check_square(self.name, shape)
        network = UNet(
            source,
            shape[0],
            self.config.width,
            self.config.dropout,
            self.norm,
            self.config.rectified_skips,
        )
        return self.initialise_weights(network)


class UNet(nn.Module):
    """An encoder down to one pixel and a decoder with skip connections from the encoder.

    Args:
        source: shape of the input images; their side is a power of two.
        channels: channels of the output images.
        width: channels of the first hidden map.
        p: dropout probability.
        norm: builds the normalisation of maps, given their number of channels.
        rectified_skips: apply a ReLU to the outputs of the encoder, which are those of a leaky
            ReLU, before the decoder takes them.
    """

    def __init__(
        self,
        source: Shape,
        channels: int,
        width: int,
        p: float,
        norm: Callable[[int], nn.Module],
        rectified_skips: bool = False,
    ) -> None:
        super().__init__()
        self.rectified_skips = rectified_skips
        levels = source[1].bit_length() - 1
        widths = [width * min(2**level, 8) for level in range(levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, (before, after) in enumerate(pairwise([source[0], *widths])):
            inner = 0 < level < levels - 1  # a single pixel of a single image has no variance
            layers = [nn.Conv2d(before, after, 4, 2, 1), norm(after) if inner else nn.Identity()]
            self.down.append(nn.Sequential(*layers, nn.LeakyReLU(0.2)))
        for level in reversed(range(levels)):
            before = widths[level] * (1 if level == levels - 1 else 2)
            if level == 0:
                last = nn.ConvTranspose2d(before, channels, 4, 2, 1)
                self.up.append(nn.Sequential(last, nn.Tanh()))
                break
            after = widths[level - 1]
            layers = [nn.ConvTranspose2d(before, after, 4, 2, 1), norm(after)]
            layers += [DropoutNoise(p)] if level >= levels - DROPOUT_LAYERS else []
            self.up.append(nn.Sequential(*layers, nn.ReLU()))

    def forward(self, source: Tensor) -> Tensor:
        """Map images (N, C, S, S) to images (N, channels, S, S) in [-1, 1]."""
        skips = [source]
        for layer in self.down:
            skips.append(layer(skips[-1]))
        if self.rectified_skips:
            skips[1:] = [maps.relu() for maps in skips[1:]]
        maps = skips.pop()
        for layer in self.up:
            maps = layer(maps)
            if len(skips) > 1:
                maps = torch.cat([maps, skips.pop()], 1)
        return maps


class DropoutNoise(nn.Module):
    """Dropout as the noise of a generator, active in evaluation mode too.

    Args:
        p: probability that a unit is set to 0, in [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, maps: Tensor) -> Tensor:
        """Set units of maps (N, C, H, W) to 0 and scale the others by 1 / (1 - p)."""
        return dropout(maps, self.p)
