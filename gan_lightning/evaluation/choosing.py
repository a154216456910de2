"""Which judge knows which data set."""

from __future__ import annotations

import torch

from gan_lightning.data import (
    MNIST,
    DigitDomains,
    DigitPairs,
    IndexedData,
    StackedMNIST,
    StoredImages,
)
from gan_lightning.data.toys import GaussianMixture, Points
from gan_lightning.evaluation.digits import DigitJudge, StackedDigitJudge
from gan_lightning.evaluation.inception import Inception
from gan_lightning.evaluation.inception_judge import InceptionJudge
from gan_lightning.evaluation.judges import SampleJudge
from gan_lightning.evaluation.points import ModeJudge, TransportJudge
from gan_lightning.evaluation.translated import PairJudge, TargetJudge, TranslationJudge
from gan_lightning.share import WHOLE, Share

__all__ = ["judges_for", "looks_through_inception", "measurable"]


def looks_through_inception(data: IndexedData) -> bool:
    """Tell whether generated data are measured in the features of the Inception network."""
    return isinstance(data, StoredImages)


def measurable(data: IndexedData, inception: Inception | None) -> bool:
    """Tell whether generated data can be held against a data set without the model."""
    if isinstance(data, StoredImages):
        return inception is not None or data.spec.source_shape is not None
    return isinstance(data, MNIST | DigitPairs | StackedMNIST | GaussianMixture | Points)


def judges_for(
    data: IndexedData,
    device: torch.device,
    share: Share = WHOLE,
    asks: bool = False,
    inception: Inception | None = None,
    samples: int = 10_000,
) -> list[SampleJudge]:
    """List the judges that know a data set; none where nothing can be measured.

    Args:
        data: the data set.
        device: that the generated data are on.
        share: of this process.
        asks: whether generated data were asked to be of a class.
        inception: what colour pictures are looked at through; None leaves that out.
        samples: generated data that will come.
    """
    if isinstance(data, StoredImages):
        judges: list[SampleJudge] = []
        if inception is not None:
            network, resizer = inception
            real = data.reference
            judges.append(InceptionJudge(real, network, device, share, samples, resizer))
        if data.spec.source_shape is not None:
            judges.append(TargetJudge(data, device))
        return judges
    judge = _judge(data, device, share, asks)
    return [] if judge is None else [judge]


def _judge(data: IndexedData, device: torch.device, share: Share, asks: bool) -> SampleJudge | None:
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
