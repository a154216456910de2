"""A discriminator of patches (PatchGAN), which networks of image-to-image translation share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from torch import nn

from gan_lightning.networks.base import (
    Encoder,
    NetworkConfig,
    NetworkFamily,
    Shape,
    unsupported_shape,
)
from gan_lightning.utils.settings import setting

__all__ = ["NORMS", "PatchConfig", "PatchNetworks", "check_square"]

HALVINGS = {16: 1, 34: 2, 70: 3}
"""Side of a patch in pixels -> number of convolutions of stride 2 before the two of stride 1."""

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "instance": nn.InstanceNorm2d,
    "none": lambda channels: nn.Identity(),
}

SIDES = (32, 64, 128, 256)


@dataclass
class PatchConfig(NetworkConfig):
    """Options of a generator of images from images and a discriminator of patches."""

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
        "Normalisation; instance equals batch norm in minibatches of one image.",
        choices=NORMS,
    )
    initialisation: str = "normal_0.02"

    def validate(self) -> None:
        """Raise a ValueError if minibatch discrimination is requested."""
        if self.minibatch_kernels:
            raise ValueError(
                f"minibatch_kernels is {self.minibatch_kernels}, and a discriminator of patches "
                f"has no features of a complete image; set it to 0"
            )


PatchConfigT = TypeVar("PatchConfigT", bound=PatchConfig)


class PatchNetworks(NetworkFamily[PatchConfigT]):
    """A PatchGAN discriminator for images with sides of 32, 64, 128 or 256 pixels.

    Each score depends on a square of `patch` pixels of the zero-padded image.

    Source: Isola et al. 2017 (arXiv:1611.07004), section 3.2.2 and appendix 6.1.2.
    """

    name: str
    """Name of the family, for messages."""

    def __init__(self, config: PatchConfigT) -> None:
        super().__init__(config)
        self.norm = NORMS[config.norm]

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Raise an error, because these networks generate images from images only.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            f"{self.name} networks generate images from images, not from noise; set "
            f"network.name=dcgan or model.name=pix2pix"
        )

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build all convolutions but the last; the features are maps instead of a vector."""
        check_square(self.name, shape)
        width, halvings = self.config.width, HALVINGS[self.config.patch]
        widths = [shape[0], *(width * 2**level for level in range(halvings + 1))]
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(pairwise(widths)):
            layers.append(nn.Conv2d(before, after, 4, 2 if level < halvings else 1, 1))
            layers += [self.norm(after)] if level else []
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
            f"{self.name} networks score patches, which have no code or class; set "
            f"network.name=dcgan"
        )


def check_square(family: str, shape: Shape) -> None:
    """Check that images are squares of a supported side.

    Raises:
        ValueError: they are not.
    """
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] not in SIDES:
        raise unsupported_shape(
            family,
            shape,
            valid=f"(C, S, S) with S of {', '.join(map(str, SIDES))}",
            fix="Resize the images.",
        )
