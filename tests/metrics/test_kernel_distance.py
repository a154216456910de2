"""KID, FID and inception score against torch-fidelity on the same features; KID by hand too."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from gan_lightning.metrics import (
    FeatureStatistics,
    FrechetDistance,
    InceptionScore,
    KernelDistance,
)

SIZE = 64


def features(count: int, seed: int, shift: float = 0.0) -> Tensor:
    """Draw features that resemble Inception's: at least 0, correlated, many of them small."""
    mixing = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(9)) / SIZE**0.5
    noise = torch.randn(count, SIZE, generator=torch.Generator().manual_seed(seed))
    return (noise @ mixing + shift).relu()


def computed(metric: KernelDistance, fake: Tensor) -> dict[str, float]:
    for start in range(0, len(fake), 100):
        metric.update(fake[start : start + 100], start)
    return {name: value.item() for name, value in metric.compute().items()}


@pytest.mark.parametrize("shift", [0.0, 0.2, 1.0])
def test_kernel_distance_equals_torch_fidelity(shift: float) -> None:
    fake, real = features(400, 1, shift), features(450, 2)
    values = computed(KernelDistance(real, 20, 150), fake)
    theirs = kid_features_to_metric(
        fake.double(), real.double(), kid_subsets=20, kid_subset_size=150, verbose=False
    )
    assert values["mean"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-6)
    deviation = theirs["kernel_inception_distance_std"]
    assert values["standard_deviation"] == pytest.approx(deviation, rel=1e-6)
    if shift:
        single = kid_features_to_metric(
            fake, real, kid_subsets=20, kid_subset_size=150, verbose=False
        )
        expected = single["kernel_inception_distance_mean"]
        assert values["mean"] == pytest.approx(expected, rel=1e-3)


def test_frechet_distance_equals_torch_fidelity() -> None:
    fake, real = features(400, 1, 0.2), features(450, 2)
    metric = FrechetDistance(nn.Identity(), SIZE, FeatureStatistics.from_features(real))
    metric.update(fake)
    sides = [fid_features_to_statistics(side) for side in (fake, real)]
    theirs = fid_statistics_to_metric(*sides, verbose=False)["frechet_inception_distance"]
    assert metric.compute().item() == pytest.approx(theirs, rel=1e-3)


@pytest.mark.parametrize("sharpness", [0.5, 5])
def test_inception_score_equals_torch_fidelity_with_one_split(sharpness: float) -> None:
    logits = sharpness * features(300, 1)
    metric = InceptionScore(SIZE)
    metric.update(logits)
    theirs = isc_features_to_metric(logits, splits=1)["inception_score_mean"]
    assert metric.compute()["score"].item() == pytest.approx(theirs, rel=1e-6)


def single_subset(fake: Tensor, real: Tensor) -> float:
    """Compute the distance on one subset with all features."""
    return computed(KernelDistance(real, subsets=1), fake)["mean"]


def test_the_distance_is_the_mean_over_all_pairs() -> None:
    fake, real = features(7, 1), features(7, 2, 0.5)

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

    between = np.mean([kernel(x, y) for x in fake.double() for y in real.double()])
    expected = within(fake.double()) + within(real.double()) - 2 * between
    assert single_subset(fake, real) == pytest.approx(expected, rel=1e-9)


def test_the_estimate_is_unbiased() -> None:
    # 0 in expectation for any number of features, where the biased estimate is far above
    distances = torch.tensor(
        [single_subset(features(10, 2 * i), features(10, 2 * i + 1)) for i in range(200)]
    )
    error = distances.std() / len(distances) ** 0.5
    assert distances.mean().abs() < 3 * error
    assert (distances < 0).any()


def test_a_subset_has_all_features_if_there_are_few() -> None:
    fake, real = features(40, 1, 0.5), features(40, 2)
    values = computed(KernelDistance(real), fake)
    assert values["mean"] == pytest.approx(single_subset(fake, real), rel=1e-9)
    assert values["standard_deviation"] == pytest.approx(0, abs=1e-9)
    assert np.isnan(computed(KernelDistance(real), fake[:1])["mean"])


def test_the_global_random_state_is_neither_used_nor_changed() -> None:
    fake, real = features(60, 1), features(60, 2)
    values = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        np.random.seed(seed)
        states = torch.get_rng_state(), np.random.get_state()[1]
        values.append(computed(KernelDistance(real, 3, 20), fake))
        assert torch.equal(torch.get_rng_state(), states[0])
        assert np.array_equal(np.random.get_state()[1], states[1])
    assert values[0] == values[1]


def test_invalid_arguments_raise() -> None:
    with pytest.raises(ValueError, match="shape"):
        KernelDistance(torch.zeros(3))
    with pytest.raises(ValueError, match="shape"):
        KernelDistance(torch.zeros(0, 3))
    with pytest.raises(ValueError, match="subset_size"):
        KernelDistance(torch.zeros(3, 2), subset_size=0)
    metric = KernelDistance(torch.zeros(3, 2))
    with pytest.raises(ValueError, match="shape"):
        metric.update(torch.zeros(3, 4), 0)
    with pytest.raises(ValueError, match="no samples"):
        metric.compute()
