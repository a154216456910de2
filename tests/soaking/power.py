"""Power cuts: a run on a file system whose device is copied while it trains."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soaking.reliability import Part
from soaking.runs import EVERY, differences, ring, rows, start
from soaking.stopping import wait_for_row

MEBIBYTES = 64
UPDATES = 150


def power_cuts(count: int, folder: Path) -> Part:
    """Copy the device of a file system at random moments, and resume the run on each copy."""
    part = Part(
        "Power cuts",
        f"`gan_ring` with small networks and a checkpoint every {EVERY} updates on an ext4 file "
        f"system in a file, which is copied at random moments, as a power cut would leave it. Each "
        f"copy is mounted, its run resumed, and compared with an uninterrupted one.",
    )
    rng = random.Random(0)
    device, disk = folder / "device", folder / "disk"
    disk.mkdir()
    start([*ring(UPDATES), "--output", "whole"], folder).communicate()
    ends: Counter[str] = Counter()
    for number in range(count):
        make_file_system(device)
        with mounted(device, disk):
            process = start([*ring(UPDATES), "--output", str(disk / "run")], folder)
            if rng.random() > 0.2:
                wait_for_row(process, disk / "run", 0, 120)
            else:
                time.sleep(rng.uniform(0, 4))
            time.sleep(rng.uniform(0, 1))
            shutil.copyfile(device, folder / "copy")
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        with mounted(folder / "copy", disk):
            end, failure = resume(disk / "run", folder)
        ends[end] += 1
        print(number, end, failure, flush=True)
        if failure:
            part.failures.append(f"cut {number + 1}: {failure}")
    part.measurements = {name: str(times) for name, times in sorted(ends.items())}
    return part


def resume(run: Path, folder: Path) -> tuple[str, str]:
    """Resume a run, and return how it ended and what is wrong."""
    if not run.is_dir() or not any(run.iterdir()):
        return "cut before the run directory was written", ""
    had = rows(run)
    process = start([*ring(UPDATES), "--resume", str(run)], folder)
    output = process.communicate()[0]
    if process.returncode == 2 and output.startswith("gan-lightning: ") and output.count("\n") == 1:
        return f"one line: {output.partition(';')[2].strip()}", ""
    if process.returncode != 0:
        return "failed", f"ended with {process.returncode}: {output[-500:]}"
    wrong = differences(folder / "whole", run)
    end = "resumed to equal bits" if had else "resumed from its first update to equal bits"
    return ("failed", "; ".join(wrong)) if wrong else (end, "")


def make_file_system(device: Path) -> None:
    """Write an empty ext4 file system."""
    device.unlink(missing_ok=True)
    with device.open("wb") as file:
        file.truncate(MEBIBYTES * 2**20)
    subprocess.run(["mkfs.ext4", "-q", str(device)], check=True)


@contextmanager
def mounted(device: Path, folder: Path) -> Iterator[None]:
    """Mount a file system inside the block, which needs the rights of root."""
    subprocess.run(["mount", "-o", "loop", str(device), str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
