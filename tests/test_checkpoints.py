"""A checkpoint is whole or it is not used; none runs code; the best one stays."""

from __future__ import annotations

import errno
import os
import pickle
import random
import shutil
import zipfile
from collections.abc import Callable
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
    """Pickled, it would write a file when loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.write_text, (self.target, "executed")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """Change one bit in the middle of the first weights."""
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


DAMAGES = [cut, flip, empty, foreign, malicious]


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
def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(
    damage: Callable[[Path], None], run: RunDirectory, finished: Path, capsys: Any
) -> None:
    before, last = list_checkpoints(run.checkpoints)
    damage(last)
    learner, _, _ = load_model(run)
    assert learner.updates == 9
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert str(last) in told
    assert str(before) in told
    assert last.exists()

    rest = train(small("gan", 10), "test", resume=run)
    assert rest.updates == 10
    whole = read_checkpoint(list_checkpoints(finished / "checkpoints")[-1]).content
    again = read_checkpoint(list_checkpoints(run.checkpoints)[-1]).content
    for part in ("progress", "state_dict", "optimizer_states"):
        assert_equal(whole[part], again[part])
    assert losses(finished) == losses(run.path)
    assert last.with_name(f"{last.name}.damaged").exists()
    assert not (run.checkpoints / "executed").exists()


def test_a_checkpoint_knows_its_run(run: RunDirectory) -> None:
    """W&B goes on with the same run where environment.json is lost."""
    known = run.run_id()
    assert known is not None
    assert [read_checkpoint(file).content["run"] for file in list_checkpoints(run.checkpoints)] == [known] * 2
    list_checkpoints(run.checkpoints)[-1].unlink()
    (run.path / "environment.json").unlink()
    train(small("gan", 10), "test", resume=run)
    assert run.run_id() == known


def test_where_all_are_damaged_each_is_named(run: RunDirectory) -> None:
    files = list_checkpoints(run.checkpoints)
    cut(files[0])
    flip(files[1])
    with pytest.raises(UserError) as error:
        latest_checkpoint(run)
    assert all(str(path) in str(error.value) for path in files)
    assert "the checksum of its record" in str(error.value)
    assert "train the run again" in str(error.value)


def test_a_flipped_bit_is_found_or_changes_nothing(run: RunDirectory) -> None:
    path = list_checkpoints(run.checkpoints)[-1]
    content = path.read_bytes()
    whole = read_checkpoint(path).content
    chance = random.Random(0)
    refused = 0
    for _ in range(150):
        changed = bytearray(content)
        changed[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        try:
            assert_equal(read_checkpoint(path).content, whole)
        except DamagedCheckpoint:
            refused += 1
    assert refused > 20


def test_a_run_killed_before_its_first_checkpoint_begins_again(
    run: RunDirectory, finished: Path
) -> None:
    shutil.rmtree(run.checkpoints)
    outcome = train(small("gan", 10), "test", resume=run)
    assert outcome.updates == 10
    assert losses(run.path) == losses(finished)


def test_a_checkpoint_without_permission_is_no_damage(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("gan_lightning.training.restore.ZipFile", refuse)
    with pytest.raises(UserError, match="may not be read; change its permissions"):
        latest_checkpoint(run)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_save_that_the_disk_refuses_names_both_files(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (tmp_path / f"update_{number:07d}.ckpt" for number in (1, 2))
    AtomicCheckpointIO().save_checkpoint({"value": 1}, first)

    def refuse(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(UserError) as error:
        AtomicCheckpointIO().save_checkpoint({"value": 2}, second)
    said = str(error.value)
    assert f"cannot write checkpoint {second}: {os.strerror(code)}; {first} is intact" in said
    assert ("free disk space" if code == errno.ENOSPC else "make it writable") in said
    assert [path.name for path in tmp_path.iterdir()] == [first.name]
    assert torch.load(first, weights_only=True) == {"value": 1}


def test_a_save_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "update_0000001.ckpt"
    AtomicCheckpointIO().save_checkpoint({"value": 1}, target)
    with pytest.raises(Exception, match=r"pickle|local object"):
        AtomicCheckpointIO().save_checkpoint({"value": lambda: None}, target)
    assert torch.load(target, weights_only=True) == {"value": 1}
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_the_best_is_the_one_of_the_smallest_distance(run: RunDirectory) -> None:
    rows = [line.split(",") for line in run.metrics.read_text().splitlines()]
    column, updates = rows[0].index("wasserstein/exact"), rows[0].index("updates")
    measured = {int(row[updates]): float(row[column]) for row in rows[1:] if row[column]}
    assert len(measured) >= 3
    saved = read_checkpoint(run.checkpoints / BEST)
    assert saved.updates == min(measured, key=lambda update: measured[update])
    assert load_model(run, "best")[0].updates == saved.updates


def test_which_checkpoint_is_a_word(run: RunDirectory) -> None:
    with pytest.raises(UserError, match="--checkpoint is 'bets'; valid are best, latest"):
        load_model(run, "bets")
    (run.checkpoints / BEST).unlink()
    with pytest.raises(UserError, match=r"has no best\.ckpt; use --checkpoint latest"):
        load_model(run, "best")


@pytest.mark.parametrize("damage", [cut, empty, foreign, malicious])
def test_shipped_weights_that_are_others_are_refused_and_run_nothing(
    damage: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.safetensors"
    shutil.copy(loader.CLASSIFIER, path)
    damage(path)
    monkeypatch.setattr(loader, "CLASSIFIER", path)
    with pytest.raises(
        UserError, match=r"weights\.safetensors differ from the shipped ones .* reinstall"
    ):
        digits.shipped_digit_network.__wrapped__()
    assert not (tmp_path / "executed").exists()
