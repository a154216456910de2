"""Measures of any images: sliced Wasserstein, untrained features, own classes, and their floors."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad

from gan_lightning.callbacks.checkpoints import Checkpoints
from gan_lightning.data import BaseDataModule
from gan_lightning.data.adapter import as_data_module
from gan_lightning.data.base import to_float_nchw, to_uint8_nhwc
from gan_lightning.distributed.sharding import Shard
from gan_lightning.errors import UserError, warn_once
from gan_lightning.evaluation import (
    EvaluationContext,
    ImageClassEvaluator,
    ImageEvaluator,
    evaluate,
    evaluators_for,
    image_features,
)
from gan_lightning.evaluation import image_classes as image_classes_module
from gan_lightning.evaluation import images as images_module
from gan_lightning.gans import ConditionalGAN
from gan_lightning.metrics import EqualSizeFrechetDistance, RandomFeatures, sliced_wasserstein
from gan_lightning.metrics.sliced_wasserstein import (
    PatchProjector,
    SlicedWasserstein,
    band_deviations,
    laplacian_pyramid,
)
from gan_lightning.types import DataSpec

CPU = torch.device("cpu")
MEASURES = (
    "sliced_wasserstein",
    *(f"{name}/random" for name in ("fd", "kid", "precision", "recall", "density", "coverage")),
)


@pytest.fixture(autouse=True)
def _empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))
    forget(monkeypatch)
    warn_once.cache_clear()


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear what is kept in memory, as in a new process."""
    monkeypatch.setattr(images_module, "LATEST", {})
    monkeypatch.setattr(image_classes_module, "LATEST", {})


def discs(count: int, seed: int, size: int = 16, channels: int = 3) -> tuple[Tensor, Tensor]:
    """Draw discs of three colours on grey, (N, C, size, size) in [-1, 1], and their classes."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count,), generator=rng)
    x, y, radius, shade = torch.rand(4, count, 1, 1, generator=rng)
    axis = torch.linspace(-1, 1, size)
    distance = ((axis - x + 0.5) ** 2 + (axis[:, None] - y + 0.5) ** 2).sqrt()
    inside = ((0.3 + 0.3 * radius - distance) * size / 2).clamp(0, 1)[:, None]
    colours = torch.eye(3)[labels][:, :channels, None, None] * (0.7 + 0.3 * shade[:, None])
    background = 0.3 + 0.1 * torch.randn(count, channels, size, size, generator=rng)
    return (inside * colours + (1 - inside) * background).clamp(0, 1) * 2 - 1, labels


def data_of(images: Tensor, labels: Tensor | None = None) -> BaseDataModule:
    pixels = to_uint8_nhwc(images).numpy()
    return as_data_module(pixels if labels is None else (pixels, labels.numpy()))


def measured(
    data: BaseDataModule, images: Tensor, batch: int = 500, features: str = "random"
) -> dict[str, float]:
    evaluator = ImageEvaluator(data, CPU, samples=len(images), features=features)
    for start in range(0, len(images), batch):
        evaluator.update(images[start : start + batch], start)
    return evaluator.compute()


@pytest.mark.parametrize("size", [2, 8])
def test_sliced_wasserstein_of_shifted_gaussians_has_its_closed_form(size: int) -> None:
    rng = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 1_000, size, generator=rng)
    directions = torch.randn(size, 2_000, generator=rng)
    directions /= directions.norm(dim=0)
    shift = torch.full((size,), 100 / math.sqrt(size))
    value = sliced_wasserstein(a @ directions, (b + shift) @ directions).item()
    # the mean of |<shift, u>| over the sphere
    ratio = math.exp(math.lgamma(size / 2) - math.lgamma((size + 1) / 2))
    assert value == pytest.approx(100 * ratio / math.sqrt(math.pi), rel=0.05)


def test_sliced_wasserstein_equals_scipy_on_each_direction() -> None:
    a, b = torch.randn(2, 300, 5, generator=torch.Generator().manual_seed(1)) ** 3
    each = [wasserstein_distance(a[:, k].numpy(), b[:, k].numpy()) for k in range(5)]
    assert sliced_wasserstein(a, b).item() == pytest.approx(sum(each) / 5, rel=1e-5)


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 36, 33), (3, 64, 64)])
def test_the_pyramid_separates_scales(shape: tuple[int, ...]) -> None:
    flat = torch.full((2, *shape), 0.7)
    *details, rest = laplacian_pyramid(flat)
    assert len(details) == int(math.log2(min(shape[1:]) / 16))
    for band in details:
        torch.testing.assert_close(band, torch.zeros_like(band), atol=1e-5, rtol=0)
    torch.testing.assert_close(rest, torch.full_like(rest, 0.7))
    checks = (torch.arange(shape[1])[:, None] + torch.arange(shape[2])) % 2 * 2.0 - 1
    bands = laplacian_pyramid(checks.expand(1, *shape))
    assert bands[0].abs().mean() > 0.99
    assert all(band.abs().mean() < 0.01 for band in bands[1:])


def test_patches_are_those_of_their_index() -> None:
    images = torch.randn(12, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    projector = PatchProjector((3, 32, 32), band_deviations(images), 10)
    whole = projector(images, 0)
    assert whole.shape == (10, projector.size)
    torch.testing.assert_close(
        torch.cat([projector(images[:3], 0), projector(images[3:], 3)]), whole
    )
    metric = SlicedWasserstein(projector, whole)
    metric.update(images, 0)
    assert list(metric.compute()) == ["mean", "32", "16"]
    assert metric.compute()["mean"] == 0
    # the unit is the deviation of real pixels: adding one moves the coarse band by E|<1, u>|
    metric.reset()
    metric.update(images + images.std(), 0)
    assert 0.3 < metric.compute()["16"] / 3 < 3
    assert metric.compute()["32"] < 1e-3


def test_frechet_distance_of_known_gaussians() -> None:
    rng = torch.Generator().manual_seed(0)
    real, generated = torch.randn(2, 50_000, 3, generator=rng)
    deviations, shift = torch.tensor([0.5, 1.0, 3.0]), torch.tensor([1.0, -2.0, 0.0])
    metric = EqualSizeFrechetDistance(real)
    metric.update(generated[:20_000] * deviations + shift, 0)
    metric.update(generated[20_000:] * deviations + shift, 20_000)
    expected = (shift @ shift + ((deviations - 1) ** 2).sum()).item()
    assert metric.compute().item() == pytest.approx(expected, rel=0.02)


def test_random_features_are_the_same_everywhere_and_draw_nothing() -> None:
    state = torch.get_rng_state()
    network = RandomFeatures((3, 32, 32))
    assert torch.equal(torch.get_rng_state(), state)
    ramp = torch.linspace(-1, 1, 3 * 32 * 32).view(1, 3, 32, 32)
    features = network(ramp)[0]
    assert features.shape == (network.features_size,) == (4 * 32,)
    torch.testing.assert_close(
        features[[0, 40, 81, 127]], torch.tensor(EXPECTED), atol=1e-5, rtol=0
    )
    for layer in network.layers:
        rows = layer.weight.flatten(1)
        product = rows @ rows.T if rows.shape[0] <= rows.shape[1] else rows.T @ rows
        torch.testing.assert_close(product, 2 * torch.eye(len(product)), atol=1e-5, rtol=1e-5)


EXPECTED = [0.00115, 0.147707, 0.428789, -0.134973]
"""Features of the ramp, computed on an AVX2 processor."""


@pytest.mark.parametrize(("size", "channels"), [(16, 1), (36, 3)])
def test_measures_rise_above_their_floors_with_noise_and_blur(size: int, channels: int) -> None:
    data = data_of(discs(640, 0, size, channels)[0])
    perfect = discs(300, 1, size, channels)[0]
    noise = torch.randn(perfect.shape, generator=torch.Generator().manual_seed(2))
    same = measured(data, perfect)
    assert list(same) == [key for name in MEASURES for key in (name, f"{name}/real")]
    for name in MEASURES[:2]:
        assert 1 / 3 < same[name] / same[f"{name}/real"] < 3, name
    for name in MEASURES[3:]:
        assert same[name] == pytest.approx(same[f"{name}/real"], abs=0.2), name
    noisy = [measured(data, (perfect + s * noise).clamp(-1, 1)) for s in (0.2, 0.5, 1.0)]
    blurred = [
        measured(data, avg_pool2d(pad(perfect, (k // 2,) * 4, mode="replicate"), k, 1))
        for k in (3, 5, 9)
    ]
    for worse in (noisy, blurred):
        assert abs(same["kid/random"]) < 0.1 * worse[-1]["kid/random"]  # 0 in expectation
        for name in MEASURES[:3]:
            values = [same[name], *(each[name] for each in worse)]
            assert values == sorted(values), (name, values)
            assert values[-1] > 5 * abs(same[f"{name}/real"]), name
        assert worse[-1]["coverage/random"] < 0.5 * same["coverage/random/real"]


def test_collapse_is_seen_in_recall_and_not_in_precision() -> None:
    data = data_of(discs(640, 0)[0])
    values = measured(data, discs(10, 1)[0].repeat(30, 1, 1, 1))
    assert values["precision/random"] > 0.6
    assert values["recall/random"] < 0.1 < values["recall/random/real"]


def test_values_depend_on_no_batch_size_or_process_and_random_states_stay() -> None:
    data, samples = data_of(discs(200, 0)[0]), discs(100, 1)[0]
    state = torch.get_rng_state()
    values = measured(data, samples)
    assert torch.equal(torch.get_rng_state(), state)
    assert measured(data, samples, batch=7) == pytest.approx(values, rel=1e-5)
    # two processes evaluate chunks in turn, and their states are summed
    ranks = [ImageEvaluator(data, CPU, Shard(rank, 2), 100) for rank in range(2)]
    for chunk in range(4):
        ranks[chunk % 2].update(samples[25 * chunk : 25 * chunk + 25], 25 * chunk)
    first, second = (rank._comparison for rank in ranks)
    assert first is not None
    assert second is not None
    for name in ("_patches", "_frechet", "_kernel", "_neighbours"):
        getattr(first, name).merge_state(getattr(second, name))
    assert ranks[0].compute() == pytest.approx(measured(data, samples, batch=25), rel=1e-12)


def test_real_images_are_measured_once_and_again_when_they_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, samples = discs(120, 0)[0], discs(40, 1)[0]
    values = measured(data_of(images), samples)
    computed = []
    real_side = images_module._real_side
    monkeypatch.setattr(
        images_module, "_real_side", lambda *args: computed.append(1) or real_side(*args)
    )
    forget(monkeypatch)
    assert measured(data_of(images), samples) == values
    assert not computed
    images[0] = images[1]
    forget(monkeypatch)
    measured(data_of(images), samples)
    assert computed == [1]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 12, 30])
def test_few_images_leave_out_what_is_undefined(
    count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    data = SimpleData(discs(count, 0)[0])
    values = measured(data, discs(20, 1)[0])
    assert all(math.isfinite(value) for value in values.values())
    measured(data, discs(20, 1)[0])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (count < 12)
    if count < 12:
        assert f"not measured, {count} training images are too few" in lines[0]
    assert ("sliced_wasserstein" in values) == (count >= 2)
    assert ("fd/random" in values) == (count >= 4)
    assert ("coverage/random" in values) == (count >= 12)


class SimpleData(BaseDataModule):
    """Images that are both training and test data."""

    def __init__(self, images: Tensor) -> None:
        super().__init__(self.Config())
        self._pixels, self.spec = to_uint8_nhwc(images), DataSpec(tuple(images.shape[1:]))

    def training_data(self) -> tuple[Tensor, None]:
        return self._pixels, None

    def test_data(self) -> Any:
        raise NotImplementedError


def test_classes_of_easy_images_are_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_of(*discs(400, 0))
    images, labels = discs(90, 1)

    def accuracies(requested: Tensor) -> dict[str, float]:
        evaluator = ImageClassEvaluator(data, CPU)
        evaluator.update(images, 0, requested)
        return evaluator.compute()

    monkeypatch.setattr("gan_lightning.classifiers.image_classes.UPDATES", 60)
    state = torch.get_rng_state()
    right = accuracies(labels)
    assert torch.equal(torch.get_rng_state(), state)
    assert right["class/accuracy"] > 0.95
    assert right["class/accuracy/real"] > 0.95
    assert accuracies((labels + 1) % 3)["class/accuracy"] < 0.05
    forget(monkeypatch)

    def fail(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(image_classes_module, "train_image_class_net", fail)
    data = data_of(*discs(400, 0))
    assert accuracies(labels) == right
    with pytest.raises(AssertionError, match="trained again"):
        ImageClassEvaluator(data_of(*discs(400, 5)), CPU)


def test_an_untrained_generator_is_far_above_the_floors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_lightning.classifiers.image_classes.UPDATES", 60)
    data = data_of(*discs(400, 0))
    gan = ConditionalGAN(networks={"name": "dcgan", "width": 4}, data=data.spec)
    values = evaluate(gan, data, 150)
    assert values["sliced_wasserstein"] > 5 * values["sliced_wasserstein/real"]
    assert values["fd/random"] > 20 * values["fd/random/real"]
    assert values["kid/random"] > 0.5
    assert values["coverage/random"] < 0.1 < 0.8 < values["coverage/random/real"]
    assert values["class/accuracy"] < 0.6 < values["class/accuracy/real"]


class ChannelMeans(nn.Module):
    """Features of a user."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([images.mean((2, 3)), images.std((2, 3))], 1)


class NotFeatures(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images


def broken() -> nn.Module:
    raise RuntimeError("no weights\nhere")


def test_own_features_by_import_path() -> None:
    data, samples = data_of(discs(100, 0)[0]), discs(50, 1)[0]
    name = f"{__name__}:ChannelMeans"
    values = measured(data, samples, features=name)
    assert "fd/ChannelMeans/real" in values
    extractor = image_features(name, (3, 16, 16))
    comparison, _ = next(iter(images_module.LATEST.values()))
    mine = EqualSizeFrechetDistance(comparison._kernel.real)
    mine.update(extractor(to_float_nchw(to_uint8_nhwc(samples))), 0)
    assert values["fd/ChannelMeans"] == pytest.approx(mine.compute().item(), rel=1e-6)
    assert "fd/pixels" in measured(data, samples, features="pixels")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("randm", "valid are random, lite0, pixels"),
        ("no_such_module:Net", "no_such_module"),
        (f"{__name__}:NotFeatures", r"\(2, 3, 16, 16\) instead of \(2, D\)"),
        (f"{__name__}:broken", "no weights here"),
        (f"{__name__}:discs", "missing"),
    ],
)
def test_wrong_features_are_one_line(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        image_features(name, (3, 16, 16))
    assert "\n" not in str(caught.value)


def test_own_data_and_only_they_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def kinds(names: tuple[str, ...], **settings: Any) -> list[type]:
        data = SimpleData(discs(40, 0)[0])
        monkeypatch.setattr(data, "evaluators", lambda _: names)
        return [type(each) for each in evaluators_for(EvaluationContext(data, CPU, **settings))]

    inception = object()
    assert kinds(("images",)) == [ImageEvaluator]
    assert kinds(("images_without_inception",)) == [ImageEvaluator]
    assert kinds(("images_without_inception",), inception=inception) == []
    assert kinds(("images", "image_classes")) == [ImageEvaluator]
    # of other data, only by request
    assert kinds(()) == []
    assert kinds((), features="pixels") == [ImageEvaluator]


def test_the_best_checkpoint_compares_one_measure_only(tmp_path: Path) -> None:
    saved = []
    trainer: Any = SimpleNamespace(save_checkpoint=saved.append)
    config = SimpleNamespace(samples=40)
    evaluation: Any = SimpleNamespace(evaluated_at=0, measures={}, config=config)
    checkpoints = Checkpoints(tmp_path, 1, 1, evaluation)
    gan = ConditionalGAN(networks={"name": "mlp"}, data=data_of(*discs(40, 0)).spec)

    def is_best(**measures: float) -> bool:
        evaluation.measures = {name.replace("__", "/"): x for name, x in measures.items()}
        before = len(saved)
        checkpoints._save_if_best(trainer, gan)
        return len(saved) > before

    assert is_best(sliced_wasserstein=0.3, sliced_wasserstein__real=0.1)
    assert not is_best(sliced_wasserstein=0.4)
    # a better measure replaces it, whatever its number, and is not replaced by it
    assert is_best(sliced_wasserstein=0.4, fd__random=50.0, fd__random__real=1.0)
    assert not is_best(sliced_wasserstein=0.2)
    assert not is_best(fd__random=51.0, fd__random__real=0.5)
    assert is_best(fd__random=49.0)
    assert is_best(fid__tf_bilinear=200.0, fd__random=60.0)
    restored = Checkpoints(tmp_path, 1, 1, evaluation)
    restored.load_state_dict(checkpoints.state_dict())
    best = (restored.best, restored.best_measure, restored.best_samples)
    assert best == (200.0, "fid/tf_bilinear", 40)
    # fewer samples give larger distances: the numbers are not compared
    config.samples = 20
    assert is_best(fid__tf_bilinear=300.0)
    assert not is_best(fid__tf_bilinear=301.0)
