"""The data of a run at Weights & Biases, in its offline file and on a server."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import Once, Outcome, run_cli, run_new_process, run_process, tiny_overrides
from PIL import Image
from process_pool import ForkedProcess
from wandb_offline import OfflineRun, read_offline_run
from wandb_server import StubRun, WandbServer, wandb_environment

from gan_lightning.config.experiments import read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import LogConfig, as_plain
from gan_lightning.loggers import WandbRun

LOSSES = {
    "infogan_mnist": {
        "loss/discriminator/adversarial",
        "loss/discriminator/information",
        "loss/generator/adversarial",
        "loss/generator/information",
    },
    "gan_ring": {"loss/discriminator/adversarial", "loss/generator/adversarial"},
}
MEASURES = {
    "infogan_mnist": {
        "fd_digits",
        "classes/covered",
        "classes/kl",
        "code/accuracy",
        "code/mutual_information",
    },
    "gan_ring": {"modes/covered", "modes/high_quality", "modes/reverse_kl"},
}
PICTURES = {"infogan_mnist": {"samples", "traversal"}, "gan_ring": {"scatter"}}
KINDS = sorted(LOSSES)
WIDE = {"gan_ring": ["data.standard_deviation=1"]}
"""Wide enough that an untrained generator covers modes, so that the divergence is finite."""


@dataclass(frozen=True)
class Logged:
    """A finished run: its output, its directory, and its data at W&B."""

    outcome: Outcome
    folder: Path
    config: dict[str, Any]
    step_metrics: dict[str, str]
    history: list[dict[str, Any]]
    summary: dict[str, Any]
    exit_code: int | None
    images: dict[str, bytes]
    """Content of the pictures, by the path in the history."""


def train(
    experiment: str, folder: Path, environment: dict[str, str], *, new: bool = False
) -> Outcome:
    """Run an experiment in another process: forked, or a new interpreter, which runs `atexit`."""
    words = [
        "train",
        experiment,
        *tiny_overrides(experiment),
        *WIDE.get(experiment, []),
        "--output",
        "run",
    ]
    if new:
        return run_new_process(words, folder, environment)
    return run_process(words, folder, environment)


def from_file(outcome: Outcome, folder: Path, run: OfflineRun) -> Logged:
    files = next(folder.rglob("*.wandb")).parent / "files"
    images = {path.relative_to(files).as_posix(): path.read_bytes() for path in run.media}
    return Logged(
        outcome,
        folder / "run",
        run.config,
        run.step_metrics,
        run.history,
        run.summary,
        run.exit_code,
        images,
    )


def from_server(outcome: Outcome, folder: Path, run: StubRun) -> Logged:
    return Logged(
        outcome,
        folder / "run",
        run.config,
        run.step_metrics,
        run.history,
        run.summary,
        run.exit_code,
        run.files,
    )


@pytest.fixture
def offline(once: Once) -> Callable[[str], Logged]:
    """A run without a W&B login and without environment variables."""

    def run_of(experiment: str) -> Logged:
        def make(folder: Path) -> Logged:
            environment = wandb_environment(folder)
            del environment["WANDB_MODE"], environment["WANDB_SILENT"], environment["WANDB_DIR"]
            outcome = train(experiment, folder, environment)
            assert outcome.code == 0, outcome.err
            return from_file(outcome, folder, read_offline_run(folder))

        return once(f"offline/{experiment}", make)

    return run_of


@pytest.fixture
def delivered(once: Once) -> Callable[[str], Logged]:
    """The same run, logged to a server on this host."""

    def run_of(experiment: str) -> Logged:
        def make(folder: Path) -> Logged:
            with WandbServer() as server:
                environment = wandb_environment(folder, server)
                del environment["WANDB_MODE"]
                # its exit must wait for the upload
                outcome = train(experiment, folder, environment, new=experiment == "gan_ring")
            assert outcome.code == 0, outcome.err
            assert not server.unknown
            assert not server.alerts  # of a healthy run in its first updates
            return from_server(outcome, folder, server.run)

        return once(f"delivered/{experiment}", make)

    return run_of


@pytest.fixture(params=["offline", "delivered"])
def logged_run(request: pytest.FixtureRequest) -> Callable[[str], Logged]:
    """Run an experiment offline or with a server; both must have the same data."""
    run_of: Callable[[str], Logged] = request.getfixturevalue(request.param)
    return run_of


@pytest.mark.parametrize("experiment", KINDS)
def test_resolved_config(experiment: str, logged_run: Callable[[str], Logged]) -> None:
    run = logged_run(experiment)
    expected = as_plain(load_config(read_yaml(run.folder / "config.yaml")))
    precision = run.config["trainer"]["precision"]
    assert precision in ("32-true", "bf16-mixed")
    expected["trainer"]["precision"] = precision
    assert run.config == expected
    assert f"precision {precision}" in (run.folder / "log.txt").read_text()


@pytest.mark.parametrize("experiment", KINDS)
def test_losses_and_metrics(experiment: str, logged_run: Callable[[str], Logged]) -> None:
    run = logged_run(experiment)
    losses, measures = LOSSES[experiment], MEASURES[experiment]
    rows = [row for row in run.history if losses & row.keys()]
    assert [row["updates"] for row in rows] == [2, 4]
    assert all(losses | {"images_seen"} <= row.keys() for row in rows)
    assert [row["images_seen"] for row in rows] == [16 * steps_of(run), 32 * steps_of(run)]
    (final,) = (row for row in run.history if measures & row.keys())
    assert measures <= final.keys()
    assert final["updates"] == 4
    assert measures <= run.summary.keys()
    assert {name: final[name] for name in measures} == {
        name: run.summary[name] for name in measures
    }
    assert run.exit_code == 0


def steps_of(run: Logged) -> int:
    steps: int = run.config["model"]["discriminator_steps"]
    return steps


@pytest.mark.parametrize("experiment", KINDS)
def test_x_axis_is_the_update(experiment: str, logged_run: Callable[[str], Logged]) -> None:
    run = logged_run(experiment)
    assert run.step_metrics == {"*": "updates"}
    logged = [row for row in run.history if any(not name.startswith("_") for name in row)]
    assert logged
    assert all("updates" in row for row in logged)


@pytest.mark.parametrize("experiment", KINDS)
def test_pictures(experiment: str, logged_run: Callable[[str], Logged]) -> None:
    run = logged_run(experiment)
    for name in PICTURES[experiment]:
        pictures = [(row["updates"], row[name]) for row in run.history if name in row]
        assert [update for update, _ in pictures] == [2, 4]
        for update, picture in pictures:
            assert picture["_type"] == "image-file"
            assert picture["caption"] == f"{update:,} updates"
            logged = Image.open(io.BytesIO(run.images[picture["path"]])).convert("RGB")
            file = run.folder / "samples" / f"{name}_{update:07d}.png"
            assert logged.tobytes() == Image.open(file).convert("RGB").tobytes()


@pytest.mark.parametrize("experiment", KINDS)
def test_claims_table(experiment: str, logged_run: Callable[[str], Logged]) -> None:
    run = logged_run(experiment)
    (row,) = (row for row in run.history if "claims" in row)
    assert row["updates"] == 4
    (file,) = run.folder.glob("wandb/*run-*/files/media/table/claims_*.json")
    table = json.loads(file.read_text())
    claims = {claim["metric"]: claim for claim in run.config["claims"]}
    assert {line[0] for line in table["data"]} == claims.keys() & run.summary.keys()
    for line in table["data"]:
        row = dict(zip(table["columns"], line, strict=True))
        assert row["measured"] == run.summary[row["measure"]]
        assert row["paper"] == claims[row["measure"]]["paper"]
        assert row["verdict"].startswith("no verdict, another experiment: trainer.max_updates is 4")


def log_alerts() -> None:
    """Log two alerts to a run in the working directory."""
    run = WandbRun(LogConfig(), "offline", "gan_ring", Path("run"), "identity")
    run.start({})
    run.alert("the discriminator has won", "try R1", 3)
    run.alert("the generator has collapsed", "try packing", 5)
    run.finish(failed=False)


def test_alerts_are_also_a_table(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    process = ForkedProcess.start(log_alerts, cwd=tmp_path, env=wandb_environment(tmp_path))
    assert process.wait() == 0, process.err
    run = read_offline_run(tmp_path)
    assert [row["updates"] for row in run.history if "alerts" in row] == [3, 5]
    files = tmp_path.rglob("files/media/table/alerts_*.json")
    tables = sorted((json.loads(file.read_text())["data"] for file in files), key=len)
    assert tables[-1] == [
        [3, "the discriminator has won", "try R1"],
        [5, "the generator has collapsed", "try packing"],
    ]


def test_output_without_login_says_how_to_upload(offline: Callable[[str], Logged]) -> None:
    run = offline("gan_ring")
    (line,) = (line for line in run.outcome.out.splitlines() if "W&B" in line)
    assert (
        line.split(maxsplit=1)[1]
        == "logged offline; upload the run by `wandb sync run/wandb/offline-run-*`"
    )
    assert list(run.folder.glob("wandb/offline-run-*"))
    words = ("https://wandb.ai", "login", "Traceback")
    assert not [word for word in words if word in run.outcome.err], run.outcome.err


def test_output_with_login_has_the_address(delivered: Callable[[str], Logged]) -> None:
    run = delivered("gan_ring")
    assert "W&B    logged at http://127.0.0.1" in run.outcome.out
    assert "0123456789" not in run.outcome.out + run.outcome.err
    assert "0123456789" not in str(run.config)


def test_disabled_writes_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    outcome = run_cli("train", "gan_ring", *tiny_overrides("gan_ring"), "--output", "run")
    assert outcome.code == 0, outcome.err
    assert "W&B    disabled" in outcome.out
    assert not list(tmp_path.rglob("*wandb*"))


def test_override_has_priority_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "online")
    words = [
        "train",
        "gan_ring",
        *tiny_overrides("gan_ring"),
        "log.wandb=disabled",
        "--output",
        "run",
    ]
    assert "W&B    disabled" in run_cli(*words).out
    assert not list(tmp_path.rglob("*wandb*"))


def test_server_that_rejects_the_run(tmp_path: Path) -> None:
    """The run continues offline, or ends with an error and leaves no directory."""
    with WandbServer(fail_with=401) as server:
        outcome = train("gan_ring", tmp_path, wandb_environment(tmp_path, server))
    assert "Traceback" not in outcome.err
    assert outcome.code == (0 if (tmp_path / "run").exists() else 2)
