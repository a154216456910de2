"""Rank correlation of a critic's estimate with a reference distance over a run's evaluations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from gan_lightning.evaluation.rank_correlation import (
    ESTIMATE,
    MIN_EVALUATIONS,
    REFERENCES,
    CriticCorrelation,
)

NAME = "critic/rank_correlation"


def correlation_of(pairs: list[tuple[float, float]]) -> dict[str, float]:
    correlation = CriticCorrelation()
    values: dict[str, float] = {}
    for estimate, exact in pairs:
        values = correlation.update({ESTIMATE: estimate, REFERENCES[0]: exact})
    return values


def test_equals_scipys_spearman_with_ties() -> None:
    rng = np.random.default_rng(0)
    pairs = [(float(a), float(b)) for a, b in rng.integers(0, 6, (12, 2))]
    expected = spearmanr(*zip(*pairs, strict=True)).statistic
    assert correlation_of(pairs)[NAME] == pytest.approx(expected)


def test_correlation_is_1_if_both_fall_and_minus_1_if_one_rises() -> None:
    falling = [(9.0 / step, 1.0 / step**2) for step in range(1, 8)]
    assert correlation_of(falling)[NAME] == pytest.approx(1)
    assert correlation_of([(-estimate, exact) for estimate, exact in falling])[
        NAME
    ] == pytest.approx(-1)


def test_undefined_with_few_evaluations_constant_estimates_or_no_estimate() -> None:
    assert correlation_of([(1.0, 2.0)] * (MIN_EVALUATIONS + 2)) == {}
    assert correlation_of([(float(step), float(step)) for step in range(MIN_EVALUATIONS - 1)]) == {}
    correlation = CriticCorrelation()
    assert correlation.update({REFERENCES[0]: 1.0}) == {}
    assert correlation.pairs == []


def test_on_digits_the_reference_is_fd_digits() -> None:
    correlation = CriticCorrelation()
    for step in range(MIN_EVALUATIONS):
        values = correlation.update({ESTIMATE: 1.0 / (1 + step), "fd_digits": 9.0 - step})
    assert values == {NAME: pytest.approx(1)}
    correlation.update({ESTIMATE: 2.0, "wasserstein/exact": 0.5, "fd_digits": 99.0})
    assert correlation.pairs[-1] == [2.0, 0.5]
