"""Balanced consistency regularisation: a score should not depend on a transformation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from gan_lightning.gans.random_transforms import TRANSFORMS, random_transforms
from gan_lightning.losses import at_least_float32
from gan_lightning.utils.settings import setting

__all__ = ["ConsistencyConfig", "consistency_penalty"]


@dataclass
class ConsistencyConfig:
    """Balanced consistency regularisation (bCR); the paper has both weights at 10."""

    real: float = setting(
        0.0, "lambda_real: weight of the penalty on real images; 0 leaves it out.", minimum=0
    )
    generated: float = setting(
        0.0, "lambda_fake: weight of the penalty on generated images; 0 leaves it out.", minimum=0
    )
    transforms: list[str] = setting(
        ["flip", "translation"],
        "T: transformations of each image, the scores before and after which are compared.",
        choices=lambda: TRANSFORMS,
        min_length=1,
    )


def consistency_penalty(
    discriminate: Callable[[Tensor], Tensor], images: Tensor, transforms: Sequence[str]
) -> Tensor:
    """Return the mean of (D(x) - D(T(x)))^2, with a gradient through both scores.

    Args:
        discriminate: maps images (N, C, H, W) to scores.
        images: real or generated images x, (N, C, H, W) in [-1, 1].
        transforms: names of TRANSFORMS; T applies each to each image, with its own random numbers.

    Returns:
        Scalar, at least 0.

    Source: Zhang et al. 2020 (arXiv:1910.12027) for real images; Zhao et al. 2020
        (arXiv:2002.04724), algorithm 1, for both.
    Deviations: by default T mirrors half of the images and translates each by up to an eighth of
        its sides, 4 of 32 pixels, continued by reflection; the papers say a few pixels. Where the
        discriminator sees augmented images, x is such an image.
    """
    difference = discriminate(images) - discriminate(random_transforms(images, transforms))
    return at_least_float32(difference).square().mean()
