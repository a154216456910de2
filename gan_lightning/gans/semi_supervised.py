"""The semi-supervised GAN: a classifier of K classes that tells real from generated besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan_lightning.core.module import evaluation_mode
from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.distributed.collectives import all_reduce_mean
from gan_lightning.gans.base import GAN, LossTerms
from gan_lightning.gans.config import GANConfig
from gan_lightning.gans.ema import RunningAverage
from gan_lightning.gans.parameters import refuse_packs
from gan_lightning.losses import discriminator_cross_entropy, feature_matching
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, Sample

__all__ = ["SemiSupervisedGAN", "SemiSupervisedGANConfig"]


@dataclass
class SemiSupervisedGANConfig(GANConfig):
    """The authors' values for MNIST."""

    discriminator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=3e-3)
    )
    generator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=3e-3)
    )
    # of telling real from generated in the discriminator's loss
    unlabelled_weight: float = 1.0
    # decay, an update, of the running average of the classifier that is measured
    classifier_ema_decay: float = 0.9999

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        if self.unlabelled_weight < 0:
            raise ValueError(
                f"unlabelled_weight is {self.unlabelled_weight}; it must be at least 0"
            )
        if not 0 <= self.classifier_ema_decay < 1:
            raise ValueError(
                f"classifier_ema_decay is {self.classifier_ema_decay}; it must lie in [0, 1)"
            )


class SemiSupervisedGAN(GAN):
    """A discriminator with K outputs, one a class, that learns from few labels and many images.

    Generated is class K + 1, whose logit is fixed at 0, so with Z(x) the sum of the exponentials of
    the K logits, D(x) = Z(x) / (Z(x) + 1): its logit is their log-sum-exp. Labelled data teach it
    the class, the others and generated ones the source. The generator matches the mean of the
    discriminator's features on real data.

    Attributes:
        averaged_classifier: running average of the classifier, which is what users get.

    Source: Salimans et al. 2016 (arXiv:1606.03498), sections 3.1 and 5, and their code
        (github.com/openai/improved-gan), whose term on sources has the weight 1/2.
    Deviations: both players see the same unlabelled minibatch in a round; the code draws two. All
        data of a step pass the discriminator together, which batch norm would notice: the paper's
        networks have none.
    """

    Config: ClassVar[type[Any]] = SemiSupervisedGANConfig
    supports_partial_labels: ClassVar[bool] = True
    config: SemiSupervisedGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Make the generator, and a classifier without a head of its own for the source.

        Raises:
            ValueError: there are no few labelled data, or the networks pack data.
        """
        if self.data.labelled_classes is None:
            raise ValueError(
                "a semi-supervised GAN learns from a few labelled data beside the others, and "
                "there are none; set data.labelled=100, say"
            )
        refuse_packs(networks, "a semi-supervised GAN classifies each datum")
        self.generator = networks.generator(self.config.latent_size, self.data.shape)
        self.encoder = networks.encoder(self.data.shape)
        head = networks.recognition_head(self.encoder.features, self.data.labelled_classes)
        self.classify = head
        decay = self.config.classifier_ema_decay
        self.averaged_classifier = RunningAverage(
            nn.Sequential(self.encoder, self.classify), lambda: decay if self.updates else 0.0
        )

    def discriminator_players(self) -> Mapping[str, nn.Module]:
        """Return the encoder and its head."""
        return {"encoder": self.encoder, "classify": self.classify}

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return logits of being real, log Z(x)."""
        logits: Tensor = self.classify(self.encoder(data)).float()
        return logits.logsumexp(1)

    def after_discriminator_step(self) -> None:
        """Take the new weights into the running average."""
        self.averaged_classifier.update_parameters(nn.Sequential(self.encoder, self.classify))

    @torch.no_grad()
    def classified(self, data: Tensor) -> Tensor:
        """Return class logits (N, classes) as a user gets them: averaged, in evaluation mode."""
        with evaluation_mode(self.averaged_classifier):
            logits: Tensor = self.averaged_classifier(data)
        return logits

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the loss of wrong classes of labelled data and of wrong sources of the others."""
        assert real.labelled is not None
        assert real.labelled.labels is not None
        together = [real.labelled.data, real.data, fake.data]
        logits = self.classify(self.encoder(torch.cat(together))).float()
        labelled, unlabelled, generated = logits.split([len(data) for data in together])
        source = discriminator_cross_entropy(unlabelled.logsumexp(1), generated.logsumexp(1))
        return {
            # cross_entropy takes logits: a softmax of ours before it would be a second one
            "class": cross_entropy(labelled, real.labelled.labels),
            "adversarial": 0.5 * self.config.unlabelled_weight * source,
        }

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return how far the mean features of generated data are from those of real data."""
        together = [real.data, fake.data]
        features = self.encoder(torch.cat(together)).split([len(data) for data in together])
        means = [all_reduce_mean(side.float().mean(0, keepdim=True)) for side in features]
        return {"features": feature_matching(*means)}
