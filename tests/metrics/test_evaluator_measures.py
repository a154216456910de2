"""Measures of the evaluator, against formulas that are written out in NumPy, and other code."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.stats import mannwhitneyu
from torch import Tensor

from gan_lightning.metrics.authenticity import Authenticity, authentic, nearest_rows
from gan_lightning.metrics.data_copying import (
    cell_copying_score,
    copying_cells,
    data_copying_test,
)
from gan_lightning.metrics.frechet import FeatureStatistics
from gan_lightning.metrics.frechet_infinity import (
    FrechetInfinity,
    FrechetReference,
    extrapolate,
    subset_sizes,
)
from gan_lightning.metrics.half_samples import half_samples, interval
from gan_lightning.metrics.kernel_distance import kernel_distances
from gan_lightning.metrics.monge import (
    MongeDistance,
    monge_distance,
    squared_wasserstein,
    unit_directions,
)
from gan_lightning.metrics.path_length import interpolate_latents, path_lengths, trimmed
from gan_lightning.metrics.precision_recall import PrecisionRecall
from gan_lightning.metrics.realism import hole_depths, realism_scores
from gan_lightning.metrics.vendi import VendiScore, vendi_score


def features(count: int, size: int = 6, seed: int = 0, shift: float = 0.0) -> Tensor:
    """Draw correlated features."""
    rng = np.random.RandomState(seed)
    mixed = rng.standard_normal((count, size)) @ np.random.RandomState(9).standard_normal(
        (size, size)
    )
    return torch.from_numpy(mixed + shift)


def frechet(x: np.ndarray, y: np.ndarray) -> float:
    root = sqrtm(np.cov(x.T) @ np.cov(y.T)).real
    difference = x.mean(0) - y.mean(0)
    return float(difference @ difference + np.trace(np.cov(x.T) + np.cov(y.T) - 2 * root))


@pytest.mark.parametrize(("count", "size"), [(50, 6), (5, 8)])
def test_frechet_distance_with_a_shared_root(count: int, size: int) -> None:
    generated, real = features(count, size, 1, 0.3), features(200, size, 2)
    reference = FrechetReference(FeatureStatistics.from_features(real))
    expected = frechet(generated.numpy(), real.numpy())
    assert float(reference.distance(generated)) == pytest.approx(expected, rel=1e-6)


def test_frechet_infinity_is_the_intercept_of_a_line() -> None:
    generated, real = features(300, seed=1, shift=0.3), features(200, seed=2)
    sizes = subset_sizes(300, 6)
    rng = np.random.RandomState(0)
    distances = [frechet(generated.numpy()[rng.permutation(300)[:n]], real.numpy()) for n in sizes]
    intercept = np.polyfit(1 / np.array(sizes), distances, 1)[1]
    metric = FrechetInfinity(real)
    metric.update(generated[:200].float(), 0)
    reference = FrechetReference(FeatureStatistics.from_features(real))
    assert float(reference.infinity(generated)) == pytest.approx(intercept, rel=1e-6)
    assert math.isfinite(float(metric.compute()))


def test_frechet_infinity_removes_the_bias_of_few_samples() -> None:
    real = features(10_000, 32, seed=1)
    reference = FrechetReference(FeatureStatistics.from_features(real))
    small = [features(400, 32, seed=seed) for seed in range(10, 30)]
    biased = np.mean([float(reference.distance(each)) for each in small])
    extrapolated = np.mean([float(reference.infinity(each)) for each in small])
    assert abs(extrapolated) < 0.3 * biased


def test_extrapolation_of_an_exact_line() -> None:
    sizes = [10, 20, 50, 100]
    distances = torch.tensor([3 + 7 / size for size in sizes])
    assert float(extrapolate(sizes, distances)) == pytest.approx(3, abs=1e-5)
    assert subset_sizes(10_000, 128)[::14] == [1000, 10_000]
    assert subset_sizes(2_000, 1280)[::14] == [1000, 2000]
    assert subset_sizes(100_000, 128)[0] == 5000


def test_mind_as_its_definition() -> None:
    generated, real = features(40, seed=1, shift=0.3), features(40, seed=2)
    directions = unit_directions(6, 50)
    x, y, u = generated.numpy(), real.numpy(), directions.numpy()
    expected = 3 * 6 * np.mean((np.sort(x @ u.T, axis=0) - np.sort(y @ u.T, axis=0)) ** 2)
    assert float(monge_distance(generated, real, directions)) == pytest.approx(expected, rel=1e-9)
    assert np.linalg.norm(u, axis=1) == pytest.approx(np.ones(50))
    metric = MongeDistance(real.float())
    metric.update(generated.float(), 0)
    assert float(metric.compute()) == pytest.approx(
        float(monge_distance(generated, real)), rel=1e-5
    )


@pytest.mark.parametrize(("n", "m"), [(7, 5), (4, 8), (1, 3)])
def test_transport_of_sets_of_different_sizes(n: int, m: int) -> None:
    a, b = features(n, 3, 1), features(m, 3, 2, 0.5)
    repeated = squared_wasserstein(a.repeat_interleave(m, 0), b.repeat_interleave(n, 0))
    assert squared_wasserstein(a, b).numpy() == pytest.approx(repeated.numpy(), rel=1e-9)


def test_all_pairs_kernel_distance_of_subsets() -> None:
    generated, real = features(30, seed=1, shift=0.3), features(20, seed=2)
    members = torch.zeros(30, 2, dtype=torch.bool)
    members[:, 0], members[:12, 1] = True, True
    found = kernel_distances(generated, real, members)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.asarray((x @ y.T / 6 + 1) ** 3)

    for column, count in enumerate((30, 12)):
        x, y = generated.numpy()[:count], real.numpy()
        among = [
            (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (kernel(x, x), kernel(y, y))
        ]
        expected = sum(among) - 2 * kernel(x, y).mean()
        assert float(found[column]) == pytest.approx(expected, rel=1e-6)


def test_kernel_distance_equals_torch_fidelity() -> None:
    metric_kid = pytest.importorskip("torch_fidelity.metric_kid")
    generated, real = features(40, seed=1, shift=0.3), features(40, seed=2)
    expected = metric_kid.kernel_mmd(
        generated.numpy(),
        real.numpy(),
        kid_kernel="poly",
        kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None,
        kid_kernel_poly_coef0=1,
    )
    found = kernel_distances(generated, real, torch.ones(40, 1, dtype=torch.bool))
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


def test_precision_and_recall_equal_torch_fidelity() -> None:
    metric_prc = pytest.importorskip("torch_fidelity.metric_prc")
    generated, real = features(60, seed=1, shift=0.5).float(), features(60, seed=2).float()
    expected = metric_prc.prc_features_to_metric(
        generated, real, prc_neighborhood=3, prc_batch_size=100, verbose=False
    )
    metric = PrecisionRecall(real)
    metric.update(generated, 0)
    found = metric.compute()
    assert [float(found[name]) for name in ("precision", "recall")] == pytest.approx(
        [expected["precision"], expected["recall"]], rel=1e-6
    )


@pytest.mark.parametrize("count", [4, 40])
def test_vendi_score_as_its_definition(count: int) -> None:
    x = features(count).numpy()
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(x @ x.T / count)
    values = values[values > 1e-12]
    expected = np.exp(-(values * np.log(values)).sum())
    assert float(vendi_score(features(count))) == pytest.approx(expected, rel=1e-6)
    metric = VendiScore(count, 6)
    metric.update(features(count).float(), 0)
    assert float(metric.compute()) == pytest.approx(expected, rel=1e-4)


def test_vendi_score_counts_different_samples() -> None:
    assert float(vendi_score(torch.eye(5).repeat(3, 1))) == pytest.approx(5)
    assert float(vendi_score(torch.ones(7, 4))) == pytest.approx(1)


def test_authenticity_as_its_definition() -> None:
    generated, real = features(30, seed=1), features(50, seed=2)
    x, y = generated.numpy(), real.numpy()
    to_real = np.linalg.norm(x[:, None] - y[None], axis=2)
    among_real = np.linalg.norm(y[:, None] - y[None], axis=2)
    np.fill_diagonal(among_real, np.inf)
    expected = among_real.min(0)[to_real.argmin(1)] < to_real.min(1)
    distances, rows = nearest_rows(generated, real)
    assert rows[:, 0].tolist() == to_real.argmin(1).tolist()
    assert authentic(distances[:, 0], rows[:, 0], real).tolist() == expected.tolist()
    metric = Authenticity(real.float())
    metric.update(generated.float(), 0)
    assert float(metric.compute()) == pytest.approx(expected.mean())


def test_copies_are_not_authentic_even_of_duplicates() -> None:
    real = features(50, seed=2)
    real[1] = real[0]
    distances, rows = nearest_rows(real[:10], real)
    assert distances.max() == 0
    assert not authentic(distances[:, 0], rows[:, 0], real).any()


def test_data_copying_score_is_the_z_score_of_mann_whitney() -> None:
    generated, test = features(30, 1, 1)[:, 0].abs(), features(40, 1, 2)[:, 0].abs()
    statistic = mannwhitneyu(generated.numpy(), test.numpy()).statistic
    expected = (statistic - 600) / math.sqrt(30 * 40 * 71 / 12)
    assert data_copying_test(generated, test).score == pytest.approx(expected, rel=1e-6)


def cell_distances(counts: tuple[int, int], seed: int) -> tuple[Tensor, Tensor]:
    """Draw distances in two cells, of which the first is twenty times as dense."""
    distances = features(sum(counts), 1, seed)[:, 0].abs()
    cells = torch.arange(2).repeat_interleave(torch.tensor(counts))
    return distances * torch.where(cells == 0, 0.05, 1.0), cells


def test_cell_copying_score_averages_z_scores_by_numbers_of_test_data() -> None:
    (generated, cells), (test, test_cells) = (
        cell_distances((70, 30), 1),
        cell_distances((40, 60), 2),
    )
    scores = [
        data_copying_test(generated[cells == cell], test[test_cells == cell]).score
        for cell in (0, 1)
    ]
    found = cell_copying_score(generated, cells, test, test_cells, 100)
    assert found == pytest.approx(0.4 * scores[0] + 0.6 * scores[1], rel=1e-12)
    few = torch.cat([torch.arange(70), torch.arange(70, 89)])  # of the second cell 19
    found = cell_copying_score(generated[few], cells[few], test, test_cells, len(few))
    assert found == pytest.approx(scores[0], rel=1e-12)
    assert math.isnan(cell_copying_score(generated[:19], cells[:19], test, test_cells, 19))


def test_cell_copying_score_does_not_mistake_a_dense_cell_for_copies() -> None:
    (generated, cells), (test, test_cells) = (
        cell_distances((900, 100), 1),
        cell_distances((500, 500), 2),
    )
    assert data_copying_test(generated, test).score < -10
    assert abs(cell_copying_score(generated, cells, test, test_cells, 1_000)) < 3
    copied = generated * torch.where(torch.arange(1_000) % 2 == 0, 0.01, 1.0)
    assert cell_copying_score(copied, cells, test, test_cells, 1_000) < -5


def test_cell_copying_score_of_a_half_is_scaled_as_that_of_all() -> None:
    (generated, cells), (test, test_cells) = (
        cell_distances((2_000, 2_000), 1),
        cell_distances((300, 300), 2),
    )
    generated = generated * 0.8
    halves = [
        cell_copying_score(generated[rows], cells[rows], test, test_cells, 4_000)
        for rows in half_samples(4_000, 50)
    ]
    whole = cell_copying_score(generated, cells, test, test_cells, 4_000)
    assert sum(halves) / 50 == pytest.approx(whole, rel=0.03)


def test_copying_cells_are_as_many_as_the_test_data_fill() -> None:
    training = torch.cat([features(300, 2, 1), features(300, 2, 2) + 20.0])
    for count, cells in [(1, 1), (99, 1), (100, 2), (5_000, 20)]:
        centres = copying_cells(training, count)
        assert centres.shape == (cells, 2)
        assert torch.equal(centres, copying_cells(training, count))
    assert copying_cells(training[:1].repeat(300, 1), 5_000).shape == (1, 2)
    (first, second) = copying_cells(training, 100)[:, 0].sort().values
    assert first == pytest.approx(float(training[:300, 0].mean()), abs=0.5)
    assert second == pytest.approx(float(training[300:, 0].mean()), abs=0.5)


def test_interval_of_a_mean_is_that_of_statistics() -> None:
    values = features(400, 1)[:, 0]
    halves = torch.stack([values[rows].mean() for rows in half_samples(400, 400)])
    low, high = interval(float(values.mean()), halves)
    expected = 1.96 * float(values.std()) / 20
    assert (high - low) / 2 == pytest.approx(expected, rel=0.1)
    assert interval(0.99, torch.tensor([0.9, 1.0]), (0, 1))[1] == 1
    rows = next(half_samples(9, 1))
    assert len(rows) == len(rows.unique()) == 4


def test_interval_contains_the_expectation_of_new_samples() -> None:
    real = features(5_000, seed=1)
    reference = FrechetReference(FeatureStatistics.from_features(real))
    samples = [features(300, seed=seed, shift=0.2) for seed in range(50, 70)]
    values = torch.stack([reference.distance(each) for each in samples])
    hits = 0
    for each, value in zip(samples, values.tolist(), strict=True):
        halves = torch.stack([reference.distance(each[rows]) for rows in half_samples(300, 40)])
        low, high = interval(value, halves)
        hits += low <= float(values.mean()) <= high
    assert hits >= 16


def test_path_length_of_a_linear_generator() -> None:
    matrix = features(6, 4, 3)
    start, end = features(200, 6, 1), features(200, 6, 2)
    at = torch.linspace(0, 1, 200, dtype=torch.float64)
    lengths = path_lengths(lambda z: z, lambda x: x @ matrix, start, end, at, spherical=False)
    expected = (((end - start) @ matrix).numpy() ** 2).sum(1)
    assert lengths.numpy() == pytest.approx(expected, rel=1e-6)
    assert float(lengths[trimmed(lengths)].mean()) < expected.mean()
    assert int(trimmed(lengths).sum()) == 198


def test_spherical_interpolation_keeps_lengths_and_halves_angles() -> None:
    start, end = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    middle = interpolate_latents(start, end, torch.tensor([0.5]), spherical=True)
    assert middle.tolist()[0] == pytest.approx([math.sqrt(0.5), 2 * math.sqrt(0.5)])
    for at, expected in ((0.0, start), (1.0, end)):
        found = interpolate_latents(start, end, torch.tensor([at]), spherical=True)
        assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-6)


def test_spherical_interpolation_equals_torch_fidelity() -> None:
    utils = pytest.importorskip("torch_fidelity.utils")
    start, end = features(5, 6, 1), features(5, 6, 2)
    expected = utils.batch_interp(start, end, 0.3, "slerp_any")
    found = interpolate_latents(start, end, torch.full((5,), 0.3, dtype=torch.float64), True)
    assert found.numpy() == pytest.approx(expected.numpy(), rel=1e-6)


def test_realism_and_holes_as_their_definitions() -> None:
    generated, real = features(30, seed=1, shift=0.5), features(50, seed=2)
    x, y = generated.numpy(), real.numpy()
    across = np.linalg.norm(x[:, None] - y[None], axis=2)
    among = np.sort(np.linalg.norm(y[:, None] - y[None], axis=2), axis=1)  # the first is itself
    typical = among[:, 3] <= np.sort(among[:, 3])[(len(y) - 1) // 2]
    expected = (among[typical, 3] / across[:, typical]).max(1)
    assert realism_scores(generated, real).numpy() == pytest.approx(expected, rel=1e-6)
    depths = hole_depths(generated, real)
    assert depths.numpy() == pytest.approx(across.min(0) / among[:, 5], rel=1e-6)
    metric = PrecisionRecall(real)
    metric.update(generated.float(), 0)
    assert float((depths <= 1).double().mean()) == pytest.approx(
        float(metric.compute()["coverage"]), abs=1e-6
    )
    assert realism_scores(real[:3], real).isinf().sum() > 0
