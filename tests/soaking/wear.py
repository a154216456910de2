"""Resources of a run: memory, open files, disk space."""

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

from gan_lightning.callbacks import list_checkpoints
from gan_lightning.training.restore import read_checkpoint
from soaking.reliability import Part
from soaking.runs import ring, rows, start


class Usage(NamedTuple):
    """Resources of a run at an update: memory in MiB, open files, checkpoints in KiB."""

    update: int
    memory: float
    files: int
    disk: float


def long_run(folder: Path) -> Part:
    """Record memory, open files and disk space over 2,000 updates, and check that none grows."""
    part = Part(
        "2,000 updates",
        "`gan_ring` evaluates, draws and saves every 50 updates; resources by quarter of the run.",
    )
    replaced = ("evaluation.", "pictures.ev", "checkpoints.every_n_updates")
    words = [word for word in ring(2000) if not word.startswith(replaced)]
    words += [
        "evaluation.every_n_updates=50",
        "evaluation.samples=500",
        "pictures.every_n_updates=50",
    ]
    run = folder / "run"
    process = start([*words, "checkpoints.every_n_updates=50", "--output", str(run)], folder)
    usages = watch(process, run)
    output = process.communicate()[0]
    if process.returncode != 0:
        part.failures.append(output[-500:])
        return part
    for first in range(0, 2000, 500):
        quarter = [usage for usage in usages if first < usage.update <= first + 500]
        memory = [usage.memory for usage in quarter]
        part.measurements[f"updates {first} to {first + 500}"] = (
            f"{median(memory):.0f} MiB (at most {max(memory):.0f}), "
            f"{max(usage.files for usage in quarter)} open files, "
            f"{max(usage.disk for usage in quarter):.0f} KiB of checkpoints"
        )
    second = [usage for usage in usages if 500 < usage.update <= 1000]
    last = [usage for usage in usages if usage.update > 1500]
    growth = median(usage.memory for usage in last) - median(usage.memory for usage in second)
    part.measurements["growth of memory from the second to the last quarter"] = f"{growth:+.1f} MiB"
    if growth > 10:
        part.failures.append(f"memory grows by {growth:.1f} MiB in 1,000 updates")
    if max(usage.files for usage in last) > max(usage.files for usage in second) + 2:
        part.failures.append("the number of open files grows")
    return part


def watch(process: subprocess.Popen[str], run: Path) -> list[Usage]:
    """Record the resources of a run every 20 updates until it ends."""
    usages: list[Usage] = []
    while process.poll() is None:
        update = rows(run)
        if update and (not usages or update >= usages[-1].update + 20):
            try:
                pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
                files = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
            except (OSError, IndexError):
                break
            memory = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
            disk = sum(path.stat().st_size for path in (run / "checkpoints").glob("*"))
            usages.append(Usage(update, memory, files, disk / 2**10))
        time.sleep(0.05)
    return usages


@contextmanager
def small_disk(mebibytes: int) -> Iterator[Path | None]:
    """Mount a file system of this size in memory and yield its path, None without permission."""
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
    """Fill the disk by the checkpoints of a run, and check how the run ends."""
    part = Part(
        "Full disk", "A run that keeps all checkpoints on a file system of 8 MiB, until it is full."
    )
    with small_disk(8) as disk:
        if disk is None:
            part.measurements["skipped"] = "only root can mount a file system"
            return part
        process = start(
            [*ring(10**6), "checkpoints.keep=100000", "--output", str(disk / "run")], folder
        )
        output = process.communicate(timeout=300)[0]
        line = next((line for line in output.splitlines() if "cannot write" in line), "")
        files = list_checkpoints(disk / "run" / "checkpoints")
        part.measurements["exit code"] = str(process.returncode)
        part.measurements["message"] = line.strip().rpartition("\r")[2].replace(str(disk), "DISK")
        if process.returncode != 2 or "Traceback" in output:
            part.failures.append(f"exit code {process.returncode}: {output[-800:]}")
        elif not files or str(files[-1]) not in line:
            part.failures.append(f"the message does not name the last valid checkpoint: {line}")
        else:
            for path in files:
                read_checkpoint(path)
            part.measurements["checkpoints, all of them valid"] = str(len(files))
    return part
