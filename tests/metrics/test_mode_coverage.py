"""ModeCoverage and ClassCoverage on small examples, and against an implementation in numpy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torch import Tensor, nn

from gan_lightning.metrics import ClassCoverage, ModeCoverage
from gan_lightning.metrics.mode_coverage import divergence_of_counts

ANGLES = torch.arange(8) * (2 * math.pi / 8)
RING = torch.stack([ANGLES.cos(), ANGLES.sin()], dim=1)
GRID = torch.cartesian_prod(*[torch.arange(-4.0, 5.0, 2.0)] * 2)
MIXTURES = [(RING, 0.01), (GRID, 0.05)]


def coverage(points: Tensor, centres: Tensor, deviation: float) -> dict[str, float]:
    metric = ModeCoverage(centres, deviation)
    metric.update(points)
    return {name: float(value) for name, value in metric.compute().items()}


def by_hand(points: Tensor, centres: Tensor, deviation: float) -> dict[str, float]:
    """Count as in PacGAN's published code: only points within 3 sd enter the histogram."""
    histogram = np.zeros(len(centres))
    for point in points.double().numpy():
        distances = np.sqrt((((point - centres.double().numpy()) / deviation) ** 2).sum(axis=1))
        if distances.min() < 3:
            histogram[distances.argmin()] += 1
    return {
        "modes/covered": float(np.count_nonzero(histogram)),
        "modes/high_quality": histogram.sum() / len(points),
        "modes/reverse_kl": math.log(len(centres)) - float(entropy(histogram)),
    }


@pytest.mark.parametrize(("centres", "deviation"), MIXTURES, ids=["ring", "grid"])
def test_all_modes(centres: Tensor, deviation: float) -> None:
    assert coverage(centres.repeat(10, 1), centres, deviation) == {
        "modes/covered": len(centres),
        "modes/high_quality": 1,
        "modes/reverse_kl": pytest.approx(0, abs=1e-6),
    }


@pytest.mark.parametrize(("centres", "deviation"), MIXTURES, ids=["ring", "grid"])
def test_collapsed_to_one_mode(centres: Tensor, deviation: float) -> None:
    assert coverage(centres[:1].repeat(10, 1), centres, deviation) == {
        "modes/covered": 1,
        "modes/high_quality": 1,
        "modes/reverse_kl": pytest.approx(math.log(len(centres))),
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("centres", "deviation"), MIXTURES, ids=["ring", "grid"])
def test_agrees_with_a_second_implementation(centres: Tensor, deviation: float, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    chosen = centres[torch.randint(len(centres) - 2, (500,), generator=rng)]
    points = chosen + 1.5 * deviation * torch.randn(500, 2, generator=rng)
    expected = by_hand(points, centres, deviation)
    assert 0.5 < expected["modes/high_quality"] < 1
    assert coverage(points, centres, deviation) == pytest.approx(expected, abs=1e-5)


def test_divergence_of_a_known_histogram() -> None:
    points = RING[[0, 0, 0, 1, 1, 2, 2, 2, 2]]
    shares = np.array([3, 2, 4]) / 9
    expected = float((shares * np.log(shares * 8)).sum())
    assert coverage(points, RING, 0.01)["modes/reverse_kl"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("centres", "deviation"), MIXTURES, ids=["ring", "grid"])
@pytest.mark.parametrize(("radius", "share"), [(2.9, 1), (3.1, 0)])
def test_radius_of_high_quality(
    centres: Tensor, deviation: float, radius: float, share: int
) -> None:
    offsets = torch.stack([ANGLES.sin(), ANGLES.cos()], dim=1) * radius * deviation
    points = (centres[:, None] + offsets).flatten(0, 1)
    values = coverage(points, centres, deviation)
    assert values["modes/high_quality"] == share
    assert values["modes/covered"] == share * len(centres)


def test_mode_with_only_low_quality_samples_is_not_covered() -> None:
    points = torch.cat([RING[:1], RING[1:2] + 0.04])
    values = coverage(points, RING, 0.01)
    assert values["modes/covered"] == 1
    assert values["modes/high_quality"] == 0.5
    assert values["modes/reverse_kl"] == pytest.approx(math.log(8))


def test_without_high_quality_samples_the_divergence_is_nan() -> None:
    values = coverage(torch.zeros(5, 2), RING, 0.01)
    assert values["modes/covered"] == values["modes/high_quality"] == 0
    assert math.isnan(values["modes/reverse_kl"])


def test_points_that_are_not_finite_are_of_low_quality() -> None:
    broken = torch.tensor([[math.nan, 0.0], [math.inf, 0.0], [-math.inf, math.inf]])
    values = coverage(torch.cat([RING[:1], broken]), RING, 0.01)
    assert values["modes/covered"] == 1
    assert values["modes/high_quality"] == 0.25


def test_batch_sizes_have_no_influence() -> None:
    rng = torch.Generator().manual_seed(3)
    points = RING.repeat(5, 1) + 0.02 * torch.randn(40, 2, generator=rng)
    metric = ModeCoverage(RING, 0.01)
    for part in points.split([7, 0, 33]):
        metric.update(part)
    values = {name: float(value) for name, value in metric.compute().items()}
    assert values == coverage(points, RING, 0.01)


def test_no_points_raise() -> None:
    metric = ModeCoverage(RING, 0.01)
    metric.update(torch.zeros(0, 2))
    with pytest.raises(ValueError, match="no samples"):
        metric.compute()


def test_invalid_arguments_of_mode_coverage_raise() -> None:
    for centres in (torch.zeros(0, 2), torch.zeros(4), torch.zeros(4, 0)):
        with pytest.raises(ValueError, match="centres"):
            ModeCoverage(centres, 0.1)
    for deviation in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="standard_deviation"):
            ModeCoverage(RING, deviation)
    for points in (torch.zeros(4), torch.zeros(4, 3)):
        with pytest.raises(ValueError, match="shape"):
            ModeCoverage(RING, 0.01).update(points)


COUNTS = [(1, 1, 1), (3, 0, 1), (0, 0, 7), (100, 10, 1)]
SHARES = [(1 / 3, 1 / 3, 1 / 3), (0.5, 0.25, 0.25), (0.9, 0.05, 0.05)]


@pytest.mark.parametrize(("counts", "shares"), itertools.product(COUNTS, SHARES))
def test_divergence_agrees_with_scipy(counts: tuple[int, ...], shares: tuple[float, ...]) -> None:
    ours = divergence_of_counts(torch.tensor(counts), torch.tensor(shares))
    assert ours.item() == pytest.approx(float(entropy(counts, shares)), abs=1e-6)


@pytest.mark.parametrize(
    ("counts", "shares", "expected"),
    [
        ((0, 4), (0.5, 0.5), math.log(2)),
        ((4, 0), (1.0, 0.0), 0.0),
        ((3, 1), (1.0, 0.0), math.inf),
        ((0, 1), (1.0, 0.0), math.inf),
        ((0, 0), (0.5, 0.5), math.nan),
    ],
)
def test_divergence_at_the_edges(
    counts: tuple[int, ...], shares: tuple[float, ...], expected: float
) -> None:
    ours = divergence_of_counts(torch.tensor(counts), torch.tensor(shares))
    assert ours.item() == pytest.approx(expected, abs=1e-6, nan_ok=True)


def images_of(classes: list[int], number: int) -> Tensor:
    """Return images (N, number, 1, 1) that `nn.Flatten` assigns to these classes."""
    return nn.functional.one_hot(torch.tensor(classes), number).float()[:, :, None, None]


def class_coverage(
    classes: list[int], number: int, reference: Tensor | None = None
) -> dict[str, float]:
    metric = ClassCoverage(nn.Flatten(), number, reference, batch_size=3)
    for part in images_of(classes, number).split(4):
        metric.update(part)
    return {name: float(value) for name, value in metric.compute().items()}


def test_all_classes_and_one_class() -> None:
    uniform = class_coverage(list(range(10)) * 2, 10)
    assert uniform == {"classes/covered": 10, "classes/kl": pytest.approx(0, abs=1e-6)}
    single = class_coverage([4] * 5, 10)
    assert single == {"classes/covered": 1, "classes/kl": pytest.approx(math.log(10))}


@pytest.mark.parametrize("scale", [1, 1000])
def test_custom_frequencies(scale: int) -> None:
    frequencies = np.array([0.5, 0.3, 0.2])
    classes = [0] * 6 + [1] * 1 + [2] * 3
    values = class_coverage(classes, 3, torch.tensor(frequencies * scale))
    expected = float(entropy([6, 1, 3], frequencies))
    assert values == {"classes/covered": 3, "classes/kl": pytest.approx(expected, rel=1e-5)}
    exact = class_coverage([0] * 5 + [1] * 3 + [2] * 2, 3, torch.tensor(frequencies * scale))
    assert exact["classes/kl"] == pytest.approx(0, abs=1e-6)


def test_class_without_real_data_makes_the_divergence_infinite() -> None:
    reference = torch.tensor([1.0, 1.0, 0.0])
    assert class_coverage([0, 1], 3, reference)["classes/kl"] == pytest.approx(0, abs=1e-6)
    assert class_coverage([0, 1, 2], 3, reference)["classes/kl"] == math.inf


def test_no_images_raise() -> None:
    metric = ClassCoverage(nn.Flatten(), 3)
    metric.update(torch.zeros(0, 3, 1, 1))
    with pytest.raises(ValueError, match="no samples"):
        metric.compute()


def test_invalid_arguments_of_class_coverage_raise() -> None:
    with pytest.raises(ValueError, match="classes"):
        ClassCoverage(nn.Flatten(), 0)
    wrong = ([1.0, 1.0], [0.0, 0.0, 0.0], [1.0, -1.0, 1.0], [1.0, math.nan, 1.0], [1, math.inf, 1])
    for reference in wrong:
        with pytest.raises(ValueError, match="reference"):
            ClassCoverage(nn.Flatten(), 3, torch.tensor(reference))
    with pytest.raises(ValueError, match="network returns"):
        ClassCoverage(nn.Flatten(), 3).update(torch.zeros(2, 4, 1, 1))


def test_classifier_is_not_in_the_state_dict() -> None:
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(3, 3))
    metric = ClassCoverage(classifier, 3)
    metric.update(torch.zeros(2, 3, 1, 1))
    assert not metric.state_dict()
    assert not list(metric.parameters())
    assert classifier.training
    assert classifier[1].weight.requires_grad
