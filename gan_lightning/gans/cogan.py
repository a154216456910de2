"""The coupled GAN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan_lightning.core.module import evaluation_mode
from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.gans.base import LossTerms
from gan_lightning.gans.labelled import LabelledGAN
from gan_lightning.gans.objectives import AdversarialConfig, adversarial_objective
from gan_lightning.networks import NetworkFamily
from gan_lightning.networks.coupled import SharedFirst, SharedLast
from gan_lightning.types import Batch, Condition, Sample

__all__ = ["CoupledGAN", "CoupledGANConfig"]


@dataclass
class CoupledGANConfig(AdversarialConfig):
    """The paper's values for digits."""

    discriminator_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    generator_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    # of the game in both players' losses; 0 leaves the classifier of the labelled data alone
    adversarial_weight: float = 1.0
    # of the labelled data's classes in the discriminator's loss
    class_weight: float = 1.0

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        for name in ("adversarial_weight", "class_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")


class CoupledGAN(LabelledGAN):
    """A GAN a domain, coupled by shared layers: one latent gives a pair that nobody has shown it.

    A datum's class is its domain. The generators share all layers but the last, which draws; the
    discriminators all but the first, which looks. Real data come one by one, never in pairs.

    Where labelled data of one domain come beside, a classifier on the discriminators' shared layers
    learns from them; data of the other domain enter by their own first layer (section 4.1).

    Source: Liu, Tuzel 2016 (arXiv:1606.07536), equations 4 and 5.
    Deviations: each generated datum has a noise vector of its own; the authors draw each vector's
        data in both domains in a step.
    """

    Config: ClassVar[type[Any]] = CoupledGANConfig
    supports_partial_labels: ClassVar[bool] = True
    config: CoupledGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Make a branch a domain of each player, and a classifier where there are labelled data.

        Raises:
            ValueError: the data have no classes, or the networks cannot be cut.
        """
        self.objective = adversarial_objective(self.config)
        self.classes = self.classes_of_data()
        size, shape = self.config.latent_size, self.data.shape
        domains = range(self.classes)
        self.generator = SharedFirst([networks.generator(size, shape) for _ in domains])
        encoders = [networks.encoder(shape) for _ in domains]
        self.encoder = SharedLast([encoder.layers for encoder in encoders])
        features, answers = encoders[0].features, self.data.labelled_classes
        self.score = networks.score_head(features)
        self.classify = None if answers is None else networks.recognition_head(features, answers)

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return the encoders and the heads."""
        players: dict[str, nn.Module] = {"encoder": self.encoder, "score": self.score}
        return players if self.classify is None else {**players, "classify": self.classify}

    def generate(self, condition: Condition) -> Tensor:
        """Map noise to data of the domains asked for."""
        data: Tensor = self.generator(condition.latent, condition.labels)
        return data

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return logits of being real data of these domains.

        Raises:
            ValueError: there are no labels.
        """
        logits: Tensor = self.score(self.encoder(data, self.require_labels(given)))
        return logits

    @torch.no_grad()
    def classified(self, data: Tensor, domain: int) -> Tensor:
        """Return class logits (N, classes) of data that enter by a domain's first layer."""
        assert self.classify is not None
        domains = torch.full((len(data),), domain, device=data.device)
        with evaluation_mode(self):
            logits: Tensor = self.classify(self.encoder(data, domains))
        return logits

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the loss of telling real from generated, and that of the labelled data."""
        real_logits = self.discriminate(real.data, real.condition)
        fake_logits = self.discriminate(fake.data, fake.condition)
        game = self.objective.discriminator(real_logits, fake_logits)
        terms = {"adversarial": self.config.adversarial_weight * game}
        if self.classify is not None:
            assert real.labelled is not None
            assert real.labelled.labels is not None
            domains = torch.full_like(real.labelled.labels, self.data.labelled_domain)
            logits = self.classify(self.encoder(real.labelled.data, domains))
            loss = cross_entropy(logits.float(), real.labelled.labels)
            terms["class"] = self.config.class_weight * loss
        return terms

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the config's objective in each datum's domain."""
        logits = self.discriminate(fake.data, fake.condition)
        return {"adversarial": self.config.adversarial_weight * self.objective.generator(logits)}
