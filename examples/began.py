"""The boundary equilibrium GAN (BEGAN): a GAN outside of the package, with its own networks.

gan-lightning train examples/began.yaml
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.distributed.collectives import all_reduce_mean
from gan_lightning.gans import GAN, GANConfig
from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.parameters import refuse_packs
from gan_lightning.networks import Encoder, NetworkFamily, Shape
from gan_lightning.networks.base import NetworkConfig, unsupported_shape
from gan_lightning.types import Batch, Condition, Sample
from gan_lightning.utils.settings import setting

__all__ = ["BEGAN", "BEGANConfig", "BEGANNetworks", "BEGANNetworksConfig"]

SMALLEST_MAP = 8
"""Side in pixels of the maps next to the code."""


@dataclass
class BEGANConfig(GANConfig):
    """Config of BEGAN; the defaults are the paper's."""

    latent_size: int = 64
    discriminator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-4)
    )
    generator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-4)
    )
    diversity_ratio: float = setting(
        0.5,
        "gamma: expected error of generated samples over that of real ones; a lower value gives "
        "less diversity.",
        above=0,
        maximum=1,
    )
    proportional_gain: float = setting(0.001, "lambda_k: learning rate of k.", above=0)
    power: int = setting(1, "eta: power of the pixels' errors.", choices=(1, 2))


class BEGAN(GAN):
    """BEGAN: the discriminator is an autoencoder, and a controller balances the players.

    The discriminator lowers the reconstruction error L of real samples and raises, with the weight
    k, that of generated ones, which the generator lowers. After each round k moves so that
    L(G(z)) approaches gamma L(x).

    Attributes:
        k: weight k_t of the generated samples' error, in [0, 1]; a buffer, so that a resumed run
            continues with it.

    Source: Berthelot, Schumm, Metz 2017 (arXiv:1703.10717), sections 3.1 and 3.3 to 3.5.
    Deviations: both players use the same noise in a round; the learning rate is the config's, and
        does not fall where the measure of convergence stalls; the networks are without the skip
        connections of section 3.5.1, and their images end in a tanh.
    """

    Config: ClassVar[type[Any]] = BEGANConfig
    config: BEGANConfig
    k: Tensor

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create the generator, and an autoencoder whose decoder has the generator's layers.

        Raises:
            ValueError: the networks pack samples, which an autoencoder would have to unpack.
        """
        refuse_packs(networks, "BEGAN reconstructs each sample")
        self.generator = networks.generator(self.config.latent_size, self.data.shape)
        self.encoder = networks.encoder(self.data.shape)
        self.decoder = networks.generator(self.encoder.features, self.data.shape)
        self.register_buffer("k", torch.zeros(()))

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return the encoder and the decoder."""
        return {"encoder": self.encoder, "decoder": self.decoder}

    def errors(self, data: Tensor) -> Tensor:
        """Return L(v) = |v - D(v)|^eta of samples (N, *shape), averaged over pixels, (N,)."""
        error: Tensor = self.decoder(self.encoder(data)).float() - data.float()
        return error.abs().pow(self.config.power).flatten(1).mean(1)

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return minus the error of samples (N, *shape), shape (N,), at most 0."""
        return -self.errors(data)

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return L(x) and -k L(G(z)) (section 3.4)."""
        return {
            "real": self.errors(real.data).mean(),
            "generated": -self.k * self.errors(fake.data).mean(),
        }

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return L(G(z)) (section 3.4)."""
        return {"generated": self.errors(fake.data).mean()}

    def after_round(self, discriminator_terms: LossTerms, generator_terms: LossTerms) -> None:
        """Add lambda_k (gamma L(x) - L(G(z))) to k and keep it in [0, 1] (section 3.4)."""
        real = all_reduce_mean(discriminator_terms["real"])
        generated = all_reduce_mean(generator_terms["generated"])
        balance = self.config.diversity_ratio * real - generated
        self.k.add_(self.config.proportional_gain * balance).clamp_(0, 1)

    def estimate_divergence(self, real_scores: Tensor, fake_scores: Tensor) -> dict[str, Tensor]:
        """Return the convergence L(x) + |gamma L(x) - L(G(z))| (section 3.4.1), and k."""
        real, generated = -real_scores.mean(), -fake_scores.mean()
        balance = self.config.diversity_ratio * real - generated
        return {"convergence/measure": real + balance.abs(), "convergence/k": self.k}


@dataclass
class BEGANNetworksConfig(NetworkConfig):
    """Sizes of the networks."""

    width: int = setting(
        64, "n: channels of the first map, of which deeper ones have 2n, 3n …", minimum=1
    )
    code: int = setting(64, "Length of the autoencoder's code.", minimum=1)


class BEGANNetworks(NetworkFamily[BEGANNetworksConfig]):
    """Convolutions of 3x3 with exponential linear units, for images of 16, 32, 64 … pixels.

    Two convolutions at each size; maps are halved by a stride and doubled by repeating pixels.

    Raises:
        ValueError: a value of the config is out of range.

    Source: Berthelot, Schumm, Metz 2017 (arXiv:1703.10717), section 3.5 and figure 1.
    Deviations: a generator's image ends in a tanh.
    """

    Config: ClassVar[type[BEGANNetworksConfig]] = BEGANNetworksConfig

    def generator(self, inputs: int, shape: Shape) -> nn.Module:
        """Build a linear layer to 8x8 maps, and two convolutions at each size."""
        width, levels = self.config.width, _levels(shape)
        layers: list[nn.Module] = [
            nn.Linear(inputs, width * SMALLEST_MAP**2),
            nn.Unflatten(1, (width, SMALLEST_MAP, SMALLEST_MAP)),
        ]
        for level in range(levels):
            layers += [nn.UpsamplingNearest2d(scale_factor=2)] if level else []
            for _ in range(2):
                layers += [nn.Conv2d(width, width, 3, padding=1), nn.ELU()]
        layers += [nn.Conv2d(width, shape[0], 3, padding=1), nn.Tanh()]
        return self.initialise_weights(nn.Sequential(*layers))

    def discriminator_trunk(self, shape: Shape) -> Encoder:
        """Build two convolutions at each size, down to 8x8 maps, and a linear layer to the code."""
        width, levels = self.config.width, _levels(shape)
        layers: list[nn.Module] = [nn.Conv2d(shape[0], width, 3, padding=1), nn.ELU()]
        for level in range(1, levels + 1):
            channels = level * width
            layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.ELU()]
            if level < levels:
                layers += [nn.Conv2d(channels, channels + width, 3, 2, 1), nn.ELU()]
            else:
                layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.ELU()]
        layers += [nn.Flatten(), nn.Linear(levels * width * SMALLEST_MAP**2, self.config.code)]
        encoder = Encoder(nn.Sequential(*layers), self.config.code)
        self.initialise_weights(encoder)
        return encoder


def _levels(shape: Shape) -> int:
    """Return the number of sizes from 8 pixels to that of the images."""
    sides = [SMALLEST_MAP * 2**level for level in range(1, 6)]
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] not in sides or shape[0] < 1:
        raise unsupported_shape(
            "BEGAN",
            shape,
            valid=f"(C, S, S) with S of {', '.join(map(str, sides))}",
            fix="Resize the images.",
        )
    return sides.index(shape[1]) + 2
