"""Whether generated digits show their class at all of their pixels better than at fewer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from gan_lightning.evaluation.base import compute_floats
from gan_lightning.metrics import ClassConditionalAccuracy

__all__ = ["SAMPLES", "SIZES", "ResolutionAccuracy", "at_resolution", "real_accuracies"]

SIDE = 28
"""Height and width of a digit, without a border."""

SIZES = (8, 14, 20, SIDE)
"""Heights and widths to which digits are shrunk; the last one leaves them as they are."""

SAMPLES = 2_000
"""Generated digits, and real ones, that are read at each resolution."""

BATCH_SIZE = 125
"""Digits per forward pass of the classifier, whose feature maps then fit in the CPU cache."""


class ResolutionAccuracy:
    """Computes the share of samples of the requested class after they were shrunk and enlarged.

    A generator that enlarges small images loses nothing where its samples are shrunk to their true
    size. Real digits show how much there is to lose.

    Args:
        network: classifier of images (N, 1, 28, 28).
        real: accuracies of real images, by size, of `real_accuracies`.
        device: device of the generated images.

    Source: Odena, Olah, Shlens 2017 (arXiv:1610.09585), section 4.1, figure 3: the accuracy of an
        Inception network on samples of 128 pixels, and on those whose resolution was decreased by
        bilinear interpolation.
    Deviations: digits of 28 pixels, and a classifier of digits. It sees images of one size, so they
        are enlarged again, bilinearly. Where digits are shrunk by more than a half, interpolation
        skips pixels, and at 8 pixels even real digits are hardly legible.
    """

    def __init__(self, network: nn.Module, real: Tensor, device: torch.device) -> None:
        self._network = network
        self._real = dict(zip(SIZES, real.tolist(), strict=True))
        self._accuracies = {size: ClassConditionalAccuracy().to(device) for size in SIZES}

    def update(self, samples: Tensor, first_index: int, requested_labels: Tensor) -> None:
        """Add generated images, of which the first 2,000 of all processes count.

        Args:
            samples: (N, 1, H, W) in [-1, 1], H = W >= 28.
            first_index: index of samples[0] among all generated samples of all processes.
            requested_labels: class that each sample was generated for, int64 (N,).
        """
        counted = samples[: max(0, SAMPLES - first_index)]
        labels = requested_labels[: len(counted)].to(counted.device)
        for size, accuracy in self._accuracies.items():
            read = (
                _predicted(self._network, at_resolution(counted, size)) if len(counted) else labels
            )
            accuracy.update(read, labels)  # of no samples too: the metric warns without an update

    def compute(self) -> dict[str, float]:
        """Return the accuracies, those of real images, and what is lost; empty without samples.

        Returns:
            `class/accuracy_at/SIZE` and `class/accuracy_at/SIZE/real`, in [0, 1], and
            `class/accuracy_lost_at/SIZE`, the accuracy at 28 pixels minus that at fewer.
        """
        found = {
            size: value
            for size, accuracy in self._accuracies.items()
            for value in compute_floats(accuracy).values()
        }
        measures = {}
        for size, accuracy in found.items():
            measures[f"class/accuracy_at/{size}"] = accuracy
            measures[f"class/accuracy_at/{size}/real"] = self._real[size]
            if size < SIDE:
                measures[f"class/accuracy_lost_at/{size}"] = found[SIDE] - accuracy
        return measures


def real_accuracies(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the accuracies of real images (N, 1, H, W) with labels (N,), float64 (sizes,)."""
    predicted = (_predicted(network, at_resolution(images, size)) for size in SIZES)
    return torch.stack([(found == labels).double().mean() for found in predicted])


def at_resolution(images: Tensor, size: int) -> Tensor:
    """Shrink digits to some height and width, and enlarge them again, both bilinearly.

    Args:
        images: (N, 1, H, W), H = W >= 28, whose border around 28 pixels is cut off.
        size: height and width, at most 28.

    Returns:
        Shape (N, 1, 28, 28).
    """
    border = (images.shape[-1] - SIDE) // 2
    inner = images[..., border : border + SIDE, border : border + SIDE].float()
    return _resized(_resized(inner, size), SIDE)


def _resized(images: Tensor, size: int) -> Tensor:
    return interpolate(images, size=(size, size), mode="bilinear", align_corners=False)


def _predicted(network: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([network(batch).argmax(1) for batch in images.split(BATCH_SIZE)])
