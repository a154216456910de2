"""Adaptive discriminator augmentation (ADA): as much augmentation as overfitting asks for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_lightning.distributed.collectives import all_reduce_mean, process_count
from gan_lightning.gans.random_transforms import COLOURS, GEOMETRY, TRANSFORMS, random_transforms
from gan_lightning.losses import at_least_float32
from gan_lightning.utils.settings import setting

__all__ = ["AdaptiveAugmentation", "AdaptiveAugmentationConfig"]


@dataclass
class AdaptiveAugmentationConfig:
    """Adaptive discriminator augmentation (ADA), where data are few."""

    enabled: bool = setting(
        False, "Whether all inputs of the discriminator are augmented with a probability p."
    )
    target: float = setting(
        0.6, "Value of E[sign(D(x))] over real images, above which p grows.", minimum=-1, maximum=1
    )
    images: int = setting(500_000, "Real images in which p can go from 0 to 1, or back.", minimum=1)
    interval: int = setting(
        256, "Real images from one adjustment of p to the next, as many whole steps.", minimum=1
    )
    transforms: list[str] = setting(
        [*dict.fromkeys(name for name, _ in GEOMETRY), *COLOURS],
        "Transformations of an image, each with the probability p.",
        choices=lambda: TRANSFORMS,
        min_length=1,
    )


class AdaptiveAugmentation(nn.Module):
    """Transformations with a probability p, which follows how far the discriminator overfits.

    The measure of overfitting is r_t = E[sign(D(x))] over the real images of some steps, as the
    discriminator sees them: 1 where it takes all of them for real. Where r_t is above its target, p
    grows, else it falls. Both players' losses see real and generated images through the same
    transformations, which therefore do not leak into the samples while p is below about 0.8.

    Args:
        config: target, speed and transformations.
        boundary: score of a sample that could be real or generated.

    Attributes:
        probability: p, in [0, 1], which starts at 0.
        sign_sum: sum of sign(D(x)) over the real images since the last adjustment.
        images: number of these images.

    Source: Karras et al. 2020 (arXiv:2006.06676), sections 2.2 and 3 and appendix B, and the
        authors' code (github.com/NVlabs/stylegan2-ada-pytorch).
    Deviations: p is at most 1, where the code has no bound; the adjustments are counted in images,
        256 of which are the 4 minibatches of 64 of the code; those of `random_transforms`.
    """

    probability: Tensor
    sign_sum: Tensor
    images: Tensor

    def __init__(self, config: AdaptiveAugmentationConfig, boundary: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.boundary = boundary
        for name in ("probability", "sign_sum", "images"):
            self.register_buffer(name, torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        """Transform images (N, C, H, W), each with its own random numbers."""
        return random_transforms(images, self.config.transforms, self.probability)

    @torch.no_grad()
    def adjust(self, real_scores: Tensor, count: int) -> None:
        """Take account of the scores of real images, and adjust p where enough have been seen.

        No step waits for a GPU: the decision is made there.

        Args:
            real_scores: scores of real images as the discriminator is given them.
            count: number of these images in this process.
        """
        config, count = self.config, count * process_count()
        signs = (at_least_float32(real_scores) - self.boundary).sign().mean()
        self.sign_sum += count * all_reduce_mean(signs)
        self.images += count
        due = self.images >= config.interval
        direction = (self.sign_sum / self.images - config.target).sign()
        moved = self.probability + direction * self.images / config.images
        self.probability.copy_(torch.where(due, moved.clamp(0, 1), self.probability))
        self.sign_sum.masked_fill_(due, 0)
        self.images.masked_fill_(due, 0)
