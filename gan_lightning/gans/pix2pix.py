"""pix2pix: image-to-image translation by a conditional GAN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.objectives import AdversarialConfig
from gan_lightning.gans.translation import TranslatingGAN
from gan_lightning.losses import at_least_float32
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, Sample
from gan_lightning.utils.settings import setting

__all__ = ["Pix2Pix", "Pix2PixConfig"]


@dataclass
class Pix2PixConfig(AdversarialConfig):
    """Config of pix2pix; the defaults are the paper's.

    The noise is dropout in the networks; `latent_size` and `latent_prior` are not used.
    """

    adversarial_weight: float = setting(
        1.0,
        "Weight of the adversarial term in the generator's loss; 0 leaves the L1 term only.",
        minimum=0,
    )
    l1_weight: float = setting(
        100.0,
        "lambda: weight of the mean absolute difference of output and target in the generator's "
        "loss; 0 leaves the adversarial term only.",
        minimum=0,
    )

    def validate(self) -> None:
        """Check that the generator's loss has a term.

        Raises:
            ValueError: both weights are 0.
        """
        super().validate()
        if not self.adversarial_weight and not self.l1_weight:
            raise ValueError("adversarial_weight and l1_weight are 0; one must be positive")


class Pix2Pix(TranslatingGAN):
    """pix2pix: a generator of images from images, and a discriminator of pairs.

    The discriminator scores source and output together. The generator minimises L_cGAN + lambda L1.
    The discriminator's loss is halved, which slows it relative to the generator (section 3.3).

    Source: Isola et al. 2017 (arXiv:1611.07004), equations 1, 3 and 4.
    The authors' jitter, an enlargement from 256 to 286 pixels and a random crop, is `data.jitter`
    of pairs of images.
    """

    Config: ClassVar[type[Any]] = Pix2PixConfig
    config: Pix2PixConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create a translator, and a discriminator of source and sample as one image.

        Raises:
            ValueError: the data have no sources, the networks have no translator, or the config
                changes the discriminator's inputs.
        """
        source = self.source_shape()
        self.generator = networks.translator(source, self.data.shape)
        joint = (source[0] + self.data.shape[0], *self.data.shape[1:])
        self.discriminator = networks.discriminator(joint)

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return the scores of samples with the sources `given.source`, shape (N patches,).

        Raises:
            ValueError: there are no sources.
        """
        if given is None or given.source is None:
            raise ValueError("a discriminator of pairs needs their sources; they are None")
        scores: Tensor = self.discriminator(torch.cat([given.source, data], 1))
        return scores

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return half the objective's loss."""
        return {"adversarial": 0.5 * super().discriminator_loss(real, fake)["adversarial"]}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the objective's loss and the L1 loss, each where its weight is not 0."""
        terms = {}
        if self.config.adversarial_weight:
            game = super().generator_loss(real, fake)["adversarial"]
            terms["adversarial"] = self.config.adversarial_weight * game
        if self.config.l1_weight:
            terms["l1"] = self.config.l1_weight * l1_loss(at_least_float32(fake.data), real.data)
        return terms
