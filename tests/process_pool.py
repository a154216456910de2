"""Start processes by forking a server that has imported the package.

A new interpreter spends seconds of CPU time on imports before a test begins. Tests of start-up, of
the end of a process, or of launchers start a new interpreter; others start a forked process, which
runs no `atexit` functions. The server is itself a fork of the test process, made before the first
test, when there is one thread and nothing has been changed.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import forkserver, get_context, resource_tracker, util
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Self
from unittest.mock import patch

__all__ = [
    "TIMEOUT",
    "ForkedProcess",
    "forget_package",
    "free_port",
    "start_server",
    "start_two_ranks",
    "wait_for_success",
]

SERVER = get_context("forkserver")
TIMEOUT = 300.0
"""Seconds after which a process counts as hanging, long enough for a busy machine."""


@dataclass
class ForkedProcess:
    """A forked process and the directory of its output."""

    process: BaseProcess
    output: TemporaryDirectory[str]

    @classmethod
    def start(
        cls,
        function: Callable[..., object],
        *arguments: Any,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        argv: Sequence[str] = ("test",),
    ) -> Self:
        """Call a function in a new process.

        Args:
            function: of a module that can be imported.
            arguments: of the function.
            cwd: working directory; None for the current one.
            env: environment variables; None for those of this process.
            argv: `sys.argv` of the new process.
        """
        output = TemporaryDirectory(prefix="forked-")
        context = (str(cwd or Path.cwd()), dict(env or os.environ), [*argv])
        process = SERVER.Process(
            target=_run_child, args=(output.name, context, function, arguments)
        )
        process.start()
        return cls(process, output)

    @property
    def out(self) -> str:
        """Standard output so far."""
        return Path(self.output.name, "out").read_text()

    @property
    def err(self) -> str:
        """Standard error so far."""
        return Path(self.output.name, "err").read_text()

    def wait(self, seconds: float = TIMEOUT) -> int:
        """Wait for the end of the process.

        Returns:
            The exit code, or minus the number of the signal that ended the process.

        Raises:
            AssertionError: the process is still running after the given seconds; it is killed.
        """
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.process.kill()
            raise AssertionError(f"still running after {seconds} s: {self.err[-3000:]}")
        return self.process.exitcode


def start_server() -> None:
    """Start the server by forking this process; multiprocessing would start an interpreter."""
    resource_tracker.ensure_running()
    with patch.object(util, "spawnv_passfds", partial(_fork, util.spawnv_passfds)):
        forkserver.ensure_running()


def _fork(
    spawn: object, executable: str, arguments: Sequence[str], descriptors: Sequence[int]
) -> int:
    """Run the code of the command line `python -c CODE` in a forked process; return its number."""
    del executable
    number = os.fork()
    if number == 0:
        vars(util)["spawnv_passfds"] = spawn  # for the processes that the new one starts
        vars(forkserver)["_forkserver"]._lock.release()  # which this call is inside of
        _close_writing_end(descriptors[-1])
        sys.modules["__main__"] = ModuleType("__main__")  # that of pytest must not run again
        try:
            exec(arguments[-1])
        finally:
            os._exit(0)
    return number


def _close_writing_end(reading: int) -> None:
    """Close the writing end of a pipe: its end tells the server that the test process has ended."""
    pipe = os.fstat(reading).st_ino
    for opened in [int(path.name) for path in Path("/dev/fd").iterdir()]:
        with suppress(OSError):
            if opened != reading and os.fstat(opened).st_ino == pipe:
                os.close(opened)


def free_port() -> int:
    """Return a TCP port that is free at the moment."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def forget_package() -> None:
    """Let the package and the tests be imported anew, in a forked process."""
    tests = str(Path(__file__).parent)
    for name, module in list(sys.modules.items()):
        is_test = (getattr(module, "__file__", None) or "").startswith(tests)
        if is_test or name.partition(".")[0] == "gan_lightning":
            del sys.modules[name]


def start_two_ranks(
    function: Callable[..., object], *arguments: Any, nodes: int = 1
) -> list[ForkedProcess]:
    """Call a function in two processes, on one or two nodes, with the variables of torchrun."""
    per_node = 2 // nodes
    env = {**os.environ, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": str(per_node)}
    env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    env |= {"TORCHELASTIC_RUN_ID": "1"}
    processes = []
    for rank in range(2):
        node, local_rank = divmod(rank, per_node)
        numbers = {"RANK": rank, "LOCAL_RANK": local_rank, "GROUP_RANK": node}
        env |= {name: str(number) for name, number in numbers.items()}
        processes.append(ForkedProcess.start(function, *arguments, env=env))
    return processes


def wait_for_success(processes: Sequence[ForkedProcess], seconds: float = TIMEOUT) -> None:
    """Wait for all processes and check that all exit with 0; kill the rest if one does not."""
    deadline = time.monotonic() + seconds
    try:
        for forked in processes:
            code = forked.wait(deadline - time.monotonic())
            assert code == 0, (code, forked.err[-3000:])
    finally:
        for forked in processes:
            forked.process.kill()


def _run_child(
    output: str,
    context: tuple[str, dict[str, str], list[str]],
    function: Callable[..., object],
    arguments: Sequence[Any],
) -> None:
    """Set up a forked process like a new one, with its output in files, and call the function."""
    import torch

    cwd, env, argv = context
    for descriptor, name in enumerate(("out", "err"), start=1):
        file = os.open(Path(output, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, descriptor)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv[:] = argv
    sys.modules["__main__"].__spec__ = None  # as a script, in case it starts itself again
    signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)
    gc.freeze()  # as gan_lightning.utils.imports does after the imports of a command
    function(*arguments)
