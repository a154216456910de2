"""A process of `gan-lightning verify --all` that trains one run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import IO

from gan_lightning.runs.directory import RUNS
from gan_lightning.verification.plan import QueuedRun

__all__ = ["Child", "QueueOptions", "child_command", "start_child"]


@dataclass(frozen=True)
class QueueOptions:
    """Arguments of `gan-lightning verify --all`.

    Attributes:
        budget: minutes, after which no run is to end.
        jobs: runs that train at the same time; each has one thread where there are several.
        runs: folder of all runs.
        output: folder of the results; None for docs/results of the checkout.
        allow_dirty: train although the code differs from its commit; such runs decide no claim.
    """

    budget: float = inf
    jobs: int = 1
    runs: Path = RUNS
    output: Path | None = None
    allow_dirty: bool = False


@dataclass
class Child:
    """A process that trains one run.

    Attributes:
        run: the run.
        process: `gan-lightning verify` for its seed.
        log: what the process prints.
        scratch: folder of its own results, which nobody reads.
    """

    run: QueuedRun
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    scratch: tempfile.TemporaryDirectory[str]

    def has_results(self) -> bool:
        """Whether the run has finished; the exit code is 1 after a failed claim and a crash."""
        return (Path(self.scratch.name) / f"{self.run.experiment}.json").is_file()

    def close(self) -> None:
        """Remove the log and the scratch folder of an ended process."""
        self.log.close()
        self.scratch.cleanup()

    def last_line(self) -> str:
        """Return the last line that the process has printed."""
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").replace("\r", "\n").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "no message")


def child_command(run: QueuedRun, options: QueueOptions, output: str) -> Sequence[str]:
    """Return the command that trains a run, or reuses or resumes it."""
    seed = str(run.seed)
    command = ["verify", run.experiment, "--seeds", seed, "--runs", str(options.runs)]
    return [*command, "--output", output]


def start_child(run: QueuedRun, options: QueueOptions) -> Child:
    """Start the process of a run, in a session of its own: Ctrl-C reaches the parent alone."""
    scratch = tempfile.TemporaryDirectory()
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"} if options.jobs > 1 else {}
    process = subprocess.Popen(
        [sys.executable, "-m", "gan_lightning", *child_command(run, options, scratch.name)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, **threads},
        start_new_session=os.name == "posix",
    )
    return Child(run, process, log, scratch)
