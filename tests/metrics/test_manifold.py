"""Precision, recall, density and coverage against the papers' formulas, and the right way round."""

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


def measured(fake: Tensor, real: Tensor, near: int = 3, wide: int = 5) -> dict[str, float]:
    metric = PrecisionRecall(real, near, wide)
    for first in range(0, len(fake), 37):
        metric.update(fake[first : first + 37], first)
    return {name: value.item() for name, value in metric.compute().items()}


def reach(points: list[list[float]], k: int) -> list[float]:
    """Return the distance of each point to its k-th nearest other."""
    return [
        sorted(math.dist(one, other) for j, other in enumerate(points) if j != i)[k - 1]
        for i, one in enumerate(points)
    ]


def by_the_formulas(fake: Tensor, real: Tensor, near: int, wide: int) -> dict[str, float]:
    """Follow the two papers one image at a time: x are real, y generated."""
    xs, ys = real.double().tolist(), fake.double().tolist()

    def in_manifold(point: list[float], others: list[list[float]], radii: list[float]) -> bool:
        pairs = zip(others, radii, strict=True)
        return any(math.dist(point, other) <= radius for other, radius in pairs)

    near_x, near_y, wide_x = reach(xs, near), reach(ys, near), reach(xs, wide)
    balls = [
        sum(math.dist(y, x) <= radius for x, radius in zip(xs, wide_x, strict=True)) for y in ys
    ]
    covered = [
        any(math.dist(y, x) <= radius for y in ys) for x, radius in zip(xs, wide_x, strict=True)
    ]
    return {
        "precision": sum(in_manifold(y, xs, near_x) for y in ys) / len(ys),
        "recall": sum(in_manifold(x, ys, near_y) for x in xs) / len(xs),
        "density": sum(balls) / (wide * len(ys)),
        "coverage": sum(covered) / len(xs),
    }


@pytest.mark.parametrize(("near", "wide"), [(3, 5), (1, 1), (7, 2)])
@pytest.mark.parametrize("spread", [0.6, 1.0, 1.5])
def test_all_four_are_the_papers(
    near: int, wide: int, spread: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # chunks that neither set is a multiple of
    monkeypatch.setattr(precision_recall, "ROWS", 17)
    fake, real = normal(50, 1, spread), normal(60, 2)
    expected = by_the_formulas(fake, real, near, wide)
    assert measured(fake, real, near, wide) == pytest.approx(expected, rel=1e-9)
    # so that a measure in another's place shows
    assert expected["precision"] != expected["recall"]
    assert expected["density"] != expected["coverage"]


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_precision_and_recall_are_torch_fidelitys(spread: float) -> None:
    fake, real = normal(200, 1, spread), normal(200, 2)
    found = measured(fake, real)
    theirs = prc_features_to_metric(fake, real, verbose=False)
    assert found["precision"] == pytest.approx(theirs["precision"], rel=1e-3)
    assert found["recall"] == pytest.approx(theirs["recall"], rel=1e-3)


def test_a_collapsed_set_is_precise_and_recalls_little() -> None:
    found = measured(normal(200, 1, 0.1), normal(200, 2))
    assert found["precision"] > 0.95
    assert found["density"] > 1
    assert found["recall"] < 0.05
    assert found["coverage"] < 0.5


def test_one_image_only_is_recalled_by_none() -> None:
    found = measured(torch.zeros(100, SIZE), normal(200, 2))
    assert found["precision"] == 1
    assert found["recall"] == 0


def test_an_over_dispersed_set_is_imprecise_and_recalls_much() -> None:
    found = measured(normal(200, 1, 3.0), normal(200, 2))
    assert found["precision"] < 0.1
    assert found["density"] < 0.1
    assert found["recall"] > 0.9


def test_half_of_the_modes_is_half_of_the_coverage() -> None:
    real = torch.cat([normal(200, 1, 0.1), normal(200, 2, 0.1) + 10])
    found = measured(normal(200, 3, 0.1), real)
    assert found["coverage"] == pytest.approx(0.5, abs=0.06)
    assert found["recall"] < 0.5
    assert found["density"] == pytest.approx(1, abs=0.3)


def test_one_distribution_is_dense_once_and_copies_are_perfect() -> None:
    real = normal(400, 1)
    same = measured(normal(400, 2), real)
    assert same["density"] == pytest.approx(1, abs=0.15)
    assert same["coverage"] > 0.9
    copied = measured(real, real)
    assert copied == {"precision": 1, "recall": 1, "density": copied["density"], "coverage": 1}


def test_more_than_it_holds_is_left_out() -> None:
    fake, real = normal(90, 1), normal(60, 2)
    assert measured(fake, real) == measured(fake[:60], real)


def test_too_few_neighbours_make_undefined_what_needs_them() -> None:
    real = normal(20, 2)
    few = measured(normal(3, 1), real)
    assert math.isnan(few["recall"])
    assert not any(math.isnan(few[name]) for name in ("precision", "density", "coverage"))
    found = measured(normal(4, 1), normal(4, 2))
    assert {name for name, value in found.items() if math.isnan(value)} == {"density", "coverage"}
    assert neighbour_distances(real[:2], (1, 2)).isnan().tolist() == [[False] * 2, [True] * 2]


def test_a_copy_among_the_points_is_a_neighbour() -> None:
    points = torch.tensor([[0.0], [0.0], [3.0]])
    assert neighbour_distances(points, (1, 2)).tolist() == [[0, 0, 3], [3, 3, 3]]


def test_misuse_raises() -> None:
    with pytest.raises(ValueError, match="shape"):
        PrecisionRecall(torch.zeros(3))
    with pytest.raises(ValueError, match="neighbours"):
        PrecisionRecall(torch.zeros(3, 2), 0)
    metric = PrecisionRecall(torch.zeros(3, 2))
    with pytest.raises(ValueError, match="shape"):
        metric.update(torch.zeros(3, 4), 0)
    with pytest.raises(ValueError, match="no data"):
        metric.compute()
