"""What generators that are told a class have in common."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from gan_lightning.batch import Condition
from gan_lightning.gans.base import GAN
from gan_lightning.networks import NetworkFamily

__all__ = ["LabelledGAN"]


class LabelledGAN(GAN):
    """A game whose generator is told a class beside its noise; classes are drawn evenly.

    Attributes:
        classes: number of classes.
    """

    classes: int

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Make the generator; a variant makes its discriminator.

        Raises:
            ValueError: the data have no classes.
        """
        if self.data.classes is None:
            raise ValueError(
                "this GAN needs data with classes, and these have none; "
                "choose data.name=mnist, stacked_mnist, ring or grid"
            )
        self.classes = self.data.classes
        size = self.config.latent_size + self.classes
        self.generator = networks.generator(size, self.data.shape)

    def prior(self, count: int, rng: torch.Generator | None = None) -> Condition:
        """Draw classes and noise."""
        labels = torch.randint(self.classes, (count,), generator=rng, device=self.device)
        return super().prior(count, rng).updated(Condition(labels=labels))

    def generate(self, condition: Condition) -> Tensor:
        """Map noise and one-hot classes, side by side, to data."""
        assert condition.latent is not None
        assert condition.labels is not None
        labels = one_hot(condition.labels, self.classes).float()
        data: Tensor = self.generator(torch.cat([condition.latent, labels], 1))
        return data
