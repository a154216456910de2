"""The networks of image-to-image translation: a U-Net, and a discriminator of patches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_lightning.errors import check_choice
from gan_lightning.networks.base import (
    Encoder,
    NetworkConfig,
    NetworkFamily,
    Shape,
    unsupported_shape,
)
from gan_lightning.networks.dropout import dropout

__all__ = ["DropoutNoise", "Pix2PixNetworks", "Pix2PixNetworksConfig", "UNet"]

HALVINGS = {16: 1, 34: 2, 70: 3}
"""Pixels of a patch, along a side -> convolutions of stride 2 before the two of stride 1."""

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "instance": nn.InstanceNorm2d,
    "none": lambda channels: nn.Identity(),
}

NOISY = 3
"""Layers of the decoder, the first ones, with dropout."""


@dataclass
class Pix2PixNetworksConfig(NetworkConfig):
    """The paper's networks."""

    # channels of the largest hidden map, doubled at each halving up to eight times as many
    width: int = 64
    # pixels along the side of what one score sees: 16, 34 or 70
    patch: int = 70
    # batch, instance (the paper's, whose batches hold one image) or none
    norm: str = "batch"
    # share of the units of the first three decoder layers that dropout silences, in sampling too
    dropout: float = 0.5
    initialisation: str = "normal_0.02"

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        check_choice("norm", self.norm, NORMS)
        if self.width < 1:
            raise ValueError(f"width is {self.width}; it must be at least 1")
        if self.patch not in HALVINGS:
            raise ValueError(f"patch is {self.patch}; valid are 16, 34 and 70")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must lie in [0, 1)")
        if self.minibatch_kernels:
            raise ValueError(
                f"minibatch_kernels is {self.minibatch_kernels}; a discriminator of patches has no "
                f"features of a whole image: set it to 0"
            )


class Pix2PixNetworks(NetworkFamily[Pix2PixNetworksConfig]):
    """A U-Net as generator, whose noise is dropout, and a PatchGAN; sides of 32, 64, 128, 256.

    A score sees a square of `patch` pixels of its image, the border's zeros included.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Isola et al. 2017 (arXiv:1611.07004), section 3.2 and appendix 6.1.
    Deviations: the decoder's normalisation at test time is that of training's running statistics
        where `norm` is batch; the paper normalises by the test image itself: `norm` instance.
    """

    Config: ClassVar[type[Pix2PixNetworksConfig]] = Pix2PixNetworksConfig

    def __init__(self, config: Pix2PixNetworksConfig) -> None:
        super().__init__(config)
        self._norm = NORMS[config.norm]

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Refuse: these networks make images of images.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "pix2pix networks make images of images, not of noise; choose network.name=dcgan, "
            "or model.name=pix2pix"
        )

    def translator(self, source: Shape, shape: Shape) -> nn.Module:
        """Build a U-Net from (N, *source) to (N, *shape) in [-1, 1]."""
        _check(source)
        _check(shape)
        network = UNet(source, shape[0], self.config.width, self.config.dropout, self._norm)
        return self.initialised(network)

    def trunk(self, shape: Shape) -> Encoder:
        """Build the convolutions before the last one: maps, not a vector."""
        _check(shape)
        width, halvings = self.config.width, HALVINGS[self.config.patch]
        widths = [shape[0], *(width * 2**level for level in range(halvings + 1))]
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(pairwise(widths)):
            layers.append(nn.Conv2d(before, after, 4, 2 if level < halvings else 1, 1))
            layers += [self._norm(after)] if level else []
            layers.append(nn.LeakyReLU(0.2))
        encoder = Encoder(nn.Sequential(*layers), widths[-1])
        self.initialised(encoder)
        return encoder

    def scoring(self, features: int) -> nn.Module:
        """Build the last convolution: maps (N, features, H, W) to one score a patch, (N P,)."""
        return self.initialised(nn.Sequential(nn.Conv2d(features, 1, 4, 1, 1), nn.Flatten(0)))

    def recognition(self, features: int, outputs: int) -> nn.Module:
        """Refuse: a patch has no class.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "pix2pix networks judge patches, which have no code or class; choose network.name=dcgan"
        )


class UNet(nn.Module):
    """An encoder down to one pixel and a decoder up again, each layer told what the encoder saw.

    Args:
        source: shape of the image that comes in, its side a power of two.
        channels: of the image that goes out.
        width: channels of the first hidden map.
        silenced: share of units that dropout silences.
        norm: makes the normalisation of maps of so many channels.
    """

    def __init__(
        self,
        source: Shape,
        channels: int,
        width: int,
        silenced: float,
        norm: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        levels = source[1].bit_length() - 1
        widths = [width * min(2**level, 8) for level in range(levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, (before, after) in enumerate(pairwise([source[0], *widths])):
            inner = 0 < level < levels - 1  # one pixel of one image has no statistics
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
            layers += [DropoutNoise(silenced)] if level >= levels - NOISY else []
            self.up.append(nn.Sequential(*layers, nn.ReLU()))

    def forward(self, source: Tensor) -> Tensor:
        """Map images (N, C, S, S) to images (N, channels, S, S) in [-1, 1]."""
        seen = [source]
        for layer in self.down:
            seen.append(layer(seen[-1]))
        maps = seen.pop()
        for layer in self.up:
            maps = layer(maps)
            if len(seen) > 1:
                maps = torch.cat([maps, seen.pop()], 1)
        return maps


class DropoutNoise(nn.Module):
    """Dropout as the generator's noise: in evaluation mode too.

    Args:
        silenced: share of units set to 0, in [0, 1).
    """

    def __init__(self, silenced: float) -> None:
        super().__init__()
        self.silenced = silenced

    def forward(self, maps: Tensor) -> Tensor:
        """Silence units of maps (N, C, H, W), and scale the others up."""
        return dropout(maps, self.silenced)


def _check(shape: Shape) -> None:
    sides = (32, 64, 128, 256)
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] not in sides:
        raise unsupported_shape(
            "pix2pix",
            shape,
            valid=f"(C, S, S) with S of {', '.join(map(str, sides))}",
            fix="Resize the images.",
        )
