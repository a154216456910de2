"""Evaluation of a model."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache

import torch
from torch import Tensor

from gan_lightning.classifiers import Classifier
from gan_lightning.core.module import BaseModule
from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import MNIST, BaseDataModule, DigitDomains, Dirac
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.evaluation.base import CHUNK_SIZE
from gan_lightning.evaluation.batching import chunk_sizes, iterate_test_data
from gan_lightning.evaluation.classification import classifier_accuracies, gan_classifier_accuracies
from gan_lightning.evaluation.codes import CodeEvaluator
from gan_lightning.evaluation.digits import PixelEvaluator
from gan_lightning.evaluation.discriminator import (
    Divergence,
    distance_to_equilibrium,
    weights_at_bound,
)
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
    model: BaseModule,
    data: BaseDataModule,
    samples: int,
    shard: Shard = SINGLE_PROCESS,
    pixels: bool = False,
    inception: Inception | None = None,
) -> dict[str, float]:
    """Compute all metrics of a model; its weights, modes and random states are unchanged.

    Args:
        model: the model.
        data: the dataset that it was trained on.
        samples: number of generated samples, over all processes.
        shard: this process's part of the work.
        pixels: evaluate digits in pixel space too.
        inception: the Inception network for colour images; None to skip its metrics.

    Returns:
        Metric values by name, the same on every process.

    Raises:
        Exception: what the shard's `before_chunk` raises, on every process.
    """
    if isinstance(model, Classifier):
        return classifier_accuracies(model, data, samples, shard)
    assert isinstance(model, GAN)
    conditional = isinstance(model, LabelledGAN)
    evaluators = evaluators_for(data, model.device, shard, conditional, inception, samples)
    if pixels and isinstance(data, MNIST):
        evaluators.append(PixelEvaluator(data, model.device, conditional))
    codes = CodeEvaluator(model, data) if isinstance(model, InfoGAN) else None
    duplicates = None
    if not isinstance(data, Dirac):
        duplicates = deepcopy(_duplicate_rate(data)).to(model.device)
    divergence = Divergence(model)
    for chunk, count in shard.iterate(chunk_sizes(samples)):
        sample, requested_labels = _generate_chunk(model, data, chunk, count)
        for evaluator in evaluators:
            evaluator.update(sample.data, chunk * CHUNK_SIZE, requested_labels)
        if codes is not None:
            codes.update(sample)
        if duplicates is not None and chunk == 0:
            duplicates.update(sample.data)
        divergence.update(sample.data, sample.condition, real=False)
    measures: dict[str, float] = {}
    for evaluator in evaluators:
        measures |= evaluator.compute()
    if codes is not None:
        measures |= codes.compute(shard)
    if duplicates is not None:
        measures["samples/duplicates"] = duplicates.compute().item()
    if divergence.is_defined:
        for real in iterate_test_data(data, model.device, shard):
            divergence.update(real.data, real.condition, real=True)
    measures |= divergence.compute()
    measures |= gan_classifier_accuracies(model, data, shard)
    if isinstance(data, Dirac):
        measures |= distance_to_equilibrium(model)
    if model.log_weight_histogram:
        measures |= weights_at_bound(model)
    return measures


def _generate_chunk(
    gan: GAN, data: BaseDataModule, chunk: int, count: int
) -> tuple[Sample, Tensor | None]:
    """Generate a chunk of samples, and return it with the requested labels if there are any."""
    seed = derived_seed(gan.seed, "evaluation", chunk)
    if data.spec.source_shape is not None:
        test = data.test_data()
        rows = torch.arange(chunk * CHUNK_SIZE, chunk * CHUNK_SIZE + count) % len(test.data)
        assert test.source is not None
        sources = Condition(source=test.source[rows].to(gan.device))
        requested_labels = None if test.labels is None else test.labels[rows]
        return gan.sample(count, sources, seed=seed), requested_labels
    if isinstance(data, DigitDomains) and isinstance(gan, LabelledGAN):
        return gan.sample_across((count + 1) // gan.classes, seed=seed), None
    sample = gan.sample(count, seed=seed)
    return sample, sample.condition.labels


@lru_cache(maxsize=1)
def _duplicate_rate(data: BaseDataModule) -> DuplicateRate:
    """Build the metric for the first chunk, with as many real samples; once per dataset."""
    return DuplicateRate(data.test_data().data[:CHUNK_SIZE])
