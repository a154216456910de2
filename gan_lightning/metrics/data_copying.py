"""A statistical test of whether generated samples are copies of the training data."""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = ["DataCopyingTest", "cell_copying_score", "copying_cells", "data_copying_test"]

MAX_CELLS, IN_CELL = 20, 50
"""Largest number of cells, and samples that a cell should have on average."""
CELL_DATA, CELL_ITERATIONS = 4_000, 10
"""Training data and iterations of k-means from which the cells are computed."""
MIN_IN_CELL = 20
"""Generated samples and test data below which a cell of several is left out."""
SEED = 0

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
    Deviations: one cell for the complete space; `cell_copying_score` is their C_T.
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


def copying_cells(training: Tensor, count: int) -> Tensor:
    """Compute the centres of cells of data by k-means, the same ones at each call.

    Args:
        training: (M, D).
        count: number of samples, or of test data if these are fewer; there is a cell for each 50
            of them, 1 to 20 cells, and at most one for each different training sample.

    Returns:
        Centres (cells, D), float64; a sample is in the cell with the nearest centre.
    """
    from scipy.cluster.vq import kmeans2

    rng = np.random.default_rng(SEED)
    chosen = rng.permutation(len(training))[:CELL_DATA]
    data = training[torch.from_numpy(chosen)].cpu().double().numpy()
    cells = min(max(count // IN_CELL, 1), MAX_CELLS, len(np.unique(data, axis=0)))
    with warnings.catch_warnings():  # an empty cell keeps its centre, and no sample is in it
        warnings.simplefilter("ignore", UserWarning)
        centres, _ = kmeans2(data, cells, CELL_ITERATIONS, minit="++", rng=rng)
    return torch.from_numpy(centres).to(training.device)


def cell_copying_score(
    generated: Tensor, generated_cells: Tensor, test: Tensor, test_cells: Tensor, samples: int
) -> float:
    """Average the z-score of `data_copying_test` over the cells, by their numbers of test data.

    Within a cell, generated samples and test data are of the same kind, so the score does not
    mistake too many samples of a dense class for copies.

    Args:
        generated: distances of generated samples to the nearest training sample, (N,).
        generated_cells: number of the cell of each, int64 (N,).
        test: distances of test data, (M,).
        test_cells: number of the cell of each, int64 (M,).
        samples: number of generated samples for which the score is reported; a z-score grows with
            the root of it, so that of a part is scaled by the expected ratio.

    Returns:
        The score; NaN where no cell of several has 20 of the `samples` and 20 test data.

    Source: Meehan, Chaudhuri, Dasgupta 2020 (arXiv:2004.05675), section 4, C_T. The number of cells
        and the least number of samples in a cell are ours.
    """
    scores, weights = [], []
    used = test_cells.unique()
    least = MIN_IN_CELL if len(used) > 1 else 1
    for cell in used:
        inside, tests = generated[generated_cells == cell], test[test_cells == cell]
        n, m = len(inside), len(tests)
        expected = n * samples / len(generated)
        if n == 0 or min(expected, m) < least:
            continue
        scale = _rank_unit(n, m) / _rank_unit(expected, m)
        scores.append(data_copying_test(inside, tests).score * scale)
        weights.append(m)
    return float(np.average(scores, weights=weights)) if scores else math.nan


def _rank_unit(n: float, m: int) -> float:
    """Return the probability of a rank that a z-score of 1 stands for."""
    return math.sqrt((n + m + 1) / (12 * n * m))
