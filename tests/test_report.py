"""What a report and a comparison say of runs, read without a browser."""

from __future__ import annotations

import shutil
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_inputs import mistake
from conftest import TinyRun, run_cli
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from reports import Trained, made_up, report_of
from run_files import measures_of

from gan_lightning.core.seeding import derived_seed
from gan_lightning.report import image_sliders
from gan_lightning.report.curves import Curve, read_curves, thinned
from gan_lightning.report.run_data import read_runs
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import RunOutcome, run_lock, write_outcome
from gan_lightning.training.restore import load_model

KINDS = {
    "gan_ring": {"points"},
    "wgan_ring": {"points", "film-weights"},
    "dirac_vanilla": {"film-portrait"},
    "infogan_mnist": {"film-samples", "film-traversal"},
    "cogan_edges": {"film-samples", "film-traversal", "film-pairs"},
    "pix2pix_edges_mnist": {"film-translations"},
    "adversarial_fgsm_mnist": {"film-attacked"},
}


@pytest.mark.parametrize("experiment", KINDS)
def test_every_kind_of_run(experiment: str, trained: Trained) -> None:
    run = trained(experiment)
    page = report_of(run.folder)
    always = {"runs", "curves", "measures", "configs", "environment"}
    assert page.sections - {"claims"} == always | KINDS[experiment]
    pictures = RunDirectory(run.folder).pictures()
    shown = {part["data-update"] for part in page.all("img")}
    drawn = {str(update) for kind in pictures if kind != "scatter" for update in pictures[kind]}
    assert shown == drawn
    assert all(part["alt"] for part in page.all("img"))
    assert "Finished after 4 updates" in page.words
    for name in measures_of(run.folder):
        assert name in page.words
    charts = [part for part in page.all("div") if "data-figure" in part]
    assert len(charts) >= 2
    assert all(part["aria-label"] for part in charts)


def test_the_same_runs_give_the_same_bytes(
    ring_run: TinyRun, infogan_run: TinyRun, tmp_path: Path
) -> None:
    files = [tmp_path / "a.html", tmp_path / "there" / "b.html"]
    for file in files:
        words = [str(ring_run.folder), str(infogan_run.folder), "--output", str(file)]
        outcome = run_cli("report", *words)
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.startswith(f"wrote {file}, ")
    assert files[0].read_bytes() == files[1].read_bytes()
    assert 4e6 < files[0].stat().st_size < 10e6


def test_points_are_kept_of_one_latent(ring_run: TinyRun) -> None:
    folder = RunDirectory(ring_run.folder)
    kept = folder.points()
    assert list(kept) == [2, 4]
    learner, data, _ = load_model(folder)
    again = learner.sample(2500, seed=derived_seed(learner.seed, "scatter")).data  # type: ignore[operator]
    np.testing.assert_array_equal(np.load(kept[4]), again.numpy())
    assert not np.array_equal(np.load(kept[2]), again.numpy())
    real = np.load(folder.samples / "points_real.npy")
    np.testing.assert_array_equal(real, data.test_data().data[:2500].numpy())
    assert real.dtype == np.float32


def test_a_run_that_kept_no_points_shows_its_pictures(ring_run: TinyRun, tmp_path: Path) -> None:
    old = shutil.copytree(ring_run.folder, tmp_path / "old")
    for path in old.glob("samples/*.npy"):
        path.unlink()
    assert "film-scatter" in report_of(old).sections
    both = report_of(old, ring_run.folder)
    assert {"film-scatter", "points"} <= both.sections
    assert {part["alt"].split(" at ")[0] for part in both.all("img")} == {"Points of old"}


def test_files_that_cannot_be_read_are_left_out(infogan_run: TinyRun, tmp_path: Path) -> None:
    run = shutil.copytree(infogan_run.folder, tmp_path / "run")
    broken = run / "samples" / "samples_0000004.png"
    broken.write_bytes(broken.read_bytes()[:200])
    (run / "samples" / "points_0000002.npy").write_bytes(b"\x93NUMPY")
    (run / "samples" / "notes.png").write_bytes(b"")
    (run / "environment.json").write_text("{")
    (run / "metrics.csv").write_bytes((run / "metrics.csv").read_bytes()[:-9] + b"\n3,\xff")
    page = report_of(run)
    shown = [part["data-update"] for part in page.all("img") if "Samples" in str(part["alt"])]
    assert shown == ["2"]
    assert "It was not recorded." in page.words


def test_a_run_that_has_measured_nothing(tmp_path: Path) -> None:
    run = made_up(tmp_path / "young", "gan_ring", None)
    write_outcome(run, RunOutcome())
    page = report_of(run)
    assert "Stopped at update 0 of 8,000" in page.words
    assert "Nothing has been measured yet." in page.words
    assert "Nothing has been logged yet." in page.words
    assert "Not judged before the run's end" in page.words
    with run_lock(run):
        assert "In training, at update 0 of 8,000" in report_of(run).words


def test_an_unfinished_run_shows_its_latest_measures(tmp_path: Path) -> None:
    run = made_up(tmp_path / "run", "gan_ring", None)
    write_outcome(run, RunOutcome(400, 90))
    rows = "updates,loss/generator/adversarial,modes/covered\n200,0.5,3\n400,nan,7\n450,0.25,\n"
    (run / "metrics.csv").write_text(rows)
    (facts,) = read_runs([str(run)])
    assert (facts.updates, facts.measures, facts.measured_at) == (450, {"modes/covered": 7}, 400)
    words = " ".join(report_of(run).words.split())
    assert "Stopped at update 450 of 8,000" in words
    assert "run: latest, at update 400." in words


def test_words_of_a_run_stay_words(ring_run: TinyRun, tmp_path: Path) -> None:
    bad = "</script><script>alert(1)</script>"
    run = shutil.copytree(ring_run.folder, tmp_path / "<b onclick=alert(1)>&amp;{{ 7*7 }}")
    config = (run / "config.yaml").read_text()
    title = "title: Standard GAN on a ring of 8 Gaussians"
    assert title in config
    (run / "config.yaml").write_text(config.replace(title, f"title: {bad}"))
    page = report_of(run)
    assert len(page.all("script")) == len(report_of(ring_run.folder).all("script"))
    assert not page.all("b")
    assert bad in page.words
    assert run.name in page.words


def test_runs_are_named_by_as_little_as_tells_them_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    times = ("2026-11-23_10-00-00", "2026-11-23_11-00-00")
    for run in (*(f"runs/gan_ring/{time}" for time in times), "x/same", "y/same", "own"):
        made_up(Path(run), "gan_ring", {})
    assert [run.label for run in read_runs(["gan_ring", "own", "x/same"])] == [
        "gan_ring",
        "own",
        "same",
    ]
    found = [run.label for run in read_runs([*Path("runs/gan_ring").glob("*"), "x/same", "y/same"])]  # type: ignore[list-item]
    assert sorted(found[:2]) == [f"gan_ring/{time}" for time in times]
    assert found[2:] == ["x/same", "y/same"]


def test_pictures_stay_within_what_a_page_can_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made_up(tmp_path / "run", "gan_mnist", {})
    (run / "samples").mkdir()
    rng = np.random.default_rng(0)
    for update in range(100, 6100, 100):
        noise = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).save(run / "samples" / f"samples_{update:07d}.png")
    runs = read_runs([str(run)])

    def updates() -> list[int]:
        return image_sliders.films(runs, {})[0].updates

    many = updates()
    assert len(many) == image_sliders.MOST_SHOTS
    assert (many[0], many[-1]) == (100, 6000)
    size = sum(len(shot.content) for shot in image_sliders.films(runs, {})[0].shots[0])
    monkeypatch.setattr(image_sliders, "PICTURE_BYTES", size // 3)
    few = updates()
    assert len(few) == image_sliders.MOST_SHOTS // 4
    assert few[-1] == 6000
    monkeypatch.setattr(image_sliders, "PICTURE_BYTES", 1)
    assert updates() == [6000]


NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False) | st.just(nan)  # torch flushes subnormals


@given(
    st.lists(NUMBERS, min_size=1, max_size=300),
    st.integers(4, 50),
)
def test_a_thinned_curve_keeps_its_ends_and_extremes(values: list[float], most: int) -> None:
    whole = Curve(range(1, len(values) + 1), values)
    few = thinned(whole, most)
    assert len(few.updates) <= most + 2
    assert (few.updates[0], few.updates[-1]) == (1, len(values))
    assert list(few.updates) == sorted(set(few.updates))
    np.testing.assert_array_equal([values[update - 1] for update in few.updates], few.values)
    finite = [value for value in values if value == value]
    if finite:
        assert {min(finite), max(finite)} <= set(few.values)


def test_rows_that_a_kill_has_cut(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    assert read_curves(path) == {}
    path.write_text("updates,a,b\n1,2,\n2,,nan\n3,4,5,6\nx,1,1\n4,7")
    curves: dict[str, Any] = read_curves(path)
    assert list(curves["a"].updates) == [1, 3, 4]
    assert list(curves["a"].values) == [2, 4, 7]
    assert list(curves["b"].updates) == [2, 3]


# --- mistakes


@pytest.mark.usefixtures("empty_folder")
def test_mistakes() -> None:
    run = str(made_up(Path("run"), "gan_ring", {"modes/covered": 8}))
    Path("folder").mkdir()
    Path("file").touch()
    mistake(["report", "nowhere"], "there is no run 'nowhere': there are no runs yet")
    mistake(["report"], "Missing argument 'RUN…'", "`gan-lightning report --help`")
    mistake(["report", run, "./run"], "run run is named twice; name each run once")
    mistake(
        ["report", run, "--output", "folder"], "cannot write folder: it is a folder", "--output"
    )
    mistake(["report", run, "--output", "."], "cannot write .: it is a folder")
    mistake(["report", run, "--output", "file/x.html"], "cannot write file/x.html", "--output")
    mistake(["compare", run], "compare needs two runs or more; `report` shows one")
    mistake(["compare", run, "run/"], "named twice")
    mistake(["compare", run, "elsewhere"], "there is no run 'elsewhere'")
    for damage, said in (("a: [", "is not valid YAML"), ("claims: [{x: 1}]", "has a claim")):
        Path("run/config.yaml").write_text(damage)
        mistake(["report", run], "run/config.yaml", said)
