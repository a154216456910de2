"""Rank correlation of a critic's estimate of the Wasserstein distance with a reference distance."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

__all__ = ["CriticCorrelation"]

ESTIMATE = "divergence/wasserstein"
EXACT = "wasserstein/exact"
REFERENCES = (EXACT, "fd_digits")
"""Distances of samples to the data, in order of preference."""
MIN_EVALUATIONS = 5


class CriticCorrelation:
    """Spearman's correlation of the critic's estimate and a reference over a run's evaluations.

    On the plateau after the descent both distances only fluctuate, and the number of evaluations
    there would decide the correlation over the complete run. The descent is the evaluations up to
    the first one whose exact distance is at most `end_of_descent`, that one included; all of them
    before there is one.

    Args:
        end_of_descent: returns the exact distance at which the descent ends, or None where it is
            unknown; called once, when it is needed.

    Attributes:
        pairs: [estimate, reference] of each evaluation so far, as plain numbers for checkpoints.
            The reference is the exact distance for points and fd_digits for digits.

    Source: Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875), section 4.2, which shows
        qualitatively that the estimate falls as samples improve; the rank correlation is ours.
    """

    def __init__(self, end_of_descent: Callable[[], float | None] = lambda: None) -> None:
        self.pairs: list[list[float]] = []
        self._end_of_descent = end_of_descent
        self._end: float | None = None
        self._is_end_known = False

    def update(self, measures: Mapping[str, float]) -> dict[str, float]:
        """Add an evaluation and return the correlations so far.

        Args:
            measures: metrics of the evaluation, by name.

        Returns:
            `critic/rank_correlation`, and for points `critic/descent_correlation`, in [-1, 1];
            each is left out before the fifth evaluation that it is over, or if one of the
            distances is constant.
        """
        reference = next((name for name in REFERENCES if name in measures), None)
        if ESTIMATE not in measures or reference is None:
            return {}
        self.pairs.append([measures[ESTIMATE], measures[reference]])
        values = {"critic/rank_correlation": _spearman(self.pairs)}
        if reference == EXACT and len(self.pairs) >= MIN_EVALUATIONS:
            values["critic/descent_correlation"] = _spearman(self._descent())
        return {name: value for name, value in values.items() if value is not None}

    def _descent(self) -> list[list[float]]:
        if not self._is_end_known:
            self._end, self._is_end_known = self._end_of_descent(), True
        if self._end is None:
            return []
        for index, (_, distance) in enumerate(self.pairs):
            if distance <= self._end:
                return self.pairs[: index + 1]
        return self.pairs


def _spearman(pairs: Sequence[Sequence[float]]) -> float | None:
    """Return Spearman's correlation; None of few pairs, or where one side is constant."""
    if len(pairs) < MIN_EVALUATIONS:
        return None
    from scipy.stats import rankdata

    ranks = [rankdata(side) for side in zip(*pairs, strict=True)]
    deviations = [side - side.mean() for side in ranks]
    scale = math.sqrt(float(deviations[0] @ deviations[0] * (deviations[1] @ deviations[1])))
    return None if scale == 0 else float(deviations[0] @ deviations[1]) / scale
