"""Intervals of measures, from their values for random halves of the samples."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

__all__ = ["half_samples", "interval"]

SEED = 0
QUANTILE = 1.96
"""Of the normal distribution, for an interval of 95 %."""


def half_samples(count: int, resamples: int) -> Iterator[Tensor]:
    """Yield the rows of random halves of samples, drawn without replacement.

    Args:
        count: number of samples, at least 2.
        resamples: number of halves.

    Returns:
        Rows in ascending order, int64 (count // 2,), the same at each call.
    """
    rng = np.random.RandomState(SEED)
    for _ in range(resamples):
        yield torch.from_numpy(rng.permutation(count)[: count // 2]).sort().values


def interval(
    value: float, of_halves: Tensor, bounds: tuple[float, float] = (-math.inf, math.inf)
) -> tuple[float, float]:
    """Compute an interval of 95 % of a measure from its values for random halves.

    It is the value plus and minus 1.96 standard deviations of the values for halves. A half that
    is drawn without replacement has twice the variance of all samples, of which the overlap of the
    halves removes one half, so the deviation is that of the measure of all samples.

    Args:
        value: the measure of all samples.
        of_halves: the measure of each half, (resamples,), at least 2.
        bounds: least and largest possible value of the measure.

    Returns:
        Least and largest value, NaN where the value is NaN.

    Source: the delete-d jackknife with d = N / 2, Shao, Wu 1989 (A general theory for jackknife
        variance estimation), equation 2.2; as an exchangeable bootstrap Præstgaard, Wellner 1993,
        example 3.3.
    Deviations: an ordinary bootstrap draws with replacement. The duplicates lie at distance 0 from
        each other, which breaks all measures by neighbours and biases distances upwards.
    """
    margin = QUANTILE * float(of_halves.double().std(correction=1))
    low, high = bounds
    return max(value - margin, low), min(value + margin, high)
