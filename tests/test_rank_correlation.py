"""Rank correlation of a critic's estimate with a reference distance over a run's evaluations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from gan_lightning.data.toy2d import Ring, RingConfig
from gan_lightning.evaluation.points import WassersteinEvaluator, wasserstein_of_real_points
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


def test_the_descent_ends_with_the_first_distance_like_that_of_real_points() -> None:
    descent = [(float(distance), float(distance)) for distance in range(9, 3, -1)]
    plateau = [(1.0, 3.0), (2.0, 2.9), (3.0, 2.8), (4.0, 5.0), (5.0, 2.7)]
    calls: list[int] = []

    def end_of_descent() -> float:
        calls.append(1)
        return 3.0

    correlation = CriticCorrelation(end_of_descent)
    for estimate, exact in (*descent, *plateau):
        values = correlation.update({ESTIMATE: estimate, "wasserstein/exact": exact})
    assert values["critic/descent_correlation"] == pytest.approx(1)
    assert values[NAME] < 0.9
    assert len(calls) == 1
    resumed = CriticCorrelation(lambda: 3.0)
    resumed.pairs = correlation.pairs[:-1]
    last = dict(zip((ESTIMATE, "wasserstein/exact"), plateau[-1], strict=True))
    assert resumed.update(last) == values


def test_of_digits_or_without_real_sets_the_descent_is_unknown() -> None:
    for reference, end in (("fd_digits", 3.0), ("wasserstein/exact", None)):
        correlation = CriticCorrelation(lambda end=end: end)  # type: ignore[misc]
        for step in range(9):
            values = correlation.update({ESTIMATE: 9.0 - step, reference: 9.0 - step})
        assert values == {NAME: pytest.approx(1)}


def test_real_points_are_below_the_end_of_the_descent_and_shifted_ones_above() -> None:
    ring = Ring(RingConfig(points=4000))
    end = wasserstein_of_real_points(ring, 200)
    assert end is not None
    fresh = ring.sample_points(200, torch.Generator().manual_seed(5)).data
    evaluator = WassersteinEvaluator(ring, torch.device("cpu"))
    evaluator.update(fresh, 0)
    assert evaluator.compute()["wasserstein/exact"] < end
    evaluator = WassersteinEvaluator(ring, torch.device("cpu"))
    evaluator.update(fresh + 0.5, 0)
    assert evaluator.compute()["wasserstein/exact"] > end
    assert wasserstein_of_real_points(ring, 2000) is None
