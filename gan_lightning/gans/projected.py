"""The projected GAN."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.core.optim import OptimizerConfig
from gan_lightning.gans.base import GAN
from gan_lightning.gans.config import GANConfig
from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.parameters import refuse_packs
from gan_lightning.losses import OBJECTIVES, Objective
from gan_lightning.networks import NetworkFamily
from gan_lightning.networks.projected import (
    Lite0Maps,
    ProjectedDiscriminator,
    check_projected_shape,
)
from gan_lightning.types import Batch, Condition, Sample
from gan_lightning.utils.settings import setting

__all__ = ["ProjectedGAN", "ProjectedGANConfig"]


def _optimizer() -> OptimizerConfig:
    return OptimizerConfig(betas=[0.0, 0.99])


@dataclass
class ProjectedGANConfig(GANConfig):
    """Config of the projected GAN; optimizers and prior are those of the authors' code."""

    latent_prior: str = "normal"
    discriminator_optimizer: OptimizerConfig = field(default_factory=_optimizer)
    generator_optimizer: OptimizerConfig = field(default_factory=_optimizer)
    feature_side: int = setting(
        128,
        "Side in pixels to which images are enlarged for the pretrained network; 224 in the paper. "
        "Half of it takes less than half of the time.",
        choices=(64, 128, 256),
    )
    discriminator_width: int = setting(
        64,
        "Channels of the discriminators' maps at an eighth of that side, doubled at each halving.",
        minimum=1,
    )

    def build_objective(self) -> Objective:
        """Return the hinge losses."""
        return OBJECTIVES["hinge"]


class ProjectedGAN(GAN):
    """A GAN whose discriminators see images as a pretrained network does.

    Images pass through an EfficientNet-Lite0 that was trained on ImageNet and stays as it is, and
    through random projections that mix its channels and scales and stay as they are. A small
    discriminator judges the maps of each of four scales; the losses of the four are summed. The
    generator's gradient flows through all of them.

    The generator is that of the network family, whose discriminator is not used.

    Attributes:
        features: the pretrained network; not in checkpoints, its file is verified when it is read.
        discriminator: the random projections, which are in checkpoints, and four discriminators.

    Raises:
        UserError: the extra `lite0` is not installed, or its file is not the published one.

    Source: Sauer, Chitta, Mueller, Geiger 2021 (arXiv:2111.01007), sections 3.1 and 3.2.
    Deviations: images are enlarged to 128 pixels, not 224; the loss of a scale is the mean over its
        positions, and the four are summed, where the authors' code takes the mean over all; the
        generator is that of the config, FastGAN's in the paper. Those of `ProjectedDiscriminator`
        and `RandomMixing`.
    """

    Config: ClassVar[type[Any]] = ProjectedGANConfig
    config: ProjectedGANConfig

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create the generator, the pretrained network and the four discriminators.

        Raises:
            ValueError: the data are no images, are larger than `feature_side`, or the networks
                compare samples.
        """
        refuse_packs(networks, "a projected GAN scores single images")
        if kernels := networks.config.minibatch_kernels:
            raise ValueError(
                f"a projected GAN has discriminators of its own, and network.minibatch_kernels is "
                f"{kernels}: set it to 0"
            )
        check_projected_shape(self.data.shape, self.config.feature_side)
        self.generator = networks.generator(self.config.latent_size, self.data.shape)
        self.features = Lite0Maps(self.config.feature_side)
        self.discriminator = ProjectedDiscriminator(
            self.features.channels, self.config.discriminator_width
        )

    def scores(self, data: Tensor) -> list[Tensor]:
        """Return the scores of images (N, C, H, W) by each discriminator, (N, positions)."""
        scores: list[Tensor] = self.discriminator(self.features(data))
        return scores

    def discriminate(self, data: Tensor, given: Condition | None = None) -> Tensor:
        """Return the sum over the four scales of an image's mean score, (N,)."""
        return torch.stack([scale.mean(1) for scale in self.scores(data)]).sum(0)

    def discriminator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the sum of the hinge losses of the four discriminators (section 3.1)."""
        both = self.scores(torch.cat([real.data, fake.data]))  # one spectral norm for both
        pairs = [scores.split(len(real.data)) for scores in both]
        losses = [self.objective.discriminator(*pair) for pair in pairs]
        return {"adversarial": torch.stack(losses).sum()}

    def generator_loss(self, real: Batch, fake: Sample) -> LossTerms:
        """Return the sum of the generator's losses of the four discriminators (section 3.1)."""
        losses = [self.objective.generator(scores) for scores in self.scores(fake.data)]
        return {"adversarial": torch.stack(losses).sum()}
