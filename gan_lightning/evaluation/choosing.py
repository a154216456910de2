"""Which judge knows which data set."""

from __future__ import annotations

import torch

from gan_lightning.data import MNIST, DigitDomains, DigitPairs, IndexedData, StackedMNIST
from gan_lightning.data.toys import GaussianMixture, Points
from gan_lightning.evaluation.digits import DigitJudge, StackedDigitJudge
from gan_lightning.evaluation.judges import SampleJudge
from gan_lightning.evaluation.points import ModeJudge, TransportJudge
from gan_lightning.evaluation.translated import PairJudge, TranslationJudge
from gan_lightning.share import WHOLE, Share

__all__ = ["judge_for"]


def judge_for(
    data: IndexedData, device: torch.device, share: Share = WHOLE, asks: bool = False
) -> SampleJudge | None:
    """Choose the judge that knows a data set; None where nothing can be measured.

    Args:
        data: the data set.
        device: that the generated data are on.
        share: of this process.
        asks: whether generated data were asked to be of a class.
    """
    if isinstance(data, MNIST):
        return DigitJudge(data, device, share, asks, compares=asks)
    if isinstance(data, DigitPairs):
        return TranslationJudge(data, device, share)
    if isinstance(data, DigitDomains):
        return PairJudge(data, device, share) if asks else None
    if isinstance(data, StackedMNIST):
        return StackedDigitJudge(device)
    if isinstance(data, GaussianMixture):
        return ModeJudge(data, device, asks)
    if isinstance(data, Points):
        return TransportJudge(data, device)
    return None
