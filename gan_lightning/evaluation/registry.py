"""The evaluators of each dataset."""

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
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.evaluation.base import SampleEvaluator
from gan_lightning.evaluation.digits import DigitEvaluator, StackedDigitEvaluator
from gan_lightning.evaluation.inception import Inception
from gan_lightning.evaluation.pictures import InceptionEvaluator
from gan_lightning.evaluation.points import ModeEvaluator, WassersteinEvaluator
from gan_lightning.evaluation.translation import (
    PairEvaluator,
    TargetEvaluator,
    TranslationEvaluator,
)

__all__ = ["evaluators_for", "has_evaluator", "uses_inception"]


def uses_inception(data: BaseDataModule) -> bool:
    """Return whether samples are evaluated in the features of the Inception network."""
    return isinstance(data, ImageStoreDataModule)


def has_evaluator(data: BaseDataModule, inception: Inception | None) -> bool:
    """Return whether generated samples can be evaluated without the model that generated them."""
    if isinstance(data, ImageStoreDataModule):
        return inception is not None or data.spec.source_shape is not None
    return isinstance(data, MNIST | DigitPairs | StackedMNIST | GaussianMixture | Points)


def evaluators_for(
    data: BaseDataModule,
    device: torch.device,
    shard: Shard = SINGLE_PROCESS,
    conditional: bool = False,
    inception: Inception | None = None,
    samples: int = 10_000,
) -> list[SampleEvaluator]:
    """Build the evaluators of a dataset; an empty list if it has none.

    Args:
        data: the dataset.
        device: device of the generated samples.
        shard: this process's part of the work.
        conditional: whether each sample is generated for a requested class.
        inception: the Inception network for colour images; None to skip its metrics.
        samples: number of generated samples, over all processes.
    """
    if not isinstance(data, ImageStoreDataModule):
        evaluator = _evaluator(data, device, shard, conditional)
        return [] if evaluator is None else [evaluator]
    evaluators: list[SampleEvaluator] = []
    if inception is not None:
        real = data.reference_images
        network, resizer = inception
        evaluators.append(InceptionEvaluator(real, network, device, shard, samples, resizer))
    if data.spec.source_shape is not None:
        evaluators.append(TargetEvaluator(data, device))
    return evaluators


def _evaluator(
    data: BaseDataModule, device: torch.device, shard: Shard, conditional: bool
) -> SampleEvaluator | None:
    if isinstance(data, MNIST):
        return DigitEvaluator(data, device, shard, conditional, within_class=conditional)
    if isinstance(data, DigitPairs):
        return TranslationEvaluator(data, device, shard)
    if isinstance(data, DigitDomains):
        return PairEvaluator(data, device, shard) if conditional else None
    if isinstance(data, StackedMNIST):
        return StackedDigitEvaluator(device)
    if isinstance(data, GaussianMixture):
        return ModeEvaluator(data, device, conditional)
    if isinstance(data, Points):
        return WassersteinEvaluator(data, device)
    return None
