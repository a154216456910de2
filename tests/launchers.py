"""Runs of several processes, started by torchrun, srun or Lightning."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from conftest import CHECKOUT, tiny_overrides
from process_pool import TIMEOUT

LOOPBACK = "127.0.0.1"
TWO_HOSTS = CHECKOUT / "tests" / "two_hosts.sh"


def words(updates: int, *more: str) -> list[str]:
    """Return the arguments of a small run of gan_ring that saves and logs often."""
    kept = [
        word
        for word in tiny_overrides("gan_ring")
        if not word.startswith(("trainer.", "pictures.ev"))
    ]
    settings = [
        f"trainer.max_updates={updates}",
        "trainer.rounds_per_batch=1",
        "pictures.every_n_updates=0",
    ]
    intervals = [
        "checkpoints.every_n_updates=5",
        "log.every_n_updates=1",
        "log.wandb=disabled",
        "--accelerator=cpu",
    ]
    return ["train", "gan_ring", *kept, *settings, *intervals, *more]


def environment(**more: str) -> dict[str, str]:
    """Return the present environment, with the package of this checkout and one thread."""
    path = os.pathsep.join(
        [str(CHECKOUT), str(CHECKOUT / "tests"), os.environ.get("PYTHONPATH", "")]
    )
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **more}


def torchrun(node: str, master: str, local: str, port: int) -> list[str]:
    """Return the torchrun command of one of two nodes with one process each, without arguments."""
    rendezvous = [f"--master-addr={master}", f"--master-port={port}", f"--local-addr={local}"]
    ranks = ["--nnodes=2", f"--node-rank={node}", "--nproc-per-node=1"]
    run = [sys.executable, "-m", "torch.distributed.run"]
    return [*run, *ranks, *rendezvous, "-m", "gan_lightning"]


def on_loopback(line: Sequence[str], port: int) -> list[list[str]]:
    """Return the commands of two nodes on this host."""
    return [[*torchrun(node, LOOPBACK, LOOPBACK, port), *line] for node in ("0", "1")]


def on_two_hosts(line: Sequence[str], port: int) -> list[list[str]]:
    """Return the command that starts two nodes, each in its own network namespace."""
    template = torchrun("NODE", "FIRST", "HERE", port)
    text = shlex.join([*template, *line])
    for name in ("NODE", "FIRST", "HERE"):
        text = text.replace(f"={name}", f"=${name}")
    return [[str(TWO_HOSTS), text]]


@dataclass
class ProcessGroup:
    """Processes that were started together, and the files of their output."""

    processes: list[subprocess.Popen[str]]
    outputs: list[Path]

    @classmethod
    def start(
        cls, commands: Sequence[Sequence[str]], folder: Path, env: dict[str, str]
    ) -> ProcessGroup:
        """Start one process per command, each in its own process group."""
        outputs = [folder / f"output{number}.txt" for number in range(len(commands))]
        processes = []
        for command, path in zip(commands, outputs, strict=True):
            with path.open("w") as file:
                processes.append(
                    subprocess.Popen(
                        command, cwd=folder, env=env, stdout=file, stderr=file, text=True,
                        start_new_session=True,
                    )
                )  # fmt: skip
        return cls(processes, outputs)

    def output(self) -> str:
        """Return the output of all processes so far, without progress bars."""
        return "\n".join(without_bars(path.read_text()) for path in self.outputs)

    def wait(self, seconds: float = TIMEOUT) -> list[int]:
        """Wait for the end of all processes and return their exit codes."""
        deadline = time.monotonic() + seconds
        try:
            return [process.wait(deadline - time.monotonic()) for process in self.processes]
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"still running after {seconds} s: {self.output()}") from error
        finally:
            self.kill()

    def wait_for(self, run: Path, update: int) -> None:
        """Wait until a run has logged an update."""
        deadline = time.monotonic() + TIMEOUT
        while updates_of(run) < update:
            ended = [process.poll() for process in self.processes]
            assert ended == [None] * len(ended), self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill the process groups."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def without_bars(text: str) -> str:
    """Remove progress bars from the output of a process."""
    lines = text.replace("\r", "\n").splitlines()
    return "\n".join(line for line in lines if "update/s" not in line)


def updates_of(run: Path) -> int:
    """Return the last update in a run's metrics.csv; 0 if there is none."""
    try:
        last = (run / "metrics.csv").read_text().splitlines()[-1]
        return int(last.partition(",")[0])
    except (OSError, ValueError, IndexError):
        return 0


def pid_of_rank(rank: int, folder: Path) -> int:
    """Find the process of a rank, by its working directory and environment variables."""
    names = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").resolve() == folder.resolve():
                lines = (process / "environ").read_text(errors="replace").split("\0")
                variables = dict(line.partition("=")[::2] for line in lines)
                if [variables[name] for name in names if name in variables][:1] == [str(rank)]:
                    return int(process.name)
    raise AssertionError(f"there is no process of rank {rank}")
