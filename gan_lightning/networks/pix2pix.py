"""Networks of image-to-image translation: a U-Net and a PatchGAN discriminator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_lightning.networks.base import (
    Encoder,
    NetworkConfig,
    NetworkFamily,
    Shape,
    unsupported_shape,
)
from gan_lightning.networks.dropout import dropout
from gan_lightning.utils.settings import setting

__all__ = ["DropoutNoise", "Pix2PixNetworks", "Pix2PixNetworksConfig", "UNet"]

HALVINGS = {16: 1, 34: 2, 70: 3}
"""Side of a patch in pixels -> number of convolutions of stride 2 before the two of stride 1."""

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "instance": nn.InstanceNorm2d,
    "none": lambda channels: nn.Identity(),
}

DROPOUT_LAYERS = 3
"""The first layers of the decoder have dropout."""


@dataclass
class Pix2PixNetworksConfig(NetworkConfig):
    """Options of the paper's networks."""

    width: int = setting(
        64,
        "Channels of the largest hidden map, doubled at each halving up to 8 times as many.",
        minimum=1,
    )
    patch: int = setting(
        70, "Side in pixels of the patch that one score depends on.", choices=HALVINGS
    )
    norm: str = setting(
        "batch",
        "Normalisation; instance equals the paper's batch norm, whose minibatches have one image.",
        choices=NORMS,
    )
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
    initialisation: str = "normal_0.02"

    def validate(self) -> None:
        """Raise a ValueError if minibatch discrimination is requested."""
        if self.minibatch_kernels:
            raise ValueError(
                f"minibatch_kernels is {self.minibatch_kernels} and the pix2pix discriminator has "
                "no features of a complete image; set it to 0"
            )


class Pix2PixNetworks(NetworkFamily[Pix2PixNetworksConfig]):
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

    def __init__(self, config: Pix2PixNetworksConfig) -> None:
        super().__init__(config)
        self._norm = NORMS[config.norm]

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Raise an error, because these networks generate images from images only.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "pix2pix networks generate images from images, not from noise; set network.name=dcgan "
            "or model.name=pix2pix"
        )

    def translator(self, source: Shape, shape: Shape) -> nn.Module:
        """Build a U-Net from (N, *source) to (N, *shape) in [-1, 1]."""
        _check(source)
        _check(shape)
        network = UNet(
            source,
            shape[0],
            self.config.width,
            self.config.dropout,
            self._norm,
            self.config.rectified_skips,
        )
        return self.initialise_weights(network)

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build all convolutions but the last; the features are maps instead of a vector."""
        _check(shape)
        width, halvings = self.config.width, HALVINGS[self.config.patch]
        widths = [shape[0], *(width * 2**level for level in range(halvings + 1))]
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(pairwise(widths)):
            layers.append(nn.Conv2d(before, after, 4, 2 if level < halvings else 1, 1))
            layers += [self._norm(after)] if level else []
            layers.append(nn.LeakyReLU(0.2))
        encoder = Encoder(nn.Sequential(*layers), widths[-1])
        self.initialise_weights(encoder)
        return encoder

    def score_layers(self, features: int) -> nn.Module:
        """Build the last convolution: maps (N, features, H, W) to one score per patch, (N P,)."""
        return self.initialise_weights(
            nn.Sequential(nn.Conv2d(features, 1, 4, 1, 1), nn.Flatten(0))
        )

    def recognition_layers(self, features: int, outputs: int) -> nn.Module:
        """Raise an error, because a patch has no class.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "pix2pix networks score patches, which have no code or class; set network.name=dcgan"
        )


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


def _check(shape: Shape) -> None:
    sides = (32, 64, 128, 256)
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] not in sides:
        raise unsupported_shape(
            "pix2pix",
            shape,
            valid=f"(C, S, S) with S of {', '.join(map(str, sides))}",
            fix="Resize the images.",
        )
