"""Content of a report, checked without a browser."""

from __future__ import annotations

import io
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
from run_files import final_measures

from gan_lightning.core.seeding import derived_seed
from gan_lightning.report import image_sliders
from gan_lightning.report.curves import Curve, downsample, read_curves
from gan_lightning.report.run_data import read_runs
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import RunOutcome, run_lock, write_outcome
from gan_lightning.training.restore import load_model

KINDS = {
    "gan_ring": {"points"},
    "wgan_ring": {"points", "images-weights"},
    "dirac_vanilla": {"images-portrait"},
    "infogan_mnist": {"images-samples", "images-traversal"},
    "cogan_edges": {"images-samples", "images-traversal", "images-pairs"},
    "pix2pix_edges_mnist": {"images-translations"},
    "adversarial_fgsm_mnist": {"images-attacked"},
}


@pytest.mark.parametrize("experiment", KINDS)
def test_every_kind_of_run(experiment: str, trained: Trained) -> None:
    run = trained(experiment)
    page = report_of(run.folder)
    always = {"runs", "curves", "metrics", "configs", "environment"}
    assert page.sections - {"claims"} == always | KINDS[experiment]
    pictures = RunDirectory(run.folder).pictures()
    shown = {part["data-update"] for part in page.all("img")}
    drawn = {str(update) for kind in pictures if kind != "scatter" for update in pictures[kind]}
    assert shown == drawn
    assert all(part["alt"] for part in page.all("img"))
    assert "Finished after 4 updates" in page.text
    for name in final_measures(run.folder):
        assert name in page.text
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


def test_points_of_all_updates_have_the_same_latents(ring_run: TinyRun) -> None:
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
    assert "images-scatter" in report_of(old).sections
    both = report_of(old, ring_run.folder)
    assert {"images-scatter", "points"} <= both.sections
    assert {part["alt"].split(" at ")[0] for part in both.all("img")} == {"Points of old"}


def test_all_panels_of_a_wide_traversal_are_whole(infogan_run: TinyRun) -> None:
    """Three codes make three panels, wider together than `MAX_WIDTH`."""
    (slider,) = (
        s
        for s in image_sliders.image_sliders(read_runs([str(infogan_run.folder)]), {})
        if s.kind == "traversal"
    )
    frame = slider.frames[0][-1]
    with Image.open(RunDirectory(infogan_run.folder).pictures()["traversal"][4]) as file:
        drawn = file.convert("RGB")
    assert drawn.width > frame.width == image_sliders.MAX_WIDTH
    expected = np.asarray(drawn.resize((frame.width, frame.height)), float)
    with Image.open(io.BytesIO(frame.content)) as file:
        difference = np.abs(np.asarray(file, float) - expected)
    assert frame.height == round(drawn.height * frame.width / drawn.width)
    for panel in np.array_split(np.arange(frame.width), 3):
        assert expected[:, panel].std() > 20
        assert difference[:, panel].mean() < 10


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
    assert "The environment was not recorded." in page.text


def test_a_run_that_has_measured_nothing(tmp_path: Path) -> None:
    run = made_up(tmp_path / "young", "gan_ring", None)
    write_outcome(run, RunOutcome())
    page = report_of(run)
    assert "Stopped at update 0 of 8,000" in page.text
    assert "Nothing has been measured yet." in page.text
    assert "Nothing has been logged yet." in page.text
    assert "Not evaluated before the end of the run" in page.text
    with run_lock(run):
        assert "In training, at update 0 of 8,000" in report_of(run).text


def test_an_unfinished_run_shows_its_latest_measures(tmp_path: Path) -> None:
    run = made_up(tmp_path / "run", "gan_ring", None)
    write_outcome(run, RunOutcome(400, 90))
    rows = "updates,loss/generator/adversarial,modes/covered\n200,0.5,3\n400,nan,7\n450,0.25,\n"
    (run / "metrics.csv").write_text(rows)
    (summary,) = read_runs([str(run)])
    assert (summary.updates, summary.measures, summary.measured_at) == (
        450,
        {"modes/covered": 7},
        400,
    )
    text = " ".join(report_of(run).text.split())
    assert "Stopped at update 450 of 8,000" in text
    assert "run: latest, at update 400." in text


def test_names_and_titles_of_a_run_are_escaped(ring_run: TinyRun, tmp_path: Path) -> None:
    bad = "</script><script>alert(1)</script>"
    run = shutil.copytree(ring_run.folder, tmp_path / "<b onclick=alert(1)>&amp;{{ 7*7 }}")
    config = (run / "config.yaml").read_text()
    title = "title: Standard GAN on a ring of 8 Gaussians"
    assert title in config
    (run / "config.yaml").write_text(config.replace(title, f"title: {bad}"))
    page = report_of(run)
    assert len(page.all("script")) == len(report_of(ring_run.folder).all("script"))
    assert not page.all("b")
    assert bad in page.text
    assert run.name in page.text


def test_labels_are_as_short_as_they_can_be(
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


def test_the_size_of_all_pictures_is_limited(
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
        return image_sliders.image_sliders(runs, {})[0].updates

    many = updates()
    assert len(many) == image_sliders.MAX_FRAMES
    assert (many[0], many[-1]) == (100, 6000)
    size = sum(len(frame.content) for frame in image_sliders.image_sliders(runs, {})[0].frames[0])
    monkeypatch.setattr(image_sliders, "MAX_BYTES", size // 3)
    few = updates()
    assert len(few) == image_sliders.MAX_FRAMES // 4
    assert few[-1] == 6000
    monkeypatch.setattr(image_sliders, "MAX_BYTES", 1)
    assert updates() == [6000]


NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False) | st.just(nan)  # torch flushes subnormals


@given(
    st.lists(NUMBERS, min_size=1, max_size=300),
    st.integers(4, 50),
)
def test_a_downsampled_curve_keeps_its_ends_and_extremes(
    values: list[float], max_points: int
) -> None:
    whole = Curve(range(1, len(values) + 1), values)
    few = downsample(whole, max_points)
    assert len(few.updates) <= max_points + 2
    assert (few.updates[0], few.updates[-1]) == (1, len(values))
    assert list(few.updates) == sorted(set(few.updates))
    np.testing.assert_array_equal([values[update - 1] for update in few.updates], few.values)
    finite = [value for value in values if value == value]
    if finite:
        assert {min(finite), max(finite)} <= set(few.values)


def test_rows_that_were_cut_off_are_left_out(tmp_path: Path) -> None:
    """A row that ends inside a number would be a wrong figure."""
    path = tmp_path / "metrics.csv"
    assert read_curves(path) == {}
    path.write_text("updates,a,b\n1,2,\n2,,nan\n3,4,5,6\nx,1,1\n4,7\n\0\0\0\n5,8,12")
    curves: dict[str, Any] = read_curves(path)
    assert (list(curves["a"].updates), list(curves["a"].values)) == ([1], [2])
    assert list(curves["b"].updates) == [2]
    path.write_bytes(bytes(100))
    assert read_curves(path) == {}


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
    mistake(["compare", run], "compare needs at least two runs; `gan-lightning report` shows one")
    mistake(["compare", run, "run/"], "named twice")
    mistake(["compare", run, "elsewhere"], "there is no run 'elsewhere'")
    for damage, said in (
        ("a: [", "is not valid YAML"),
        ("claims: [{x: 1}]", "has an invalid claim"),
    ):
        Path("run/config.yaml").write_text(damage)
        mistake(["report", run], "run/config.yaml", said)
