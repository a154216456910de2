"""What is measured on a model."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache

import torch
from torch import Tensor

from gan_lightning.classifiers import Classifier
from gan_lightning.core.module import BaseModule
from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import MNIST, BaseDataModule, DigitDomains, Dirac
from gan_lightning.distributed.sharding import WHOLE, Shard
from gan_lightning.evaluation.base import CHUNK
from gan_lightning.evaluation.batching import sizes_of_chunks, tested
from gan_lightning.evaluation.classification import classifier_accuracies, learnt_classes
from gan_lightning.evaluation.codes import CodeEvaluator
from gan_lightning.evaluation.digits import PixelEvaluator
from gan_lightning.evaluation.discriminator import Divergence, equilibrium, weights_at_bound
from gan_lightning.evaluation.inception import Inception
from gan_lightning.evaluation.registry import evaluators_for
from gan_lightning.gans import GAN, InfoGAN, LabelledGAN
from gan_lightning.metrics import DuplicateRate
from gan_lightning.types import Condition, Sample
from gan_lightning.utils.hardware import without_tf32

__all__ = ["evaluate"]


@torch.no_grad()
@without_tf32()
def evaluate(
    learner: BaseModule,
    data: BaseDataModule,
    samples: int,
    share: Shard = WHOLE,
    pixels: bool = False,
    inception: Inception | None = None,
) -> dict[str, float]:
    """Measure a model; its weights, modes and random states stay as they were.

    Args:
        learner: the model.
        data: the data set that it was trained on.
        samples: number of generated data, over all processes.
        share: of this process.
        pixels: measure digits in pixels too.
        inception: what colour pictures are looked at through; None leaves that out.

    Returns:
        Measures by name, the same on every process.

    Raises:
        Exception: what the share's pause raises, on every process.
    """
    if isinstance(learner, Classifier):
        return classifier_accuracies(learner, data, samples, share)
    assert isinstance(learner, GAN)
    asks = isinstance(learner, LabelledGAN)
    judges = evaluators_for(data, learner.device, share, asks, inception, samples)
    if pixels and isinstance(data, MNIST):
        judges.append(PixelEvaluator(data, learner.device, asks))
    codes = CodeEvaluator(learner, data) if isinstance(learner, InfoGAN) else None
    duplicates = None
    if not isinstance(data, Dirac):
        duplicates = deepcopy(_duplicates(data)).to(learner.device)
    divergence = Divergence(learner)
    for chunk, count in share.of(sizes_of_chunks(samples)):
        sample, asked = _drawn(learner, data, chunk, count)
        for judge in judges:
            judge.update(sample.data, chunk * CHUNK, asked)
        if codes is not None:
            codes.update(sample)
        if duplicates is not None and chunk == 0:
            duplicates.update(sample.data)
        divergence.update(sample.data, sample.condition, real=False)
    measures = {name: value for judge in judges for name, value in judge.compute().items()}
    if codes is not None:
        measures |= codes.compute(share)
    if duplicates is not None:
        measures["samples/duplicates"] = duplicates.compute().item()
    if divergence.wanted:
        for real in tested(data, learner.device, share):
            divergence.update(real.data, real.condition, real=True)
    measures |= divergence.compute()
    measures |= learnt_classes(learner, data, share)
    if isinstance(data, Dirac):
        measures |= equilibrium(learner)
    if learner.log_weight_histogram:
        measures |= weights_at_bound(learner)
    return measures


def _drawn(gan: GAN, data: BaseDataModule, chunk: int, count: int) -> tuple[Sample, Tensor | None]:
    """Generate a chunk of data, and say of what class each was to be, where that was said."""
    seed = derived_seed(gan.seed, "evaluation", chunk)
    if data.spec.source_shape is not None:
        test = data.test_data()
        rows = torch.arange(chunk * CHUNK, chunk * CHUNK + count) % len(test.data)
        assert test.source is not None
        sources = Condition(source=test.source[rows].to(gan.device))
        asked = None if test.labels is None else test.labels[rows]
        return gan.sample(count, sources, seed=seed), asked
    if isinstance(data, DigitDomains) and isinstance(gan, LabelledGAN):
        return gan.sample_across((count + 1) // gan.classes, seed=seed), None
    sample = gan.sample(count, seed=seed)
    return sample, sample.condition.labels


@lru_cache(maxsize=1)
def _duplicates(data: BaseDataModule) -> DuplicateRate:
    """Judge the first chunk against as many real data, which are looked at once a run."""
    return DuplicateRate(data.test_data().data[:CHUNK])
