"""CycleGAN: a game of two generators on unpaired images, with its networks and its data.

gan-lightning train examples/cyclegan.yaml
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gan_lightning.data import BaseDataModule, DataConfig
from gan_lightning.data.base import to_float_nchw, to_uint8_nhwc
from gan_lightning.data.mnist import MNIST, MNISTConfig
from gan_lightning.data.mnist.translations import TRANSLATIONS
from gan_lightning.gans import GAN, GANConfig
from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.regularisation import RegularisationConfig
from gan_lightning.losses import OBJECTIVES, Objective
from gan_lightning.networks import NetworkFamily, Pix2PixNetworks, Pix2PixNetworksConfig, Shape
from gan_lightning.types import Batch, Condition, DataSpec, Sample
from gan_lightning.utils.settings import setting

__all__ = [
    "CycleGAN",
    "CycleGANConfig",
    "ResidualNetworks",
    "ResidualNetworksConfig",
    "UnpairedDigits",
    "UnpairedDigitsConfig",
]


@dataclass
class CycleGANConfig(GANConfig):
    """Config of CycleGAN; the defaults are the paper's.

    There is no noise; `latent_size` and `latent_prior` are not used.
    """

    cycle_weight: float = setting(10.0, "lambda: weight of the cycle consistency.", minimum=0)
    identity_weight: float = setting(
        0.0,
        "Weight of the identity loss, relative to the cycle's; the paper uses 0.5 for paintings.",
        minimum=0,
    )

    def build_objective(self) -> Objective:
        """Return the least squares losses, as section 4 says."""
        return OBJECTIVES["least_squares"]

    def validate(self) -> None:
        """Check that no regulariser acts on one of the two domains only.

        Raises:
            ValueError: a regulariser is set.
        """
        if self.regularisation != RegularisationConfig():
            raise ValueError(
                "regularisation is set, and it would act on the target domain only; leave it out"
            )


class CycleGAN(GAN):
    """CycleGAN: a mapping of each of two domains into the other, learnt without pairs.

    G maps the source X to the target Y, F maps Y to X, and each domain has a discriminator. The
    cycle consistency keeps F(G(x)) close to x and G(F(y)) close to y. What is sampled is G.

    Attributes:
        generator: G.
        inverse: F.
        discriminator: D_Y, of target images.
        source_discriminator: D_X, of source images.

    Source: Zhu et al. 2017 (arXiv:1703.10593), equations 1 to 3, section 4, and section 5.2 for the
        identity loss.
    Deviations: the discriminators see the samples of this round, without a buffer of 50 earlier
        ones; within an epoch an image of X always comes with the same one of Y, which no loss
        compares.
    """

    Config: ClassVar[type[Any]] = CycleGANConfig
    config: CycleGANConfig

    def condition_fields(self) -> tuple[str, ...]:
        """Return the source."""
        return ("source",)

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create two mappings and two discriminators.

        Raises:
            ValueError: the data have no sources, or the networks have no translator.
        """
        target, source = self.data.shape, self.data.source_shape
        if source is None:
            raise ValueError(
                "CycleGAN translates images, and these data have no sources; choose "
                'data.name="cyclegan:UnpairedDigits"'
            )
        if self.config.identity_weight and source != target:
            raise ValueError(
                f"identity_weight is {self.config.identity_weight}, and source and target have the "
                f"shapes {source} and {target}: set it to 0"
            )
        self.generator = networks.translator(source, target)
        self.inverse = networks.translator(target, source)
        self.discriminator = networks.discriminator(target)
        self.source_discriminator = networks.discriminator(source)

    def generator_players(self) -> Mapping[str, nn.Module]:
        """Return G and F."""
        return {"generator": self.generator, "inverse": self.inverse}

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return D_Y and D_X."""
        return {"target": self.discriminator, "source": self.source_discriminator}

    def training_condition(self, real: Batch, rng: torch.Generator) -> Condition:
        """Return the sources of the minibatch."""
        return Condition(source=real.source)

    def prior(self, count: int, rng: torch.Generator | None = None) -> Condition:
        """Draw sources from `examples`."""
        return Condition(source=self.example_sources(count, rng))

    def generate(self, condition: Condition) -> Tensor:
        """Map the sources of a condition to the target domain, G(x)."""
        samples: Tensor = self.generator(condition.source)
        return samples

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the loss of D_Y on y and G(x), and that of D_X on x and F(y) (equation 1)."""
        with torch.no_grad():
            mapped_back = self.inverse(real.data)
        return {
            "target": self.objective.discriminator(
                self.discriminator(real.data), self.discriminator(fake.data)
            ),
            "source": self.objective.discriminator(
                self.source_discriminator(real.source), self.source_discriminator(mapped_back)
            ),
        }

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the adversarial losses of G and F, and the cycle consistency (equation 3)."""
        source, target = real.source, real.data
        assert source is not None
        mapped_back = self.inverse(target)
        cycle = l1_loss(self.inverse(fake.data).float(), source)
        cycle = cycle + l1_loss(self.generator(mapped_back).float(), target)
        weight = self.config.cycle_weight
        terms = {
            "target": self.objective.generator(self.discriminator(fake.data)),
            "source": self.objective.generator(self.source_discriminator(mapped_back)),
            "cycle": weight * cycle,  # equation 2
        }
        if self.config.identity_weight:
            identity = l1_loss(self.generator(target).float(), target)
            identity = identity + l1_loss(self.inverse(source).float(), source)
            terms["identity"] = weight * self.config.identity_weight * identity
        return terms


@dataclass
class ResidualNetworksConfig(Pix2PixNetworksConfig):
    """Options of the networks; discriminators are those of pix2pix, with instance normalisation."""

    norm: str = "instance"
    blocks: int = setting(6, "Residual blocks of a mapping; 9 from 256 pixels on.", minimum=1)


class ResidualNetworks(Pix2PixNetworks):
    """Mappings with residual blocks, and the patch discriminators of pix2pix.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Zhu et al. 2017 (arXiv:1703.10593), appendix 7.2.
    """

    Config: ClassVar[type[ResidualNetworksConfig]] = ResidualNetworksConfig
    config: ResidualNetworksConfig

    def translator(self, source: Shape, shape: Shape) -> nn.Module:
        """Build c7s1-64, d128, d256, the residual blocks, u128, u64 and c7s1, with a tanh."""
        super().translator(source, shape)  # its U-Net is not used, its checks of the shapes are
        width = self.config.width
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(source[0], width, 7)]
        layers += [self.norm(width), nn.ReLU()]
        for before, after in ((width, 2 * width), (2 * width, 4 * width)):
            layers += [nn.Conv2d(before, after, 3, 2, 1), self.norm(after), nn.ReLU()]
        layers += [ResidualBlock(4 * width, self.norm) for _ in range(self.config.blocks)]
        for before, after in ((4 * width, 2 * width), (2 * width, width)):
            layers.append(nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1))
            layers += [self.norm(after), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, shape[0], 7), nn.Tanh()]
        return self.initialise_weights(nn.Sequential(*layers))


class ResidualBlock(nn.Module):
    """Two convolutions of 3x3 that are added to their input.

    Args:
        channels: of input and output.
        norm: builds the normalisation of maps, given their number of channels.
    """

    def __init__(self, channels: int, norm: Any) -> None:
        super().__init__()
        first = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), norm(channels), nn.ReLU()]
        second = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), norm(channels)]
        self.layers = nn.Sequential(*first, *second)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, channels, H, W) to maps of the same shape."""
        return maps + self.layers(maps)


@dataclass
class UnpairedDigitsConfig(DataConfig):
    """The source domain."""

    source: str = setting("negative", "What the source domain shows.", choices=TRANSLATIONS)


class UnpairedDigits(BaseDataModule):
    """Two domains of digits without pairs: 30,000 digits, and 30,000 others as negatives or edges.

    The test data are pairs, with which translations are compared.
    """

    Config: ClassVar[type[Any]] = UnpairedDigitsConfig
    config: UnpairedDigitsConfig
    spec = DataSpec((1, 32, 32), source_shape=(1, 32, 32))

    @cached_property
    def digits(self) -> MNIST:
        """The digits of both domains."""
        return MNIST(MNISTConfig(size=32))

    def training_data(self) -> tuple[Tensor, None]:
        """Return the first half of the digits, uint8 (30000, 32, 32, 1)."""
        images, _ = self.digits.training_data()
        return images[: len(images) // 2], None

    def source_data(self) -> Tensor:
        """Return the second half in the source domain, uint8 (30000, 32, 32, 1)."""
        images, _ = self.digits.training_data()
        return TRANSLATIONS[self.config.source](images[len(images) // 2 :])

    def test_data(self) -> Batch:
        """Return test digits (10000, 1, 32, 32) in [-1, 1], and the same in the source domain."""
        images = self.digits.test_data().data
        source = TRANSLATIONS[self.config.source](to_uint8_nhwc(images))
        return Batch(images, source=to_float_nchw(source))
