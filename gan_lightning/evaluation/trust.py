"""Whether a critic's estimate of the Wasserstein distance can be trusted as a curve of progress."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["EstimateCheck"]

ESTIMATE = "divergence/wasserstein"
EXACT = "wasserstein/exact"
FEWEST = 5


class EstimateCheck:
    """Correlates, over the evaluations of a run, the ranks of the critic's estimate and the truth.

    Attributes:
        pairs: [estimate, exact distance] of each evaluation so far, plain numbers for checkpoints.

    Source: Arjovsky, Chintala, Bottou 2017 (arXiv:1701.07875), section 4.2, which shows by pictures
        that the estimate falls as samples improve; the rank correlation is ours.
    """

    def __init__(self) -> None:
        self.pairs: list[list[float]] = []

    def with_latest(self, measures: Mapping[str, float]) -> dict[str, float]:
        """Take in an evaluation, and return the correlation so far.

        Args:
            measures: of the evaluation, by name.

        Returns:
            `critic/rank_correlation`, Spearman's, in [-1, 1], from the fifth evaluation on that has
            both distances; nothing before, or where a distance never changes.
        """
        if ESTIMATE not in measures or EXACT not in measures:
            return {}
        self.pairs.append([measures[ESTIMATE], measures[EXACT]])
        if len(self.pairs) < FEWEST:
            return {}
        from scipy.stats import rankdata

        estimates, exact = (rankdata(side) for side in zip(*self.pairs, strict=True))
        deviations = [side - side.mean() for side in (estimates, exact)]
        spread = math.sqrt(float(deviations[0] @ deviations[0] * (deviations[1] @ deviations[1])))
        if spread == 0:
            return {}
        return {"critic/rank_correlation": float(deviations[0] @ deviations[1]) / spread}
