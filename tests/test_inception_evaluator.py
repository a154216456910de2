"""InceptionEvaluator against torch-fidelity, and its cache of the real images' features."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from inception_fakes import (
    CPU,
    FakeImages,
    LinearNetwork,
    evaluate_images,
    random_images,
    write_weights,
)
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from gan_lightning.data.base import to_float_nchw, to_uint8_nhwc
from gan_lightning.distributed.sharding import Shard
from gan_lightning.evaluation import InceptionEvaluator, InceptionNetwork
from gan_lightning.evaluation import pictures as evaluator_module
from gan_lightning.evaluation.base import CHUNK_SIZE
from gan_lightning.metrics import cache_folder, frechet

NAMES = ("fid", "kid", "inception_score", "precision", "recall", "density", "coverage")


@pytest.fixture(autouse=True)
def _empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(evaluator_module, "LATEST_REFERENCE", {})


def clear_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear the reference in memory, as in a new process."""
    monkeypatch.setattr(evaluator_module, "LATEST_REFERENCE", {})


@pytest.mark.parametrize("resizer", ["tf_bilinear", "antialias"])
def test_metrics_equal_torch_fidelity_and_name_the_resizer(resizer: str) -> None:
    real, fake, samples = FakeImages(), random_images(600, 1, 0.25), 300
    values = evaluate_images(real, fake, samples=samples, resizer=resizer)
    assert list(values) == [f"{name}/{resizer}" for name in NAMES]
    features, logits = LinearNetwork()(to_uint8_nhwc(fake), resizer)
    real_features = LinearNetwork()(real.images, resizer)[0]
    subset = real_features[torch.arange(samples) * len(real) // samples]
    sides = [fid_features_to_statistics(side) for side in (features, real_features)]
    equal_sizes = features[:samples].double(), subset.double()
    theirs = {
        **fid_statistics_to_metric(*sides, verbose=False),
        **kid_features_to_metric(*equal_sizes, kid_subset_size=samples, verbose=False),
        **isc_features_to_metric(logits, splits=1),
        **prc_features_to_metric(*equal_sizes, verbose=False),
    }
    for ours, other in [
        ("fid", "frechet_inception_distance"),
        ("kid", "kernel_inception_distance_mean"),
        ("inception_score", "inception_score_mean"),
        ("precision", "precision"),
        ("recall", "recall"),
    ]:
        assert values[f"{ours}/{resizer}"] == pytest.approx(theirs[other], rel=1e-3), ours


def test_collapse_and_noise_are_distinguished() -> None:
    real = FakeImages(300)
    collapsed, noisy = (
        evaluate_images(real, random_images(300, 1, 0.03)),
        evaluate_images(real, random_images(300, 1, 1.0)),
    )
    same = evaluate_images(real, random_images(300, 1))
    assert collapsed["precision/tf_bilinear"] > 0.9 > 0.1 > collapsed["recall/tf_bilinear"]
    assert noisy["recall/tf_bilinear"] > 0.9 > 0.3 > noisy["precision/tf_bilinear"]
    for other in (collapsed, noisy):
        assert same["fid/tf_bilinear"] < other["fid/tf_bilinear"]
        assert same["kid/tf_bilinear"] < other["kid/tf_bilinear"]
        assert same["coverage/tf_bilinear"] > other["coverage/tf_bilinear"]


def test_images_are_rounded_to_256_levels() -> None:
    fake = random_images(50, 1)
    rounded = to_float_nchw(to_uint8_nhwc(fake))
    assert not torch.equal(fake, rounded)
    assert evaluate_images(FakeImages(), fake) == evaluate_images(FakeImages(), rounded)


def test_real_images_are_read_in_chunks_and_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, fake = FakeImages(1100), random_images(40, 1)
    values = evaluate_images(real, fake, samples=600)
    assert real.largest_read <= CHUNK_SIZE
    assert real.read == 1100 + 600
    assert evaluate_images(real, fake, samples=600) == values
    clear_memory(monkeypatch)
    assert evaluate_images(real, fake, samples=600) == values
    assert real.read == 1100 + 600
    # the statistics of all images do not depend on the size of the subset
    clear_memory(monkeypatch)
    evaluate_images(real, fake, samples=500)
    assert real.read == 1100 + 600 + 500


def test_features_are_recomputed_if_they_change(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = random_images(40, 1)
    evaluate_images(FakeImages(), fake)
    for number, (real, settings) in enumerate(
        [
            (FakeImages(), {}),
            (FakeImages(fingerprint="other images"), {}),
            (FakeImages(699), {}),
            (FakeImages(), {"resizer": "antialias"}),
            (FakeImages(), {"network": LinearNetwork("other weights")}),
        ]
    ):
        for in_memory in (True, False):
            if not in_memory:
                clear_memory(monkeypatch)
            evaluate_images(real, fake, **settings)
            assert real.read == (2 * len(real) if number else 0), (number, in_memory)


def test_features_are_kept_in_memory_if_the_cache_is_not_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "file" / "below"))
    real, fake = FakeImages(), random_images(40, 1)
    assert evaluate_images(real, fake) == evaluate_images(real, fake)
    assert real.read == 2 * len(real)


def test_a_signal_interrupts_the_features_of_real_images() -> None:
    def interrupt() -> None:
        if real.read >= CHUNK_SIZE:
            raise KeyboardInterrupt

    real = FakeImages()
    with pytest.raises(KeyboardInterrupt):
        evaluate_images(real, random_images(10, 1), shard=Shard(before_local_chunk=interrupt))
    assert real.read == CHUNK_SIZE
    assert not cache_folder().exists()
    assert "fid/tf_bilinear" in evaluate_images(real, random_images(10, 1))


def test_undefined_metrics_are_omitted() -> None:
    values = evaluate_images(FakeImages(20), random_images(3, 1))
    assert set(values) == {f"{name}/tf_bilinear" for name in NAMES if name != "recall"}
    assert all(math.isfinite(value) for value in values.values())


def test_an_unknown_resizer_raises() -> None:
    with pytest.raises(ValueError, match="'bicubic'; valid are"):
        InceptionEvaluator(FakeImages(), LinearNetwork(), CPU, resizer="bicubic")


def test_the_inception_network_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the eigenvalues of 2,048 features take seconds, and are tested with fewer
    monkeypatch.setattr(frechet, "frechet_distance", lambda mean, *_: mean.square().sum())
    path = tmp_path / "weights.pth"
    sum_of_file = write_weights(path)
    network = InceptionNetwork(torch.load(path, weights_only=True), sum_of_file)
    state = torch.get_rng_state()
    values = evaluate_images(FakeImages(8), random_images(6, 1), network=network)
    assert set(values) == {f"{name}/tf_bilinear" for name in NAMES}
    assert all(math.isfinite(value) for value in values.values())
    assert torch.equal(torch.get_rng_state(), state)
