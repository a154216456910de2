"""What a newcomer runs first: the demo in the terminal and the gallery of models."""

from __future__ import annotations

import base64
import io
import re
from importlib import import_module
from pathlib import Path

import factories
import pytest
import torch
from bad_inputs import assert_mistake
from conftest import TinyRun, run_cli
from PIL import Image

from gan_lightning.cli import next_step
from gan_lightning.cli.next_step import suggest
from gan_lightning.errors import UserError
from gan_lightning.play.animation import STATIONS, STEPS, frames
from gan_lightning.play.terminal import COLUMNS, ROWS, LivePoints, points_as_text
from gan_lightning.training.build import build
from gan_lightning.utils.optional import install_command


@pytest.fixture
def demo(empty_folder: None, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Make the demo short; its module has the name of the command."""
    module = import_module("gan_lightning.cli.demo")
    overrides = (*vars(module)["OVERRIDES"], "evaluation.samples=40")
    monkeypatch.setitem(vars(module), "OVERRIDES", overrides)
    return overrides


def test_the_demo_trains_in_the_terminal(
    demo: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("gan_lightning.cli.demo")
    monkeypatch.setitem(vars(module), "OVERRIDES", (*demo, "trainer.max_updates=2"))
    outcome = run_cli("demo")
    assert outcome.code == 0, outcome.err
    assert "After 2 updates the generator covers" in outcome.out
    assert "gan-lightning play demo" in outcome.out
    assert outcome.err.count("is real, o is generated") == 2
    assert len(list(Path("runs/demo").glob("*/outcome.json"))) == 1


@pytest.mark.usefixtures("demo")
def test_the_demo_stops_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LivePoints, "on_train_batch_end", stop_at_once(LivePoints))
    outcome = run_cli("demo", "--seconds", "1")
    assert outcome.code == 0, outcome.err
    updates = re.search(r"After (\d+) updates", outcome.out)
    assert updates is not None
    assert int(updates[1]) < 1200


def stop_at_once(kind: type[LivePoints]) -> object:
    """Return the method of a callback for which all time has passed."""
    original = kind.on_train_batch_end

    def method(self: LivePoints, *arguments: object) -> None:
        self._seconds = 0.0
        original(self, *arguments)  # type: ignore[arg-type]

    return method


@pytest.mark.parametrize("colour", [False, True])
def test_points_are_drawn_where_they_are(colour: bool) -> None:
    corners = torch.tensor([[0.99, 0.99], [-0.99, 0.99], [-0.99, -0.99], [0.99, -0.99]])
    real = torch.cat([corners, -corners]) / 1.25 * 1.0
    lines = points_as_text(real, torch.tensor([[0.0, 0.0], [9.0, 9.0]]), colour=colour)
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line).ljust(COLUMNS) for line in lines]
    assert len(plain) == ROWS
    dots = [
        (row, column) for row, line in enumerate(plain) for column, c in enumerate(line) if c != " "
    ]
    assert len(dots) == 5  # one generated point is outside
    assert (ROWS // 2, COLUMNS // 2) in dots
    assert {(ROWS - 1 - row, COLUMNS - 1 - column) for row, column in dots[:2]} == {*dots[-2:]}


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_picture_that_moves() -> None:
    gan = factories.make_gan("gan")
    stream = Terminal()
    live = LivePoints(torch.randn(50, 2), 10.0, stream)
    for _ in range(3):
        live._draw(gan)
    height = ROWS + 1
    assert stream.getvalue().count(f"\x1b[{height}A") == 2
    assert stream.getvalue().count("\n") == 3 * height


def test_the_gallery_has_each_model_moving(
    ring_run: TinyRun, infogan_run: TinyRun, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    runs = [str(run.folder) for run in (ring_run, infogan_run)]
    outcome = run_cli("gallery", *runs, "--output", str(page), "--no-browser")
    assert outcome.code == 0, outcome.err
    text = page.read_text()
    pictures = re.findall(r"data:image/webp;base64,([^\"]+)", text)
    assert len(pictures) == 2
    moving, _ = (Image.open(io.BytesIO(base64.b64decode(content))) for content in pictures)
    assert getattr(moving, "n_frames", 1) > STEPS  # equal ones are merged
    assert not re.search(r"(src|href)=\"(?!data:)", text)  # nothing is loaded


@pytest.mark.parametrize("model", factories.ALL_GANS)
def test_every_gan_has_frames_of_one_size(model: str) -> None:
    config = factories.make_config(model)
    gan, data = build(config)
    pictures = frames(gan.eval(), data)  # type: ignore[arg-type]
    assert len({picture.shape for picture in pictures}) == 1
    if "source" in gan.condition_fields():  # type: ignore[operator]
        assert len(pictures) == 1
        return
    assert len(pictures) == STATIONS * STEPS
    again = frames(gan, data)  # type: ignore[arg-type]
    assert all((one == other).all() for one, other in zip(pictures, again, strict=True))
    assert (pictures[0] != pictures[STEPS]).any()


def test_scalars_have_no_picture() -> None:
    sections = {"data": {"name": "dirac"}, "network": {"name": "dirac"}}
    gan, data = build(factories.make_config("gan", **sections))
    with pytest.raises(UserError, match="no picture of samples of shape"):
        frames(gan, data)  # type: ignore[arg-type]


def test_the_next_step_installs_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suggest("results")
    monkeypatch.setattr(next_step, "missing_modules", lambda extra: ["gradio"])
    suggest("play", "two words")
    plain, installing = capsys.readouterr().out.splitlines()
    assert plain == "next: gan-lightning results"
    install = re.escape(install_command("play"))
    assert re.fullmatch(f"next: {install}; gan-lightning play 'two words'", installing)


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(
    ("arguments", "following"),
    [
        (["list", "--topic", "infogan"], "gan-lightning show infogan_control_mnist"),
        (["show", "gan_ring", "seed=1"], "gan-lightning train gan_ring seed=1"),
    ],
)
def test_printed_data_have_a_next_step_at_a_terminal_only(
    arguments: list[str],
    following: str,
    terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(next_step, "is_terminal", lambda: terminal)
    outcome = run_cli(*arguments)
    assert (outcome.out.splitlines()[-1] == f"next: {following}") == terminal


def test_invalid_options_are_one_line(empty_folder: None) -> None:
    assert_mistake(run_cli("gallery", "--output", "a.png"), "--output is a.png", ".html")
    assert_mistake(run_cli("gallery", "nothing"), "there is no run 'nothing'")
    assert_mistake(run_cli("demo", "--seconds", "0"), "--seconds", "0")
