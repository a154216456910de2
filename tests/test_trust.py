"""The correlation of a critic's estimate with the exact distance, over the evaluations of a run."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from gan_lightning.evaluation.rank_correlation import ESTIMATE, FEWEST, TRUTHS, CriticCorrelation

NAME = "critic/rank_correlation"


def after(pairs: list[tuple[float, float]]) -> dict[str, float]:
    check = CriticCorrelation()
    found: dict[str, float] = {}
    for estimate, exact in pairs:
        found = check.with_latest({ESTIMATE: estimate, TRUTHS[0]: exact})
    return found


def test_it_is_spearmans_with_ties() -> None:
    rng = np.random.default_rng(0)
    pairs = [(float(a), float(b)) for a, b in rng.integers(0, 6, (12, 2))]
    expected = spearmanr(*zip(*pairs, strict=True)).statistic
    assert after(pairs)[NAME] == pytest.approx(expected)


def test_a_critic_that_falls_with_the_distance_is_trusted_and_one_that_rises_is_not() -> None:
    falling = [(9.0 / step, 1.0 / step**2) for step in range(1, 8)]
    assert after(falling)[NAME] == pytest.approx(1)
    assert after([(-estimate, exact) for estimate, exact in falling])[NAME] == pytest.approx(-1)


def test_few_evaluations_constant_estimates_and_other_variants_say_nothing() -> None:
    assert after([(1.0, 2.0)] * (FEWEST + 2)) == {}
    assert after([(float(step), float(step)) for step in range(FEWEST - 1)]) == {}
    check = CriticCorrelation()
    assert check.with_latest({TRUTHS[0]: 1.0}) == {}
    assert check.pairs == []


def test_on_digits_the_quality_of_samples_stands_for_the_distance() -> None:
    check = CriticCorrelation()
    for step in range(FEWEST):
        found = check.with_latest({ESTIMATE: 1.0 / (1 + step), "fd_digits": 9.0 - step})
    assert found == {NAME: pytest.approx(1)}
    check.with_latest({ESTIMATE: 2.0, "wasserstein/exact": 0.5, "fd_digits": 99.0})
    assert check.pairs[-1] == [2.0, 0.5]
