"""Types that pass between datasets, networks and metrics."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["MAX_COMBINATIONS", "Batch", "Condition", "DataSpec", "Sample"]

MAX_COMBINATIONS = 64
"""Largest number of combinations of attributes that a GAN takes as classes."""


@dataclass(frozen=True)
class DataSpec:
    """Shape and classes of a dataset, from which a model is built.

    Attributes:
        shape: shape of one sample: (2,) for points, (C, H, W) for images.
        classes: number of classes; None where the data have no labels.
        source_shape: shape of the source that a sample is the translation of; None without sources.
        labelled_classes: number of classes of the labelled subset; None without one.
        labelled_domain: domain of the labelled subset, where `classes` are domains.
        class_shares: frequency of each class, summing to 1; None where they are equal or unused.
        attribute_names: attributes whose combinations are the classes; empty where there are none.
        attribute_sizes: number of values of each of these attributes.
    """

    shape: tuple[int, ...]
    classes: int | None = None
    source_shape: tuple[int, ...] | None = None
    labelled_classes: int | None = None
    labelled_domain: int = 0
    class_shares: tuple[float, ...] | None = None
    attribute_names: tuple[str, ...] = ()
    attribute_sizes: tuple[int, ...] = ()

    @property
    def is_image(self) -> bool:
        """Whether a sample is an image (C, H, W), not a point (D,)."""
        return len(self.shape) == 3

    def combination_of(self, values: Tensor) -> Tensor:
        """Number combinations of attributes; the values of the first attribute vary fastest.

        Args:
            values: numbers of the values, int64 (..., attributes).

        Returns:
            Classes, int64 (...), in [0, product of `attribute_sizes`).
        """
        classes = torch.zeros_like(values[..., 0])
        for size, column in zip(
            reversed(self.attribute_sizes), reversed(values.unbind(-1)), strict=True
        ):
            classes = classes * size + column
        return classes

    def values_of(self, classes: Tensor) -> Tensor:
        """Return the values of attributes that classes stand for: the inverse of `combination_of`.

        Args:
            classes: int64 (...).

        Returns:
            Numbers of the values, int64 (..., attributes).
        """
        columns = []
        for size in self.attribute_sizes:
            columns.append(classes % size)
            classes = classes // size
        return torch.stack(columns, -1)


@dataclass(frozen=True)
class Condition:
    """Inputs of a generator; those that are None are drawn from the prior, or are not inputs.

    Attributes:
        latent: noise, (N, latent size).
        labels: class of each sample, (N,) int64 in [0, classes).
        categorical: categorical codes, (N, codes) int64, each in [0, its categories).
        continuous: continuous codes, (N, codes) in [-1, 1].
        source: images to translate, (N, C, H, W) in [-1, 1].
    """

    latent: Tensor | None = None
    labels: Tensor | None = None
    categorical: Tensor | None = None
    continuous: Tensor | None = None
    source: Tensor | None = None

    def parts(self) -> dict[str, Tensor]:
        """Return the tensors that are not None, by name."""
        present = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: tensor for name, tensor in present if tensor is not None}

    def __getitem__(self, rows: slice) -> Condition:
        """Return some rows of every tensor."""
        return Condition(**{name: tensor[rows] for name, tensor in self.parts().items()})

    def updated(self, given: Condition | None) -> Condition:
        """Return a copy with every tensor of `given` that is not None."""
        return self if given is None else replace(self, **given.parts())


class Batch(NamedTuple):
    """Real samples: a minibatch, or rounds of minibatches as a DataModule yields them.

    Attributes:
        data: minibatch (N, *shape) or rounds (rounds, minibatches, N, *shape); images in [-1, 1].
        labels: class of each sample, int64, with the leading dimensions of `data`; or None.
        source: image that each sample is the translation of, shaped like `data`; or None.
        labelled: minibatch of the labelled subset, with its labels; None without one.
        mirror_mask: images that are to be mirrored, with their sources, bool with the leading
            dimensions of `data`; None after the transfer to the device, which mirrors them.
        crop_offsets: row and column at which the crop of each enlarged image begins, and that of
            its source, int64 with the leading dimensions of `data` and 2; None like `mirror_mask`.
    """

    data: Tensor
    labels: Tensor | None = None
    source: Tensor | None = None
    labelled: Batch | None = None
    mirror_mask: Tensor | None = None
    crop_offsets: Tensor | None = None

    @property
    def condition(self) -> Condition:
        """Labels and sources, the inputs of a conditional discriminator."""
        return Condition(labels=self.labels, source=self.source)

    def part(self, rows: slice, device: torch.device) -> Batch:
        """Return some rows of a minibatch on a device, without the labelled subset."""
        labels = None if self.labels is None else self.labels[rows].to(device)
        source = None if self.source is None else self.source[rows].to(device)
        return Batch(self.data[rows].to(device), labels, source)

    def pin_memory(self) -> Batch:
        """Copy to pinned memory, from which a GPU copies while the host goes on."""
        parts: list[Any] = [None if part is None else part.pin_memory() for part in self]
        return Batch(*parts)

    def tensors(self) -> list[Tensor]:
        """List all tensors, those of the labelled subset included."""
        parts = [part for part in self if part is not None]
        return [
            tensor
            for part in parts
            for tensor in (part.tensors() if isinstance(part, Batch) else [part])
        ]

    def clone(self) -> Batch:
        """Copy all tensors."""
        parts: list[Any] = [None if part is None else part.clone() for part in self]
        return Batch(*parts)

    def unbind(self) -> list[Batch]:
        """Split along the first dimension, without copying."""
        count = len(self.data)
        parts = ([None] * count if part is None else part.unbind() for part in self)
        return [Batch(*row) for row in zip(*parts, strict=True)]


@dataclass(frozen=True)
class Sample:
    """Generated samples and the inputs that they were generated from.

    Attributes:
        data: (N, *shape); images in [-1, 1].
        condition: all inputs of the generator.
    """

    data: Tensor
    condition: Condition

    def detach(self) -> Sample:
        """Return the same samples without the generator's graph."""
        return Sample(self.data.detach(), self.condition)
