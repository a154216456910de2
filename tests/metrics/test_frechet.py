"""The Fréchet distance against closed forms and independent implementations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from gan_lightning.metrics import FeatureStatistics, FrechetDistance, frechet_distance

FEATURES = 6


class Projection(nn.Module):
    """A fixed random projection of images that notes what it sees."""

    num_features = FEATURES

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        self.weight = nn.Parameter(torch.randn(12, FEATURES, generator=generator))
        self.seen: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        assert not torch.is_autocast_enabled(images.device.type)
        self.seen.append(len(images))
        features: Tensor = torch.tanh(images.flatten(1) @ self.weight)
        return features


def images(count: int, seed: int, shift: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(count, 3, 2, 2, generator=generator) * 2 - 1 + shift).clamp(-1, 1)


def features_of(pictures: Tensor) -> Tensor:
    with torch.no_grad():
        return Projection().forward(pictures)


def by_scipy(a: np.ndarray, b: np.ndarray) -> float:
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    difference = a.mean(axis=0) - b.mean(axis=0)
    return float(difference @ difference + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real))


@pytest.mark.parametrize("dimensions", [1, 3, 20])
def test_frechet_distance_equals_scipys_matrix_root(dimensions: int) -> None:
    rng = np.random.default_rng(dimensions)
    a = rng.normal(size=(200, dimensions)) @ rng.normal(size=(dimensions, dimensions))
    b = rng.normal(size=(150, dimensions)) + 0.3
    # np.cov returns a scalar for one feature
    expected = (
        by_scipy(a, b)
        if dimensions > 1
        else (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    )
    first = FeatureStatistics.from_features(torch.from_numpy(a))
    second = FeatureStatistics.from_features(torch.from_numpy(b))
    assert first.distance(second).item() == pytest.approx(expected, rel=1e-9)
    assert second.distance(first).item() == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_diagonal_gaussians_has_its_closed_form() -> None:
    generator = torch.Generator().manual_seed(0)
    mean_a, mean_b = torch.randn(2, 9, generator=generator, dtype=torch.float64)
    sd_a, sd_b = torch.rand(2, 9, generator=generator, dtype=torch.float64)
    found = frechet_distance(mean_a, sd_a.square().diag(), mean_b, sd_b.square().diag())
    expected = (mean_a - mean_b).square().sum() + (sd_a - sd_b).square().sum()
    torch.testing.assert_close(found, expected)


def test_frechet_distance_to_itself_is_zero_also_where_singular() -> None:
    flat = torch.randn(4, 30, generator=torch.Generator().manual_seed(1))
    statistics = FeatureStatistics.from_features(flat)
    assert 0 <= statistics.distance(statistics).item() < 1e-6


def test_frechet_distance_is_float64_and_nan_for_what_is_not_finite() -> None:
    mean, covariance = torch.zeros(2), torch.eye(2)
    assert frechet_distance(mean, covariance, mean, covariance).dtype == torch.float64
    assert frechet_distance(mean / 0, covariance, mean, covariance).isnan()
    assert frechet_distance(mean, covariance, mean, covariance * torch.inf).isnan()


def test_frechet_distance_refuses_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="must be"):
        frechet_distance(torch.zeros(2), torch.eye(2), torch.zeros(3), torch.eye(3))


def test_statistics_are_those_of_numpy() -> None:
    features = features_of(images(50, 0))
    for found in (
        FeatureStatistics.from_features(features),
        FeatureStatistics.from_sums(
            features.double().sum(0), features.double().T @ features.double(), 50
        ),
    ):
        exact = features.double().numpy()
        np.testing.assert_allclose(found.mean, exact.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(found.covariance, np.cov(exact, rowvar=False), rtol=1e-9)
        assert found.count == 50


def test_metric_equals_torchmetrics_and_scipy() -> None:
    real, generated = images(90, 0), images(70, 1, shift=0.2)
    ours = FrechetDistance(Projection(), FEATURES)
    theirs = FrechetInceptionDistance(feature=Projection())
    for part in real.tensor_split(3):
        ours.update(part, real=True)
        theirs.update(part, real=True)
    for part in generated.tensor_split(3):
        ours.update(part, real=False)
        theirs.update(part, real=False)
    expected = by_scipy(features_of(real).double().numpy(), features_of(generated).double().numpy())
    assert ours.compute().item() == pytest.approx(expected, rel=1e-6)
    assert ours.compute().item() == pytest.approx(theirs.compute().item(), rel=1e-4)


def test_reference_stands_for_real_images() -> None:
    real, generated = images(90, 0), images(70, 1, shift=0.2)
    both = FrechetDistance(Projection(), FEATURES)
    both.update(real, real=True)
    both.update(generated)
    one = FrechetDistance(Projection(), FEATURES, both.statistics(real=True))
    one.update(generated)
    assert one.compute().item() == pytest.approx(both.compute().item(), rel=1e-9)
    with pytest.raises(ValueError, match="has a reference"):
        one.update(real, real=True)
    with pytest.raises(ValueError, match="same network"):
        FrechetDistance(Projection(), FEATURES + 1, both.statistics(real=True))


def test_reset_forgets() -> None:
    metric = FrechetDistance(
        Projection(), FEATURES, FeatureStatistics.from_features(features_of(images(50, 0)))
    )
    metric.update(images(40, 1, shift=0.5))
    metric.reset()
    metric.update(images(40, 2))
    fresh = FrechetDistance(Projection(), FEATURES, metric.reference)
    fresh.update(images(40, 2))
    assert torch.equal(metric.compute(), fresh.compute())


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_images_are_named(count: int) -> None:
    metric = FrechetDistance(Projection(), FEATURES)
    metric.update(images(20, 0), real=True)
    metric.update(images(count, 1))
    with pytest.raises(ValueError, match=f"at least 2 samples, and there are {count}"):
        metric.compute()


def test_network_is_frozen_and_in_no_state_dict() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(12, FEATURES)).train()
    metric = FrechetDistance(network, FEATURES)
    pictures = images(20, 0)
    state = torch.random.get_rng_state()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        metric.update(pictures.requires_grad_())
        metric.update(pictures.detach().bfloat16(), real=True)
    assert torch.equal(torch.random.get_rng_state(), state)
    expected = FeatureStatistics.from_features(network.eval()(pictures))
    torch.testing.assert_close(metric.statistics().mean, expected.mean)
    torch.testing.assert_close(metric.statistics().covariance, expected.covariance)
    assert metric.state_dict() == {}
    assert list(metric.parameters()) == []
    assert all(weight.requires_grad for weight in network.parameters())
    assert not metric.compute().requires_grad


def test_network_sees_batches_of_the_asked_size() -> None:
    metric = FrechetDistance(Projection(), FEATURES, batch_size=8)
    metric.update(images(20, 0))
    assert metric.network.network.seen == [8, 8, 4]
    assert metric.statistics().count == 20


def test_wrong_images_and_networks_are_named() -> None:
    metric = FrechetDistance(Projection(), FEATURES + 1)
    with pytest.raises(ValueError, match="the metric was told"):
        metric.update(images(4, 0))
    with pytest.raises(ValueError, match=r"uint8.*\[-1, 1\]"):
        metric.update(torch.zeros(4, 3, 2, 2, dtype=torch.uint8))
    with pytest.raises(ValueError, match="num_features is 0"):
        FrechetDistance(Projection(), 0)
    with pytest.raises(ValueError, match="batch_size is 0"):
        FrechetDistance(Projection(), FEATURES, batch_size=0)
