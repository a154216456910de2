"""Evaluation of the diversity of generated samples."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache

from gan_lightning.data import BaseDataModule
from gan_lightning.distributed.environment import is_first_process
from gan_lightning.distributed.sharding import SINGLE_PROCESS, Shard
from gan_lightning.errors import warn
from gan_lightning.evaluation.base import CHUNK_SIZE, GANEvaluator
from gan_lightning.gans import GAN
from gan_lightning.metrics import DuplicateRate
from gan_lightning.types import Sample

__all__ = ["DuplicateEvaluator"]


class DuplicateEvaluator(GANEvaluator):
    """Computes the fraction of near-duplicates among the first generated samples.

    Of a translator, samples of different sources only, since equal sources have equal translations.
    With fewer than 2 test data the fraction is undefined and left out.

    Args:
        gan: the model.
        data: its dataset, whose test data define how near a near-duplicate is.
        shard: this process's part of the work.
    """

    uses_discriminator = False

    def __init__(self, gan: GAN, data: BaseDataModule, shard: Shard = SINGLE_PROCESS) -> None:
        rate = _duplicate_rate(data)
        self._rate = None if rate is None else deepcopy(rate).to(gan.device)
        translates = data.spec.source_shape is not None
        self._distinct = len(data.test_data().data) if translates else CHUNK_SIZE

    def update(self, sample: Sample, first_index: int) -> None:
        """Add the samples of the first chunk."""
        if self._rate is not None and first_index == 0:
            self._rate.update(sample.data[: self._distinct])

    def compute(self) -> dict[str, float]:
        """Return the fraction, in [0, 1]."""
        return {} if self._rate is None else {"samples/duplicates": self._rate.compute().item()}


@lru_cache(maxsize=1)
def _duplicate_rate(data: BaseDataModule) -> DuplicateRate | None:
    """Build the metric for the first chunk, with as many real samples; once per dataset."""
    real = data.test_data().data[:CHUNK_SIZE]
    if len(real) > 1:
        return DuplicateRate(real)
    if is_first_process():
        warn("samples/duplicates is left out: the test part of the data has one sample only")
    return None
