"""Atomic writes and locks of files."""

from __future__ import annotations

import os
import platform
import stat
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from gan_lightning.errors import UserError
from gan_lightning.utils.files import (
    Content,
    atomic_write,
    exclusive_lock,
    is_lock_held,
    write_output,
)

ACTIVITY = "the store x is being prepared"
HOLD = """
import sys
from pathlib import Path
from gan_lightning.utils.files import exclusive_lock
with exclusive_lock(Path(sys.argv[1]), "the store x is being prepared"):
    print("locked", flush=True)
    sys.stdin.read()
"""


def write_both(file: IO[bytes]) -> None:
    file.write(b"new ")
    file.write("ö".encode())


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("content", ["new ö", "new ö".encode(), write_both])
def test_atomic_write_replaces_the_content(tmp_path: Path, content: Content, durable: bool) -> None:
    path = tmp_path / "file"
    path.write_text("old, and longer than the new content")
    atomic_write(path, content, durable=durable)
    assert path.read_text(encoding="utf-8") == "new ö"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failed_write_keeps_the_previous_content(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail(file: IO[bytes]) -> None:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
        assert len(list(tmp_path.glob(".file.*.partial"))) == 1
        raise error

    with pytest.raises(type(error)):
        atomic_write(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_durable_write_flushes_the_file_before_it_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "file", []

    def record(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), path.exists()))

    monkeypatch.setattr(os, "fsync", record)
    atomic_write(path, "plain")
    assert not synced
    path.unlink()
    atomic_write(path, "durable", durable=True)
    assert synced == [(False, False), (True, True)]


def test_two_writers_of_one_file_do_not_share_a_partial(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def write_around_another(file: IO[bytes]) -> None:
        file.write(b"first ")
        atomic_write(path, b"second")
        assert path.read_bytes() == b"second"
        file.write(b"and all of it")

    atomic_write(path, write_around_another)
    assert path.read_bytes() == b"first and all of it"


def test_write_output_makes_the_folder_and_explains_errors(tmp_path: Path) -> None:
    write_output(tmp_path / "new" / "file", "content")
    assert (tmp_path / "new" / "file").read_text() == "content"
    with pytest.raises(UserError, match="it is a folder; name a file by --output"):
        write_output(tmp_path / "new", "content")
    with pytest.raises(UserError, match="File exists; choose another --output"):
        write_output(tmp_path / "new" / "file" / "below", "content")


def test_lock_of_another_process_is_refused_until_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_lock_held(path)
    assert not path.exists()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "locked\n"
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert is_lock_held(path)
    owner = f"{holder.pid} on {platform.node()}"
    message = f"^the store x is being prepared by another process, {owner}; wait until it ends$"
    with (
        pytest.raises(UserError, match=message),
        exclusive_lock(path, "the store x is being prepared"),
    ):
        pass
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    holder.kill()
    holder.communicate()
    assert not is_lock_held(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    with exclusive_lock(path, ACTIVITY):
        assert is_lock_held(path)
        assert path.read_text().split() == [str(os.getpid()), "on", platform.node()]
    assert not is_lock_held(path)


def test_file_system_without_locks_is_tolerated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, *, blocking: bool) -> bool:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("filelock.lock_descriptor", refuse)
    with exclusive_lock(tmp_path / "lock", ACTIVITY):
        assert not is_lock_held(tmp_path / "lock")
