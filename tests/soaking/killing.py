"""Runs that are killed at random moments: equal results, and every figure at W&B once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from test_wandb_resume import logged_values
from wandb_offline import read_offline_run
from wandb_server import wandb_environment
from wandb_service_processes import service_processes

from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.metrics_csv import read_metrics
from gan_lightning.runs.state import read_outcome
from gan_lightning.training.restore import latest_checkpoint
from soaking.reliability import Part
from soaking.runs import EVERY, differences, rows, small, start
from soaking.stopping import wait_for_row

SUBJECTS = {
    "gan_ring": 1,
    "wgan_gp_swissroll": 1,
    "unrolled_ring": 1,
    "infogan_mnist": 1,
    "semi_supervised_mnist": 1,
    "cogan_edges": 1,
    "pix2pix_edges_mnist": 1,
    "adversarial_fgsm_mnist": 1,
    "packed_ring": 2,
    "acgan_mnist": 2,
}
"""Experiment -> number of processes."""

TWO_PROCESSES = ("trainer.devices=2", "trainer.accelerator=cpu")

UPDATES_PER_KILL = 1000
"""Updates, at most, between two kills; a run ends soon after the last one."""

SERVICE_START = 20
"""Seconds to wait for W&B's process, which starts while the training goes on."""


@dataclass
class Tally:
    """Counts over the kills of a run.

    Attributes:
        killed: attempts that were killed.
        in_saves: of them, those that left a partly written checkpoint.
        services: processes of W&B that were killed with them.
        idle: of them, those that had not made an update.
        lost: updates that each kill lost.
        failures: checks that failed.
    """

    killed: int = 0
    in_saves: int = 0
    services: int = 0
    idle: int = 0
    lost: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def kills(count: int, folder: Path) -> Part:
    """Kill and resume runs at random moments, and compare each with an uninterrupted one."""
    part = Part(
        "Kills",
        f"{len(SUBJECTS)} experiments with small networks, two of them on two processes, a "
        f"checkpoint every {EVERY} updates and W&B offline; all processes of the training are "
        f"killed by SIGKILL at random moments, every second time W&B's process too, and resumed.",
    )
    rng = random.Random(0)
    tallies = []
    for number, (experiment, processes) in enumerate(SUBJECTS.items()):
        share = count * (number + 1) // len(SUBJECTS) - count * number // len(SUBJECTS)
        tally = kill_repeatedly(experiment, processes, share, folder / experiment, rng)
        print(experiment, tally, flush=True)
        part.failures += [f"{experiment}: {failure}" for failure in tally.failures]
        tallies.append(tally)
    most = max((lost for tally in tallies for lost in tally.lost), default=0)
    if most > EVERY:
        part.failures.append(f"{most} updates were lost, more than {EVERY}")
    equal = "equal to those of an uninterrupted run, bit for bit"
    part.measurements = {
        "kills": str(sum(tally.killed for tally in tallies)),
        "of them while saving": str(sum(tally.in_saves for tally in tallies)),
        "of them with W&B's process": str(sum(tally.services for tally in tallies)),
        "of them before the first update after resuming": str(sum(t.idle for t in tallies)),
        "updates lost by one kill, at most": f"{most} of {EVERY}",
        "last checkpoint and metrics.csv": "DIFFER" if part.failures else equal,
        "figures of metrics.csv in W&B's files": "MISSING" if part.failures else "each once",
    }
    return part


def kill_repeatedly(
    experiment: str, processes: int, count: int, folder: Path, rng: random.Random
) -> Tally:
    """Kill a run this many times, let it finish, and check the results."""
    folder.mkdir()
    words = small(experiment, UPDATES_PER_KILL * count, *(TWO_PROCESSES if processes > 1 else ()))
    environment = {**wandb_environment(folder), "OMP_NUM_THREADS": "1"}
    tally, run = Tally(), folder / "run"
    while tally.killed < count and not tally.failures:
        kill(words, run, environment, rng, tally)
    # shorter than planned: the uninterrupted run has the same number of updates
    end = f"trainer.max_updates={rows(run) + EVERY}"
    for more in (["--resume", "run"], ["--output", "whole"]):
        process = start([*words, end, *more], folder, environment)
        output = process.communicate()[0]
        if process.returncode != 0:
            tally.failures.append(f"{more} ended with {process.returncode}: {output[-500:]}")
            return tally
    tally.failures += differences(folder / "whole", run)
    tally.failures += wrong_at_wandb(run)
    if left := [path.name for path in run.rglob("*partial*")]:
        tally.failures.append(f"left behind: {left}")
    return tally


def kill(
    words: list[str], run: Path, environment: dict[str, str], rng: random.Random, tally: Tally
) -> None:
    """Start or resume a run, and kill it at a random moment."""
    exists, before = (run / "config.yaml").exists(), rows(run)
    if run.exists() and not exists:
        shutil.rmtree(run)
    more = ["--resume" if exists else "--output", run.name]
    process = start([*words, *more], run.parent, environment)
    # mostly during training, sometimes while the run starts
    if rng.random() > 0.1:
        wait_for_row(process, run, before, 120)
        if tally.killed % 2:
            wait_for_service(process)
    time.sleep(rng.uniform(0, 0.5))
    if process.poll() is not None:
        output = process.communicate()[0]
        end = f"attempt {tally.killed + 1} ended with {process.returncode}: {output[-500:]}"
        tally.failures.append(end)
        return
    services = service_processes(process.pid)
    os.killpg(process.pid, signal.SIGKILL)
    if tally.killed % 2:
        for service in services:
            with suppress(ProcessLookupError):
                os.kill(service, signal.SIGKILL)
            tally.services += 1
    process.communicate()
    reached = rows(run)
    tally.killed += 1
    tally.idle += reached <= before
    tally.in_saves += bool(list(run.glob("checkpoints/.*.partial")))
    if (run / "config.yaml").exists():
        try:
            saved = latest_checkpoint(RunDirectory(run))
        except Exception as error:  # any exception is a finding
            tally.failures.append(f"kill {tally.killed}: {error}")
        else:
            tally.lost.append(reached - (saved.updates if saved else 0))


def wait_for_service(process: subprocess.Popen[str]) -> None:
    """Wait until a training has started W&B's process, or has ended."""
    end = time.monotonic() + SERVICE_START
    while process.poll() is None and time.monotonic() < end:
        if service_processes(process.pid):
            return
        time.sleep(0.05)


def wrong_at_wandb(run: Path) -> list[str]:
    """List the figures of metrics.csv that the files of all sessions do not have exactly once."""
    if read_outcome(run).measures is None:
        return ["the run did not finish"]
    sent: Counter[tuple[int, str]] = Counter()
    for folder in run.glob("wandb/offline-run-*"):
        if any(folder.glob("*.wandb")):  # a session may be killed before its file exists
            sent.update(logged_values(read_offline_run(folder).history))
    figures = {
        (updates, name)
        for updates, row in read_metrics(run / "metrics.csv").items()
        for name in row
    }
    twice = [figure for figure, times in sent.items() if times > 1]
    missing = sorted(figures - {*sent})
    found = []
    if missing:
        found.append(f"{len(missing)} of {len(figures)} figures are missing, first {missing[0]}")
    if twice:
        found.append(f"{len(twice)} figures were sent twice, first {twice[0]}")
    return found
