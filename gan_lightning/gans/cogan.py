"""The coupled GAN (CoGAN)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan_lightning.core.module import evaluation_mode
from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.labelled import LabelledGAN
from gan_lightning.gans.objectives import AdversarialConfig
from gan_lightning.losses import at_least_float32
from gan_lightning.networks import NetworkFamily
from gan_lightning.networks.coupled import SharedFirst, SharedLast
from gan_lightning.types import Batch, Condition, Sample
from gan_lightning.utils.settings import setting

__all__ = ["CoupledGAN", "CoupledGANConfig"]


@dataclass
class CoupledGANConfig(AdversarialConfig):
    """Config of the coupled GAN; the defaults are the paper's for digits."""

    adversarial_weight: float = setting(
        1.0,
        "Weight of the adversarial term in both players' losses; 0 trains the classifier only.",
        minimum=0,
    )
    class_weight: float = setting(
        1.0,
        "Weight of the cross-entropy of the labelled subset in the discriminator's loss.",
        minimum=0,
    )
    shared_generator_layers: int | None = setting(
        None,
        "Linear and convolutional layers, the first ones, that the generators share; null means "
        "all but the last.",
        minimum=0,
    )


class CoupledGAN(LabelledGAN):
    """The coupled GAN: one GAN per domain, coupled by shared layers.

    The class of a sample is its domain. The generators share all layers but the last one, which
    maps features to pixels, or as many as `shared_generator_layers` says; the discriminators share
    all layers but the first one. So one latent gives corresponding samples of all domains, without
    a corresponding pair in the training data.

    Where the data have a labelled subset, whose samples are all of one domain, a classifier on the
    discriminators' shared layers learns from it; samples of the other domains enter the classifier
    by their own first layer (section 4.1).

    Source: Liu, Tuzel 2016 (arXiv:1606.07536), equations 4 and 5.
    Deviations: each generated sample has its own noise; the authors generate samples of both
        domains from each noise vector of a step. The networks are those of the family; the authors'
        are `network.name=cogan`, with a weight decay of 5e-4 in both optimizers.
    """

    Config: ClassVar[type[Any]] = CoupledGANConfig
    couples_classes: ClassVar[bool] = True
    supports_partial_labels: ClassVar[bool] = True
    config: CoupledGANConfig

    def evaluators(self) -> tuple[str, ...]:
        """Return the base's, and the accuracy on the domain without labels where one has labels."""
        adaptation = () if self.data.labelled_classes is None else ("adaptation",)
        return (*super().evaluators(), *adaptation)

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create a branch per domain of each player, and a classifier for a labelled subset.

        Raises:
            ValueError: the data have no classes, or the networks are not stacks of layers.
        """
        self.classes = self.classes_of_data()
        size, shape = self.config.latent_size, self.data.shape
        domains = range(self.classes)
        self.generator = SharedFirst(
            [networks.generator(size, shape) for _ in domains], self.config.shared_generator_layers
        )
        encoders = [networks.encoder(shape) for _ in domains]
        self.encoder = SharedLast([encoder.layers for encoder in encoders])
        features, classes = encoders[0].features, self.data.labelled_classes
        self.score = networks.score_head(features)
        self.classify = None if classes is None else networks.recognition_head(features, classes)

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return the encoders and the heads."""
        players: dict[str, nn.Module] = {"encoder": self.encoder, "score": self.score}
        return players if self.classify is None else {**players, "classify": self.classify}

    def generate(self, condition: Condition) -> Tensor:
        """Map noise to samples (N, *shape) of the domains in `condition.labels`."""
        data: Tensor = self.generator(condition.latent, condition.labels)
        return data

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return the scores of samples (N, *shape) in the domains `given.labels`.

        Raises:
            ValueError: there are no labels.
        """
        scores: Tensor = self.score(self.encoder(data, self.require_labels(given)))
        return scores

    @torch.no_grad()
    def classified(self, data: Tensor, domain: int) -> Tensor:
        """Return class logits (N, classes) in evaluation mode, for samples of one domain."""
        assert self.classify is not None
        domains = torch.full((len(data),), domain, device=data.device)
        with evaluation_mode(self):
            logits: Tensor = self.classify(self.encoder(data, domains))
        return logits

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the objective's loss, and the cross-entropy of the labelled subset's classes."""
        game = super().discriminator_loss(real, fake)["adversarial"]
        terms = {"adversarial": self.config.adversarial_weight * game}
        if self.classify is not None:
            assert real.labelled is not None
            assert real.labelled.labels is not None
            domains = torch.full_like(real.labelled.labels, self.data.labelled_domain)
            logits = self.classify(self.encoder(real.labelled.data, domains))
            loss = cross_entropy(at_least_float32(logits), real.labelled.labels)
            terms["class"] = self.config.class_weight * loss
        return terms

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the objective's loss of each sample in its domain."""
        game = super().generator_loss(real, fake)["adversarial"]
        return {"adversarial": self.config.adversarial_weight * game}
