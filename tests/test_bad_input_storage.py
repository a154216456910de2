"""An output that cannot be written gives one line, exit code 2 and no file on the disk."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bad_inputs import SHORT, mistake
from conftest import TinyRun, run_cli

pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.fixture
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Mount a file system with space for two small blocks."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount a small file system here: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_unwritable_run_folder() -> None:
    Path("file").write_text("")
    for output, reason in (("file", "exists"), ("file/run", "directory"), ("/proc/run", "")):
        words = ["train", "gan_ring", *SHORT, "--output", output]
        mistake(words, f"cannot write to {output}", reason, "--output DIR")


@pytest.mark.parametrize("option", ["--output", "--runs"])
def test_a_run_folder_whose_name_is_not_utf8(option: str) -> None:
    name = os.fsdecode(b"caf\xe9")
    words = ["train", "gan_ring", *SHORT, option, name]
    mistake(words, r"caf\xe9 has a name that is not UTF-8", "--output DIR")


def test_unwritable_default_folder() -> None:
    Path("runs").write_text("")
    mistake(["train", "gan_ring", *SHORT], "cannot write to runs/gan_ring", "--output DIR")


def test_full_run_folder(small_disk: Path) -> None:
    output = small_disk / "run"
    words = ["train", "gan_ring", *SHORT, "--output", str(output)]
    mistake(words, f"cannot write to {output}", os.strerror(errno.ENOSPC), "--output DIR")
    assert not list(small_disk.iterdir())


def test_disk_that_fills_during_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from gan_lightning.callbacks import AtomicCheckpointIO

    def save(*args: Any, **kwargs: Any) -> None:
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise RuntimeError("unexpected pos 20736 vs 20632") from error  # as torch.save does

    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", save)
    outcome = run_cli("train", "gan_ring", *SHORT)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert f"gan-lightning: cannot write: {os.strerror(errno.ENOSPC)}" in outcome.err


def test_run_folder_that_is_not_empty() -> None:
    Path("used").mkdir()
    Path("used/note.txt").write_text("mine")
    words = ["train", "gan_ring", *SHORT, "--output", "used"]
    mistake(words, "used is not empty", "new folder by --output DIR")
    assert Path("used/note.txt").read_text() == "mine"


def test_sample_to_an_invalid_path(ring_run: TinyRun) -> None:
    ring = ["sample", str(ring_run.folder), "--output"]
    Path("file").write_text("")
    for output in ("points.jpg", "points"):
        mistake([*ring, output], f"--output is {output}", ".npz or .png")
    for output in ("file/points.npz", "file/points.png", "/proc/points.npz"):
        mistake([*ring, output], f"cannot write {output}", "choose another --output")


def test_sample_to_a_full_disk(infogan_run: TinyRun, small_disk: Path) -> None:
    for name in ("digits.npz", "digits.png"):
        words = ["sample", str(infogan_run.folder), "--count", "5000", "--output"]
        mistake([*words, str(small_disk / name)], name, os.strerror(errno.ENOSPC), "--output")
    assert not list(small_disk.iterdir())
