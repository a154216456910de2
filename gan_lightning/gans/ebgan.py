"""Energy-based GAN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.distributed.collectives import all_gather
from gan_lightning.gans.base import GAN, LossTerms
from gan_lightning.gans.config import GANConfig
from gan_lightning.gans.parameters import refuse_packs
from gan_lightning.losses import margin_discriminator, pulling_away
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, Sample

__all__ = ["EBGAN", "EBGANConfig"]


@dataclass
class EBGANConfig(GANConfig):
    """EBGAN; a positive `pulling_away_weight` makes it EBGAN-PT."""

    discriminator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-3)
    )
    generator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-3)
    )
    # m: energy beyond which the discriminator leaves generated data alone
    margin: float = 10.0
    # of the pulling-away term in the generator's loss; 0 for none
    pulling_away_weight: float = 0.0

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        if self.margin <= 0:
            raise ValueError(f"margin is {self.margin}; it must be positive")
        if self.pulling_away_weight < 0:
            raise ValueError(
                f"pulling_away_weight is {self.pulling_away_weight}; it must be at least 0"
            )

    def check_minibatch(self, count: int) -> None:
        """Raise a ValueError where the pulling-away term has no two data to compare."""
        if self.pulling_away_weight and count < 2:
            raise ValueError(
                f"pulling_away_weight is {self.pulling_away_weight}, whose term compares the data "
                f"of a minibatch: it needs 2 or more, and has {count}"
            )


class EBGAN(GAN):
    """An autoencoder whose error is low on real data, and a generator that seeks low error.

    The energy of a datum is the Euclidean norm of the autoencoder's error on it. The discriminator
    lowers it on real data and raises it, up to a margin, on generated data. The pulling-away term
    keeps the codes of generated data apart.

    Source: Zhao, Mathieu, LeCun 2017 (arXiv:1609.03126), equations 1 to 4.
    """

    Config: ClassVar[type[Any]] = EBGANConfig
    config: EBGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Make the generator, and an autoencoder whose decoder is built like the generator.

        Raises:
            ValueError: the networks pack data, which an autoencoder would have to unpack.
        """
        refuse_packs(networks, "EBGAN reconstructs each datum")
        self.generator = networks.generator(self.config.latent_size, self.data.shape)
        self.encoder = networks.encoder(self.data.shape)
        self.decoder = networks.generator(self.encoder.features, self.data.shape)

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return the autoencoder's two halves."""
        return {"encoder": self.encoder, "decoder": self.decoder}

    def energy(self, data: Tensor, code: Tensor) -> Tensor:
        """Return |Dec(code) - x|, shape (N,), at least 0."""
        error: Tensor = self.decoder(code).float() - data.float()
        energy: Tensor = error.flatten(1).norm(dim=1)
        return energy

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return minus the energy."""
        return -self.energy(data, self.encoder(data))

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the energy of real data and the margin's rest above that of generated data."""
        real_energy, fake_energy = -self.discriminate(real.data), -self.discriminate(fake.data)
        return {"energy": margin_discriminator(real_energy, fake_energy, self.config.margin)}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the energy of the generated data, and the pulling-away term of their codes."""
        code = self.encoder(fake.data)
        terms = {"energy": self.energy(fake.data, code).mean()}
        if self.config.pulling_away_weight:
            away = pulling_away(all_gather(code))
            terms["pulling_away"] = self.config.pulling_away_weight * away
        return terms
