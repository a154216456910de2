"""What generators that are told a class have in common."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from gan_lightning.gans.base import GAN
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Condition, Sample

__all__ = ["LabelledGAN"]


class LabelledGAN(GAN):
    """A game whose generator is told a class beside its noise, drawn as often as the data have it.

    Attributes:
        classes: number of classes.
    """

    classes: int

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Make the generator; a variant makes its discriminator.

        Raises:
            ValueError: the data have no classes.
        """
        self.classes = self.classes_of_data()
        size = self.config.latent_size + self.classes
        self.generator = networks.generator(size, self.data.shape)

    @final
    def classes_of_data(self) -> int:
        """Return how many classes can be asked for.

        Raises:
            ValueError: the data have none, or only a few data have theirs.
        """
        if self.data.classes is None:
            raise ValueError(
                "this GAN needs the class of every datum; choose data.labelled=0 and "
                "data.name=mnist, stacked_mnist, ring or grid"
            )
        return self.data.classes

    @staticmethod
    def require_labels(given: Condition | None) -> Tensor:
        """Return the classes that a discriminator is told.

        Raises:
            ValueError: there are none.
        """
        if given is None or given.labels is None:
            raise ValueError("a discriminator that is told the class needs labels; they are None")
        return given.labels

    @final
    def sample_across(self, latents: int, *, seed: int) -> Sample:
        """Generate each of some latents in every class; data of one latent lie side by side.

        Returns:
            Sample of latents * classes data, as `sample` would draw them.
        """
        rng = torch.Generator(self.device)
        rng.manual_seed(seed)
        noise = self.prior(latents, rng).latent
        assert noise is not None
        labels = torch.arange(self.classes, device=self.device).repeat(latents)
        condition = Condition(latent=noise.repeat_interleave(self.classes, 0), labels=labels)
        return self.sample(len(labels), condition, seed=seed)

    def prior(self, count: int, rng: torch.Generator | None = None) -> Condition:
        """Draw classes and noise."""
        if self.data.class_shares is None:
            labels = torch.randint(self.classes, (count,), generator=rng, device=self.device)
        else:
            shares = torch.tensor(self.data.class_shares, device=self.device)
            labels = shares.multinomial(count, replacement=True, generator=rng)
        return super().prior(count, rng).updated(Condition(labels=labels))

    def generate(self, condition: Condition) -> Tensor:
        """Map noise and one-hot classes, side by side, to data."""
        assert condition.latent is not None
        assert condition.labels is not None
        labels = one_hot(condition.labels, self.classes).float()
        data: Tensor = self.generator(torch.cat([condition.latent, labels], 1))
        return data
