"""The boundary equilibrium GAN (BEGAN)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.distributed.collectives import all_reduce_mean
from gan_lightning.gans.base import GAN
from gan_lightning.gans.config import GANConfig
from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.parameters import refuse_packs
from gan_lightning.losses import Objective, at_least_float32
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, Sample
from gan_lightning.utils.settings import setting

__all__ = ["BEGAN", "BEGANConfig"]


def _optimizer() -> OptimizerConfig:
    return OptimizerConfig(learning_rate=1e-4)


@dataclass
class BEGANConfig(GANConfig):
    """Config of BEGAN; the defaults are the paper's."""

    latent_size: int = 64
    discriminator_optimizer: OptimizerConfig = field(default_factory=_optimizer)
    generator_optimizer: OptimizerConfig = field(default_factory=_optimizer)
    diversity_ratio: float = setting(
        0.5,
        "gamma: error of generated samples over that of real ones, at which both players balance; "
        "a lower value gives less diversity.",
        above=0,
        maximum=1,
    )
    proportional_gain: float = setting(
        0.001, "lambda_k: by how much of the imbalance k changes after a round.", above=0
    )

    def build_objective(self) -> Objective:
        """Return an objective without a boundary: an error by itself does not separate."""
        return super().build_objective()._replace(boundary=None)


class BEGAN(GAN):
    """BEGAN: the discriminator is an autoencoder, and a controller balances the players.

    The discriminator lowers the reconstruction error L of real samples and raises, with a weight k,
    that of generated samples, which the generator lowers. After each round k moves so that
    L(G(z)) approaches gamma L(x). The measure of convergence M = L(x) + |gamma L(x) - L(G(z))|
    falls as the samples get better; it is logged with k as `balance/convergence` and `balance/k`.

    Attributes:
        k: weight k_t of the generated samples' error, in [0, 1], which starts at 0.
        convergence: M of the latest round.

    Source: Berthelot, Schumm, Metz 2017 (arXiv:1703.10717), sections 3.1 and 3.3 to 3.5.
    Deviations: the last discriminator step of a round and the generator's step share their noise,
        for which the paper draws twice; the learning rate does not fall where M stalls, which a
        schedule can replace; the networks are those of the config: the encoder with a linear layer,
        and a generator of the family as decoder, without the paper's skip connections and with a
        bounded output.
    """

    Config: ClassVar[type[Any]] = BEGANConfig
    config: BEGANConfig
    k: Tensor
    convergence: Tensor

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create the generator, and an autoencoder with a generator as its decoder.

        The code of the autoencoder has the size of the generator's noise, as in the paper.

        Raises:
            ValueError: the networks pack samples, which an autoencoder would have to unpack.
        """
        refuse_packs(networks, "BEGAN reconstructs each sample")
        self.generator = networks.generator(self.config.latent_size, self.data.shape)
        trunk = networks.encoder(self.data.shape)
        size = self.config.latent_size
        self.encoder = nn.Sequential(trunk, nn.Linear(trunk.features, size))
        self.decoder = networks.generator(size, self.data.shape)
        self.register_buffer("k", torch.zeros(()))
        self.register_buffer("convergence", torch.zeros(()))

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return the encoder and the decoder."""
        return {"encoder": self.encoder, "decoder": self.decoder}

    def errors(self, data: Tensor) -> Tensor:
        """Return L(v) = |v - D(v)| of samples (N, *shape), the mean over pixels (equation 1), (N,).

        The target is not detached: the generator changes the sample and its reconstruction.
        """
        error: Tensor = at_least_float32(self.decoder(self.encoder(data))) - at_least_float32(data)
        return error.abs().flatten(1).mean(1)

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return minus the error of samples (N, *shape), shape (N,), at most 0."""
        return -self.errors(data)

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return L(x) and -k L(G(z)) (section 3.4)."""
        real_errors = -self.discriminate(real.data, real.condition)
        fake_errors = -self.discriminate(fake.data, fake.condition)
        return {"real": real_errors.mean(), "generated": -self.k * fake_errors.mean()}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return L(G(z)) (section 3.4)."""
        return {"generated": self.errors(fake.data).mean()}

    def after_round(self, discriminator_terms: LossTerms, generator_terms: LossTerms) -> None:
        """Compute M, and add lambda_k (gamma L(x) - L(G(z))) to k (sections 3.4 and 3.4.1)."""
        losses = torch.stack([discriminator_terms["real"], generator_terms["generated"]])
        real, generated = all_reduce_mean(losses)
        imbalance = self.config.diversity_ratio * real - generated
        self.convergence.copy_(real + imbalance.abs())
        self.k.add_(self.config.proportional_gain * imbalance).clamp_(0, 1)

    def logged_values(self) -> Mapping[str, Tensor]:
        """Return M and k."""
        return {"balance/convergence": self.convergence, "balance/k": self.k}
