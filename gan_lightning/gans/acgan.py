"""The auxiliary-classifier GAN (AC-GAN)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.labelled import LabelledGAN
from gan_lightning.gans.objectives import AdversarialConfig
from gan_lightning.gans.parameters import refuse_packs
from gan_lightning.losses import at_least_float32
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, Sample
from gan_lightning.utils.settings import setting

__all__ = ["AuxiliaryClassifierGAN", "AuxiliaryClassifierGANConfig"]


@dataclass
class AuxiliaryClassifierGANConfig(AdversarialConfig):
    """Config of AC-GAN: that of the standard GAN, and the weight of the class term."""

    class_weight: float = setting(
        1.0, "Weight of the class term in both players' losses; the paper's is 1.", minimum=0
    )


class AuxiliaryClassifierGAN(LabelledGAN):
    """The AC-GAN: a discriminator that also classifies, and a class-conditional generator.

    L_S is the log-likelihood of the correct source, real or generated, and L_C that of the correct
    class, both on real and generated samples. The discriminator maximises L_S + L_C, the generator
    L_C - L_S, where the config's objective replaces L_S. The discriminator does not take the class
    as an input.

    Source: Odena, Olah, Shlens 2017 (arXiv:1610.09585), equations 2 and 3.
    Deviations: the paper's discriminators have dropout of 0.5 in their hidden layers and noise on
        their activations. The dcgan networks have neither; `regularisation.instance_noise` adds
        noise to the input.
    """

    Config: ClassVar[type[Any]] = AuxiliaryClassifierGANConfig
    config: AuxiliaryClassifierGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create the generator, and an encoder with a score head and a class head.

        Raises:
            ValueError: the data have no classes, or the networks pack samples.
        """
        refuse_packs(networks, "AC-GAN classifies each sample")
        super().build(networks)
        self.encoder = networks.encoder(self.data.shape)
        self.score = networks.score_head(self.encoder.features)
        self.classify = networks.recognition_head(self.encoder.features, self.classes)

    def discriminator_players(self) -> dict[str, torch.nn.Module]:
        """Return the encoder and both heads."""
        return {"encoder": self.encoder, "score": self.score, "classify": self.classify}

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return the scores of samples (N, *shape), shape (N,); `given` is ignored."""
        scores: Tensor = self.score(self.encoder(data))
        return scores

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the objective's loss, and the cross-entropy of the classes of both minibatches."""
        real_features, fake_features = self.encoder(real.data), self.encoder(fake.data)
        source = self.objective.discriminator(self.score(real_features), self.score(fake_features))
        classes = self._class_loss(real_features, real.labels)
        classes = classes + self._class_loss(fake_features, fake.condition.labels)
        return {"adversarial": source, "class": classes}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the objective's loss, and the cross-entropy of the classes of the condition."""
        features = self.encoder(fake.data)
        source = self.objective.generator_loss(
            self.score(features), lambda: self.discriminate(real.data)
        )
        return {
            "adversarial": source,
            "class": self._class_loss(features, fake.condition.labels),
        }

    def _class_loss(self, features: Tensor, labels: Tensor | None) -> Tensor:
        assert labels is not None
        # cross_entropy takes logits; a softmax before it would be a second one
        return self.config.class_weight * cross_entropy(
            at_least_float32(self.classify(features)), labels
        )
