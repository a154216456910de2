"""pix2pix: images translated into images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from gan_lightning.gans.base import GAN, LossTerms
from gan_lightning.gans.objectives import AdversarialConfig, adversarial_objective
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Batch, Condition, Sample

__all__ = ["Pix2Pix", "Pix2PixConfig"]


@dataclass
class Pix2PixConfig(AdversarialConfig):
    """The paper's values; the noise is dropout in the networks, and `latent_size` is not used."""

    # of the game in the generator's loss; 0 leaves the L1 distance alone
    adversarial_weight: float = 1.0
    # lambda, of the mean absolute difference of output and target; 0 leaves the game alone
    l1_weight: float = 100.0

    def validate(self) -> None:
        """Raise a ValueError that names the first value out of range."""
        super().validate()
        for name in ("adversarial_weight", "l1_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")
        if not self.adversarial_weight and not self.l1_weight:
            raise ValueError("adversarial_weight and l1_weight are 0; one must be positive")


class Pix2Pix(GAN):
    """A generator of images from images, and a discriminator that sees input and output together.

    Minimises L_cGAN + lambda L1 over the generator. The discriminator's loss is halved, which slows
    it beside the generator (section 3.3). Whatever generates without being given a source takes
    one of `examples`.

    Attributes:
        examples: sources (M, C, H, W) in [-1, 1] to translate where none is given; or None.

    Source: Isola et al. 2017 (arXiv:1611.07004), equations 1, 3 and 4.
    """

    Config: ClassVar[type[Any]] = Pix2PixConfig
    config: Pix2PixConfig
    examples: Tensor | None = None

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Make a translator, and a discriminator of source and datum as one image.

        Raises:
            ValueError: the data have no sources, or the networks translate nothing.
        """
        source = self.data.source_shape
        if source is None:
            raise ValueError(
                "pix2pix translates images, and these data have no sources; choose "
                "data.name=mnist_pairs or pairs"
            )
        regularisation = self.config.regularisation
        if regularisation.augmentation or regularisation.instance_noise:
            raise ValueError(
                "pix2pix compares output and target pixel by pixel, which augmentation and "
                "instance_noise change apart; leave them out"
            )
        self.objective = adversarial_objective(self.config)
        self.generator = networks.translator(source, self.data.shape)
        joint = (source[0] + self.data.shape[0], *self.data.shape[1:])
        self.discriminator = networks.discriminator(joint)

    def training_condition(self, real: Batch, rng: torch.Generator) -> Condition:
        """Translate the sources of the minibatch."""
        return Condition(source=real.source)

    def prior(self, count: int, rng: torch.Generator | None = None) -> Condition:
        """Choose sources among the examples.

        Raises:
            ValueError: there are none.
        """
        if self.examples is None:
            raise ValueError("pix2pix has no source to translate: give one, or set `examples`")
        rows = torch.randint(len(self.examples), (count,), generator=rng, device=self.device)
        return Condition(source=self.examples[rows.to(self.examples.device)].to(self.device))

    def generate(self, condition: Condition) -> Tensor:
        """Translate sources, (N, C, H, W) in [-1, 1]."""
        data: Tensor = self.generator(condition.source)
        return data

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return logits of being the real datum of its source, one a patch.

        Raises:
            ValueError: there are no sources.
        """
        if given is None or given.source is None:
            raise ValueError("a discriminator of pairs needs their sources; they are None")
        logits: Tensor = self.discriminator(torch.cat([given.source, data], 1))
        return logits

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return half the loss of telling real pairs from translated ones."""
        real_logits = self.discriminate(real.data, real.condition)
        fake_logits = self.discriminate(fake.data, fake.condition)
        return {"adversarial": 0.5 * self.objective.discriminator(real_logits, fake_logits)}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the config's objective, and the distance from the target, where they weigh."""
        terms = {}
        if self.config.adversarial_weight:
            game = self.objective.generator(self.discriminate(fake.data, fake.condition))
            terms["adversarial"] = self.config.adversarial_weight * game
        if self.config.l1_weight:
            terms["l1"] = self.config.l1_weight * l1_loss(fake.data.float(), real.data)
        return terms
