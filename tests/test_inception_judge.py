"""What the Inception judge measures, what it keeps of the real images, and when it looks anew."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from inception_worlds import CPU, Linear, Photographs, judged, pictures, write_weights
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from gan_lightning.data.base import to_float_nchw, to_uint8_nhwc
from gan_lightning.distributed.sharding import Shard
from gan_lightning.evaluation import InceptionEvaluator, InceptionNetwork
from gan_lightning.evaluation import pictures as evaluator_module
from gan_lightning.evaluation.base import CHUNK
from gan_lightning.metrics import cache_folder, frechet

NAMES = ("fid", "kid", "inception_score", "precision", "recall", "density", "coverage")


@pytest.fixture(autouse=True)
def _nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(evaluator_module, "REMEMBERED", {})


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be another process."""
    monkeypatch.setattr(evaluator_module, "REMEMBERED", {})


@pytest.mark.parametrize("resizer", ["tf_bilinear", "antialias"])
def test_the_measures_are_torch_fidelitys_under_the_resizers_name(resizer: str) -> None:
    real, fake, samples = Photographs(), pictures(600, 1, 0.25), 300
    found = judged(real, fake, samples=samples, resizer=resizer)
    assert list(found) == [f"{name}/{resizer}" for name in NAMES]
    features, logits = Linear()(to_uint8_nhwc(fake), resizer)
    of_real = Linear()(real.held, resizer)[0]
    some = of_real[torch.arange(samples) * len(real) // samples]
    sides = [fid_features_to_statistics(side) for side in (features, of_real)]
    alike = features[:samples].double(), some.double()
    theirs = {
        **fid_statistics_to_metric(*sides, verbose=False),
        **kid_features_to_metric(*alike, kid_subset_size=samples, verbose=False),
        **isc_features_to_metric(logits, splits=1),
        **prc_features_to_metric(*alike, verbose=False),
    }
    for ours, other in [
        ("fid", "frechet_inception_distance"),
        ("kid", "kernel_inception_distance_mean"),
        ("inception_score", "inception_score_mean"),
        ("precision", "precision"),
        ("recall", "recall"),
    ]:
        assert found[f"{ours}/{resizer}"] == pytest.approx(theirs[other], rel=1e-3), ours


def test_collapse_and_noise_are_told_apart() -> None:
    real = Photographs(300)
    collapsed, noisy = judged(real, pictures(300, 1, 0.03)), judged(real, pictures(300, 1, 1.0))
    same = judged(real, pictures(300, 1))
    assert collapsed["precision/tf_bilinear"] > 0.9 > 0.1 > collapsed["recall/tf_bilinear"]
    assert noisy["recall/tf_bilinear"] > 0.9 > 0.3 > noisy["precision/tf_bilinear"]
    for other in (collapsed, noisy):
        assert same["fid/tf_bilinear"] < other["fid/tf_bilinear"]
        assert same["kid/tf_bilinear"] < other["kid/tf_bilinear"]
        assert same["coverage/tf_bilinear"] > other["coverage/tf_bilinear"]


def test_images_are_rounded_as_in_files() -> None:
    fake = pictures(50, 1)
    rounded = to_float_nchw(to_uint8_nhwc(fake))
    assert not torch.equal(fake, rounded)
    assert judged(Photographs(), fake) == judged(Photographs(), rounded)


def test_real_images_come_in_chunks_and_are_looked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, fake = Photographs(1100), pictures(40, 1)
    found = judged(real, fake, samples=600)
    assert real.most <= CHUNK
    assert real.seen == 1100 + 600
    assert judged(real, fake, samples=600) == found
    forget(monkeypatch)
    assert judged(real, fake, samples=600) == found
    assert real.seen == 1100 + 600
    # the statistics are of all images, whatever is compared one by one
    forget(monkeypatch)
    judged(real, fake, samples=500)
    assert real.seen == 1100 + 600 + 500


def test_what_changes_the_features_makes_them_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = pictures(40, 1)
    judged(Photographs(), fake)
    for number, (real, settings) in enumerate(
        [
            (Photographs(), {}),
            (Photographs(fingerprint="other photographs"), {}),
            (Photographs(699), {}),
            (Photographs(), {"resizer": "antialias"}),
            (Photographs(), {"network": Linear("other weights")}),
        ]
    ):
        for remembers in (True, False):
            if not remembers:
                forget(monkeypatch)
            judged(real, fake, **settings)
            assert real.seen == (2 * len(real) if number else 0), (number, remembers)


def test_a_cache_that_cannot_be_written_costs_no_second_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "file" / "below"))
    real, fake = Photographs(), pictures(40, 1)
    assert judged(real, fake) == judged(real, fake)
    assert real.seen == 2 * len(real)


def test_a_signal_breaks_the_look_at_real_images_off() -> None:
    def told() -> None:
        if real.seen >= CHUNK:
            raise KeyboardInterrupt

    real = Photographs()
    with pytest.raises(KeyboardInterrupt):
        judged(real, pictures(10, 1), share=Shard(pause_apart=told))
    assert real.seen == CHUNK
    assert not cache_folder().exists()
    assert "fid/tf_bilinear" in judged(real, pictures(10, 1))


def test_what_few_images_do_not_define_is_left_out() -> None:
    found = judged(Photographs(20), pictures(3, 1))
    assert set(found) == {f"{name}/tf_bilinear" for name in NAMES if name != "recall"}
    assert all(math.isfinite(value) for value in found.values())


def test_an_unknown_resizer_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="'bicubic'; valid are"):
        InceptionEvaluator(Photographs(), Linear(), CPU, resizer="bicubic")


def test_the_network_of_the_papers_fits_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the eigenvalues of 2,048 features take seconds, and are tested with fewer
    monkeypatch.setattr(frechet, "frechet_distance", lambda mean, *_: mean.square().sum())
    path = tmp_path / "weights.pth"
    sum_of_file = write_weights(path)
    network = InceptionNetwork(torch.load(path, weights_only=True), sum_of_file)
    state = torch.get_rng_state()
    found = judged(Photographs(8), pictures(6, 1), network=network)
    assert set(found) == {f"{name}/tf_bilinear" for name in NAMES}
    assert all(math.isfinite(value) for value in found.values())
    assert torch.equal(torch.get_rng_state(), state)
