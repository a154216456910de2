"""Evaluators of image-to-image translation, and of pairs of images in two domains."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.evaluation.base import SampleEvaluator, compute_floats
from gan_lightning.evaluation.digits import DigitEvaluator
from gan_lightning.metrics import ColourRetrieval, PixelAgreement
from gan_lightning.types import Batch

__all__ = ["ColourEvaluator", "PairEvaluator", "TargetEvaluator", "TranslationEvaluator"]


class TargetData(Protocol):
    """Data whose test samples are the targets of translations."""

    def test_data(self) -> Batch:
        """Return real data that no model is trained on."""
        ...


class DerivedDigits(TargetData, Protocol):
    """Data that are derived from single digits."""

    digits: BaseDataModule


class PairedDomains(DerivedDigits, Protocol):
    """Digits in two domains, and the map from the first into the second."""

    def translate(self, images: Tensor) -> Tensor | None:
        """Translate images of the first domain; None where the map is unknown."""
        ...


class PairEvaluator(SampleEvaluator):
    """Computes the pixel agreement of pairs of images, and digit metrics of their first images."""

    def __init__(
        self, data: PairedDomains, device: torch.device, shard: Shard = SINGLE_PROCESS
    ) -> None:
        self._data = data
        self._digits = DigitEvaluator(data.digits, device, shard)
        self._agreement = PixelAgreement().to(device)
        first_digit = data.digits.test_data().data[:1]
        self._map_is_known = data.translate(first_digit) is not None

    def update(
        self, samples: Tensor, first_index: int, requested_labels: Tensor | None = None
    ) -> None:
        """Add images (2 N, 1, H, W) in [-1, 1]; rows 2 i and 2 i + 1 are a pair."""
        first_images, second_images = samples[0::2], samples[1::2]
        self._digits.update(first_images, first_index // 2)
        translated = self._data.translate(first_images)
        if translated is not None:
            self._agreement.update(translated, second_images)

    def compute(self) -> dict[str, float]:
        """Return the fraction of agreeing pixels, if the map is known, and digit metrics."""
        agreement = compute_floats(self._agreement) if self._map_is_known else {}
        return {**agreement, **self._digits.compute()}


class TargetEvaluator(SampleEvaluator):
    """Compares translations of the test sources, in order, with their targets."""

    def __init__(self, data: TargetData, device: torch.device) -> None:
        from torchmetrics.image import StructuralSimilarityIndexMeasure
        from torchmetrics.regression import MeanAbsoluteError

        self._targets = data.test_data().data
        self._difference = MeanAbsoluteError().to(device)
        self._similarity = StructuralSimilarityIndexMeasure(data_range=2.0).to(device)

    def update(
        self, samples: Tensor, first_index: int, requested_labels: Tensor | None = None
    ) -> None:
        """Add translations (N, C, H, W) in [-1, 1] of the sources `first_index` and following."""
        rows = torch.arange(first_index, first_index + len(samples)) % len(self._targets)
        # torchmetrics flattens by view, which channels_last images do not allow
        translated = samples.float().contiguous()
        targets = self._targets[rows].to(samples.device).contiguous()
        self._difference.update(translated, targets)
        self._similarity.update(translated, targets)

    def compute(self) -> dict[str, float]:
        """Return the mean absolute difference for pixels in [0, 1], and SSIM in [-1, 1]."""
        difference: Tensor = self._difference.compute()
        similarity = self._similarity.compute()
        assert isinstance(similarity, Tensor)
        return {
            "translation/l1": difference.item() / 2,
            "translation/ssim": similarity.item(),
        }


class ColourEvaluator(SampleEvaluator):
    """Computes whether translations of the test sources have the colours of their targets."""

    def __init__(self, data: TargetData, device: torch.device) -> None:
        self._targets = data.test_data().data
        self._retrieval = ColourRetrieval(self._targets).to(device)

    def update(
        self, samples: Tensor, first_index: int, requested_labels: Tensor | None = None
    ) -> None:
        """Add translations (N, 3, H, W) in [-1, 1] of the sources `first_index` and following."""
        rows = torch.arange(first_index, first_index + len(samples)) % len(self._targets)
        self._retrieval.update(samples, self._targets[rows].to(samples.device))

    def compute(self) -> dict[str, float]:
        """Return the share of translations in the cluster of their target, and that by chance."""
        return compute_floats(self._retrieval)


class TranslationEvaluator(SampleEvaluator):
    """Compares translations of digits with their targets, and computes digit metrics."""

    def __init__(
        self, data: DerivedDigits, device: torch.device, shard: Shard = SINGLE_PROCESS
    ) -> None:
        self._targets = TargetEvaluator(data, device)
        self._digits = DigitEvaluator(data.digits, device, shard, conditional=True)

    def update(
        self, samples: Tensor, first_index: int, requested_labels: Tensor | None = None
    ) -> None:
        """Add translations (N, 1, H, W) in [-1, 1] of the sources `first_index` and following."""
        self._targets.update(samples, first_index)
        self._digits.update(samples, first_index, requested_labels)

    def compute(self) -> dict[str, float]:
        """Return the distances from the targets, and digit metrics."""
        return {**self._targets.compute(), **self._digits.compute()}
