"""What `evaluate`, `sample` and `traverse` make of a run."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TinyRun, run_cli
from PIL import Image
from run_files import final_measures

from gan_lightning.assets.loader import read_idx
from gan_lightning.runs.state import read_evaluation

pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.mark.usefixtures("all_test_data")
@pytest.mark.parametrize("kind", ["ring_run", "infogan_run"])
def test_evaluate_measures_the_checkpoint(kind: str, request: pytest.FixtureRequest) -> None:
    run: TinyRun = request.getfixturevalue(kind)
    shutil.copytree(run.folder, "run")
    outcome = run_cli("evaluate", "run")
    assert outcome.code == 0, outcome.err
    *lines, following = outcome.out.splitlines()
    measured = {line.split()[0]: float(line.split()[1]) for line in lines}
    assert following.startswith("next: gan-lightning report ")
    measures = final_measures(run.folder)
    assert measured == pytest.approx(measures, rel=0.01, abs=0.002, nan_ok=True)
    kept = read_evaluation(Path("run"))
    assert kept is not None
    assert (kept.updates, kept.samples) == (4, 40)
    assert kept.measures == pytest.approx(measured, abs=1e-4, nan_ok=True)
    assert Path("run/outcome.json").read_bytes() == (run.folder / "outcome.json").read_bytes()


def test_evaluate_prints_and_keeps_json(ring_run: TinyRun) -> None:
    shutil.copytree(ring_run.folder, "run")
    outcome = run_cli("evaluate", "run", "--json", "--count", "8", "evaluation.samples=9")
    assert outcome.code == 0, outcome.err
    kept = read_evaluation(Path("run"))
    assert kept is not None
    assert (kept.samples, kept.overrides) == (8, ("evaluation.samples=9",))
    printed = json.loads(outcome.out)
    assert set(printed) == set(kept.measures) >= {"modes/covered", "modes/high_quality"}
    Path("run/evaluation.json").write_text("[]")
    assert read_evaluation(Path("run")) is None


def test_evaluate_of_a_run_that_cannot_be_written(
    ring_run: TinyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gan_lightning.inference.evaluate.write_evaluation", full)
    outcome = run_cli("evaluate", str(ring_run.folder), "--count", "8")
    assert outcome.code == 0
    assert "modes/covered" in outcome.out
    assert outcome.err.count("the metrics are not kept: cannot write to") == 1


def test_evaluate_knows_real_digits() -> None:
    images = read_idx("t10k-images-idx3-ubyte").reshape(-1, 28, 28, 1)
    np.savez("real.npz", images=images)
    outcome = run_cli("evaluate", "--samples", "real.npz", "--data", "mnist")
    assert outcome.code == 0, outcome.err
    measured = {line.split()[0]: float(line.split()[1]) for line in outcome.out.splitlines()}
    assert measured["fd_digits"] == pytest.approx(0, abs=1e-3)
    assert measured["classes/covered"] == 10
    assert measured["classes/kl"] < 0.01


def test_evaluate_knows_the_modes_of_a_ring() -> None:
    angles = np.arange(80) * (np.pi / 4)
    np.savez("ring.npz", points=np.stack([np.cos(angles), np.sin(angles)], 1))
    outcome = run_cli("evaluate", "--samples", "ring.npz", "--data", "ring")
    assert outcome.code == 0, outcome.err
    measures = dict(line.split() for line in outcome.out.splitlines())
    names = ("modes/covered", "modes/high_quality", "modes/reverse_kl")
    assert [float(measures[name]) for name in names] == [8, 1, 0]
    assert 0 < float(measures["wasserstein/exact"]) < 0.5


def sampled(run: TinyRun, *words: str) -> dict[str, np.ndarray[Any, Any]]:
    outcome = run_cli("sample", str(run.folder), "--output", "out/samples.npz", *words)
    assert outcome.code == 0, outcome.err
    with np.load("out/samples.npz", allow_pickle=False) as file:
        return dict(file)


def test_sample_writes_images_and_codes(infogan_run: TinyRun) -> None:
    arrays = sampled(infogan_run, "--count", "5", "--seed", "3")
    assert arrays.keys() == {"images", "codes"}
    assert (arrays["images"].dtype, arrays["images"].shape) == (np.uint8, (5, 28, 28, 1))
    categories, continuous = arrays["codes"][:, 0], arrays["codes"][:, 1:]
    assert arrays["codes"].shape == (5, 3)
    assert set(categories) <= set(range(10))
    assert (np.abs(continuous) <= 1).all()


def test_sample_writes_what_was_translated(trained: Callable[[str], TinyRun]) -> None:
    arrays = sampled(trained("pix2pix_edges_mnist"), "--count", "3")
    assert {name: array.shape for name, array in arrays.items()} == {
        "images": (3, 32, 32, 1),
        "sources": (3, 32, 32, 1),
    }
    assert (arrays["sources"] > 0).any()


def test_a_translator_has_nothing_to_traverse(trained: Callable[[str], TinyRun]) -> None:
    run = trained("pix2pix_edges_mnist")
    outcome = run_cli("traverse", str(run.folder), "--output", "x.png")
    assert outcome.code == 2
    assert "translates images and has no codes to vary; use `sample`" in outcome.err


def test_sample_writes_points(ring_run: TinyRun) -> None:
    arrays = sampled(ring_run, "--count", "501")
    assert arrays.keys() == {"points"}
    assert (arrays["points"].dtype, arrays["points"].shape) == (np.float32, (501, 2))
    assert len(np.unique(arrays["points"], axis=0)) > 490


def test_sample_repeats_by_seed(ring_run: TinyRun) -> None:
    files, points = [], []
    for seed in ("1", "1", "2"):
        points.append(sampled(ring_run, "--count", "20", "--seed", seed)["points"])
        files.append(Path("out/samples.npz").read_bytes())
    assert files[0] == files[1] != files[2]
    more = sampled(ring_run, "--count", "600", "--seed", "1")["points"]
    np.testing.assert_array_equal(more[:20], points[0])


@pytest.mark.parametrize("kind", ["ring_run", "infogan_run"])
def test_sample_draws_a_picture(kind: str, request: pytest.FixtureRequest) -> None:
    run: TinyRun = request.getfixturevalue(kind)
    outcome = run_cli("sample", str(run.folder), "--count", "6", "--output", "picture.png")
    assert outcome.code == 0
    assert outcome.out.startswith("wrote 6 samples to picture.png\nnext: gan-lightning play ")
    with Image.open("picture.png") as image:
        assert image.mode == "RGB"
        assert min(image.size) > 50


def test_sample_of_a_classifier(trained: Callable[[str], TinyRun]) -> None:
    run = trained("classifier_mnist")
    outcome = run_cli("sample", str(run.folder), "--output", "digits.npz")
    assert outcome.code == 2
    assert "generates nothing" in outcome.err
    assert not Path("digits.npz").exists()


def test_traverse_draws_each_code(infogan_run: TinyRun) -> None:
    sizes = []
    for rows_of_panel in ("2", "4"):
        words = ["--rows", rows_of_panel, "--output", "codes.png"]
        outcome = run_cli("traverse", str(infogan_run.folder), *words)
        assert outcome.code == 0, outcome.err
        assert outcome.out.startswith("wrote codes.png\nnext: gan-lightning play ")
        with Image.open("codes.png") as image:
            sizes.append(image.size)
    assert sizes[0][1] < sizes[1][1]
    assert sizes[0][0] > 3 * 28 * 10
