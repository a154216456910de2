"""Runs that are killed, signalled or stopped at random moments, and must end with equal results."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from conftest import EXPERIMENTS
from interrupted import STOPS, compare, compare_on_two
from test_resume import assert_equal

from gan_lightning.callbacks import list_checkpoints
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import read_outcome
from gan_lightning.training.restore import latest_checkpoint, read_checkpoint
from soaking.reliability import Part
from soaking.runs import EVERY, ring, rows, start


@dataclass
class Tally:
    """Counts over all kills.

    Attributes:
        killed: attempts that were killed.
        in_saves: of them, those that left a partly written checkpoint.
        idle: of them, those that had not made an update.
        lost: updates that each kill lost.
    """

    killed: int = 0
    in_saves: int = 0
    idle: int = 0
    lost: list[int] = field(default_factory=list)


def kills(count: int, folder: Path) -> Part:
    """Kill and resume a run at random moments, and compare it with an uninterrupted one."""
    part = Part(
        "Kills",
        f"`gan_ring` with small networks and a checkpoint every {EVERY} updates, killed by SIGKILL "
        f"at random moments and resumed each time.",
    )
    rng = random.Random(0)
    updates = 60 * count
    whole = start([*ring(updates), "--output", "whole"], folder)
    run = folder / "run"
    tally = Tally()
    while tally.killed < count and not part.failures:
        part.failures += kill(run, updates, rng, tally)
    output = start([*ring(updates), "--resume", "run"], folder).communicate()[0]
    whole.communicate()
    if read_outcome(run).measures is None:
        part.failures.append(f"the run did not finish: {output[-500:]}")
    else:
        part.failures += differences(folder / "whole", run)
    left = [path.name for path in run.rglob("*partial*")]
    if left:
        part.failures.append(f"left behind: {left}")
    most = max(tally.lost, default=0)
    if most > EVERY:
        part.failures.append(f"{most} updates were lost, more than {EVERY}")
    part.measurements = {
        "kills": str(tally.killed),
        "of them while saving": str(tally.in_saves),
        "of them before the first update after resuming": str(tally.idle),
        "updates lost by one kill, at most": f"{most} of {EVERY}",
        "updates of the run": f"{updates:,}",
        "last checkpoint and metrics.csv": "equal to those of an uninterrupted run, bit for bit"
        if not part.failures
        else "DIFFER from those of an uninterrupted run",
    }
    return part


def kill(run: Path, updates: int, rng: random.Random, tally: Tally) -> list[str]:
    """Start or resume a run, kill it at a random moment, and return the checks that failed."""
    exists = (run / "config.yaml").exists()
    before = rows(run)
    if run.exists() and not exists:
        shutil.rmtree(run)
    process = start([*ring(updates), "--resume" if exists else "--output", run.name], run.parent)
    # mostly during training, sometimes while the run starts
    if rng.random() > 0.1:
        wait_for_row(process, run, before, 120)
    time.sleep(rng.uniform(0, 0.5))
    if process.poll() is not None:
        output = process.communicate()[0]
        if process.returncode == 0:
            return [f"the run finished after {tally.killed} kills; it needs more updates"]
        return [f"attempt {tally.killed + 1} ended with {process.returncode}: {output[-500:]}"]
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    reached = rows(run)
    tally.killed += 1
    tally.idle += reached <= before
    tally.in_saves += bool(list(run.glob("checkpoints/.*.partial")))
    if not (run / "config.yaml").exists():
        return []
    try:
        saved = latest_checkpoint(RunDirectory(run))
    except Exception as error:  # any exception is a finding
        return [f"kill {tally.killed}: {error}"]
    tally.lost.append(reached - (saved.updates if saved else 0))
    return []


def wait_for_row(
    process: subprocess.Popen[str], run: Path, after: int, seconds: float = float("inf")
) -> None:
    """Wait until metrics.csv has a row after an update, the process ends, or the time is over."""
    deadline = time.monotonic() + seconds
    while rows(run) <= after and process.poll() is None and time.monotonic() <= deadline:
        time.sleep(0.005)


def differences(whole: Path, run: Path) -> list[str]:
    """List the differences between two finished runs, except their durations."""
    found = []
    ends = [
        read_checkpoint(list_checkpoints(path / "checkpoints")[-1]).content for path in (whole, run)
    ]
    for end in ends:
        end.pop("run")
    try:
        assert_equal(*ends)
    except AssertionError as error:
        found.append(f"the last checkpoints differ: {str(error)[:200]}")
    if repr(read_outcome(whole).measures) != repr(read_outcome(run).measures):
        found.append("the final measures differ")
    for name in ("metrics.csv", "generator.safetensors"):
        if (whole / name).read_bytes() != (run / name).read_bytes():
            found.append(f"{name} differs")
    return found


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
