"""Whether a critic's estimate of the Wasserstein distance can be trusted as a curve of progress."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["CriticCorrelation"]

ESTIMATE = "divergence/wasserstein"
TRUTHS = ("wasserstein/exact", "fd_digits")
"""What tells how far samples are from the data, the best first."""
FEWEST = 5


class CriticCorrelation:
    """Correlates, over the evaluations of a run, the ranks of the critic's estimate and the truth.

    Attributes:
        pairs: [estimate, distance] of each evaluation so far, plain numbers for checkpoints. The
            distance is the exact one where the world has it, and fd_digits on digits.

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
        truth = next((measures[name] for name in TRUTHS if name in measures), None)
        if ESTIMATE not in measures or truth is None:
            return {}
        self.pairs.append([measures[ESTIMATE], truth])
        if len(self.pairs) < FEWEST:
            return {}
        from scipy.stats import rankdata

        estimates, exact = (rankdata(side) for side in zip(*self.pairs, strict=True))
        deviations = [side - side.mean() for side in (estimates, exact)]
        spread = math.sqrt(float(deviations[0] @ deviations[0] * (deviations[1] @ deviations[1])))
        if spread == 0:
            return {}
        return {"critic/rank_correlation": float(deviations[0] @ deviations[1]) / spread}
