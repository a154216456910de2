"""Which judge knows which data set."""

from __future__ import annotations

import torch

from gan_lightning.data import (
    MNIST,
    BaseDataModule,
    DigitDomains,
    DigitPairs,
    ImageStoreDataModule,
    StackedMNIST,
)
from gan_lightning.data.toy2d import GaussianMixture, Points
from gan_lightning.distributed.sharding import WHOLE, Shard
from gan_lightning.evaluation.base import SampleEvaluator
from gan_lightning.evaluation.digits import DigitEvaluator, StackedDigitEvaluator
from gan_lightning.evaluation.inception import Inception
from gan_lightning.evaluation.pictures import InceptionEvaluator
from gan_lightning.evaluation.points import ModeEvaluator, TransportEvaluator
from gan_lightning.evaluation.translation import (
    PairEvaluator,
    TargetEvaluator,
    TranslationEvaluator,
)

__all__ = ["evaluators_for", "looks_through_inception", "measurable"]


def looks_through_inception(data: BaseDataModule) -> bool:
    """Tell whether generated data are measured in the features of the Inception network."""
    return isinstance(data, ImageStoreDataModule)


def measurable(data: BaseDataModule, inception: Inception | None) -> bool:
    """Tell whether generated data can be held against a data set without the model."""
    if isinstance(data, ImageStoreDataModule):
        return inception is not None or data.spec.source_shape is not None
    return isinstance(data, MNIST | DigitPairs | StackedMNIST | GaussianMixture | Points)


def evaluators_for(
    data: BaseDataModule,
    device: torch.device,
    share: Shard = WHOLE,
    asks: bool = False,
    inception: Inception | None = None,
    samples: int = 10_000,
) -> list[SampleEvaluator]:
    """List the judges that know a data set; none where nothing can be measured.

    Args:
        data: the data set.
        device: that the generated data are on.
        share: of this process.
        asks: whether generated data were asked to be of a class.
        inception: what colour pictures are looked at through; None leaves that out.
        samples: generated data that will come.
    """
    if isinstance(data, ImageStoreDataModule):
        judges: list[SampleEvaluator] = []
        if inception is not None:
            network, resizer = inception
            real = data.reference_images
            judges.append(InceptionEvaluator(real, network, device, share, samples, resizer))
        if data.spec.source_shape is not None:
            judges.append(TargetEvaluator(data, device))
        return judges
    judge = _judge(data, device, share, asks)
    return [] if judge is None else [judge]


def _judge(
    data: BaseDataModule, device: torch.device, share: Shard, asks: bool
) -> SampleEvaluator | None:
    if isinstance(data, MNIST):
        return DigitEvaluator(data, device, share, asks, compares=asks)
    if isinstance(data, DigitPairs):
        return TranslationEvaluator(data, device, share)
    if isinstance(data, DigitDomains):
        return PairEvaluator(data, device, share) if asks else None
    if isinstance(data, StackedMNIST):
        return StackedDigitEvaluator(device)
    if isinstance(data, GaussianMixture):
        return ModeEvaluator(data, device, asks)
    if isinstance(data, Points):
        return TransportEvaluator(data, device)
    return None
