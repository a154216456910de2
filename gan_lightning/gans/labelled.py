"""What class-conditional GANs have in common."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from gan_lightning.gans.base import GAN
from gan_lightning.networks import NetworkFamily
from gan_lightning.types import Condition

__all__ = ["LabelledGAN", "MissingClasses"]


class MissingClasses(ValueError):  # noqa: N818 - says what is wrong
    """The data of a class-conditional GAN have no classes, or only a labelled subset has."""


class LabelledGAN(GAN):
    """A GAN whose generator takes a class in addition to its noise.

    The prior draws classes with their frequencies in the data.

    Attributes:
        classes: number of classes.
    """

    classes: int
    _shares: Tensor | None = None

    def build(self, networks: NetworkFamily[Any]) -> None:
        """Create the generator of noise and class; a variant creates its discriminator.

        Raises:
            ValueError: the data have no classes.
        """
        self.classes = self.classes_of_data()
        self.generator = networks.conditional_generator(
            self.config.latent_size, self.classes, self.data.shape
        )

    @final
    def classes_of_data(self) -> int:
        """Return the number of classes of the data.

        Raises:
            MissingClasses: the data have no classes, or only a labelled subset has.
        """
        if self.data.classes is None:
            raise MissingClasses(
                "this GAN needs the class of every sample, and the data have no classes; pass for "
                "example data={'shape': (3, 32, 32), 'classes': 10}, and a loader that yields "
                "(samples, labels)"
            )
        return self.data.classes

    @staticmethod
    def require_labels(given: Condition | None) -> Tensor:
        """Return the labels of a condition, (N,) int64.

        Raises:
            ValueError: there are none.
        """
        if given is None or given.labels is None:
            raise ValueError("a class-conditional discriminator needs labels; they are None")
        return given.labels

    def condition_fields(self) -> tuple[str, ...]:
        """Return the latent and the class."""
        return ("latent", "labels")

    def prior(self, count: int, rng: torch.Generator | None = None) -> Condition:
        """Draw noise and classes, (count,), with the frequencies of the data."""
        if self.data.class_shares is None:
            labels = torch.randint(self.classes, (count,), generator=rng, device=self.device)
        else:
            labels = self._class_shares().multinomial(count, replacement=True, generator=rng)
        return super().prior(count, rng).updated(Condition(labels=labels))

    def _class_shares(self) -> Tensor:
        """Return the frequencies of the classes on the device, copied once.

        The host does not wait for the copy, as it would for torch.tensor(device=...).
        """
        if self._shares is None or self._shares.device != self.device:
            shares = torch.tensor(self.data.class_shares)
            self._shares = shares.to(self.device, non_blocking=True)
        return self._shares

    def generate(self, condition: Condition) -> Tensor:
        """Map noise and classes to samples; the generator takes them concatenated, one-hot."""
        assert condition.latent is not None
        assert condition.labels is not None
        labels = one_hot(condition.labels, self.classes).float()
        data: Tensor = self.generator(torch.cat([condition.latent, labels], 1))
        return data
