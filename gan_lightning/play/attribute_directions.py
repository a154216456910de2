"""Directions of latent space along which generated faces get an attribute."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import BaseDataModule
from gan_lightning.gans import GAN

__all__ = ["attribute_directions"]

SAMPLES = 1000
"""Generated faces whose attributes are read."""

FEWEST = 25
"""A value that fewer of them have, or lack, gets no direction."""


def attribute_directions(gan: GAN, data: BaseDataModule) -> dict[str, Tensor]:
    """Find the direction of latent space towards each value of an attribute of faces.

    The shipped classifier reads the attributes of generated faces. The direction towards a value is
    the mean latent of the faces that have it, minus the mean latent of those that lack it.

    Args:
        gan: with a latent.
        data: that it was trained on.

    Returns:
        Unit vector (latent size,) of each value, by its name, for example `mouth: smile`; empty for
        data other than faces. Attributes that are inputs of the generator are left out.

    Source: Radford, Metz, Chintala 2016 (arXiv:1511.06434), section 6.3.2, where the means are of
        three samples that people chose.
    """
    if "faces" not in data.evaluators():
        return {}
    from gan_lightning.evaluation.faces import read_attributes
    from gan_lightning.store.faces import ATTRIBUTES

    seed = derived_seed("attribute directions")
    rng = torch.Generator(gan.device).manual_seed(seed)
    condition = gan.prior(SAMPLES, rng)
    assert condition.latent is not None
    read = read_attributes(gan.sample(SAMPLES, condition, seed=seed).data)
    directions = {}
    for column, (name, values) in enumerate(ATTRIBUTES.items()):
        for number, value in enumerate(values):
            has = read[:, column] == number
            if name in data.class_attributes or min(has.sum(), (~has).sum()) < FEWEST:
                continue
            change = condition.latent[has].mean(0) - condition.latent[~has].mean(0)
            directions[f"{name.replace('_', ' ')}: {value}"] = change / change.norm()
    return directions
