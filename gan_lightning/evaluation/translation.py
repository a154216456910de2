"""What measures digits in two forms: pairs of a coupled GAN, and translations."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.image import StructuralSimilarityIndexMeasure
from torchmetrics.regression import MeanAbsoluteError

from gan_lightning.data import BaseDataModule, DigitDomains, DigitPairs
from gan_lightning.distributed.sharding import WHOLE, Shard
from gan_lightning.evaluation.base import SampleEvaluator, floats
from gan_lightning.evaluation.digits import DigitEvaluator
from gan_lightning.metrics import PixelAgreement

__all__ = ["PairEvaluator", "TargetEvaluator", "TranslationEvaluator"]


class PairEvaluator(SampleEvaluator):
    """Measures pairs of images in both domains: their agreement, and the digits of the first."""

    def __init__(self, data: DigitDomains, device: torch.device, share: Shard = WHOLE) -> None:
        self._data = data
        self._digits = DigitEvaluator(data.digits, device, share)
        self._agreement = PixelAgreement().to(device)

    def update(self, data: Tensor, first: int, asked: Tensor | None = None) -> None:
        """Take in images (2 N, 1, H, W) in [-1, 1], those of a pair side by side."""
        firsts, seconds = data[0::2], data[1::2]
        self._digits.update(firsts, first // 2)
        translated = self._data.translate(firsts)
        if translated is not None:
            self._agreement.update(translated, seconds)

    def compute(self) -> dict[str, float]:
        """Return the share of pixels that agree where the map is known, and scores of digits."""
        known = self._data.config.second != "usps"
        return {**(floats(self._agreement) if known else {}), **self._digits.compute()}


class TargetEvaluator(SampleEvaluator):
    """Measures how far test sources are translated from their targets, in order."""

    def __init__(self, data: BaseDataModule, device: torch.device) -> None:
        self._targets = data.test_data().data
        self._difference = MeanAbsoluteError().to(device)
        self._similarity = StructuralSimilarityIndexMeasure(data_range=2.0).to(device)

    def update(self, data: Tensor, first: int, asked: Tensor | None = None) -> None:
        """Take in translations (N, C, H, W) in [-1, 1] of the sources from number `first` on."""
        rows = torch.arange(first, first + len(data)) % len(self._targets)
        # torchmetrics flattens without a copy, which channels-last images do not allow
        translated = data.float().contiguous()
        targets = self._targets[rows].to(data.device).contiguous()
        self._difference.update(translated, targets)
        self._similarity.update(translated, targets)

    def compute(self) -> dict[str, float]:
        """Return the mean absolute difference, white less black being 1, and SSIM in [-1, 1]."""
        difference: Tensor = self._difference.compute()
        similarity = self._similarity.compute()
        assert isinstance(similarity, Tensor)
        return {
            "translation/l1": difference.item() / 2,
            "translation/ssim": similarity.item(),
        }


class TranslationEvaluator(SampleEvaluator):
    """Measures what sources of digits are translated into: beside the digits they are of."""

    def __init__(self, data: DigitPairs, device: torch.device, share: Shard = WHOLE) -> None:
        self._targets = TargetEvaluator(data, device)
        self._digits = DigitEvaluator(data.digits, device, share, asks=True)

    def update(self, data: Tensor, first: int, asked: Tensor | None = None) -> None:
        """Take in translations (N, 1, H, W) in [-1, 1] of the sources from number `first` on."""
        self._targets.update(data, first)
        self._digits.update(data, first, asked)

    def compute(self) -> dict[str, float]:
        """Return distances from the targets, and scores of digits."""
        return {**self._targets.compute(), **self._digits.compute()}
