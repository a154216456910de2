"""Loops that take turns: each in a process of its own, one computing at a time.

Each loop lives in a process of its own, since flushing denormals is a state of each thread that
PyTorch's workers keep from their start, and trains in short blocks, taking turns: first, second,
third, first, ... Where its tensors come to lie makes a process some per cent faster or slower for
all of its life, so after some turns all are started anew. A time is the median of all blocks; a
ratio is taken block by block, its median of each start, and of those the median. Denormals come up
after a while of training, so each loop first trains some updates unmeasured, hundreds where they
matter. What they cost is the processor's affair: on an AMD Zen 4 a product of denormals costs no
more than another, but the square root (in Adam) 36 times as much; elsewhere every operation on them
may be slow.
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

__all__ = ["Contestant", "Spread", "Timing", "interleaved", "machine", "set_threads", "spread"]

TURNS = 5
"""Blocks of each loop between two starts."""


@dataclass(frozen=True)
class Contestant:
    """A loop to be timed.

    Args:
        loop: trainer, bare, textbook, or peer: the script itself.
        experiment: whose config it trains; or the name of a peer, with a checkout.
        overrides: of the config.
        checkout: of the peers' scripts.
    """

    loop: str
    experiment: str
    overrides: tuple[str, ...] = ()
    checkout: Path | None = None


@dataclass
class Timing:
    """What one start of all processes gave, or several.

    Args:
        starts: milliseconds an update of every block, by contestant, of each start.
        memory: most MiB that a contestant's process has held.
    """

    starts: list[dict[str, list[float]]] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)

    def median(self, name: str) -> float:
        """Return the median of a contestant's blocks."""
        return median(block for blocks in self.starts for block in blocks[name])

    def ratios(self, slow: str, fast: str) -> Spread:
        """Divide block by block, and take the median of each start."""
        return spread([median(map(truediv, blocks[slow], blocks[fast])) for blocks in self.starts])


@dataclass(frozen=True)
class Spread:
    """What several measurements give."""

    middle: float
    least: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """Return the median, the least and the most."""
    return Spread(median(values), min(values), max(values))


def interleaved(
    contestants: Mapping[str, Contestant], updates: int, warmup: int, starts: int
) -> Timing:
    """Time contestants in turn.

    Args:
        contestants: by name.
        updates: in a block.
        warmup: updates of each before its first block.
        starts: how often all processes are started anew.
    """
    timing = Timing()
    experiment = next(iter(contestants.values())).experiment
    for start in range(starts):
        blocks, memory = _one_start(contestants, updates, warmup)
        timing.starts.append(blocks)
        for name, held in memory.items():
            timing.memory[name] = max(held, timing.memory.get(name, 0.0))
        shown = ", ".join(f"{name} {median(times):.2f}" for name, times in blocks.items())
        print(f"{experiment} {start + 1}/{starts}: ms {shown}", file=sys.stderr)
    return timing


def _one_start(
    contestants: Mapping[str, Contestant], updates: int, warmup: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return milliseconds an update of every block, and most MiB held, by contestant."""
    blocks: dict[str, list[float]] = {name: [] for name in contestants}
    memory = {}
    with _workers(contestants) as connections:
        for connection in connections.values():
            _received(connection)
        for connection in connections.values():
            connection.send(warmup)
            _received(connection)
        for _ in range(TURNS):
            for name, connection in connections.items():
                connection.send(updates)
                made, seconds = _received(connection)
                blocks[name].append(1000 * seconds / made)
        for name, connection in connections.items():
            connection.send(None)
            memory[name] = connection.recv()
    return blocks, memory


def _received(connection: Connection[Any, Any]) -> tuple[int, float]:
    try:
        made, seconds = connection.recv()
    except EOFError:
        raise SystemExit("a loop ended with an error, which is above") from None
    return made, seconds


class Stopwatch:
    """The tick of a loop that trains a block whenever the parent asks for one."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._first = self._end = 0
        self._start = time.perf_counter()

    def __call__(self, learner: BaseModule | None, updates: int) -> None:
        """At a block's end send its updates and seconds, and wait for the next one's length.

        Raises:
            Finished: the parent wants no more.
        """
        if updates < self._end:
            return
        _synchronise()
        self._connection.send((updates - self._first, time.perf_counter() - self._start))
        wanted = self._connection.recv()
        if wanted is None:
            from loops import Finished

            raise Finished
        self._first, self._end = updates, updates + wanted
        self._start = time.perf_counter()


def _synchronise() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _work(contestant: Contestant, connection: Connection[Any, Any]) -> None:
    """Train in this process, which is one contestant's; at the end say how much memory it took."""
    if contestant.loop in ("trainer", "bare"):
        from gan_lightning.utils.hardware import set_up_arithmetic
        from gan_lightning.utils.imports import gc_paused_imports

        with gc_paused_imports():  # as the commands do: the collector leaves them alone afterwards
            import loops  # noqa: F401 - imported for what it brings
        set_up_arithmetic()
    from loops import LOOPS, Finished

    if contestant.loop in ("textbook", "peer"):  # Lightning sets it, which these do not import
        del os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"]
    tick = Stopwatch(connection)
    with suppress(Finished):
        if contestant.loop == "peer":
            from peers.script import train

            assert contestant.checkout is not None
            train(contestant.checkout, contestant.experiment, tick)
        else:
            LOOPS[contestant.loop](_config(contestant), tick)
    connection.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _config(contestant: Contestant) -> RunConfig:
    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.config.load import load_config

    if contestant.checkout is not None:
        from peers import PEERS

        return PEERS[contestant.experiment].config(list(contestant.overrides))
    import synthetic  # noqa: F401 - its data set enters the table

    source = read_yaml(experiment_path(contestant.experiment))
    return load_config(source, contestant.overrides)


@contextmanager
def _workers(contestants: Mapping[str, Contestant]) -> Iterator[dict[str, Connection[Any, Any]]]:
    """Start a process a contestant, and end them after the block."""
    context = get_context("spawn")
    connections, processes = {}, []
    try:
        for name, contestant in contestants.items():
            connections[name], theirs = context.Pipe()
            process = context.Process(target=_work, args=(contestant, theirs))
            process.start()
            processes.append(process)
            theirs.close()
        yield connections
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.kill()


def set_threads(threads: int) -> None:
    """Let this process's children compute with so many threads."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)


def machine(threads: int) -> str:
    """Name what the times were taken on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return (
        f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores, "
        f"{threads} threads, Python {platform.python_version()}, torch {version('torch')}, "
        f"pytorch-lightning {version('pytorch-lightning')}"
    )
