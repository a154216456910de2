"""Timing of training loops that take turns, one computing at a time.

Each loop runs in a process of its own, because flushing denormals is a state of each thread, and
PyTorch's worker threads keep the state with which they start. The loops train in short blocks and
take turns: first, second, third, first, ... The memory addresses of its tensors make a process some
per cent faster or slower for its lifetime, so after some turns all processes are restarted. A time
is the median over all blocks. A ratio is computed block by block; its median is taken over the
blocks of each start, then over the starts. Denormals appear only after some training, so each loop
first trains some updates without timing, hundreds of them where denormals matter. Their cost
depends on the processor: on an AMD Zen 4 a product of denormals costs as much as any other, but the
square root in Adam costs 36 times as much; on other processors every operation on them may be slow.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from multiprocessing import get_context
from multiprocessing.connection import Connection
from operator import truediv
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_lightning.config.schema import RunConfig
    from gan_lightning.core.module import BaseModule

__all__ = ["Spread", "TimedLoop", "Timing", "machine", "set_threads", "spread", "time_interleaved"]

TURNS = 5
"""Timed blocks of each loop per start of its process."""


@dataclass(frozen=True)
class TimedLoop:
    """A training loop to time.

    Args:
        loop: trainer, bare or textbook; or peer, a script of PyTorch-GAN.
        experiment: whose config is trained; with a checkout, the name of the peer script.
        overrides: of the config.
        checkout: of PyTorch-GAN.
        disabled: fast paths that are off in the process.
    """

    loop: str
    experiment: str
    overrides: tuple[str, ...] = ()
    checkout: Path | None = None
    disabled: tuple[str, ...] = ()


@dataclass
class Timing:
    """Measurements of all starts.

    Attributes:
        starts: for each start, by loop, the milliseconds per update of each block.
        memory: by loop, the peak resident memory of its process in MiB.
    """

    starts: list[dict[str, list[float]]] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)

    def median(self, name: str) -> float:
        """Return the median of a loop's blocks, in milliseconds per update."""
        return median(block for blocks in self.starts for block in blocks[name])

    def ratios(self, slow: str, fast: str) -> Spread:
        """Divide the times of two loops block by block, and take the median of each start."""
        return spread([median(map(truediv, blocks[slow], blocks[fast])) for blocks in self.starts])


@dataclass(frozen=True)
class Spread:
    """Median and range of repeated measurements."""

    median: float
    min: float
    max: float


def spread(values: Sequence[float]) -> Spread:
    """Return the median, the minimum and the maximum."""
    return Spread(median(values), min(values), max(values))


def time_interleaved(
    loops: Mapping[str, TimedLoop], updates: int, warmup: int, starts: int
) -> Timing:
    """Time loops in turn.

    Args:
        loops: by name.
        updates: generator updates in a block.
        warmup: generator updates of each loop before its first block.
        starts: how many times all processes are started.
    """
    timing = Timing()
    experiment = next(iter(loops.values())).experiment
    for start in range(starts):
        blocks, memory = _time_one_start(loops, updates, warmup)
        timing.starts.append(blocks)
        for name, peak in memory.items():
            timing.memory[name] = max(peak, timing.memory.get(name, 0.0))
        medians = ", ".join(f"{name} {median(times):.2f}" for name, times in blocks.items())
        print(f"{experiment} {start + 1}/{starts}: ms {medians}", file=sys.stderr)
    return timing


def _time_one_start(
    loops: Mapping[str, TimedLoop], updates: int, warmup: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return, by loop, the milliseconds per update of each block and the peak memory in MiB."""
    blocks: dict[str, list[float]] = {name: [] for name in loops}
    memory = {}
    with _worker_processes(loops) as connections:
        for connection in connections.values():
            _receive(connection)
        for connection in connections.values():
            connection.send(warmup)
            _receive(connection)
        for _ in range(TURNS):
            for name, connection in connections.items():
                connection.send(updates)
                made, seconds = _receive(connection)
                blocks[name].append(1000 * seconds / made)
        for name, connection in connections.items():
            connection.send(None)
            memory[name] = connection.recv()
    return blocks, memory


def _receive(connection: Connection[Any, Any]) -> tuple[int, float]:
    """Return the number of updates that a worker process made and the seconds they took."""
    try:
        made, seconds = connection.recv()
    except EOFError:
        raise SystemExit("a loop ended with an error; see the traceback above") from None
    return made, seconds


class BlockTimer:
    """Tick of a loop in a worker process: time blocks whose lengths the parent process sends."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._first = self._end = 0
        self._start = time.perf_counter()

    def __call__(self, model: BaseModule | None, updates: int) -> None:
        """At the end of a block send its updates and seconds, and receive the next block's length.

        Raises:
            Finished: the parent process sent None.
        """
        if updates < self._end:
            return
        _synchronize()
        self._connection.send((updates - self._first, time.perf_counter() - self._start))
        length = self._connection.recv()
        if length is None:
            from loops import Finished

            raise Finished
        self._first, self._end = updates, updates + length
        self._start = time.perf_counter()


def _synchronize() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _run_loop(timed: TimedLoop, connection: Connection[Any, Any]) -> None:
    """Train in this worker process, and at the end send its peak memory in MiB."""
    if timed.loop in ("trainer", "bare"):
        from gan_lightning.utils.imports import fast_imports

        with fast_imports():  # as the commands do
            import loops  # noqa: F401 - imported early for its dependencies

            from gan_lightning.core import fast_paths
        fast_paths.ENABLED.update(dict.fromkeys(timed.disabled, False))
        fast_paths.set_up_process()
    from loops import LOOPS, Finished

    if timed.loop in ("textbook", "peer"):  # Lightning sets it; these loops do not use Lightning
        del os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"]
    tick = BlockTimer(connection)
    with suppress(Finished):
        if timed.loop == "peer":
            from peers.script import train

            assert timed.checkout is not None
            train(timed.checkout, timed.experiment, tick)
        else:
            LOOPS[timed.loop](_config(timed), tick)
    connection.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _config(timed: TimedLoop) -> RunConfig:
    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.config.load import load_config

    if timed.checkout is not None:
        from peers import PEERS

        return PEERS[timed.experiment].config(list(timed.overrides))
    import synthetic  # noqa: F401 - registers its dataset

    source = read_yaml(experiment_path(timed.experiment))
    return load_config(source, timed.overrides)


@contextmanager
def _worker_processes(
    loops: Mapping[str, TimedLoop],
) -> Iterator[dict[str, Connection[Any, Any]]]:
    """Start a worker process for each loop, and end all of them after the block."""
    context = get_context("spawn")
    connections, processes = {}, []
    try:
        for name, timed in loops.items():
            connections[name], child_end = context.Pipe()
            process = context.Process(target=_run_loop, args=(timed, child_end))
            process.start()
            processes.append(process)
            child_end.close()
        yield connections
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.kill()


def set_threads(threads: int) -> None:
    """Set the number of threads with which the child processes compute."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)


def machine(threads: int) -> str:
    """Describe the processor and the versions with which times are measured."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return (
        f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores, "
        f"{threads} threads, Python {platform.python_version()}, torch {version('torch')}, "
        f"pytorch-lightning {version('pytorch-lightning')}"
    )
