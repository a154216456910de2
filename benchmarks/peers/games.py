"""Two of PyTorch-GAN's games whose losses are not their papers', on our base class."""

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
    """A score, and K + 1 classes of which the last is generated; all data are labelled."""

    Config: ClassVar[type[Any]] = GANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Make the generator, and one encoder with two heads."""
        assert self.data.classes is not None
        self.generated = self.data.classes
        self.generator = networks.generator(self.config.latent_size, self.data.shape)
        self.encoder = networks.encoder(self.data.shape)
        self.score = networks.score_head(self.encoder.features)
        self.classify = networks.recognition_head(self.encoder.features, self.generated + 1)

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return the encoder and both heads."""
        return {"encoder": self.encoder, "score": self.score, "classify": self.classify}

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return logits of being real."""
        logits: Tensor = self.score(self.encoder(data))
        return logits

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return a quarter of the cross-entropies of source and class."""
        assert real.labels is not None
        features = self.encoder(real.data), self.encoder(fake.data)
        source = discriminator_cross_entropy(*map(self.score, features))
        generated = torch.full_like(real.labels, self.generated)
        answers = [self.classify(side).float() for side in features]
        classes = cross_entropy(answers[0], real.labels) + cross_entropy(answers[1], generated)
        return {"adversarial": 0.25 * source, "class": 0.25 * classes}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the cross-entropy with the label of real data."""
        return {"adversarial": softplus(-self.discriminate(fake.data).float()).mean()}


class PeerEBGAN(GAN):
    """An autoencoder with mean squared errors, a margin on their mean, and codes kept apart."""

    Config: ClassVar[type[Any]] = GANConfig
    margin = 1.0
    pulling_away_weight = 0.1

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Make the generator, and both halves of the autoencoder."""
        self.generator = networks.generator(self.config.latent_size, self.data.shape)
        self.encoder = networks.encoder(self.data.shape)
        self.decoder = networks.generator(self.encoder.features, self.data.shape)

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return both halves."""
        return {"encoder": self.encoder, "decoder": self.decoder}

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return minus the mean squared error, the same for all."""
        return -self.error(data, self.encoder(data)).expand(len(data))

    def error(self, data: Tensor, code: Tensor) -> Tensor:
        """Return the mean squared error over all pixels; the target has no gradient."""
        return mse_loss(self.decoder(code).float(), data.detach().float())

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the error on real data, and what that on generated data lacks of the margin."""
        error = self.error(real.data, self.encoder(real.data))
        lacking = self.margin - self.error(fake.data, self.encoder(fake.data))
        return {"energy": error + lacking.relu()}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the error on generated data, and the mean cosine of their codes."""
        code = self.encoder(fake.data)
        directions = normalize(code.float(), dim=1)
        count = len(directions)
        away = ((directions @ directions.T).sum() - count) / (count * (count - 1))
        error = self.error(fake.data, code)
        return {"energy": error, "pulling_away": self.pulling_away_weight * away}


GAMES: dict[str, type[GAN]] = {"peer_sgan": PeerSGAN, "peer_ebgan": PeerEBGAN}
