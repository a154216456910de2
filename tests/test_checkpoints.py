"""Damaged checkpoints are not used, no checkpoint executes code, the best one is kept."""

from __future__ import annotations

import errno
import os
import pickle
import random
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_resume import assert_equal, losses, small

from gan_lightning.assets import loader
from gan_lightning.callbacks import BEST, AtomicCheckpointIO, list_checkpoints
from gan_lightning.classifiers import digits
from gan_lightning.errors import UserError
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.restore import (
    DamagedCheckpoint,
    latest_checkpoint,
    load_model,
    read_checkpoint,
)
from gan_lightning.training.train import train


class Payload:
    """An object whose unpickling writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.write_text, (self.target, "executed")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """Flip one bit in the middle of the largest tensor."""
    with zipfile.ZipFile(path) as archive:
        tensors = [info for info in archive.infolist() if "/data/" in info.filename]
        largest = max(tensors, key=lambda info: info.file_size)
    content = bytearray(path.read_bytes())
    content[largest.header_offset + 200 + largest.file_size // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def foreign(path: Path) -> None:
    torch.save({"epoch": 3, "state_dict": {}}, path)


def malicious(path: Path) -> None:
    payload = Payload(path.with_name("executed"))
    torch.save({"progress": {}, "state_dict": payload}, path, pickle_module=pickle)


DAMAGES = [truncate, flip, empty, foreign, malicious]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints") / "run"
    train(small("gan", 10), "test", folder)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> RunDirectory:
    shutil.copytree(finished, tmp_path / "run")
    return RunDirectory(tmp_path / "run")


@pytest.mark.parametrize("damage", DAMAGES)
def test_resume_skips_a_damaged_checkpoint_with_a_warning(
    damage: Callable[[Path], None], run: RunDirectory, finished: Path, capsys: Any
) -> None:
    before, last = list_checkpoints(run.checkpoints)
    damage(last)
    model, _, _ = load_model(run)
    assert model.updates == 9
    warning = capsys.readouterr().err
    assert len(warning.splitlines()) == 1
    assert str(last) in warning
    assert str(before) in warning
    assert last.exists()

    rest = train(small("gan", 10), "test", resume=run)
    assert rest.updates == 10
    expected = read_checkpoint(list_checkpoints(finished / "checkpoints")[-1]).content
    resumed = read_checkpoint(list_checkpoints(run.checkpoints)[-1]).content
    for part in ("progress", "state_dict", "optimizer_states"):
        assert_equal(expected[part], resumed[part])
    assert losses(finished) == losses(run.path)
    assert last.with_name(f"{last.name}.damaged").exists()
    assert not (run.checkpoints / "executed").exists()


def test_checkpoint_contains_the_run_id(run: RunDirectory) -> None:
    """So W&B continues the same run even if environment.json is lost."""
    run_id = run.run_id()
    assert run_id is not None
    checkpoints = [read_checkpoint(file).content for file in list_checkpoints(run.checkpoints)]
    assert [content["run"] for content in checkpoints] == [run_id] * 2
    list_checkpoints(run.checkpoints)[-1].unlink()
    (run.path / "environment.json").unlink()
    train(small("gan", 10), "test", resume=run)
    assert run.run_id() == run_id


def test_error_lists_all_checkpoints_if_all_are_damaged(run: RunDirectory) -> None:
    files = list_checkpoints(run.checkpoints)
    truncate(files[0])
    flip(files[1])
    with pytest.raises(UserError) as error:
        latest_checkpoint(run)
    assert all(str(path) in str(error.value) for path in files)
    assert "the checksum of its record" in str(error.value)
    assert "train the run again" in str(error.value)


def test_flipped_bit_is_detected_or_has_no_effect(run: RunDirectory) -> None:
    path = list_checkpoints(run.checkpoints)[-1]
    content = path.read_bytes()
    expected = read_checkpoint(path).content
    rng = random.Random(0)
    detected = 0
    for _ in range(150):
        changed = bytearray(content)
        changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        try:
            assert_equal(read_checkpoint(path).content, expected)
        except DamagedCheckpoint:
            detected += 1
    assert detected > 20


def test_run_killed_before_its_first_checkpoint_restarts(run: RunDirectory, finished: Path) -> None:
    shutil.rmtree(run.checkpoints)
    outcome = train(small("gan", 10), "test", resume=run)
    assert outcome.updates == 10
    assert losses(run.path) == losses(finished)


def test_unreadable_checkpoint_is_not_reported_as_damaged(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("gan_lightning.training.restore.ZipFile", refuse)
    with pytest.raises(UserError, match="may not be read; change its permissions"):
        latest_checkpoint(run)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_failed_save_names_the_file_and_the_previous_checkpoint(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (tmp_path / f"update_{number:07d}.ckpt" for number in (1, 2))
    AtomicCheckpointIO().save_checkpoint({"value": 1}, first)

    def refuse(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(UserError) as error:
        AtomicCheckpointIO().save_checkpoint({"value": 2}, second)
    message = str(error.value)
    assert f"cannot write checkpoint {second}: {os.strerror(code)}; {first} is intact" in message
    assert ("free disk space" if code == errno.ENOSPC else "make it writable") in message
    assert [path.name for path in tmp_path.iterdir()] == [first.name]
    assert torch.load(first, weights_only=True) == {"value": 1}


def test_failed_save_keeps_the_existing_file(tmp_path: Path) -> None:
    target = tmp_path / "update_0000001.ckpt"
    AtomicCheckpointIO().save_checkpoint({"value": 1}, target)
    with pytest.raises(Exception, match=r"pickle|local object"):
        AtomicCheckpointIO().save_checkpoint({"value": lambda: None}, target)
    assert torch.load(target, weights_only=True) == {"value": 1}
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_best_checkpoint_has_the_smallest_distance(run: RunDirectory) -> None:
    rows = [line.split(",") for line in run.metrics.read_text().splitlines()]
    column, updates = rows[0].index("wasserstein/exact"), rows[0].index("updates")
    measured = {int(row[updates]): float(row[column]) for row in rows[1:] if row[column]}
    assert len(measured) >= 3
    best = read_checkpoint(run.checkpoints / BEST)
    assert best.updates == min(measured, key=lambda update: measured[update])
    assert load_model(run, "best")[0].updates == best.updates


def test_invalid_or_missing_choice_of_checkpoint(run: RunDirectory) -> None:
    with pytest.raises(UserError, match="--checkpoint is 'bets'; valid are best, latest"):
        load_model(run, "bets")
    (run.checkpoints / BEST).unlink()
    with pytest.raises(UserError, match=r"has no best\.ckpt; use --checkpoint latest"):
        load_model(run, "best")


@pytest.mark.parametrize("name", loader.CLASSIFIERS)
@pytest.mark.parametrize("damage", [truncate, empty, foreign, malicious])
def test_changed_shipped_weights_are_rejected_without_executing_code(
    damage: Callable[[Path], None], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.safetensors"
    shutil.copy(loader.CLASSIFIERS[name].path, path)
    damage(path)
    weights = replace(loader.CLASSIFIERS[name], path=path)
    monkeypatch.setitem(loader.CLASSIFIERS, name, weights)
    with pytest.raises(
        UserError, match=r"weights\.safetensors differ from the shipped ones .* reinstall"
    ):
        digits.shipped_network.__wrapped__(name)
    assert not (tmp_path / "executed").exists()
