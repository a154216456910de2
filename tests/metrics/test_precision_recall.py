"""Precision, recall, density and coverage against the formulas of the papers, and by property."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_prc import prc_features_to_metric

from gan_lightning.metrics import PrecisionRecall, precision_recall
from gan_lightning.metrics.precision_recall import neighbour_distances

SIZE = 8


def normal(count: int, seed: int, spread: float = 1.0) -> Tensor:
    return spread * torch.randn(count, SIZE, generator=torch.Generator().manual_seed(seed))


def computed(fake: Tensor, real: Tensor, k: int = 3, density_k: int = 5) -> dict[str, float]:
    metric = PrecisionRecall(real, k, density_k)
    for start in range(0, len(fake), 37):
        metric.update(fake[start : start + 37], start)
    return {name: value.item() for name, value in metric.compute().items()}


def neighbour_radii(points: list[list[float]], k: int) -> list[float]:
    """Return the distance of each point to its k-th nearest neighbour."""
    return [
        sorted(math.dist(one, other) for j, other in enumerate(points) if j != i)[k - 1]
        for i, one in enumerate(points)
    ]


def by_the_formulas(fake: Tensor, real: Tensor, k: int, density_k: int) -> dict[str, float]:
    """Evaluate the formulas of the two papers image by image: x are real, y generated."""
    xs, ys = real.double().tolist(), fake.double().tolist()

    def in_manifold(point: list[float], others: list[list[float]], radii: list[float]) -> bool:
        pairs = zip(others, radii, strict=True)
        return any(math.dist(point, other) <= radius for other, radius in pairs)

    radii_x, radii_y = neighbour_radii(xs, k), neighbour_radii(ys, k)
    balls_x = list(zip(xs, neighbour_radii(xs, density_k), strict=True))
    balls = [sum(math.dist(y, x) <= radius for x, radius in balls_x) for y in ys]
    covered = [any(math.dist(y, x) <= radius for y in ys) for x, radius in balls_x]
    return {
        "precision": sum(in_manifold(y, xs, radii_x) for y in ys) / len(ys),
        "recall": sum(in_manifold(x, ys, radii_y) for x in xs) / len(xs),
        "density": sum(balls) / (density_k * len(ys)),
        "coverage": sum(covered) / len(xs),
    }


@pytest.mark.parametrize(("k", "density_k"), [(3, 5), (1, 1), (7, 2)])
@pytest.mark.parametrize("spread", [0.6, 1.0, 1.5])
def test_all_four_equal_the_formulas(
    k: int, density_k: int, spread: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a chunk size that divides neither set
    monkeypatch.setattr(precision_recall, "CHUNK_SIZE", 17)
    fake, real = normal(50, 1, spread), normal(60, 2)
    expected = by_the_formulas(fake, real, k, density_k)
    assert computed(fake, real, k, density_k) == pytest.approx(expected, rel=1e-9)
    # so that exchanged measures would fail
    assert expected["precision"] != expected["recall"]
    assert expected["density"] != expected["coverage"]


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_precision_and_recall_equal_torch_fidelity(spread: float) -> None:
    fake, real = normal(200, 1, spread), normal(200, 2)
    values = computed(fake, real)
    theirs = prc_features_to_metric(fake, real, verbose=False)
    assert values["precision"] == pytest.approx(theirs["precision"], rel=1e-3)
    assert values["recall"] == pytest.approx(theirs["recall"], rel=1e-3)


def test_a_collapsed_set_has_high_precision_and_low_recall() -> None:
    values = computed(normal(200, 1, 0.1), normal(200, 2))
    assert values["precision"] > 0.95
    assert values["density"] > 1
    assert values["recall"] < 0.05
    assert values["coverage"] < 0.5


def test_a_single_repeated_image_has_no_recall() -> None:
    values = computed(torch.zeros(100, SIZE), normal(200, 2))
    assert values["precision"] == 1
    assert values["recall"] == 0


def test_an_over_dispersed_set_has_low_precision_and_high_recall() -> None:
    values = computed(normal(200, 1, 3.0), normal(200, 2))
    assert values["precision"] < 0.1
    assert values["density"] < 0.1
    assert values["recall"] > 0.9


def test_half_of_the_modes_give_half_of_the_coverage() -> None:
    real = torch.cat([normal(200, 1, 0.1), normal(200, 2, 0.1) + 10])
    values = computed(normal(200, 3, 0.1), real)
    assert values["coverage"] == pytest.approx(0.5, abs=0.06)
    assert values["recall"] < 0.5
    assert values["density"] == pytest.approx(1, abs=0.3)


def test_equal_distributions_have_density_one_and_copies_are_perfect() -> None:
    real = normal(400, 1)
    same = computed(normal(400, 2), real)
    assert same["density"] == pytest.approx(1, abs=0.15)
    assert same["coverage"] > 0.9
    copied = computed(real, real)
    assert copied == {"precision": 1, "recall": 1, "density": copied["density"], "coverage": 1}


def test_samples_beyond_the_capacity_are_ignored() -> None:
    fake, real = normal(90, 1), normal(60, 2)
    assert computed(fake, real) == computed(fake[:60], real)


def test_measures_are_nan_with_too_few_neighbours() -> None:
    real = normal(20, 2)
    few = computed(normal(3, 1), real)
    assert math.isnan(few["recall"])
    assert not any(math.isnan(few[name]) for name in ("precision", "density", "coverage"))
    values = computed(normal(4, 1), normal(4, 2))
    assert {name for name, value in values.items() if math.isnan(value)} == {"density", "coverage"}
    assert neighbour_distances(real[:2], (1, 2)).isnan().tolist() == [[False] * 2, [True] * 2]


def test_a_duplicate_among_the_points_is_a_neighbour() -> None:
    points = torch.tensor([[0.0], [0.0], [3.0]])
    assert neighbour_distances(points, (1, 2)).tolist() == [[0, 0, 3], [3, 3, 3]]


def test_invalid_arguments_raise() -> None:
    with pytest.raises(ValueError, match="shape"):
        PrecisionRecall(torch.zeros(3))
    with pytest.raises(ValueError, match="k is 0"):
        PrecisionRecall(torch.zeros(3, 2), 0)
    metric = PrecisionRecall(torch.zeros(3, 2))
    with pytest.raises(ValueError, match="shape"):
        metric.update(torch.zeros(3, 4), 0)
    with pytest.raises(ValueError, match="no samples"):
        metric.compute()
