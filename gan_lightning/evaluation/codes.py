"""Evaluation of InfoGAN's latent codes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.evaluation.base import GANEvaluator, compute_floats
from gan_lightning.evaluation.batching import iterate_test_data
from gan_lightning.evaluation.faces import read_attributes
from gan_lightning.metrics import (
    CodeAccuracy,
    CodeCorrelation,
    MutualInformationBound,
    MutualInformationGap,
)
from gan_lightning.store.faces import ATTRIBUTES
from gan_lightning.types import Condition, Sample

__all__ = ["CodeEvaluator"]

BINS = 20
"""Equal bins of [-1, 1] that the value of a continuous code is in, as in Chen et al. 2018."""


class CodeEvaluator(GANEvaluator):
    """Measures how well Q recovers the codes of generated samples, and what the codes represent.

    Args:
        gan: the model, whose `recognised` returns the distribution of the codes, as InfoGAN's.
        data: its dataset; on digits, continuous codes are compared with slant and stroke width, on
            cartoon faces, all codes with the attributes.
        shard: this process's part of the work.

    Of a saved model, which has no Q, it measures what the codes represent.
    """

    uses_discriminator = False

    def __init__(self, gan: Any, data: BaseDataModule, shard: Shard = SINGLE_PROCESS) -> None:
        self._gan, self._data, self._shard = gan, data, shard
        sizes, continuous = gan.config.categorical_codes, gan.config.continuous_codes
        recognised = sizes if gan.has_discriminator else ()
        self._information = [MutualInformationBound(size).to(gan.device) for size in recognised]
        self._correlation = None
        if data.shows_digits and continuous:
            groups = sizes[0] if len(sizes) == 1 else 1
            self._correlation = CodeCorrelation(continuous, groups).to(gan.device)
        self._gap = None
        if "faces" in data.evaluators():
            values = [len(names) for names in ATTRIBUTES.values()]
            gap = MutualInformationGap([*sizes, *[BINS] * continuous], [*ATTRIBUTES], values)
            self._gap = gap.to(gan.device)

    def update(self, sample: Sample, first_index: int = 0) -> None:
        """Add generated samples."""
        codes = sample.condition
        if codes.categorical is not None and self._information:
            recognised = self._gan.recognised(sample.data).categorical
            columns = codes.categorical.unbind(1)
            for bound, logits, code in zip(self._information, recognised, columns, strict=True):
                bound.update(logits.log_softmax(1), code)
        if self._correlation is not None:
            assert codes.continuous is not None
            groups = 0 * codes.continuous[:, 0].long()
            if codes.categorical is not None and self._correlation.groups > 1:
                groups = codes.categorical[:, 0]
            self._correlation.update(codes.continuous, groups, sample.data)
        if self._gap is not None:
            self._gap.update(_code_values(codes), read_attributes(sample.data))

    def compute(self) -> dict[str, float]:
        """Return bounds in nats, accuracies on the test data, correlations, and information."""
        bounds = [bound.compute().item() for bound in self._information]
        values = {
            _metric_name("mutual_information", index, len(bounds)): bound
            for index, bound in enumerate(bounds)
        }
        values |= self._accuracies() if self._gan.has_discriminator else {}
        values |= compute_floats(self._correlation) if self._correlation else {}
        return {**values, **(compute_floats(self._gap) if self._gap else {})}

    def _accuracies(self) -> dict[str, float]:
        sizes, classes = self._gan.config.categorical_codes, self._data.spec.classes
        if classes is None or not sizes:
            return {}
        accuracies = [CodeAccuracy(size, classes).to(self._gan.device) for size in sizes]
        for real in iterate_test_data(self._data, self._gan.device, self._shard):
            assert real.labels is not None
            logits = self._gan.recognised(real.data).categorical
            for accuracy, code in zip(accuracies, logits, strict=True):
                accuracy.update(code.argmax(1), real.labels)
        return {
            _metric_name("accuracy", index, len(sizes)): accuracy.compute().item()
            for index, accuracy in enumerate(accuracies)
        }


def _code_values(codes: Condition) -> Tensor:
    """Return the categories, then the bins of the continuous codes, int64 (N, codes)."""
    parts = []
    if codes.categorical is not None:
        parts.append(codes.categorical)
    if codes.continuous is not None:
        bins = (codes.continuous + 1).div(2 / BINS).floor().long()
        parts.append(bins.clamp(0, BINS - 1))
    return torch.cat(parts, 1)


def _metric_name(name: str, index: int, codes: int) -> str:
    """Name a metric of a code: code/accuracy, or code1/accuracy with several codes."""
    return f"code/{name}" if codes == 1 else f"code{index + 1}/{name}"
