"""KID, FID and the score against torch-fidelity on the same features; KID by hand too."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torchmetrics.image.kid import poly_mmd

from gan_lightning.metrics import (
    FeatureStatistics,
    FrechetDistance,
    InceptionScore,
    KernelDistance,
)
from gan_lightning.metrics.kernel_distance import squared_discrepancy

SIZE = 64


def features(count: int, seed: int, shift: float = 0.0) -> Tensor:
    """Draw features like Inception's: at least 0, dependent, many of them small."""
    mixing = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(9)) / SIZE**0.5
    noise = torch.randn(count, SIZE, generator=torch.Generator().manual_seed(seed))
    return (noise @ mixing + shift).relu()


def measured(metric: KernelDistance, fake: Tensor) -> dict[str, float]:
    for first in range(0, len(fake), 100):
        metric.update(fake[first : first + 100], first)
    return {name: value.item() for name, value in metric.compute().items()}


@pytest.mark.parametrize("shift", [0.0, 0.2, 1.0])
def test_the_kernel_distance_is_torch_fidelitys(shift: float) -> None:
    fake, real = features(400, 1, shift), features(450, 2)
    found = measured(KernelDistance(real, 20, 150), fake)
    theirs = kid_features_to_metric(
        fake.double(), real.double(), kid_subsets=20, kid_subset_size=150, verbose=False
    )
    assert found["mean"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-6)
    deviation = theirs["kernel_inception_distance_std"]
    assert found["standard_deviation"] == pytest.approx(deviation, rel=1e-6)
    if shift:
        single = kid_features_to_metric(
            fake, real, kid_subsets=20, kid_subset_size=150, verbose=False
        )
        expected = single["kernel_inception_distance_mean"]
        assert found["mean"] == pytest.approx(expected, rel=1e-3)


def test_the_frechet_distance_is_torch_fidelitys() -> None:
    fake, real = features(400, 1, 0.2), features(450, 2)
    metric = FrechetDistance(nn.Identity(), SIZE, FeatureStatistics.from_features(real))
    metric.update(fake)
    sides = [fid_features_to_statistics(side) for side in (fake, real)]
    theirs = fid_statistics_to_metric(*sides, verbose=False)["frechet_inception_distance"]
    assert metric.compute().item() == pytest.approx(theirs, rel=1e-3)


@pytest.mark.parametrize("sharpness", [0.5, 5])
def test_the_score_is_torch_fidelitys_of_one_split(sharpness: float) -> None:
    logits = sharpness * features(300, 1)
    metric = InceptionScore(SIZE)
    metric.update(logits)
    theirs = isc_features_to_metric(logits, splits=1)["inception_score_mean"]
    assert metric.compute()["score"].item() == pytest.approx(theirs, rel=1e-6)


def test_the_discrepancy_is_the_sum_over_all_pairs() -> None:
    first, second = features(7, 1).double(), features(5, 2, 0.5).double()

    def kernel(one: Tensor, other: Tensor) -> float:
        return float((one @ other / SIZE + 1) ** 3)

    def within(points: Tensor) -> float:
        pairs = [
            kernel(one, other)
            for i, one in enumerate(points)
            for j, other in enumerate(points)
            if i != j
        ]
        return float(np.mean(pairs))

    between = np.mean([kernel(one, other) for one in first for other in second])
    expected = within(first) + within(second) - 2 * between
    assert squared_discrepancy(first, second).item() == pytest.approx(expected, rel=1e-9)


def test_it_agrees_with_torchmetrics() -> None:
    fake, real = features(80, 1, 0.3), features(80, 2)
    theirs = poly_mmd(real.double(), fake.double())
    assert squared_discrepancy(fake, real).item() == pytest.approx(theirs.item(), rel=1e-9)


def test_the_estimate_is_unbiased() -> None:
    # 0 in expectation however few there are, where the biased one is far above
    found = torch.stack(
        [squared_discrepancy(features(10, 2 * i), features(10, 2 * i + 1)) for i in range(200)]
    )
    error = found.std() / len(found) ** 0.5
    assert found.mean().abs() < 3 * error
    assert (found < 0).any()


def test_fewer_features_than_a_subset_are_all_taken() -> None:
    fake, real = features(40, 1, 0.5), features(40, 2)
    found = measured(KernelDistance(real), fake)
    assert found["mean"] == pytest.approx(squared_discrepancy(fake, real).item(), rel=1e-9)
    assert found["standard_deviation"] == pytest.approx(0, abs=1e-9)
    assert np.isnan(measured(KernelDistance(real), fake[:1])["mean"])


def test_no_random_state_is_asked_or_moved() -> None:
    fake, real = features(60, 1), features(60, 2)
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        np.random.seed(seed)
        states = torch.get_rng_state(), np.random.get_state()[1]
        found.append(measured(KernelDistance(real, 3, 20), fake))
        assert torch.equal(torch.get_rng_state(), states[0])
        assert np.array_equal(np.random.get_state()[1], states[1])
    assert found[0] == found[1]


def test_misuse_raises() -> None:
    with pytest.raises(ValueError, match="shape"):
        KernelDistance(torch.zeros(3))
    with pytest.raises(ValueError, match="shape"):
        KernelDistance(torch.zeros(0, 3))
    with pytest.raises(ValueError, match="subset_size"):
        KernelDistance(torch.zeros(3, 2), subset_size=0)
    metric = KernelDistance(torch.zeros(3, 2))
    with pytest.raises(ValueError, match="shape"):
        metric.update(torch.zeros(3, 4), 0)
    with pytest.raises(ValueError, match="no data"):
        metric.compute()
