"""The conditional GAN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.gans.base import LossTerms
from gan_lightning.gans.labelled import LabelledGAN
from gan_lightning.gans.objectives import AdversarialConfig, adversarial_objective
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, Sample

__all__ = ["ConditionalGAN", "ConditionalGANConfig"]


@dataclass
class ConditionalGANConfig(AdversarialConfig):
    """The standard GAN's keys; the class is a condition of both players."""


class ConditionalGAN(LabelledGAN):
    """A generator of what a class looks like, and a discriminator that is told the class too.

    The generator's input is noise and the one-hot class. Labels of generated data are drawn evenly.

    Source: Mirza, Osindero 2014 (arXiv:1411.1784), equation 2.
    Deviations: noise and class enter the generator's first layer together, and data and class the
        discriminator's; the paper maps each by a layer of its own first.
    """

    Config: ClassVar[type[Any]] = ConditionalGANConfig
    config: ConditionalGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Make both players conditional.

        Raises:
            ValueError: the data have no classes.
        """
        self.objective = adversarial_objective(self.config)
        super().build(networks)
        self.encoder = networks.conditional_encoder(self.data.shape, self.classes)
        self.score = networks.score_head(self.encoder.features)

    def discriminator_players(self) -> dict[str, torch.nn.Module]:
        """Return the encoder and its head."""
        return {"encoder": self.encoder, "score": self.score}

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return logits of being real data of these classes.

        Raises:
            ValueError: there are no labels.
        """
        logits: Tensor = self.score(self.encoder(data, self.require_labels(given)))
        return logits

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the loss of telling real from generated, each with its class."""
        real_logits = self.discriminate(real.data, real.condition)
        fake_logits = self.discriminate(fake.data, fake.condition)
        return {"adversarial": self.objective.discriminator(real_logits, fake_logits)}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the config's objective on the generated data with the classes asked for."""
        logits = self.discriminate(fake.data, fake.condition)
        return {"adversarial": self.objective.generator(logits)}
