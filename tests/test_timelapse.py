"""Timelapses of training as videos and animations."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from bad_inputs import mistake
from conftest import TinyRun, run_cli
from PIL import Image

pytestmark = pytest.mark.usefixtures("empty_folder")

SHADES = (0, 120, 240)


@pytest.fixture
def run(ring_run: TinyRun) -> Path:
    """Make a run of three pictures, each of one shade, of odd sides."""
    folder = Path("run")
    folder.mkdir()
    shutil.copy(ring_run.folder / "config.yaml", folder)
    (folder / "samples").mkdir()
    for number, shade in enumerate(SHADES):
        picture = Image.new("RGB", (501, 333), (shade,) * 3)
        picture.save(folder / f"samples/scatter_{number * 1000:07d}.png")
    return folder


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def test_video_shows_every_picture_in_order(run: Path) -> None:
    outcome = run_cli("timelapse", "run", "--seconds", "3")
    assert outcome.code == 0, outcome.err
    wrote, following = outcome.out.splitlines()
    assert wrote == "wrote a video of 3 pictures to run/timelapse.mp4"
    assert following.endswith("gan-lightning report run")
    with av.open("run/timelapse.mp4") as film:
        (stream,) = film.streams.video
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert film.duration == 3_000_000
    frames = decoded(run / "timelapse.mp4")
    assert len(frames) == 75
    assert all(side % 2 == 0 for side in frames[0].shape[:2])
    seen = [int(frame[100, 100].mean()) for frame in frames]
    expected = [shade for shade in SHADES for _ in range(25)]
    assert np.abs(np.array(seen) - expected).max() <= 4


def test_update_is_drawn_on_each_frame(run: Path) -> None:
    run_cli("timelapse", "run", "--seconds", "3")
    below = [frame[350:] for frame in decoded(run / "timelapse.mp4")[::25]]
    assert all(part.min() < 100 for part in below)
    assert all(np.abs(one.astype(int) - next_one).max() > 100 for one, next_one in pairwise(below))


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_animation(suffix: str, run: Path) -> None:
    assert run_cli("timelapse", "run", "--seconds", "3", "--output", f"film.{suffix}").code == 0
    with Image.open(f"film.{suffix}") as film:
        assert film.format == suffix.upper()
        assert (film.n_frames, film.info["loop"]) == (3, 0)
        for number, shade in enumerate(SHADES):
            film.seek(number)
            film.load()
            assert film.info["duration"] == 1000
            assert abs(film.convert("RGB").getpixel((100, 100))[0] - shade) <= 8  # type: ignore[index]


def test_more_pictures_than_frames(run: Path) -> None:
    assert run_cli("timelapse", "run", "--seconds", "0.08").code == 0
    shown = [int(frame[100, 100].mean()) for frame in decoded(run / "timelapse.mp4")]
    assert np.abs(np.array(shown) - [0, 240]).max() <= 4


def test_timelapse_of_a_real_run(infogan_run: TinyRun) -> None:
    shutil.copytree(infogan_run.folder, "real")
    assert "2 pictures" in run_cli("timelapse", "real").out
    assert run_cli("timelapse", "real", "--picture", "traversal", "--output", "a.gif").code == 0


def test_mistakes(run: Path) -> None:
    mistake(["timelapse", "run", "--picture", "scater"], "--picture is 'scater'", "scatter")
    mistake(["timelapse", "run", "--output", "film.avi"], "film.avi", ".mp4, .gif, .webp")
    mistake(["timelapse", "run", "--seconds", "0"], "--seconds is 0", "600")
    mistake(["timelapse", "run", "--seconds", "nan"], "--seconds is nan", "600")
    Path("file").write_text("")
    mistake(["timelapse", "run", "--output", "file/a.mp4"], "cannot write file/a.mp4", "--output")
    (run / "samples/scatter_0001000.png").write_text("no picture")
    mistake(["timelapse", "run"], "scatter_0001000.png cannot be read")
    for path in list(run.glob("samples/*00.png"))[1:]:
        path.unlink()
    mistake(["timelapse", "run"], "a timelapse needs two", "pictures.every_n_updates")
