"""Training with two threads, alone and beside processes that compute on every core.

`gan-lightning train` finds out at its start whether other processes need the cores; where they do,
OpenMP's threads sleep at barriers instead of spinning. *chosen* is this choice; *spinning* sets
`GOMP_SPINCOUNT=300000`, which is OpenMP's default and switches the choice off. Both are started in
turn; each cell is the median over the starts. *fair share* is the time beside the others that a
scheduler would allow which gives every computing thread an equal part: the time alone, times the
number of computing threads, divided by the cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["HEADER", "measure", "row"]

HEADER = ("beside", "chosen, ms an update", "spinning", "chosen / spinning", "fair share")

EXPERIMENT = "dcgan_mnist"
THREADS = 2
UPDATES = {0: 60, 4: 20}
"""Generator updates of a start, by the number of other processes."""

SPINNING = {"GOMP_SPINCOUNT": "300000"}
HOG = "while True: pass"


def measure(repeats: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a row for each number of other processes."""
    alone = None
    for others, updates in UPDATES.items():
        times: dict[str, list[float]] = {"chosen": [], "spinning": []}
        with _hogs(others):
            for _ in range(repeats):
                for name, variables in (("chosen", {}), ("spinning", SPINNING)):
                    times[name].append(_milliseconds(updates, variables))
        if alone is None:
            alone = median(times["spinning"])
        cores = len(os.sched_getaffinity(0))
        fair = alone * max(1.0, (others + THREADS) / cores)
        yield str(others), {"others": others, **times, "fair": fair}


def row(measured: dict[str, Any]) -> tuple[str, ...]:
    """Format a row of the table."""
    chosen, spinning = median(measured["chosen"]), median(measured["spinning"])
    others = measured["others"]
    return (
        f"{others} computing processes" if others else "nothing",
        f"{chosen:.0f}",
        f"{spinning:.0f}",
        f"{chosen / spinning:.2f}",
        f"{measured['fair']:.0f}",
    )


def _milliseconds(updates: int, variables: dict[str, str]) -> float:
    """Train in a new process, and return the time of an update."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        words = [
            f"trainer.max_updates={updates}",
            f"trainer.threads={THREADS}",
            "evaluation.every_n_updates=0",
            "evaluation.samples=100",
            "pictures.every_n_updates=0",
            f"checkpoints.every_n_updates={updates // 4}",
            "log.wandb=disabled",
        ]
        names = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
        environment = {name: value for name, value in os.environ.items() if name not in names}
        command = [sys.executable, "-m", "gan_lightning", "train", EXPERIMENT, *words]
        done = subprocess.run(
            [*command, "--output", str(run)],
            env={**environment, **variables},
            capture_output=True,
            text=True,
        )
        if done.returncode not in (0, 1):  # 1: a claim of so short a run fails
            raise RuntimeError(done.stderr[-1000:])
        first, *_, last = sorted(run.glob("checkpoints/update_*.ckpt"))
        count = int(last.stem.removeprefix("update_")) - int(first.stem.removeprefix("update_"))
        return 1000 * (last.stat().st_mtime - first.stat().st_mtime) / count


@contextmanager
def _hogs(count: int) -> Iterator[None]:
    """Run processes that compute without end."""
    with ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-c", HOG])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield
