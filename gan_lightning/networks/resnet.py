"""Residual networks of SNGAN, and of its class-conditional successor."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, NamedTuple

from torch import nn

from gan_lightning.networks.attention import SelfAttention
from gan_lightning.networks.base import (
    INITIALISATIONS,
    Encoder,
    NetworkConfig,
    NetworkFamily,
    Shape,
)
from gan_lightning.networks.heads import ProjectionScore, ScoreHead
from gan_lightning.networks.labels import ProjectionEncoder
from gan_lightning.networks.layout import halved_sides
from gan_lightning.networks.residual import (
    DiscriminatorBlock,
    ResidualGenerator,
    SumOverPixels,
    initialise_xavier,
)
from gan_lightning.utils.settings import setting

__all__ = ["ResNet", "ResNetConfig"]

LARGEST_SMALL_IMAGE = 32
"""Images up to this side have the networks of CIFAR-10, whose maps all have the same width."""


class Widths(NamedTuple):
    """Channels of the maps, in multiples of the width.

    Args:
        generator: from the smallest map to the largest one.
        halving: of the discriminator's blocks that halve the resolution, from the first on.
        constant: of its further blocks.
    """

    generator: tuple[int, ...]
    halving: tuple[int, ...]
    constant: tuple[int, ...]


WIDTHS = {
    3: Widths((8, 4, 2, 1), (1, 2, 4, 8), (16,)),
    4: Widths((16, 8, 4, 2, 1), (1, 2, 4, 8, 16), ()),
    5: Widths((16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16), (16,)),
    6: Widths((16, 16, 8, 8, 4, 2, 1), (1, 2, 4, 8, 8, 16), (16,)),
}
"""Doublings of the resolution by the generator -> widths, for images of 48 to 256 pixels."""


@dataclass
class ResNetConfig(NetworkConfig):
    """The authors' values."""

    width: int = setting(
        64,
        "Channels of the largest maps; those of smaller maps are multiples of it. For images of at "
        "most 32 pixels all maps of the generator have 4 times as many, of the discriminator 2.",
        minimum=1,
    )
    initialisation: str = setting(
        "default",
        "Initialisation of the weights; default is the authors', xavier with a gain of sqrt(2) for "
        "3x3 convolutions in residual blocks.",
        choices=lambda: INITIALISATIONS,
        initial=True,
    )
    spectral_norm: bool = True
    attention: int = setting(
        0,
        "Side in pixels of the maps after which both players have a layer of self-attention, 32 in "
        "SAGAN for images of 128 pixels; 0 means none.",
        minimum=0,
    )


class ResNet(NetworkFamily[ResNetConfig]):
    """The networks of SNGAN for square images of 16 to 256 pixels.

    The generator is a linear layer to maps of 4 to 7 pixels, and a residual block with batch norm
    per doubling of the resolution. The discriminator has residual blocks without batch norm, most
    of which halve the resolution, and ends with the sums of its maps over all pixels; spectral
    normalisation is on by default. With classes the batch norms in the generator's blocks have a
    scale and a shift per class, and the discriminator is a projection discriminator. With
    `attention` both have a layer of self-attention, as in SAGAN.

    The side of the images is 4, 5, 6 or 7 times a power of two.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Miyato, Kataoka, Koyama, Yoshida 2018 (arXiv:1802.05957), Miyato, Koyama 2018
        (arXiv:1802.05637), and github.com/pfnet-research/sngan_projection. The networks for 32
        pixels are those of CIFAR-10, for 48 those of STL-10, for 128 those of ImageNet.
    Deviations: other sizes have the networks of the size there with as many doublings, and smallest
        maps of 4 to 7 pixels; images of less than 32 pixels have one doubling less than those of
        32; odd sides are rounded up when maps are halved; the score has a bias at all sizes. SAGAN
        has spectral normalisation in its generator, too.
    """

    Config: ClassVar[type[ResNetConfig]] = ResNetConfig

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build a linear layer to the smallest maps, and a residual block per doubling."""
        return self.conditional_generator(inputs, 0, shape)

    def conditional_generator(self, inputs: int, classes: int, shape: Shape) -> nn.Module:
        """Build the generator with a scale and a shift per class in the norms of its blocks."""
        sides = halved_sides("resnet", shape)
        widths = [factor * self.config.width for factor in _widths(sides).generator]
        attended = self._place_of_attention(sides[-2::-1])
        network = ResidualGenerator(inputs, classes, widths, sides[-1], shape[0], attended)
        return self.initialise_weights(network)

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build residual blocks that halve the resolution, others, and sums over all pixels."""
        sides = halved_sides("resnet", shape)
        factors = _widths(sides)
        halving = [shape[0], *(factor * self.config.width for factor in factors.halving)]
        constant = [halving[-1], *(factor * self.config.width for factor in factors.constant)]
        layers: list[nn.Module] = [
            DiscriminatorBlock(before, after, halve=True, first=number == 0)
            for number, (before, after) in enumerate(pairwise(halving))
        ]
        attended = self._place_of_attention(sides[1 : len(halving)])
        layers += [DiscriminatorBlock(*widths, halve=False) for widths in pairwise(constant)]
        if attended is not None:
            layers.insert(attended + 1, SelfAttention(halving[attended + 1]))
        network = nn.Sequential(*layers, nn.ReLU(), SumOverPixels())
        return Encoder(self.initialise_weights(network), constant[-1])

    def conditional_encoder(self, shape: Shape, classes: int) -> ProjectionEncoder:
        """Build the encoder of a projection discriminator."""
        return self.projection_encoder(shape, classes)

    def score_layers(self, features: int) -> nn.Module:
        """Build one linear unit."""
        return self.initialise_weights(initialise_xavier(ScoreHead(features)))

    def conditional_score_layers(self, features: int) -> nn.Module:
        """Build one linear unit of all features but the last one, which is added."""
        return self.initialise_weights(initialise_xavier(ProjectionScore(features)))

    def recognition_layers(self, features: int, outputs: int) -> nn.Module:
        """Build one linear layer."""
        return self.initialise_weights(initialise_xavier(nn.Linear(features, outputs)))

    def _place_of_attention(self, sides: list[int]) -> int | None:
        """Return the number of the residual block after which there is self-attention.

        Args:
            sides: of the maps after each block that changes the resolution.

        Raises:
            ValueError: no block has maps of the configured side.
        """
        side = self.config.attention
        if side and side not in sides:
            raise ValueError(
                f"attention is {side}, and there are no maps of that side in both players; valid "
                f"are 0 for none, {', '.join(map(str, sides))}"
            )
        return sides.index(side) if side else None


def _widths(sides: list[int]) -> Widths:
    """Return the widths for images whose maps have these sides, from the image's to the smallest.

    Up to 32 pixels they are those of CIFAR-10.
    """
    doublings = len(sides) - 1
    if sides[0] <= LARGEST_SMALL_IMAGE:
        return Widths((4,) * (doublings + 1), (2, 2), (2, 2))
    return WIDTHS[doublings]
