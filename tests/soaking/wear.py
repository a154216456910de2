"""What a run uses up: memory, open files, the disk."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from gan_lightning.callbacks import checkpoints
from gan_lightning.training.restore import read
from soaking.reliability import Part
from soaking.runs import ring, rows, start


class Use(NamedTuple):
    """What a run holds at an update: memory in MiB, open files, KiB of checkpoints."""

    update: int
    memory: float
    files: int
    disk: float


def long_run(folder: Path) -> Part:
    """Watch memory, open files and disk over 2,000 updates with everything that a run does."""
    part = Part(
        "2,000 updates", "`gan_ring`, evaluated, drawn and saved every 50 updates, by quarter"
    )
    ours = ("evaluation.", "pictures.ev", "checkpoints.every_n_updates")
    words = [word for word in ring(2000) if not word.startswith(ours)]
    words += [
        "evaluation.every_n_updates=50",
        "evaluation.samples=500",
        "pictures.every_n_updates=50",
    ]
    run = folder / "run"
    process = start([*words, "checkpoints.every_n_updates=50", "--output", str(run)], folder)
    uses = watch(process, run)
    said = process.communicate()[0]
    if process.returncode != 0:
        part.failures.append(said[-500:])
        return part
    for first in range(0, 2000, 500):
        inside = [use for use in uses if first < use.update <= first + 500]
        memory = [use.memory for use in inside]
        part.figures[f"updates {first} to {first + 500}"] = (
            f"{median(memory):.0f} MiB (at most {max(memory):.0f}), "
            f"{max(use.files for use in inside)} open files, "
            f"{max(use.disk for use in inside):.0f} KiB of checkpoints"
        )
    second = [use for use in uses if 500 < use.update <= 1000]
    last = [use for use in uses if use.update > 1500]
    growth = median(use.memory for use in last) - median(use.memory for use in second)
    part.figures["memory, last quarter less second"] = f"{growth:+.1f} MiB"
    if growth > 10:
        part.failures.append(f"memory grows by {growth:.1f} MiB in 1,000 updates")
    if max(use.files for use in last) > max(use.files for use in second) + 2:
        part.failures.append("open files grow")
    return part


def watch(process: subprocess.Popen[str], run: Path) -> list[Use]:
    """Look at a run every 20 updates until it ends."""
    uses: list[Use] = []
    while process.poll() is None:
        update = rows(run)
        if update and (not uses or update >= uses[-1].update + 20):
            try:
                pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
                files = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
            except (OSError, IndexError):
                break
            memory = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
            disk = sum(path.stat().st_size for path in (run / "checkpoints").glob("*"))
            uses.append(Use(update, memory, files, disk / 2**10))
        time.sleep(0.05)
    return uses


@contextmanager
def small_disk(mebibytes: int) -> Iterator[Path | None]:
    """Mount a file system in memory of this size; None where that may not be done."""
    libc = ctypes.CDLL(None, use_errno=True)
    with tempfile.TemporaryDirectory() as name:
        size = f"size={mebibytes}m".encode()
        if libc.mount(b"tmpfs", name.encode(), b"tmpfs", 0, size) != 0:
            yield None
            return
        try:
            yield Path(name)
        finally:
            libc.umount2(name.encode(), 2)


def full_disk(folder: Path) -> Part:
    """Let the disk fill up while a run saves."""
    part = Part("full disk", "a run on a file system of 8 MiB whose checkpoints are kept for ever")
    with small_disk(8) as disk:
        if disk is None:
            part.figures["skipped"] = "a file system can be mounted by root only"
            return part
        process = start(
            [*ring(10**6), "checkpoints.keep=100000", "--output", str(disk / "run")], folder
        )
        said = process.communicate(timeout=300)[0]
        line = next((line for line in said.splitlines() if "cannot write" in line), "")
        files = checkpoints(disk / "run" / "checkpoints")
        part.figures["exit code"] = str(process.returncode)
        part.figures["said"] = line.strip().rpartition("\r")[2].replace(str(disk), "DISK")
        if process.returncode != 2 or "Traceback" in said:
            part.failures.append(f"exit code {process.returncode}: {said[-800:]}")
        elif not files or str(files[-1]) not in line:
            part.failures.append(f"the whole checkpoint is not named: {line}")
        else:
            for path in files:
                read(path)
            part.figures["checkpoints, all whole"] = str(len(files))
    return part
