"""Rank correlation of a critic's estimate of the Wasserstein distance with a reference distance."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["CriticCorrelation"]

ESTIMATE = "divergence/wasserstein"
REFERENCES = ("wasserstein/exact", "fd_digits")
"""Distances of samples to the data, in order of preference."""
MIN_EVALUATIONS = 5


class CriticCorrelation:
    """Spearman's correlation of the critic's estimate and a reference over a run's evaluations.

    Attributes:
        pairs: [estimate, reference] of each evaluation so far, as plain numbers for checkpoints.
            The reference is the exact distance for points and fd_digits for digits.

    Source: Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875), section 4.2, which shows
        qualitatively that the estimate falls as samples improve; the rank correlation is ours.
    """

    def __init__(self) -> None:
        self.pairs: list[list[float]] = []

    def update(self, measures: Mapping[str, float]) -> dict[str, float]:
        """Add an evaluation and return the correlation so far.

        Args:
            measures: metrics of the evaluation, by name.

        Returns:
            `critic/rank_correlation` in [-1, 1]; nothing before the fifth evaluation with both
            distances, or if one of the distances is constant.
        """
        reference = next((measures[name] for name in REFERENCES if name in measures), None)
        if ESTIMATE not in measures or reference is None:
            return {}
        self.pairs.append([measures[ESTIMATE], reference])
        if len(self.pairs) < MIN_EVALUATIONS:
            return {}
        from scipy.stats import rankdata

        ranks = [rankdata(side) for side in zip(*self.pairs, strict=True)]
        deviations = [side - side.mean() for side in ranks]
        scale = math.sqrt(float(deviations[0] @ deviations[0] * (deviations[1] @ deviations[1])))
        if scale == 0:
            return {}
        return {"critic/rank_correlation": float(deviations[0] @ deviations[1]) / scale}
