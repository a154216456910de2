"""A run that cannot be resumed with another config stays as it is, and says so in one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from conftest import run_cli
from test_resume import small, train_new

from gan_lightning.errors import UserError
from gan_lightning.runs import directory
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import run_lock
from gan_lightning.training.train import train


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 2 updates with a running average of the generator."""
    folder = tmp_path_factory.mktemp("begun") / "run"
    train_new(small("gan", 2), folder)
    return folder


@pytest.fixture
def run(begun: Path, tmp_path: Path) -> RunDirectory:
    shutil.copytree(begun, tmp_path / "run")
    return RunDirectory(tmp_path / "run")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    "change",
    [
        "model.latent_size=3",
        "network.generator_hidden=[32]",
        "network.discriminator_hidden=[16,16]",
        "model.ema_decay=null",
        "network.spectral_norm=true",
        "network.batch_norm=true",
        "network.packing=2",
        "data.name=mnist",
    ],
)
def test_a_change_of_the_model_is_refused_and_changes_no_file(
    change: str, run: RunDirectory
) -> None:
    before = contents(run.path)
    words = ["trainer.max_updates=4", change]
    outcome = run_cli("train", "gan_ring", "--resume", str(run.path), "--allow-changes", *words)
    (line,) = outcome.err.splitlines()
    assert outcome.code == 2
    assert "does not fit the config: " in line
    assert line.endswith("Nothing has been changed")
    after = contents(run.path)
    after["owner.lock"] = before["owner.lock"]
    assert after == before
    assert (
        run_cli("train", "gan_ring", "--resume", str(run.path), "trainer.max_updates=3").code == 0
    )


def test_the_first_difference_is_named(run: RunDirectory) -> None:
    config = run.config(["model.latent_size=3", "trainer.max_updates=4"])
    with pytest.raises(
        UserError, match=r"weight has the shape \(16, 4\), not \(16, 3\); leave out"
    ):
        train(config, "test", resume=run)


@pytest.mark.parametrize(
    "change", ["model.generator_optimizer.name=sgd", "model.ema_decay=0.5", "data.name=grid"]
)
def test_a_change_that_keeps_the_shapes_takes_effect(change: str, run: RunDirectory) -> None:
    words = ["trainer.max_updates=4", change]
    outcome = run_cli("train", "gan_ring", "--resume", str(run.path), "--allow-changes", *words)
    assert outcome.code == 0, outcome.err
    assert run.config_changed()


# --- one folder for two runs, and the latest run


def test_a_run_that_finds_the_folder_taken_deletes_nothing(
    begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if this process had been stalled between making the folder and locking it."""
    output = tmp_path / "run"
    create = directory.check_free_space

    def other_run_begins(path: Path) -> None:
        create(path)
        shutil.copytree(begun, output, dirs_exist_ok=True)

    monkeypatch.setattr(directory, "check_free_space", other_run_begins)
    with pytest.raises(UserError, match="has the files of another run; choose a new folder"):
        train_new(small("gan", 2), output)
    assert contents(output).keys() == contents(begun).keys()
    monkeypatch.setattr(directory, "new_folder", lambda _: begun)
    with run_lock(begun), pytest.raises(UserError, match="is being trained by another process"):
        train_new(small("gan", 2), begun)
    assert (begun / "config.yaml").exists()


def test_a_failed_run_keeps_a_folder_that_the_user_has_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gan_lightning.training.train.build_trainer", interrupted)
    (tmp_path / "mine").mkdir()
    for name in ("mine", "new"):
        with pytest.raises(KeyboardInterrupt):
            train_new(small("gan", 2), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert not list((tmp_path / "mine").iterdir())


def test_the_latest_run_is_that_of_the_latest_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    from datetime import datetime

    monkeypatch.chdir(tmp_path)
    timed = "2026-11-23_10-00-00"
    start = datetime(2026, 11, 23, 10).timestamp()
    times = {"job-99999": 1, "job-100000": 2, timed: 3, f"{timed}-2": 3, f"{timed}-10": 3, "a": 4}
    for name, offset in times.items():
        folder = tmp_path / "runs" / "exp" / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").touch()
        os.utime(folder / "config.yaml", (start, start + offset - 3))
    found = [run.path.name for run in RunDirectory.all_in(tmp_path / "runs" / "exp")]
    assert found == list(times)
    assert RunDirectory.find("exp").path.name == "a"


def test_checkpoints_are_sorted_by_number(tmp_path: Path) -> None:
    from gan_lightning.callbacks import list_checkpoints

    for name in ("update_10000000.ckpt", "update_9999500.ckpt", "best.ckpt", "update_x.ckpt"):
        (tmp_path / name).touch()
    names = [path.name for path in list_checkpoints(tmp_path)]
    assert names == ["update_9999500.ckpt", "update_10000000.ckpt"]


@pytest.mark.parametrize("numbers", [("9999500", "10000000"), ("0000900", "0001000")])
def test_a_lost_config_is_read_from_the_latest_checkpoint(
    numbers: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_bytes(b"")
    (tmp_path / "checkpoints").mkdir()
    for name in ("best", *(f"update_{number}" for number in numbers)):
        torch.save({"config": f"title: {name}"}, tmp_path / "checkpoints" / f"{name}.ckpt")
    assert RunDirectory(tmp_path).raw_config()["title"] == f"update_{numbers[1]}"
