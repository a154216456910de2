"""A statistical test of whether generated samples are copies of the training data."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["DataCopyingTest", "data_copying_test"]

NEAR_QUANTILE = 0.05
"""A generated sample is near where its distance is below this quantile of the test distances."""


class DataCopyingTest(NamedTuple):
    """Distances of generated samples to the training data, compared with those of test data.

    Args:
        near: fraction of generated samples that lie nearer than 95 % of the test data, in [0, 1];
            0.05 in expectation where both have the same distribution.
        score: z-score by which generated distances outrank test distances: far below 0 where
            generated samples lie nearer, as copies do; far above 0 where they lie farther.
        distance: median over the generated samples.
        test_distance: median over the test data.
    """

    near: float
    score: float
    distance: float
    test_distance: float


def data_copying_test(generated: Tensor, test: Tensor) -> DataCopyingTest:
    """Compare distances to the nearest training sample between generated and test data.

    Args:
        generated: distances of generated samples, (N,).
        test: distances of test data, which have the same distribution as the training data and
            took no part in training, (M,).

    Source: Meehan, Chaudhuri, Dasgupta 2020 (arXiv:2004.05675), section 3: the z-score of the
        Mann-Whitney U statistic of the two samples of distances, their Z_U; `near` is ours.
    Deviations: one cell for the complete space, where C_T averages over the cells of a partition.
    """
    generated, test = generated.double().contiguous(), test.double()
    ordered = test.sort().values
    below = torch.searchsorted(ordered, generated, right=False)
    ties = torch.searchsorted(ordered, generated, right=True) - below
    wins = (below + ties / 2).sum().item()  # pairs in which the test sample lies nearer
    n, m = len(generated), len(test)
    deviation = math.sqrt(n * m * (n + m + 1) / 12)
    return DataCopyingTest(
        near=(generated < test.quantile(NEAR_QUANTILE)).double().mean().item(),
        score=(wins - n * m / 2) / deviation,
        distance=generated.median().item(),
        test_distance=test.median().item(),
    )
