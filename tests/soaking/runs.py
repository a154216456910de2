"""The small run that the soak test interrupts, in a process of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from conftest import command, tiny_overrides

EVERY = 10
"""Updates between checkpoints: few, so that many kills fall into a save."""

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}


def ring(updates: int, *more: str) -> list[str]:
    """Return the command line of a small run of gan_ring that saves and logs often."""
    words = [
        word
        for word in tiny_overrides("gan_ring")
        if not word.startswith(("trainer.", "pictures.ev"))
    ]
    return [
        *[
            "train",
            "gan_ring",
            *words,
            f"trainer.max_updates={updates}",
            "pictures.every_n_updates=0",
        ],
        *[
            f"checkpoints.every_n_updates={EVERY}",
            "log.every_n_updates=1",
            "trainer.rounds_per_batch=1",
            *more,
        ],
    ]


def start(words: list[str], folder: Path) -> subprocess.Popen[str]:
    """Start a command in a process group of its own."""
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
    """Return the last update in a run's metrics.csv, 0 without one."""
    try:
        lines = (run / "metrics.csv").read_text().splitlines()
    except OSError:
        return 0
    return int(lines[-1].partition(",")[0]) if len(lines) > 1 else 0
