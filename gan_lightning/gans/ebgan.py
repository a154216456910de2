"""The energy-based GAN (EBGAN)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.distributed.collectives import all_gather
from gan_lightning.gans.base import GAN
from gan_lightning.gans.config import GANConfig
from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.parameters import refuse_packs
from gan_lightning.losses import Objective, at_least_float32, margin_discriminator, pulling_away
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, Sample
from gan_lightning.utils.settings import setting

__all__ = ["EBGAN", "EBGANConfig"]


@dataclass
class EBGANConfig(GANConfig):
    """Config of EBGAN; a positive `pulling_away_weight` makes it EBGAN-PT."""

    discriminator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-3)
    )
    generator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-3)
    )
    margin: float = setting(
        10.0,
        "m: energy above which a generated sample has no gradient in the discriminator's loss.",
        above=0,
    )
    pulling_away_weight: float = setting(
        0.0, "Weight of the pulling-away term in the generator's loss.", minimum=0
    )

    def build_objective(self) -> Objective:
        """Return an objective without a boundary: an energy by itself does not separate."""
        return super().build_objective()._replace(boundary=None)

    def check_minibatch(self, count: int) -> None:
        """Check that the pulling-away term has two samples to compare.

        Raises:
            ValueError: the minibatch has one.
        """
        if self.pulling_away_weight and count < 2:
            raise ValueError(
                f"pulling_away_weight is {self.pulling_away_weight}, and its term compares the "
                f"samples of a minibatch, or of a part of it: there is {count}, and it needs 2 or "
                f"more"
            )


class EBGAN(GAN):
    """EBGAN: the discriminator is an autoencoder, whose reconstruction error is an energy.

    The energy of a sample is the Euclidean norm of the autoencoder's error on it. The discriminator
    lowers it for real samples and raises it, up to a margin, for generated samples; the generator
    lowers it. The pulling-away term lowers the similarity of the codes of generated samples.

    Source: Zhao, Mathieu, LeCun 2017 (arXiv:1609.03126), equations 1 to 4.
    Deviations: the decoder is a generator of the network family, with its projection, normalisation
        and bounded output, whose input are the encoder's features; the paper's decoder mirrors its
        encoder.
    """

    Config: ClassVar[type[Any]] = EBGANConfig
    config: EBGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create the generator, and an autoencoder with a generator as its decoder.

        Raises:
            ValueError: the networks pack samples, which an autoencoder would have to unpack.
        """
        refuse_packs(networks, "EBGAN reconstructs each sample")
        self.generator = networks.generator(self.config.latent_size, self.data.shape)
        self.encoder = networks.encoder(self.data.shape)
        self.decoder = networks.generator(self.encoder.features, self.data.shape)

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return the encoder and the decoder."""
        return {"encoder": self.encoder, "decoder": self.decoder}

    def energy(self, data: Tensor, code: Tensor) -> Tensor:
        """Return the reconstruction error |Dec(code) - x|, shape (N,), at least 0.

        Args:
            data: x, (N, *shape).
            code: outputs of the encoder for x, (N, F).
        """
        error: Tensor = at_least_float32(self.decoder(code)) - at_least_float32(data)
        energy: Tensor = error.flatten(1).norm(dim=1)
        return energy

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return minus the energy of samples (N, *shape), shape (N,), at most 0."""
        return -self.energy(data, self.encoder(data))

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the margin loss of the energies (equation 1)."""
        real_energy, fake_energy = -self.discriminate(real.data), -self.discriminate(fake.data)
        return {"energy": margin_discriminator(real_energy, fake_energy, self.config.margin)}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the mean energy (equation 2), and the pulling-away term of the codes."""
        code = self.encoder(fake.data)
        terms = {"energy": self.energy(fake.data, code).mean()}
        if self.config.pulling_away_weight:
            similarity = pulling_away(all_gather(code))
            terms["pulling_away"] = self.config.pulling_away_weight * similarity
        return terms
