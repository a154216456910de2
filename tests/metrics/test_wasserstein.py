"""The exact Wasserstein-1 distance against closed forms and an independent solver."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from process_pool import ForkedProcess, forget_package
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import Tensor

from gan_lightning.metrics import ExactWasserstein


def points(count: int, dimensions: int, seed: int) -> Tensor:
    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(seed))


def distance(generated: Tensor, real: Tensor) -> float:
    metric = ExactWasserstein(real)
    metric.update(generated, 0)
    return float(metric.compute())


@pytest.mark.parametrize("seed", range(3))
def test_on_a_line_sorted_points_are_matched(seed: int) -> None:
    generated, real = 2 * points(200, 1, seed), points(200, 1, seed + 10)
    expected = (generated.sort(0).values - real.sort(0).values).abs().mean().item()
    assert distance(generated, real) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_in_the_plane_it_is_the_best_assignment(seed: int) -> None:
    generated, real = points(150, 2, seed) + 1, points(150, 2, seed + 10)
    costs = cdist(generated.numpy(), real.numpy())
    expected = costs[linear_sum_assignment(costs)].mean()
    assert distance(generated, real) == pytest.approx(expected, rel=1e-5)


def test_a_shift_costs_its_length_and_equal_sets_cost_nothing() -> None:
    real = points(100, 2, 0)
    assert distance(real.flip(0), real) == pytest.approx(0, abs=1e-6)
    assert distance(real + torch.tensor([3.0, 4.0]), real) == pytest.approx(5, rel=1e-5)


def test_a_collapsed_set_costs_its_mean_distance() -> None:
    real = points(100, 2, 0)
    expected = real.double().norm(dim=1).mean().item()
    assert distance(torch.zeros(100, 2), real) == pytest.approx(expected, rel=1e-5)


def test_as_many_real_points_as_generated_ones_are_compared() -> None:
    generated, real = points(30, 2, 0), points(100, 2, 1)
    assert distance(generated, real) == pytest.approx(distance(generated, real[:30]))


def test_points_beyond_the_number_of_real_points_are_ignored() -> None:
    generated, real = points(100, 2, 0), points(40, 2, 1)
    expected = distance(generated[:40], real)
    assert distance(generated, real) == expected
    metric = ExactWasserstein(real)
    for first_index in (60, 0, 90, 30):
        metric.update(generated[first_index : first_index + 30], first_index)
    assert metric.compute().item() == expected


def test_the_distance_is_nan_with_a_point_that_is_not_finite() -> None:
    generated = points(10, 2, 0)
    generated[3, 1] = math.inf
    assert math.isnan(distance(generated, points(10, 2, 1)))


def test_invalid_arguments_raise() -> None:
    for real in (torch.zeros(0, 2), torch.zeros(4), torch.zeros(4, 0)):
        with pytest.raises(ValueError, match="real samples"):
            ExactWasserstein(real)
    metric = ExactWasserstein(torch.zeros(4, 2))
    for wrong in (torch.zeros(4), torch.zeros(4, 3)):
        with pytest.raises(ValueError, match="shape"):
            metric.update(wrong, 0)
    with pytest.raises(ValueError, match="first_index is -1"):
        metric.update(torch.zeros(1, 2), -1)
    with pytest.raises(ValueError, match="no samples"):
        metric.compute()
    metric.update(torch.zeros(2, 2), 0)
    metric.update(torch.zeros(2, 2), 1)
    with pytest.raises(ValueError, match="same index"):
        metric.compute()


def print_solvers() -> None:
    """Print which modules a process has imported that is about to train."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "ot"]:
        del sys.modules[name]  # the tests load it before they start processes
    forget_package()
    import gan_lightning.training.train  # noqa: F401

    print("evaluated", "gan_lightning.evaluation" in sys.modules, end=", ")
    print("solver", "ot" in sys.modules)


def test_the_solver_is_imported_on_first_use() -> None:
    process = ForkedProcess.start(print_solvers)
    assert (process.wait(), process.out) == (0, "evaluated True, solver False\n"), process.err


def test_large_coordinates_lose_no_precision() -> None:
    generated, real = 1e4 * points(50, 2, 0), 1e4 * points(50, 2, 1)
    costs = cdist(generated.double().numpy(), real.double().numpy())
    expected = np.mean(costs[linear_sum_assignment(costs)])
    assert distance(generated, real) == pytest.approx(expected, rel=1e-6)
