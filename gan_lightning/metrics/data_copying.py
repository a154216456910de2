"""Whether generated data are copies of the training data."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Copying", "copying"]

NEAR = 0.05
"""Quantile of the test data's distances below which a generated datum is near."""


class Copying(NamedTuple):
    """How near to the training data generated data lie, beside test data.

    Args:
        near: share of generated data nearer than 5 % of the test data are, in [0, 1]; 0.05 where
            both are of one distribution.
        score: standard deviations by which the test data's distances are outranked: far below 0
            where generated data lie nearer, as copies do; far above 0 where they lie farther.
        distance: median of the generated data.
        test_distance: median of the test data.
    """

    near: float
    score: float
    distance: float
    test_distance: float


def copying(generated: Tensor, test: Tensor) -> Copying:
    """Compare distances to the nearest training datum.

    Args:
        generated: of generated data, (N,).
        test: of data of the same distribution that no model was trained on, (M,).

    Source: Meehan, Chaudhuri, Dasgupta 2020 (arXiv:2004.05675), section 3: the z-score of the
        Mann-Whitney U statistic of the two samples of distances, their Z_U; `near` is ours.
    Deviations: one cell for the whole space, where C_T averages over the cells of a partition.
    """
    generated, test = generated.double().contiguous(), test.double()
    ordered = test.sort().values
    below = torch.searchsorted(ordered, generated, right=False)
    ties = torch.searchsorted(ordered, generated, right=True) - below
    wins = (below + ties / 2).sum().item()  # of pairs in which the test datum lies nearer
    n, m = len(generated), len(test)
    deviation = math.sqrt(n * m * (n + m + 1) / 12)
    return Copying(
        near=(generated < test.quantile(NEAR)).double().mean().item(),
        score=(wins - n * m / 2) / deviation,
        distance=generated.median().item(),
        test_distance=test.median().item(),
    )
