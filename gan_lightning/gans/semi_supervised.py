"""The semi-supervised GAN: a classifier that is also the discriminator."""

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
from gan_lightning.gans.base import GAN
from gan_lightning.gans.config import GANConfig
from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.ema import RunningAverage
from gan_lightning.gans.parameters import refuse_packs
from gan_lightning.losses import at_least_float32, discriminator_cross_entropy, feature_matching
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, Sample
from gan_lightning.utils.settings import setting

__all__ = ["SemiSupervisedGAN", "SemiSupervisedGANConfig"]


@dataclass
class SemiSupervisedGANConfig(GANConfig):
    """Config of the semi-supervised GAN; the defaults are the authors' for MNIST."""

    discriminator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=3e-3)
    )
    generator_optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=3e-3)
    )
    unlabelled_weight: float = setting(
        1.0, "Weight of the adversarial term in the discriminator's loss.", minimum=0
    )
    classifier_ema_decay: float = setting(
        0.9999,
        "Decay of the running average of the classifier's weights, per update; the average is "
        "what is evaluated.",
        minimum=0,
        below=1,
    )


class SemiSupervisedGAN(GAN):
    """The semi-supervised GAN: a discriminator of K classes, trained with few labels.

    Generated samples are class K + 1, whose logit is fixed at 0. With Z(x) the sum of the
    exponentials of the K logits, D(x) = Z(x) / (Z(x) + 1), whose logit is the log-sum-exp of the K
    logits. The discriminator learns the classes from the labelled subset, and D from unlabelled and
    generated samples. The generator matches the mean features of real samples.

    Attributes:
        averaged_classifier: running average of encoder and class head, which `classified` uses.

    Source: Salimans et al. 2016 (arXiv:1606.03498), sections 3.1 and 5, and the authors' code
        (github.com/openai/improved-gan), in which the adversarial term has the weight 1/2.
    Deviations: both players use the same unlabelled minibatch in a round; the code draws two. Its
        Adam adds 1e-8 to the second moment inside the root, which `epsilon` of both optimizers at
        1e-4 approximates; its noise is `latent_prior` unit_uniform. All
        samples of a step pass through the discriminator as one minibatch, which would change batch
        normalisation; the paper's networks have none.
    """

    Config: ClassVar[type[Any]] = SemiSupervisedGANConfig
    supports_partial_labels: ClassVar[bool] = True
    config: SemiSupervisedGANConfig

    def evaluators(self) -> tuple[str, ...]:
        """Return the base's, and the error of the classifier."""
        return (*super().evaluators(), "classifier")

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create the generator, and an encoder with a class head.

        Raises:
            ValueError: the data have no labelled subset, or the networks pack samples.
        """
        if self.data.labelled_classes is None:
            raise ValueError(
                "a semi-supervised GAN needs a labelled subset of the data, and data.labelled is "
                "0; set it to the number of labels, for example 100"
            )
        refuse_packs(networks, "a semi-supervised GAN classifies each sample")
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
        """Return the logits of D for samples (N, *shape), log Z(x), shape (N,)."""
        logits: Tensor = at_least_float32(self.classify(self.encoder(data)))
        return logits.logsumexp(1)

    def after_discriminator_step(self) -> None:
        """Update the running average of the classifier."""
        self.averaged_classifier.update_parameters(nn.Sequential(self.encoder, self.classify))

    @torch.no_grad()
    def classified(self, data: Tensor) -> Tensor:
        """Return class logits (N, K) of the running average, in evaluation mode."""
        with evaluation_mode(self.averaged_classifier):
            logits: Tensor = self.averaged_classifier(data)
        return logits

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the cross-entropy of the labelled classes, and that of D."""
        assert real.labelled is not None
        assert real.labelled.labels is not None
        parts = [real.labelled.data, real.data, fake.data]
        logits = at_least_float32(self.classify(self.encoder(torch.cat(parts))))
        labelled, unlabelled, generated = logits.split([len(data) for data in parts])
        source = discriminator_cross_entropy(unlabelled.logsumexp(1), generated.logsumexp(1))
        return {
            # cross_entropy takes logits; a softmax before it would be a second one
            "class": cross_entropy(labelled, real.labelled.labels),
            "adversarial": 0.5 * self.config.unlabelled_weight * source,
        }

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the feature-matching loss, with means over the global minibatch."""
        parts = [real.data, fake.data]
        features = self.encoder(torch.cat(parts)).split([len(data) for data in parts])
        means = [all_reduce_mean(at_least_float32(part).mean(0, keepdim=True)) for part in features]
        return {"features": feature_matching(*means)}
