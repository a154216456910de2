"""Processes of their own, forked from one that has imported the package and done no more.

A new interpreter spends seconds of a core on imports before it does what a test asks of it. Where
those seconds, the end of a process, or who starts it are what is tested, a real one is started: one
that is forked calls no functions of `atexit`.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

__all__ = ["TIMEOUT", "ForkedProcess", "free_port", "start_two_ranks", "wait_for_success"]

SERVER = get_context("forkserver")
SERVER.set_forkserver_preload(
    ["gan_lightning.cli.train", "gan_lightning.training.train", "pytest", "wandb"]
)

TIMEOUT = 300.0
"""Seconds after which a process hangs, however busy the machine is."""


@dataclass
class ForkedProcess:
    """A process, with what it prints in files."""

    process: BaseProcess
    printed: TemporaryDirectory[str]

    @classmethod
    def start(
        cls,
        function: Callable[..., object],
        *arguments: Any,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        argv: Sequence[str] = ("test",),
    ) -> Self:
        """Call a module's function in a process of its own.

        Args:
            function: of a module that can be imported.
            arguments: of the function.
            folder: to work in; by default this process's.
            environment: all of its variables; by default this process's.
            words: its command line, the program included.
        """
        printed = TemporaryDirectory(prefix="forked-")
        place = (str(cwd or Path.cwd()), dict(env or os.environ), [*argv])
        process = SERVER.Process(target=_run_child, args=(printed.name, place, function, arguments))
        process.start()
        return cls(process, printed)

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return Path(self.printed.name, "out").read_text()

    @property
    def err(self) -> str:
        """What it has printed so far to standard error."""
        return Path(self.printed.name, "err").read_text()

    def wait(self, seconds: float = TIMEOUT) -> int:
        """Wait for its end and return its exit code, minus a signal's number where one ended it."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.process.kill()
            raise AssertionError(f"still running after {seconds} s: {self.err[-3000:]}")
        return self.process.exitcode


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def start_two_ranks(function: Callable[..., object], *arguments: Any) -> list[ForkedProcess]:
    """Call a function in two processes that know each other as those that torchrun starts."""
    node = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0"}
    node |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    node |= {"TORCHELASTIC_RUN_ID": "1"}
    return [
        ForkedProcess.start(
            function,
            *arguments,
            env={**os.environ, **node, "RANK": rank, "LOCAL_RANK": rank},
        )
        for rank in ("0", "1")
    ]


def wait_for_success(processes: Sequence[ForkedProcess], seconds: float = TIMEOUT) -> None:
    """Wait for the end of all, and check that none went wrong; end them all where one did."""
    deadline = time.monotonic() + seconds
    try:
        for forked in processes:
            code = forked.wait(deadline - time.monotonic())
            assert code == 0, forked.err[-3000:]
    finally:
        for forked in processes:
            forked.process.kill()


def _run_child(
    printed: str,
    place: tuple[str, dict[str, str], list[str]],
    function: Callable[..., object],
    arguments: Sequence[Any],
) -> None:
    """Be a process that was just started."""
    import torch

    folder, environment, words = place
    for number, name in enumerate(("out", "err"), start=1):
        file = os.open(Path(printed, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = words
    sys.modules["__main__"].__spec__ = None  # a script, should it start itself again
    signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)
    gc.freeze()  # as after the imports of a command (startup.py)
    function(*arguments)
