"""What passes between data, players and metrics."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Batch", "Condition", "DataSpec", "Sample"]


@dataclass(frozen=True)
class DataSpec:
    """What a model must know of its data.

    Args:
        shape: of one datum: (2,) for points, (C, H, W) for images.
        classes: number of classes; None where the data has no labels.
        source_shape: of what a datum is the translation of; None where nothing is translated.
        labelled_classes: of the labelled minibatch that comes beside; None where none comes.
        labelled_domain: class of all labelled data, where `classes` are domains.
        class_shares: of each class among the data; None where they are even.
    """

    shape: tuple[int, ...]
    classes: int | None = None
    source_shape: tuple[int, ...] | None = None
    labelled_classes: int | None = None
    labelled_domain: int = 0
    class_shares: tuple[float, ...] | None = None

    @property
    def is_image(self) -> bool:
        """Whether a datum is an image (C, H, W) rather than a point (D,)."""
        return len(self.shape) == 3


@dataclass(frozen=True)
class Condition:
    """What a generator is given; what is None it draws from its prior, or does not take.

    Args:
        latent: (N, latent size), incompressible noise.
        labels: (N,) int64 in [0, classes).
        categorical: (N, number of categorical codes) int64, each in [0, its categories).
        continuous: (N, number of continuous codes) in [-1, 1].
        source: (N, C, H, W) in [-1, 1], images to be translated.
    """

    latent: Tensor | None = None
    labels: Tensor | None = None
    categorical: Tensor | None = None
    continuous: Tensor | None = None
    source: Tensor | None = None

    def parts(self) -> dict[str, Tensor]:
        """The tensors that are there, by name."""
        present = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: tensor for name, tensor in present if tensor is not None}

    def __getitem__(self, rows: slice) -> Condition:
        """Take some rows of every tensor."""
        return Condition(**{name: tensor[rows] for name, tensor in self.parts().items()})

    def updated(self, given: Condition | None) -> Condition:
        """Replace every tensor that `given` holds."""
        return self if given is None else replace(self, **given.parts())


class Batch(NamedTuple):
    """Real data: a minibatch, or rounds of minibatches when it comes from a DataModule.

    Args:
        data: minibatch (N, *shape), rounds (rounds, minibatches, N, *shape); images in [-1, 1].
        labels: class of each datum, int64, with the leading dimensions of `data`; or None.
        source: what each datum is the translation of, as `data`; None where nothing is translated.
        labelled: of a data set in which few data have a class: a minibatch of those; or None.
        mirror_mask: images that are to be mirrored, with their sources, bool with the leading
            dimensions of `data`; None once they are on their device.
    """

    data: Tensor
    labels: Tensor | None = None
    source: Tensor | None = None
    labelled: Batch | None = None
    mirror_mask: Tensor | None = None

    @property
    def condition(self) -> Condition:
        """What a conditional player is told of these data."""
        return Condition(labels=self.labels, source=self.source)

    def part(self, rows: slice, device: torch.device) -> Batch:
        """Take some data of a minibatch, without what is labelled beside them, to a device."""
        labels = None if self.labels is None else self.labels[rows].to(device)
        source = None if self.source is None else self.source[rows].to(device)
        return Batch(self.data[rows].to(device), labels, source)

    def unbind(self) -> list[Batch]:
        """Split along the first dimension, without a copy."""
        count = len(self.data)
        parts = ([None] * count if part is None else part.unbind() for part in self)
        return [Batch(*row) for row in zip(*parts, strict=True)]


@dataclass(frozen=True)
class Sample:
    """Generated data with all that it was generated from.

    Args:
        data: (N, *shape); images in [-1, 1].
        condition: complete: nothing that the generator takes is None.
    """

    data: Tensor
    condition: Condition

    def detach(self) -> Sample:
        """Cut the generator's graph off."""
        return Sample(self.data.detach(), self.condition)
