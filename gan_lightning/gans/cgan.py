"""The conditional GAN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.gans.labelled import LabelledGAN
from gan_lightning.gans.objectives import AdversarialConfig
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Condition

__all__ = ["ConditionalGAN", "ConditionalGANConfig"]


@dataclass
class ConditionalGANConfig(AdversarialConfig):
    """Config of the conditional GAN: that of the standard GAN."""


class ConditionalGAN(LabelledGAN):
    """The conditional GAN: both players take the class as an input.

    The generator takes noise and the one-hot class; the discriminator scores a sample together with
    its class. The losses are the objective's, on these scores. The classes of generated samples are
    drawn with their frequencies in the data.

    Source: Mirza, Osindero 2014 (arXiv:1411.1784), equation 2.
    Deviations: noise and class enter the generator's first layer together, sample and class the
        discriminator's; the paper first maps each by its own layer.
    """

    Config: ClassVar[type[Any]] = ConditionalGANConfig
    config: ConditionalGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create the generator, and a discriminator of samples with their class.

        Raises:
            ValueError: the data have no classes.
        """
        super().build(networks)
        self.encoder = networks.conditional_encoder(self.data.shape, self.classes)
        self.score = networks.conditional_score_head(self.encoder.features)

    def discriminator_players(self) -> dict[str, torch.nn.Module]:
        """Return the encoder and its head."""
        return {"encoder": self.encoder, "score": self.score}

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return the scores of samples (N, *shape) for the classes in `given`.

        Raises:
            ValueError: there are no labels.
        """
        scores: Tensor = self.score(self.encoder(data, self.require_labels(given)))
        return scores
