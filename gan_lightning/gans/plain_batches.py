"""Minibatches of any loader: recognised, checked and scaled for a GAN."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.data.base import to_float_nchw
from gan_lightning.errors import UserError, warn
from gan_lightning.types import Batch, DataSpec

__all__ = ["MinibatchReader"]

IMAGE_KEYS = ("image", "images", "img", "pixel_values", "data")
LABEL_KEYS = ("label", "labels")
SOURCE_KEY = "source"

TOLERANCE = 0.01
"""How far pixels may lie outside of [-1, 1] without a warning, for example after resizing."""


class MinibatchReader:
    """Turns what a loader yields into minibatches of a GAN.

    A loader may yield a tensor, (samples, labels), a mapping with `image` and `label` or a `Batch`.
    Images in uint8, (N, C, H, W) or (N, H, W, C), are scaled to [-1, 1]; floating-point images are
    taken as they are.

    Args:
        spec: shape and classes of the data.
        inputs: fields of `Condition` that the generator takes.
        packing: samples that the discriminator scores jointly.
        parts: parts of a minibatch whose gradients are accumulated.
        check_minibatch: raises ValueError for a minibatch that is too small for the losses.
    """

    def __init__(
        self,
        spec: DataSpec,
        inputs: tuple[str, ...],
        packing: int,
        parts: int,
        check_minibatch: Callable[[int], None],
    ) -> None:
        self._spec, self._inputs = spec, inputs
        self._packing, self._parts = packing, parts
        self._unit = packing * parts if packing > 1 else 1
        self._check_minibatch = check_minibatch
        self._range_checked = False
        self._largest = 0
        self._warned = False

    def read(self, batch: Any, dtype: torch.dtype = torch.float32) -> Batch:
        """Return a minibatch, checked and scaled.

        Args:
            batch: what the loader yields.
            dtype: type of the samples.

        Raises:
            UserError: it has no samples, samples of another shape or type, labels that are missing
                or out of range, or no sources.
        """
        given = _parts(batch)
        data = self._samples("samples", given.data, self._spec.shape).to(dtype)
        if self._spec.is_image and given.data.is_floating_point() and not self._range_checked:
            self._range_checked = True
            _warn_about_range(data)
        source = None
        if "source" in self._inputs:
            if given.source is None or self._spec.source_shape is None:
                raise UserError(
                    f"this GAN translates sources; the loader must yield a mapping with "
                    f"{IMAGE_KEYS[0]!r} and {SOURCE_KEY!r}"
                )
            source = self._samples("sources", given.source, self._spec.source_shape).to(dtype)
        labels = self._labels(given.labels, len(data), self._spec.classes)
        return Batch(data, labels, source, self._labelled(given.labelled, dtype))

    def trim(self, batch: Batch, networks: nn.Module) -> Batch | None:
        """Return as much of a minibatch as can be trained on, or None for a small last one.

        Args:
            batch: a minibatch of `read`.
            networks: searched for layers of batch normalisation.

        Raises:
            UserError: the first minibatch is already too small.
        """
        count = len(batch.data) - len(batch.data) % self._unit
        reason = self._reason_against(count, networks)
        if not reason:
            self._largest = max(self._largest, count)
            labels = None if batch.labels is None else batch.labels[:count]
            source = None if batch.source is None else batch.source[:count]
            return Batch(batch.data[:count], labels, source, batch.labelled)
        fix = "take a larger batch_size in the loader"
        if not self._largest:
            raise UserError(f"a minibatch has {len(batch.data)} samples, and {reason}; {fix}")
        if not self._warned:
            self._warned = True
            warn(
                f"minibatches of {len(batch.data)} are skipped, since {reason}; "
                f"drop_last=True in the loader leaves them out"
            )
        return None

    def _reason_against(self, count: int, networks: nn.Module) -> str:
        """Say why so many samples are too few; empty if they are enough."""
        part = count // self._parts
        if count == 0:
            return f"{self._parts} part(s) of packs of {self._packing} need {self._unit}"
        if part <= self._packing and _has_batch_norm(networks):
            return "batch normalisation needs two samples, or packs, at a time"
        try:
            self._check_minibatch(part)
        except ValueError as error:
            return str(error)
        return ""

    def _samples(self, name: str, data: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Check shape and type of samples, and scale images of type uint8 to [-1, 1]."""
        is_image, found = len(shape) == 3, tuple(data.shape[1:])
        if data.dtype == torch.uint8 and is_image:
            if found == (*shape[1:], shape[0]):
                return to_float_nchw(data)
            scaled = data.float().div_(127.5).sub_(1)
        elif data.is_floating_point():
            scaled = data
        else:
            valid = "uint8 in [0, 255], or floating point in [-1, 1]" if is_image else "floats"
            raise UserError(f"the {name} of the loader are {data.dtype}; they must be {valid}")
        if found != shape:
            raise UserError(
                f"the {name} of the loader have shape {found}, and the GAN was built for "
                f"{tuple(shape)}; resize them, or build the GAN with data={found}"
            )
        return scaled

    def _labels(self, labels: Tensor | None, count: int, classes: int | None) -> Tensor | None:
        """Check the labels of a minibatch, and return them as int64; None where they are unused."""
        if classes is None:
            return None
        if labels is None:
            if "labels" in self._inputs:
                raise UserError(
                    f"this GAN generates classes; the loader must yield (samples, labels), with "
                    f"labels in 0..{classes - 1}"
                )
            return None
        if labels.shape != (count,) or labels.is_floating_point() or labels.dtype == torch.bool:
            raise UserError(
                f"the labels of the loader are {labels.dtype} of shape {tuple(labels.shape)}; they "
                f"must be whole numbers of shape ({count},), one class per sample"
            )
        # a look at labels on a GPU would wait for it in each minibatch
        if labels.is_cpu or not self._largest:
            low, high = int(labels.min()), int(labels.max())
            if low < 0 or high >= classes:
                raise UserError(
                    f"the labels of the loader lie in {low}..{high}, and the GAN was built for "
                    f"{classes} classes: valid are 0..{classes - 1}"
                )
        return labels.long()

    def _labelled(self, labelled: Batch | None, dtype: torch.dtype) -> Batch | None:
        """Check the labelled subset, where the data have one."""
        classes = self._spec.labelled_classes
        if classes is None:
            return None
        if labelled is None or labelled.labels is None:
            raise UserError(
                "this GAN learns from a labelled subset; the loader must yield a Batch with "
                "`labelled`, a minibatch with its labels"
            )
        data = self._samples("labelled samples", labelled.data, self._spec.shape).to(dtype)
        return Batch(data, self._labels(labelled.labels, len(data), classes))


def _parts(batch: Any) -> Batch:
    """Find the samples, labels and sources in what a loader yields.

    Raises:
        UserError: there are no samples.
    """
    if isinstance(batch, Batch):
        return batch
    if isinstance(batch, Tensor):
        return Batch(batch)
    if isinstance(batch, Mapping):
        data = next((batch[key] for key in IMAGE_KEYS if key in batch), None)
        labels = next((batch[key] for key in LABEL_KEYS if key in batch), None)
        if isinstance(data, Tensor):
            return Batch(data, labels, batch.get(SOURCE_KEY))
        found = f"a mapping with {', '.join(map(repr, batch))}"
    elif isinstance(batch, tuple | list) and batch and isinstance(batch[0], Tensor):
        return Batch(batch[0], batch[1] if len(batch) > 1 else None)
    else:
        found = type(batch).__name__
    raise UserError(
        f"the loader yields {found}; it must yield a tensor of samples, (samples, labels), or a "
        f"mapping with the key {', '.join(IMAGE_KEYS[:-1])} or {IMAGE_KEYS[-1]}"
    )


def _warn_about_range(images: Tensor) -> None:
    """Warn if images do not fill [-1, 1], the range of a tanh."""
    low, high = images.min().item(), images.max().item()
    if -1 - TOLERANCE <= low < 0 and high <= 1 + TOLERANCE:
        return
    warn(
        f"the images of the first minibatch lie in [{low:.4g}, {high:.4g}], and generators end in "
        f"a tanh, with values in [-1, 1]; scale the images, or let the loader yield uint8"
    )


def _has_batch_norm(networks: nn.Module) -> bool:
    return any(isinstance(layer, nn.BatchNorm1d) for layer in networks.modules())
