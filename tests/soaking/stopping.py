"""Runs that are signalled or stopped at random moments, and must end with equal results."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from statistics import median

from conftest import EXPERIMENTS
from interrupted import STOPS, compare, compare_on_two

from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.restore import latest_checkpoint
from soaking.reliability import Part
from soaking.runs import ring, rows, start


def wait_for_row(
    process: subprocess.Popen[str], run: Path, after: int, seconds: float = float("inf")
) -> None:
    """Wait until metrics.csv has a row after an update, the process ends, or the time is over."""
    deadline = time.monotonic() + seconds
    while rows(run) <= after and process.poll() is None and time.monotonic() <= deadline:
        time.sleep(0.005)


def signals(count: int, folder: Path) -> Part:
    """Send SIGTERM to rank 0, and SIGINT to all processes, on one and on two processes."""
    part = Part("Signals", "Seconds from the signal to the end of the last process, median first.")
    rng = random.Random(0)
    for ranks in (1, 2):
        for number in (signal.SIGTERM, signal.SIGINT):
            took, codes = [], set()
            for attempt in range(count):
                run = folder / f"{ranks}-{number.name}-{attempt}"
                process = start_on(ranks, run)
                wait_for_row(process, run, 0)
                time.sleep(rng.uniform(0, 0.3))
                seconds = seconds_to_end(process, number)
                if seconds is None:
                    part.failures.append(f"{number.name} on {ranks} processes: no end within 60 s")
                    continue
                took.append(seconds)
                codes.add(process.returncode)
                saved = latest_checkpoint(RunDirectory(run))
                if saved is None or saved.updates < rows(run):
                    part.failures.append(f"{number.name} on {ranks} processes: an update was lost")
                shutil.rmtree(run)
            if codes != {128 + number}:
                part.failures.append(f"{number.name} on {ranks} processes: exit codes {codes}")
            name = f"{number.name}, {ranks} process{'es' * (ranks > 1)}"
            part.measurements[name] = (
                f"{median(took):.2f} s, at most {max(took):.2f} s, of {len(took)}; "
                f"exit code {', '.join(map(str, sorted(codes)))}"
            )
    return part


def start_on(ranks: int, run: Path) -> subprocess.Popen[str]:
    """Start an endless run on one or two processes."""
    more = ["--devices", "2", "--accelerator", "cpu"] if ranks == 2 else []
    return start([*ring(10**6), *more, "--output", str(run)], run.parent)


def seconds_to_end(process: subprocess.Popen[str], number: signal.Signals) -> float | None:
    """Signal a run and return the seconds to its end; after a minute, kill it and return None."""
    sent = time.perf_counter()
    to = os.killpg if number == signal.SIGINT else os.kill
    to(process.pid, number)
    try:
        process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None
    return time.perf_counter() - sent


def one_process(folder: Path) -> Part:
    """Stop and resume every experiment four times."""
    part = Part("Resume", "Every experiment, with tiny data, stopped and resumed four times.")
    for experiment in EXPERIMENTS:
        try:
            compare(experiment, folder)
        except AssertionError as error:
            part.failures.append(f"{experiment}: {str(error)[-500:]}")
    part.measurements["experiments equal to uninterrupted ones, bit for bit"] = (
        f"{len(EXPERIMENTS) - len(part.failures)} of {len(EXPERIMENTS)}"
    )
    return part


def two_processes(folder: Path) -> Part:
    """Stop and resume every experiment four times on two processes."""
    part = Part(
        "Resume on two processes",
        "Every experiment, with tiny data, stopped and resumed four times.",
    )
    try:
        compare_on_two(dict.fromkeys(EXPERIMENTS, STOPS), folder)
        part.measurements["experiments equal to uninterrupted ones, bit for bit"] = (
            f"{len(EXPERIMENTS)} of {len(EXPERIMENTS)}"
        )
    except AssertionError as error:
        part.failures.append(str(error)[-1500:])
    return part
