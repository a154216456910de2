"""The auxiliary-classifier GAN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gan_lightning.gans.base import LossTerms
from gan_lightning.gans.labelled import LabelledGAN
from gan_lightning.gans.objectives import AdversarialConfig, adversarial_objective
from gan_lightning.gans.parameters import refuse_packs
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, Sample

__all__ = ["AuxiliaryClassifierGAN", "AuxiliaryClassifierGANConfig"]


@dataclass
class AuxiliaryClassifierGANConfig(AdversarialConfig):
    """The standard GAN's keys, and the weight of the classes."""

    # of the class term in both players' losses; the paper's is 1
    class_weight: float = 1.0

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        if self.class_weight < 0:
            raise ValueError(f"class_weight is {self.class_weight}; it must be at least 0")


class AuxiliaryClassifierGAN(LabelledGAN):
    """A discriminator that also says the class, and a generator that is asked for one.

    L_S is the log-likelihood of the right source, L_C of the right class, on real and generated
    data. The discriminator maximises L_S + L_C, the generator L_C - L_S (here by the config's
    objective). The discriminator is not told the class.

    Source: Odena, Olah, Shlens 2017 (arXiv:1610.09585), equations 2 and 3.
    """

    Config: ClassVar[type[Any]] = AuxiliaryClassifierGANConfig
    config: AuxiliaryClassifierGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Make the generator, and one encoder with a real/fake and a class head.

        Raises:
            ValueError: the data have no classes, or the networks pack data.
        """
        refuse_packs(networks, "AC-GAN classifies each datum")
        self.objective = adversarial_objective(self.config)
        super().build(networks)
        self.encoder = networks.encoder(self.data.shape)
        self.score = networks.score_head(self.encoder.features)
        self.classify = networks.recognition_head(self.encoder.features, self.classes)

    def discriminator_players(self) -> dict[str, torch.nn.Module]:
        """Return the encoder and both heads."""
        return {"encoder": self.encoder, "score": self.score, "classify": self.classify}

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return logits of being real, whatever the class."""
        logits: Tensor = self.score(self.encoder(data))
        return logits

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the losses of the wrong source and of the wrong class."""
        real_features, fake_features = self.encoder(real.data), self.encoder(fake.data)
        source = self.objective.discriminator(self.score(real_features), self.score(fake_features))
        classes = self._class_loss(real_features, real.labels)
        classes = classes + self._class_loss(fake_features, fake.condition.labels)
        return {"adversarial": source, "class": classes}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the config's objective, and the loss of a class that was not asked for."""
        features = self.encoder(fake.data)
        return {
            "adversarial": self.objective.generator(self.score(features)),
            "class": self._class_loss(features, fake.condition.labels),
        }

    def _class_loss(self, features: Tensor, labels: Tensor | None) -> Tensor:
        assert labels is not None
        # cross_entropy takes logits: a softmax of ours before it would be a second one
        return self.config.class_weight * cross_entropy(self.classify(features).float(), labels)
