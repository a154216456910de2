"""Checks of the regularisers that transform images."""

from __future__ import annotations

from gan_lightning.gans.random_transforms import COLOURS
from gan_lightning.gans.regularisation import RegularisationConfig
from gan_lightning.losses import Objective
from gan_lightning.types import DataSpec

__all__ = ["check_transforms"]


def check_transforms(config: RegularisationConfig, data: DataSpec, objective: Objective) -> None:
    """Check that data and scores are those that the transformations of a config need.

    Args:
        config: regularisers.
        data: shape of the data.
        objective: of the GAN.

    Raises:
        ValueError: the data are points or have sources, colours of other than 1 or 3 channels are
            changed, or ADA cannot read from a score whether a sample is taken for real.
    """
    for name in config.used_on_images():
        if not data.is_image:
            raise ValueError(
                f"regularisation.{name} needs images, and these data are points; leave it out"
            )
        if data.source_shape is not None and name != "augmentation":
            raise ValueError(
                f"regularisation.{name} would change images and their sources differently; leave "
                f"it out"
            )
        names = getattr(getattr(config, name), "transforms", ())
        colour = next((transform for transform in names if transform in COLOURS), None)
        if colour is not None and data.shape[0] not in (1, 3):
            raise ValueError(
                f"regularisation.{name}.transforms has {colour}, which needs images of 1 or 3 "
                f"channels, and these have {data.shape[0]}; leave the colours out"
            )
    if config.ada.enabled and objective.boundary is None:
        raise ValueError(
            "regularisation.ada reads from a score whether a sample is taken for real, and the "
            "scores of this GAN and objective do not say so: use regularisation.augmentation"
        )
