"""GANs of PyTorch-GAN whose losses differ from their papers', on this package's base class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, normalize, softplus

from gan_lightning.gans.base import GAN, LossTerms
from gan_lightning.gans.config import GANConfig
from gan_lightning.losses import discriminator_cross_entropy
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, Sample

__all__ = ["GAMES", "PeerEBGAN", "PeerSGAN"]


class PeerSGAN(GAN):
    """sgan: a real/generated score and K + 1 classes, the last for generated data."""

    Config: ClassVar[type[Any]] = GANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Build the generator, and one encoder with two heads."""
        assert self.data.classes is not None
        self.fake_class = self.data.classes
        self.generator = networks.generator(self.config.latent_size, self.data.shape)
        self.encoder = networks.encoder(self.data.shape)
        self.score = networks.score_head(self.encoder.features)
        self.classify = networks.recognition_head(self.encoder.features, self.fake_class + 1)

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return the encoder and both heads."""
        return {"encoder": self.encoder, "score": self.score, "classify": self.classify}

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return the logits of data being real, (N,)."""
        logits: Tensor = self.score(self.encoder(data))
        return logits

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return a quarter of the adversarial and of the class losses."""
        assert real.labels is not None
        features = self.encoder(real.data), self.encoder(fake.data)
        adversarial = discriminator_cross_entropy(*map(self.score, features))
        fake_labels = torch.full_like(real.labels, self.fake_class)
        real_logits, fake_logits = (self.classify(side).float() for side in features)
        classes = cross_entropy(real_logits, real.labels) + cross_entropy(fake_logits, fake_labels)
        return {"adversarial": 0.25 * adversarial, "class": 0.25 * classes}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the non-saturating loss."""
        return {"adversarial": softplus(-self.discriminate(fake.data).float()).mean()}


class PeerEBGAN(GAN):
    """ebgan: an autoencoder with mean squared errors and a margin on their batch mean."""

    Config: ClassVar[type[Any]] = GANConfig
    margin = 1.0
    pulling_away_weight = 0.1

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Build the generator, the encoder and the decoder."""
        self.generator = networks.generator(self.config.latent_size, self.data.shape)
        self.encoder = networks.encoder(self.data.shape)
        self.decoder = networks.generator(self.encoder.features, self.data.shape)

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return the encoder and the decoder."""
        return {"encoder": self.encoder, "decoder": self.decoder}

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return the negative mean squared error of the batch, the same for all samples, (N,)."""
        return -self.error(data, self.encoder(data)).expand(len(data))

    def error(self, data: Tensor, code: Tensor) -> Tensor:
        """Return the mean squared error over all pixels, with the target detached."""
        return mse_loss(self.decoder(code).float(), data.detach().float())

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the error of real data plus the hinge of generated data at the margin."""
        error = self.error(real.data, self.encoder(real.data))
        hinge = (self.margin - self.error(fake.data, self.encoder(fake.data))).relu()
        return {"energy": error + hinge}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the error of generated data and the mean cosine of their codes."""
        code = self.encoder(fake.data)
        directions = normalize(code.float(), dim=1)
        count = len(directions)
        mean_cosine = ((directions @ directions.T).sum() - count) / (count * (count - 1))
        error = self.error(fake.data, code)
        return {"energy": error, "pulling_away": self.pulling_away_weight * mean_cosine}


GAMES: dict[str, type[GAN]] = {"peer_sgan": PeerSGAN, "peer_ebgan": PeerEBGAN}
