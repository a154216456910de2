"""What GANs that translate images have in common: their inputs are sources."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.gans.base import GAN
from gan_lightning.types import Batch, Condition

__all__ = ["TranslatingGAN"]


class TranslatingGAN(GAN):
    """Base class of GANs whose generator maps images to images.

    Where no source is given, for example in a sample grid, the prior draws one of `examples`. The
    noise is dropout in the networks, so `latent_size` and `latent_prior` are not used.
    """

    def source_shape(self) -> tuple[int, ...]:
        """Return the shape of the sources, after a check of the config.

        Raises:
            ValueError: the data have no sources, or the config changes the discriminator's inputs.
        """
        source = self.data.source_shape
        if source is None:
            raise ValueError(
                f"{type(self).__name__} translates images, and these data have no sources; choose "
                f"data.name=mnist_pairs or pairs"
            )
        regularisation, name = self.config.regularisation, type(self).__name__
        if regularisation.augmentation or regularisation.instance_noise:
            raise ValueError(
                f"{name} compares images pixel by pixel, and augmentation and instance_noise would "
                f"change them differently; leave both out"
            )
        return tuple(source)

    def condition_fields(self) -> tuple[str, ...]:
        """Return the source; the noise is dropout."""
        return ("source",)

    def training_condition(self, real: Batch, rng: torch.Generator) -> Condition:
        """Return the sources of the minibatch."""
        return Condition(source=real.source)

    def prior(self, count: int, rng: torch.Generator | None = None) -> Condition:
        """Draw sources from `examples`."""
        return Condition(source=self.example_sources(count, rng))

    def generate(self, condition: Condition) -> Tensor:
        """Translate the sources of a condition to images (N, C, H, W) in [-1, 1]."""
        data: Tensor = self.generator(condition.source)
        return data
