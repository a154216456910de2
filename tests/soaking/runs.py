"""The small runs that the soak test interrupts, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from conftest import command, tiny_overrides
from test_resume import assert_equal

from gan_lightning.callbacks import list_checkpoints
from gan_lightning.runs.state import read_outcome
from gan_lightning.training.restore import read_checkpoint

EVERY = 10
"""Updates between checkpoints: few, so that many kills fall into a save."""

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}


REPLACED = ("trainer.max_updates=", "pictures.every", "checkpoints.every", "log.every")


def ring(updates: int, *more: str) -> list[str]:
    """Return the command line of a small run of gan_ring that saves and logs often."""
    return small("gan_ring", updates, *more)


def small(experiment: str, updates: int, *more: str) -> list[str]:
    """Return the command line of a small run of an experiment that saves and logs often."""
    kept = [word for word in tiny_overrides(experiment) if not word.startswith(REPLACED)]
    often = [f"checkpoints.every_n_updates={EVERY}", "log.every_n_updates=1"]
    often += ["pictures.every_n_updates=0", "trainer.rounds_per_batch=1"]
    return ["train", experiment, *kept, f"trainer.max_updates={updates}", *often, *more]


def start(
    words: list[str], folder: Path, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, by default without W&B."""
    return subprocess.Popen(
        command(*words),
        cwd=folder,
        env=environment or ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def rows(run: Path) -> int:
    """Return the last update in a run's metrics.csv, 0 without one."""
    try:
        lines = (run / "metrics.csv").read_text().splitlines()
    except OSError:
        return 0
    return int(lines[-1].partition(",")[0]) if len(lines) > 1 else 0


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
    for path in (whole / "metrics.csv", *whole.glob("*.safetensors")):
        if path.read_bytes() != (run / path.name).read_bytes():
            found.append(f"{path.name} differs")
    return found
