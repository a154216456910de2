"""The command `neighbours`: nearest training data and the data-copying test."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from bad_inputs import mistake
from conftest import TinyRun, run_cli
from PIL import Image
from scipy.stats import mannwhitneyu

from gan_lightning.data import DATASETS
from gan_lightning.data.base import to_float_nchw
from gan_lightning.gans import GAN
from gan_lightning.inference import memorization
from gan_lightning.metrics.data_copying import data_copying_test
from gan_lightning.metrics.nearest_neighbour import k_nearest
from gan_lightning.types import Condition, Sample

pytestmark = pytest.mark.usefixtures("empty_folder", "_small_test_size")


@pytest.fixture
def _small_test_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare fewer data, which is faster and sensitive enough."""
    monkeypatch.setattr(memorization, "TEST_SIZE", 100)


def test_nearest_is_what_all_distances_say() -> None:
    rng = torch.Generator().manual_seed(0)
    known, data = torch.randn(103, 7, generator=rng), torch.randn(11, 7, generator=rng)
    data[0] = known[50]
    distances, places = k_nearest(data, known.split(10), 4)
    expected, order = torch.cdist(data.double(), known.double()).sort(1)
    assert torch.equal(places, order[:, :4])
    assert (distances - expected[:, :4]).abs().max() < 1e-7
    assert (places[0, 0], distances[0, 0] < 1e-7) == (50, True)


def test_score_is_that_of_mann_and_whitney() -> None:
    rng = np.random.default_rng(0)
    generated, test = rng.exponential(1.0, 80).round(2), rng.exponential(1.5, 60).round(2)
    found = data_copying_test(torch.tensor(generated), torch.tensor(test))
    wins = mannwhitneyu(generated, test).statistic
    deviation = (80 * 60 * 141 / 12) ** 0.5
    assert found.score == pytest.approx((wins - 80 * 60 / 2) / deviation)
    assert found.near == np.mean(generated < np.quantile(test, 0.05))


def test_one_distribution_is_no_copy() -> None:
    distances = torch.rand(4000, generator=torch.Generator().manual_seed(0))
    found = data_copying_test(distances[:2000], distances[2000:])
    assert abs(found.score) < 3
    assert abs(found.near - 0.05) < 0.02


@pytest.mark.parametrize(("tests", "has_verdict"), [(10, False), (49, False), (50, True)])
def test_a_verdict_needs_enough_test_data(tests: int, has_verdict: bool) -> None:
    result = data_copying_test(torch.zeros(1000), torch.linspace(1, 2, tests))
    lines = memorization.report(result, 1000, tests, "pixels")
    assert ("\nmemorization: " in "\n".join(lines)) == has_verdict
    assert any(line.startswith(f"no verdict: {tests} test") for line in lines) != has_verdict


@pytest.mark.usefixtures("drawn_figures")
def test_picture_and_report_of_points(ring_run: TinyRun) -> None:
    outcome = run_cli("neighbours", str(ring_run.folder), "--count", "4", "--neighbours", "2")
    assert outcome.code == 0, outcome.err
    assert "no memorization" in outcome.out
    assert Image.open("neighbours.png").size[0] > 300


def use_few_digits(monkeypatch: pytest.MonkeyPatch, size: int) -> torch.Tensor:
    """Cut MNIST to its first images, which are faster to search, and return them."""
    mnist = DATASETS["mnist"]
    images, labels = mnist(mnist.Config()).training_data()
    assert isinstance(images, torch.Tensor)
    assert labels is not None
    few = images[:size], labels[:size]
    monkeypatch.setattr(mnist, "training_data", lambda self: few)
    return few[0]


@pytest.mark.parametrize("space", ["pixels", "features"])
def test_a_generator_that_copies_training_digits_is_detected(
    space: str, infogan_run: TinyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = use_few_digits(monkeypatch, 500)
    copies = to_float_nchw(digits[torch.arange(100).flip(0)])
    monkeypatch.setattr(
        GAN, "sample", lambda self, count, *, seed: Sample(copies[:count], Condition())
    )
    outcome = run_cli("neighbours", str(infogan_run.folder), "--space", space, "--count", "2")
    assert outcome.code == 0, outcome.err
    assert "nearer than 95 % of the test samples: 100.0%" in outcome.out
    assert "\nmemorization: " in outcome.out


def test_an_untrained_generator_does_not_copy(
    infogan_run: TinyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_few_digits(monkeypatch, 500)
    outcome = run_cli("neighbours", str(infogan_run.folder), "--output", "a.png")
    assert outcome.code == 0, outcome.err
    assert "no memorization: generated samples lie farther" in outcome.out


def test_mirrored_copies_are_found() -> None:
    known = torch.randint(0, 255, (9, 4, 4, 3), dtype=torch.uint8)
    data = to_float_nchw(known).flip(-1)
    nearest = partial(memorization.nearest_training_data, lambda images: images.flatten(1))
    for mirrored in (True, False):
        distances, places = nearest(data, known, mirrored, 2)
        assert (distances[:, 0].max() < 1e-6) == mirrored
    distances, places = nearest(data, known, True, 2)
    assert places[:, 0].tolist() == list(range(9))
    assert (distances[:, 0] <= distances[:, 1]).all()


@pytest.mark.parametrize("experiment", ["pix2pix_edges_mnist", "wgan_gp_celeba"])
@pytest.mark.usefixtures("drawn_figures")
def test_translators_and_mirrored_datasets(experiment: str, request: pytest.FixtureRequest) -> None:
    run: TinyRun = request.getfixturevalue("trained")(experiment)
    outcome = run_cli("neighbours", str(run.folder), "--count", "2", "--neighbours", "2")
    assert outcome.code == 0, outcome.err
    assert Image.open("neighbours.png").size[1] > 100


def test_mistakes(ring_run: TinyRun, trained: object) -> None:
    run = str(ring_run.folder)
    mistake(["neighbours", "gan_rign"], "no run 'gan_rign'")
    mistake(["neighbours", run, "--count", "0"], "--count is 0", "1 to 100")
    mistake(["neighbours", run, "--neighbours", "101"], "--neighbours is 101", "1 to 100")
    mistake(["neighbours", run, "--space", "pixel"], "--space is 'pixel'", "pixels, features")
    mistake(["neighbours", run, "--space", "features"], "'features'", "mnist", "pixels")
    mistake(["neighbours", run, "--output", "a.jpg"], "--output is a.jpg", ".png")
    mistake(["neighbours", run, "--seed", "-1"], "--seed is -1", "0 to ")
    Path("file").write_text("")
    mistake(["neighbours", run, "--output", "file/a.png"], "cannot write file/a.png", "--output")
