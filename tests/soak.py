"""Hours of bad luck in minutes: kills, signals, full disks, long runs; `make soak`.

    python tests/soak.py [--parts NAME ...] [--kills 100] [--signals 20] [--cases 400]

Runs what the suite is too short for, and writes docs/reliability.md from what it measured. The exit
code is 1 where anything did not hold.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import torch
from conftest import CHECKOUT, EXPERIMENTS, command, tiny
from interrupted import compare_on_two
from test_resume import assert_equal

from gan_lightning.callbacks import checkpoints
from gan_lightning.machine import machine, machine_in_words
from gan_lightning.restore import last_saved, read
from gan_lightning.run_folder import RunFolder

PAGE = CHECKOUT / "docs" / "reliability.md"
FIGURES = CHECKOUT / "docs" / "reliability.json"
EVERY = 10
"""Updates between checkpoints of the killed run: so few that many kills fall into a save."""

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}


@dataclass
class Part:
    """What one part found.

    Args:
        name: of the part.
        says: one line of what was done.
        figures: what was measured, by name.
        failures: what did not hold; none is a success.
    """

    name: str
    says: str
    figures: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def ring(updates: int, *more: str) -> list[str]:
    """Return the words of a small run of gan_ring that saves and logs often."""
    words = [word for word in tiny("gan_ring") if not word.startswith(("trainer.", "pictures.ev"))]
    return [
        *["train", "gan_ring", *words, f"trainer.max_steps={updates}", "pictures.every=0"],
        *[f"checkpoints.every={EVERY}", "log.every=1", "trainer.rounds_per_batch=1", *more],
    ]


def start(words: list[str], folder: Path) -> subprocess.Popen[str]:
    """Start a command line in a process group of its own."""
    return subprocess.Popen(
        command(*words),
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def rows(run: Path) -> int:
    """Return the last update in a run's metrics.csv, 0 where there is none."""
    try:
        lines = (run / "metrics.csv").read_text().splitlines()
    except OSError:
        return 0
    return int(lines[-1].partition(",")[0]) if len(lines) > 1 else 0


def kills(count: int, folder: Path) -> Part:
    """Kill one run at random moments, go on each time, and compare with one left alone."""
    part = Part("kills", f"`gan_ring` with small networks, saving every {EVERY} updates, SIGKILL")
    chance = random.Random(0)
    updates = 60 * count
    whole = start([*ring(updates), "--output", "whole"], folder)
    killed = in_saves = idle = 0
    lost: list[int] = []
    run = folder / "run"
    while killed < count:
        begun = (run / "config.yaml").exists()
        before = rows(run)
        words = ["--resume", "run"] if begun else ["--output", "run"]
        if run.exists() and not begun:
            shutil.rmtree(run)
        process = start([*ring(updates), *words], folder)
        deadline = time.monotonic() + 120
        # mostly a moment in training, now and then one of the start
        trains = chance.random() > 0.1
        while trains and rows(run) <= before and process.poll() is None:
            if time.monotonic() > deadline:
                break
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.5))
        if process.poll() is not None:
            said = process.communicate()[0]
            if process.returncode == 0:
                part.failures.append(f"the run ended after {killed} kills: give it more updates")
            else:
                part.failures.append(
                    f"attempt {killed + 1} ended with {process.returncode}: {said[-500:]}"
                )
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        killed += 1
        idle += rows(run) <= before
        in_saves += bool(list(run.glob("checkpoints/.*.partial")))
        if not (run / "config.yaml").exists():
            continue
        reached = rows(run)
        try:
            saved = last_saved(RunFolder(run))
        except Exception as error:  # whatever it is, it is what the soak looks for
            part.failures.append(f"kill {killed}: {error}")
            break
        lost.append(reached - (saved.updates if saved else 0))
    said = start([*ring(updates), "--resume", "run"], folder).communicate()[0]
    whole.communicate()
    if not (run / "measures.json").exists():
        part.failures.append(f"the run did not end by itself: {said[-500:]}")
    else:
        part.failures += differences(folder / "whole", run)
    left = [path.name for path in run.rglob("*partial*")]
    if left:
        part.failures.append(f"left behind: {left}")
    if lost and max(lost) > EVERY:
        part.failures.append(f"{max(lost)} updates were lost, more than {EVERY}")
    part.figures = {
        "kills": str(killed),
        "of them inside a save": str(in_saves),
        "of them before the first update of an attempt": str(idle),
        "updates lost in one kill, at most": f"{max(lost, default=0)} of {EVERY}",
        "updates of the run": f"{updates:,}",
        "last checkpoint and metrics.csv": "bitwise those of the undisturbed run"
        if not part.failures
        else "DIFFER",
    }
    return part


def differences(whole: Path, run: Path) -> list[str]:
    """Say what tells two finished runs apart, the time they took aside."""
    found = []
    ends = [read(checkpoints(path / "checkpoints")[-1]).content for path in (whole, run)]
    for end in ends:
        end["callbacks"].pop("Stopwatch", None)
    try:
        assert_equal(*ends)
    except AssertionError as error:
        found.append(f"the last checkpoints differ: {str(error)[:200]}")
    for name in ("metrics.csv", "measures.json", "generator.safetensors"):
        if (whole / name).read_bytes() != (run / name).read_bytes():
            found.append(f"{name} differs")
    return found


def signals(count: int, folder: Path) -> Part:
    """Send SIGTERM to the first process, and Ctrl-C to all, on one and two ranks."""
    part = Part("signals", "seconds from the signal to the end of the last process")
    chance = random.Random(0)
    for ranks in (1, 2):
        for number in (signal.SIGTERM, signal.SIGINT):
            took, codes = [], set()
            for attempt in range(count):
                run = folder / f"{ranks}-{number.name}-{attempt}"
                extra = ["--devices", "2", "--accelerator", "cpu"] if ranks == 2 else []
                process = start([*ring(10**6), *extra, "--output", str(run)], folder)
                while rows(run) == 0 and process.poll() is None:
                    time.sleep(0.02)
                time.sleep(chance.uniform(0, 0.3))
                sent = time.perf_counter()
                to = os.killpg if number == signal.SIGINT else os.kill
                to(process.pid, number)
                try:
                    process.communicate(timeout=60)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.communicate()
                    part.failures.append(f"{number.name} on {ranks} ranks: hung for 60 s")
                    continue
                took.append(time.perf_counter() - sent)
                codes.add(process.returncode)
                saved = last_saved(RunFolder(run))
                if saved is None or saved.updates < rows(run):
                    part.failures.append(f"{number.name} on {ranks} ranks: an update was lost")
                shutil.rmtree(run)
            if codes != {128 + number}:
                part.failures.append(f"{number.name} on {ranks} ranks: exit codes {codes}")
            part.figures[f"{number.name}, {ranks} rank{'s' * (ranks > 1)}"] = (
                f"{median(took):.2f} s, at most {max(took):.2f} s, of {len(took)}; "
                f"exit code {', '.join(map(str, sorted(codes)))}"
            )
    return part


def fuzzing(cases: int, folder: Path) -> Part:
    """Give mistyped command lines, and train what is accepted of the small worlds."""
    from fuzzing import command_lines, outcome_of
    from hypothesis import HealthCheck, given, settings

    part = Part("mistyped command lines", "one line and exit code 2, or accepted; seconds each")
    seconds: dict[str, list[float]] = {"accepted": [], "refused": []}
    os.chdir(folder)

    @given(words=command_lines())
    @settings(
        max_examples=cases,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def each(words: list[str]) -> None:
        said, took = outcome_of(words)
        seconds[said].append(took)

    try:
        each()
    except Exception as error:  # whatever it is, it is what the soak looks for
        part.failures.append(f"{type(error).__name__}: {str(error)[:500]}")
    for said, took in seconds.items():
        if took:
            part.figures[said] = (
                f"{len(took)}; median {median(took):.3f} s, at most {max(took):.2f} s"
            )
    if seconds["refused"] and median(seconds["refused"]) > 1:
        part.failures.append("a mistake takes more than a second to be found")
    return part


def long_run(folder: Path) -> Part:
    """Watch memory, open files and disk over 2,000 updates with everything that a run does."""
    part = Part(
        "2,000 updates", "`gan_ring`, evaluated, drawn and saved every 50 updates, by quarter"
    )
    words = [word for word in ring(2000) if not word.startswith(("evaluation.", "pictures.ev"))]
    more = ["evaluation.every=50", "evaluation.samples=500", "pictures.every=50"]
    run = folder / "run"
    words = [word for word in words if not word.startswith("checkpoints.every")]
    process = start([*words, *more, "checkpoints.every=50", "--output", str(run)], folder)
    seen: list[tuple[int, float, int, float]] = []
    while process.poll() is None:
        update = rows(run)
        if update and (not seen or update >= seen[-1][0] + 20):
            try:
                pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
                files = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
            except (OSError, IndexError):
                break
            disk = sum(path.stat().st_size for path in (run / "checkpoints").glob("*"))
            seen.append((update, pages * os.sysconf("SC_PAGE_SIZE") / 2**20, files, disk / 2**10))
        time.sleep(0.05)
    said = process.communicate()[0]
    if process.returncode != 0:
        part.failures.append(said[-500:])
        return part
    for quarter in range(4):
        inside = [row for row in seen if quarter * 500 < row[0] <= (quarter + 1) * 500]
        memory, files, disk = ([row[column] for row in inside] for column in (1, 2, 3))
        part.figures[f"updates {quarter * 500} to {(quarter + 1) * 500}"] = (
            f"{median(memory):.0f} MiB (at most {max(memory):.0f}), {max(files)} open files, "
            f"{max(disk):.0f} KiB of checkpoints"
        )
    half = [row for row in seen if 500 < row[0] <= 1000], [row for row in seen if row[0] > 1500]
    growth = median(row[1] for row in half[1]) - median(row[1] for row in half[0])
    part.figures["memory, last quarter less second"] = f"{growth:+.1f} MiB"
    if growth > 10:
        part.failures.append(f"memory grows by {growth:.1f} MiB in 1,000 updates")
    if max(row[2] for row in half[1]) > max(row[2] for row in half[0]) + 2:
        part.failures.append("open files grow")
    return part


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


def two_processes(folder: Path) -> Part:
    """Stop every experiment four times on two processes."""
    part = Part("resume on two processes", "every experiment stopped four times, tiny data")
    try:
        compare_on_two(EXPERIMENTS, folder)
        part.figures["experiments, bitwise those that were not stopped"] = str(len(EXPERIMENTS))
    except AssertionError as error:
        part.failures.append(str(error)[-1500:])
    return part


def write_page(parts: list[Part]) -> None:
    """Write docs/reliability.md."""
    lines = [
        "# Reliability, measured",
        "",
        "Generated by `make soak` (tests/soak.py) from what it measured on",
        f"{machine_in_words(machine())}, torch {torch.__version__}.",
        "",
    ]
    for part in parts:
        holds = "holds" if not part.failures else "DOES NOT HOLD"
        lines += [
            f"## {part.name.capitalize()}: {holds}",
            "",
            f"{part.says[0].upper()}{part.says[1:]}.",
            "",
        ]
        lines += ["| | |", "| --- | --- |"]
        lines += [f"| {name} | {value.replace('|', '/')} |" for name, value in part.figures.items()]
        lines += [
            "",
            *(f"* {failure}" for failure in part.failures),
            *([""] if part.failures else []),
        ]
    PAGE.write_text("\n".join(lines).rstrip() + "\n")


def main() -> int:
    """Run the parts, print each as it ends, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument(
        "--signals", type=int, default=20, help="of each kind, on one and two ranks"
    )
    parser.add_argument("--cases", type=int, default=400, help="mistyped command lines")
    parser.add_argument("--parts", nargs="*", help="only these; the page keeps the others")
    options = parser.parse_args()
    todo: dict[str, Callable[[Path], Part]] = {
        "kills": lambda folder: kills(options.kills, folder),
        "signals": lambda folder: signals(options.signals, folder),
        "fuzzing": lambda folder: fuzzing(options.cases, folder),
        "long_run": long_run,
        "full_disk": full_disk,
        "two_processes": two_processes,
    }
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for name in options.parts or todo:
        with tempfile.TemporaryDirectory() as folder:
            part = todo[name](Path(folder))
            os.chdir(CHECKOUT)
        known[name] = asdict(part)
        print(json.dumps(known[name], indent=2), flush=True)
        FIGURES.write_text(json.dumps(known, indent=2) + "\n")
    parts = [Part(**known[name]) for name in todo if name in known]
    write_page(parts)
    return int(any(part.failures for part in parts))


if __name__ == "__main__":
    sys.exit(main())
