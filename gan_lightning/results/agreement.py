"""The probability that other seeds agree with a claim, and the interval of a mean over seeds.

Pure functions of measured values, one value per seed. Random draws have a fixed seed, so equal
values give equal probabilities on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb, isfinite, nan, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

__all__ = [
    "DECIDED",
    "RERUNS",
    "mean_interval",
    "needed_seeds",
    "predictive_reruns",
    "rank_test",
    "resampled_reruns",
]

Array = NDArray[np.float64]

DECIDED = 0.95
"""A claim holds at this probability or above, and fails at 1 - DECIDED or below."""

RERUNS = 20_000
"""Reruns that `predictive_reruns` draws: the probability's standard error is at most .0035."""

MAX_DIVISIONS = 200_000
"""Divisions of the pooled values that `rank_test` enumerates; above, it samples as many."""

ROUNDING = 1e-9


def predictive_reruns(values: Sequence[float], reruns: int = RERUNS, stream: int = 0) -> Array:
    """Draw the values that reruns with as many new seeds would measure.

    The values of seeds are taken as normal with unknown mean and variance under Jeffreys' prior
    1 / sigma^2: each rerun draws sigma^2 = (n - 1) s^2 / chi^2(n - 1) and mu ~ N(mean, sigma^2 /
    n), then n values from N(mu, sigma^2). The mean of a rerun therefore has Student's predictive
    distribution with n - 1 degrees of freedom and the scale s sqrt(2 / n) (Gelman et al. 2013,
    Bayesian Data Analysis, section 3.2). The plain bootstrap is not used: its reruns never leave
    the range of the seeds, and its variance is too small by the factor (n - 1) / n, so that with
    three seeds it is far too certain.

    Equal values are repeated by every rerun. A value of a rerun is NaN as often as one of the
    seeds was.

    Args:
        values: one per seed, at least two; NaN for a seed whose value is not finite.
        reruns: number of reruns.
        stream: number of the random stream; different metrics need different ones.

    Returns:
        Values of shape (reruns, len(values)).
    """
    seeds = len(values)
    finite = np.array([value for value in values if isfinite(value)], dtype=float)
    shape = (reruns, seeds)
    if not finite.size:
        return np.full(shape, nan)
    rng = np.random.default_rng([20_141_210, stream])
    drawn = np.full(shape, finite[0])
    if np.ptp(finite) > 0:
        freedom, count = finite.size - 1, finite.size
        sigma = np.sqrt(freedom * finite.var(ddof=1) / rng.chisquare(freedom, (reruns, 1)))
        center = finite.mean() + sigma / sqrt(count) * rng.standard_normal((reruns, 1))
        drawn = center + sigma * rng.standard_normal(shape)
    if finite.size < seeds:
        drawn[rng.random(shape) < 1 - finite.size / seeds] = nan
    return drawn


def resampled_reruns(values: Sequence[float], reruns: int = RERUNS, stream: int = 0) -> Array:
    """Draw reruns of a metric that takes few values, such as a count of modes, from those seen.

    Each rerun draws the probabilities of the seeds' values from a uniform Dirichlet distribution,
    then as many values (the Bayesian bootstrap, Rubin 1981). It is for claims on every seed, or on
    any: with 8, 8, 8, 7, 8 of 8 modes a normal distribution would put most seeds below 8.

    Args:
        values: one per seed; may contain NaN.
        reruns: number of reruns.
        stream: number of the random stream.

    Returns:
        Values of shape (reruns, len(values)).
    """
    rng = np.random.default_rng([20_141_210, stream])
    seeds = len(values)
    ends = rng.dirichlet(np.ones(seeds), reruns).cumsum(axis=1)[:, None, :-1]
    chosen = (rng.random((reruns, seeds, 1)) > ends).sum(axis=2)
    drawn: Array = np.array(values, dtype=float)[chosen]
    return drawn


def rank_test(larger: Sequence[float], smaller: Sequence[float]) -> float:
    """Compute the one-sided p value of the exact rank test (Mann, Whitney 1947).

    It is the share of all divisions of the pooled values into groups of these sizes whose first
    group has at least the rank sum of `larger`; equal values share their mean rank. Beyond 200,000
    divisions, that many are sampled with a fixed seed.

    Args:
        larger: values that are claimed to be larger; NaN ranks lowest.
        smaller: values that are claimed to be smaller; NaN ranks highest, so that a NaN never
            supports the claim.

    Returns:
        The p value; at least 1 / (number of divisions).
    """
    first = [value if isfinite(value) else -np.inf for value in larger]
    second = [value if isfinite(value) else np.inf for value in smaller]
    ranks = _mean_ranks(np.array([*first, *second]))
    count, total = len(first), len(ranks)
    observed = ranks[:count].sum()
    if comb(total, count) <= MAX_DIVISIONS:
        chosen = np.array(list(combinations(range(total), count)))
        sums = ranks[chosen].sum(1)
        return float(np.mean(sums >= observed - ROUNDING))
    rng = np.random.default_rng(20_141_210)
    shuffled = rng.permuted(np.broadcast_to(ranks, (MAX_DIVISIONS, total)), axis=1)
    extreme = int(np.sum(shuffled[:, :count].sum(1) >= observed - ROUNDING))
    return (extreme + 1) / (MAX_DIVISIONS + 1)  # the observed division is one of them


def needed_seeds(others: int) -> int:
    """Return the fewest seeds whose rank test against `others` values can reach p <= .05."""
    seeds = 1
    while others and comb(seeds + others, seeds) * (1 - DECIDED) < 1 - ROUNDING:
        seeds += 1
    return seeds


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Compute Student's confidence interval of the mean over seeds.

    Args:
        values: one per seed.
        level: confidence, in (0, 1).

    Returns:
        Lower and upper end; both NaN for fewer than two values or where a value is not finite.
    """
    if len(values) < 2 or not all(map(isfinite, values)):
        return nan, nan
    count, center = len(values), float(np.mean(values))
    half = float(stdtrit(count - 1, (1 + level) / 2) * np.std(values, ddof=1) / sqrt(count))
    return center - half, center + half


def _mean_ranks(values: Array) -> Array:
    """Rank values from 1; equal values share the mean of their ranks."""
    _, positions, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(counts) - (counts - 1) / 2)[positions]
    return ranks
