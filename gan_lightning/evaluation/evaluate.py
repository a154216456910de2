"""Evaluation of a model."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import torch
from torch import Tensor

from gan_lightning.classifiers import Classifier
from gan_lightning.core.module import BaseModule, on_device_with_float64
from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.evaluation.base import CHUNK_SIZE, GANEvaluator
from gan_lightning.evaluation.batching import chunk_sizes
from gan_lightning.evaluation.classification import classifier_accuracies
from gan_lightning.evaluation.inception import Inception
from gan_lightning.evaluation.registry import EvaluationContext, evaluators_for, gan_evaluators
from gan_lightning.gans import GAN
from gan_lightning.losses import at_least_float32
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
    features: str | None = None,
    measures: Sequence[str] = (),
    precision: str = "32-true",
) -> dict[str, float]:
    """Compute all metrics of a model; its weights, modes and random states are unchanged.

    On a device without float64, in which metrics sum, everything is computed on the CPU.

    Args:
        model: the model.
        data: the dataset that it was trained on.
        samples: number of generated samples, over all processes.
        shard: this process's part of the work.
        pixels: evaluate digits in pixel space too.
        inception: the Inception network for colour images; None to skip its metrics.
        features: name of the features of image measures, see `image_features`; None for the random
            ones, of data that name these measures.
        measures: names of further evaluators of a GAN, see `evaluation.measures`.
        precision: in which samples are generated, 32-true or bf16-mixed; features and statistics
            are computed in float32 and float64.

    Returns:
        Metric values by name, the same on every process.

    Raises:
        UserError: one of `measures` does not fit the GAN or the data.
        Exception: what the shard's `before_chunk` raises, on every process.
    """
    with on_device_with_float64(model):
        if isinstance(model, Classifier):
            return classifier_accuracies(model, data, samples, shard)
        assert isinstance(model, GAN)
        conditional = "labels" in model.condition_fields()
        context = EvaluationContext(
            data, model.device, shard, conditional, inception, samples, pixels, features
        )
        of_gan = gan_evaluators(model, data, shard, measures)
        return _evaluate_gan(model, context, of_gan, precision)


def _evaluate_gan(
    model: GAN, context: EvaluationContext, of_gan: list[GANEvaluator], precision: str
) -> dict[str, float]:
    evaluators = evaluators_for(context)
    for chunk, count in context.shard.iterate(chunk_sizes(context.samples)):
        first_index = chunk * CHUNK_SIZE
        with _generating_in(precision, model.device):
            sample, requested_labels = _generate_chunk(model, context.data, chunk, count)
        sample = replace(sample, data=at_least_float32(sample.data))
        for evaluator in evaluators:
            evaluator.update(sample.data, first_index, requested_labels)
        for gan_evaluator in of_gan:
            gan_evaluator.update(sample, first_index)
    measures: dict[str, float] = {}
    for evaluator in evaluators:
        measures |= evaluator.compute()
    for gan_evaluator in of_gan:
        measures |= gan_evaluator.compute()
    return measures


def _generating_in(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which networks compute in a precision."""
    if precision == "bf16-mixed":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


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
    if data.classes_are_domains and "labels" in gan.condition_fields():
        assert gan.data.classes is not None
        return gan.sample_across((count + 1) // gan.data.classes, seed=seed), None
    sample = gan.sample(count, seed=seed)
    return sample, sample.condition.labels
