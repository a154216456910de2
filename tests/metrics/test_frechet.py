"""FrechetDistance against scipy, closed forms and torchmetrics; metrics over processes."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from process_pool import ForkedProcess, wait_for_success
from scipy.linalg import sqrtm
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.image.fid import FrechetInceptionDistance

from gan_lightning.metrics import (
    ClassCoverage,
    CodeAccuracy,
    FeatureStatistics,
    FrechetDistance,
    ModeCoverage,
    MutualInformationBound,
    frechet_distance,
)

SHAPE = (3, 4, 4)
FEATURES = 6


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 16), nn.Tanh(), nn.Linear(16, FEATURES))


def images(count: int, seed: int, shift: float = 0.0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return (0.4 * torch.randn(count, *SHAPE, generator=rng) + shift).clamp(-1, 1)


def correlated(count: int, size: int, seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    mixing = torch.randn(size, size, generator=rng, dtype=torch.float64)
    points = torch.randn(count, size, generator=rng, dtype=torch.float64) @ mixing
    return points + torch.randn(size, generator=rng, dtype=torch.float64)


def scipy_distance(first: Tensor, second: Tensor) -> float:
    a, b = first.double().numpy(), second.double().numpy()
    c, d = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shift = a.mean(axis=0) - b.mean(axis=0)
    return float(shift @ shift + np.trace(c + d - 2 * np.real(sqrtm(c @ d))))


@pytest.mark.parametrize("size", [2, 5, 20])
@pytest.mark.parametrize("seed", range(3))
def test_equals_scipys_matrix_root(size: int, seed: int) -> None:
    first, second = correlated(300, size, seed), correlated(200, size, seed + 100)
    ours = FeatureStatistics.from_features(first).distance(FeatureStatistics.from_features(second))
    assert ours.dtype == torch.float64
    assert ours.item() == pytest.approx(scipy_distance(first, second), rel=1e-7)


def test_closed_form_for_diagonal_gaussians() -> None:
    rng = torch.Generator().manual_seed(0)
    mean_a, mean_b, sd_a, sd_b = torch.rand(4, 8, generator=rng, dtype=torch.float64) + 0.1
    expected = ((mean_a - mean_b) ** 2 + (sd_a - sd_b) ** 2).sum()
    ours = frechet_distance(mean_a, (sd_a**2).diag(), mean_b, (sd_b**2).diag())
    assert ours.item() == pytest.approx(expected.item(), rel=1e-9)


def test_symmetric_and_zero_on_itself() -> None:
    first = FeatureStatistics.from_features(correlated(100, 7, 1))
    second = FeatureStatistics.from_features(correlated(100, 7, 2))
    assert first.distance(second).item() == pytest.approx(second.distance(first).item(), rel=1e-9)
    assert 0 <= first.distance(first).item() < 1e-9


def test_invariant_under_rotation_and_shift() -> None:
    first, second = correlated(100, 5, 3), correlated(100, 5, 4)
    rotation, _ = torch.linalg.qr(correlated(5, 5, 5))
    plain, moved = (
        FeatureStatistics.from_features(a).distance(FeatureStatistics.from_features(b)).item()
        for a, b in [(first, second), (first @ rotation + 3, second @ rotation + 3)]
    )
    assert moved == pytest.approx(plain, rel=1e-9)


def test_singular_covariances_stay_finite() -> None:
    # fewer samples than dimensions, constant features, and disjoint supports
    few, others = correlated(4, 30, 6), correlated(5, 30, 7)
    singular = [
        FeatureStatistics.from_features(x) for x in (few, others, torch.ones(9, 30).double())
    ]
    for first in singular:
        for second in singular:
            distance = first.distance(second)
            assert distance.isfinite()
            assert distance >= 0
    a, b = torch.tensor([1.0, 0.0]).diag(), torch.tensor([0.0, 4.0]).diag()
    assert frechet_distance(torch.zeros(2), a, torch.zeros(2), b).item() == pytest.approx(5)


def test_the_distance_is_nan_if_an_input_is_not_finite() -> None:
    broken = torch.tensor([0.0, torch.inf])
    distance = frechet_distance(broken, torch.eye(2), torch.zeros(2), torch.eye(2))
    assert distance.isnan()
    assert distance.shape == ()
    assert distance.dtype == torch.float64


def test_wrong_shapes_raise() -> None:
    with pytest.raises(ValueError, match="shapes"):
        frechet_distance(torch.zeros(2), torch.eye(3), torch.zeros(2), torch.eye(2))
    with pytest.raises(ValueError, match="shape"):
        FeatureStatistics.from_features(torch.zeros(3))


def test_sums_equal_features() -> None:
    features = correlated(50, 4, 8) + 100
    direct = FeatureStatistics.from_features(features)
    summed = FeatureStatistics.from_sums(features.sum(dim=0), features.T @ features, 50)
    torch.testing.assert_close(summed.mean, direct.mean)
    torch.testing.assert_close(summed.covariance, direct.covariance)
    np.testing.assert_allclose(direct.covariance, np.cov(features.numpy(), rowvar=False))
    assert summed.count == direct.count == 50


@pytest.mark.parametrize("with_reference", [False, True])
def test_metric_over_updates_equals_the_direct_computation(with_reference: bool) -> None:
    features = network()
    real, fake = images(70, 1), images(53, 2, 0.2)
    with torch.no_grad():
        direct = scipy_distance(features(real), features(fake))
        reference = FeatureStatistics.from_features(features(real)) if with_reference else None
    metric = FrechetDistance(features, FEATURES, reference, batch_size=16)
    for part in fake.split([1, 30, 22]):
        metric.update(part)
    metric.update(fake[:0])
    if not with_reference:
        for part in real.split(33):
            metric.update(part, real=True)
    assert metric.compute().item() == pytest.approx(direct, rel=1e-6)


def test_equals_torchmetrics() -> None:
    features = network()
    ours = FrechetDistance(features, FEATURES)
    theirs = FrechetInceptionDistance(features, normalize=True, input_img_size=SHAPE)
    for seed in range(3):
        for real in (True, False):
            batch = images(40, 2 * seed + real, 0.0 if real else 0.15)
            ours.update(batch, real=real)
            theirs.update(batch, real=real)
    assert ours.compute().item() == pytest.approx(theirs.compute().item(), rel=1e-4)


def test_network_is_copied_frozen_and_not_in_the_state_dict() -> None:
    features = nn.Sequential(network(), nn.Dropout(0.5), nn.BatchNorm1d(FEATURES)).train()
    before = deepcopy(features.state_dict())
    metric = FrechetDistance(features, FEATURES)
    assert not metric.state_dict()
    assert not list(metric.parameters())
    metric.update(images(20, 1))
    metric.update(images(20, 2), real=True)
    first = metric.compute()
    assert features.training
    assert all(p.requires_grad for p in features.parameters())
    for name, value in features.state_dict().items():
        assert torch.equal(value, before[name]), name
    with torch.no_grad():
        for parameter in features.parameters():
            parameter.fill_(0.0)
    metric.reset()
    metric.update(images(20, 1))
    metric.update(images(20, 2), real=True)
    assert torch.equal(metric.compute(), first)


def test_reset_clears_the_images_and_keeps_the_reference() -> None:
    reference = FeatureStatistics.from_features(correlated(20, FEATURES, 1))
    metric = FrechetDistance(network(), FEATURES, reference)
    metric.update(images(10, 1))
    first = metric.compute()
    metric.update(images(10, 2, 0.5))
    assert metric.compute() != first
    metric.reset()
    metric.update(images(10, 1))
    assert torch.equal(metric.compute(), first)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_images_raise(count: int) -> None:
    metric = FrechetDistance(network(), FEATURES)
    metric.update(images(5, 1), real=True)
    metric.update(images(count, 2))
    with pytest.raises(ValueError, match="at least 2"):
        metric.compute()
    metric = FrechetDistance(network(), FEATURES)
    metric.update(images(5, 1))
    metric.update(images(count, 2), real=True)
    with pytest.raises(ValueError, match="at least 2"):
        metric.compute()
    with pytest.raises(ValueError, match="at least 2"):
        FeatureStatistics.from_features(torch.zeros(count, 3))


def test_invalid_arguments_raise() -> None:
    reference = FeatureStatistics.from_features(correlated(20, FEATURES, 1))
    with pytest.raises(ValueError, match="real images"):
        FrechetDistance(network(), FEATURES, reference).update(images(2, 1), real=True)
    with pytest.raises(ValueError, match="same network"):
        FrechetDistance(network(), FEATURES + 1, reference)
    with pytest.raises(ValueError, match="num_features"):
        FrechetDistance(network(), 0)
    with pytest.raises(ValueError, match="batch_size"):
        FrechetDistance(network(), FEATURES, batch_size=0)
    with pytest.raises(ValueError, match="network returns"):
        FrechetDistance(network(), FEATURES + 1).update(images(2, 1))
    with pytest.raises(ValueError, match="uint8"):
        FrechetDistance(network(), FEATURES).update(torch.zeros(2, *SHAPE, dtype=torch.uint8))


def test_half_precision_images_and_autocast_leave_the_network_in_float32() -> None:
    fake, real = images(30, 1).bfloat16(), images(30, 2)
    plain, mixed = FrechetDistance(network(), FEATURES), FrechetDistance(network(), FEATURES)
    plain.update(fake.float())
    plain.update(real, real=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed.update(fake)
        mixed.update(real, real=True)
    assert torch.equal(plain.compute(), mixed.compute())


SPLITS = [(0, 40), (40, 90)]
WHOLE = [(0, 90)]


def scores(parts: list[tuple[int, int]]) -> dict[str, Tensor]:
    """Return every metric's value after updates with these slices of 90 samples."""
    rng = torch.Generator().manual_seed(5)
    fake, real = images(90, 1, 0.1), images(90, 2)
    reference = FeatureStatistics.from_features(correlated(20, FEATURES, 1))
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    points = centres[torch.randint(2, (90,), generator=rng)]
    points = points + 0.15 * torch.randn(90, 2, generator=rng)
    predicted, labels = torch.randint(4, (2, 90), generator=rng)
    log_probabilities = torch.randn(90, 4, generator=rng).log_softmax(dim=1)
    both = FrechetDistance(network(), FEATURES)
    against = FrechetDistance(network(), FEATURES, reference)
    modes = ModeCoverage(centres, 0.1)
    classes = ClassCoverage(network(1), FEATURES, torch.arange(1.0, FEATURES + 1))
    accuracy = CodeAccuracy(4, 4)
    bound = MutualInformationBound(4)
    for start, end in parts:
        part = slice(start, end)
        both.update(fake[part])
        both.update(real[part], real=True)
        against.update(fake[part])
        modes.update(points[part])
        classes.update(fake[part])
        accuracy.update(predicted[part], labels[part])
        bound.update(log_probabilities[part], labels[part])
    metrics: dict[str, Metric] = {
        "both": both,
        "against": against,
        "modes": modes,
        "classes": classes,
        "accuracy": accuracy,
        "bound": bound,
    }
    result: dict[str, Tensor] = {}
    for name, metric in metrics.items():
        value = metric.compute()
        values = value if isinstance(value, dict) else {"": value}
        result |= {f"{name} {key}": score for key, score in values.items()}
    return result


def process(rank: int, folder: str) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2
    )
    torch.save(scores([SPLITS[rank]]), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_give_the_values_of_one(tmp_path: Path) -> None:
    wait_for_success([ForkedProcess.start(process, rank, str(tmp_path)) for rank in (0, 1)])
    whole, alone = scores(WHOLE), scores([SPLITS[0]])
    ranks = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    for values in (scores(SPLITS), *ranks):
        torch.testing.assert_close(values, whole)
    # a single process has other values, so the comparison above is not trivial
    assert sum(not torch.equal(alone[name], whole[name]) for name in whole) >= 6
