"""What our Trainer costs over a bare loop, and what our loop saves over a tutorial's.

`python benchmarks/step.py [--experiments NAME ...] [--updates N] [--repeats K] [--threads T]`

For each experiment, at the networks and the batch of its YAML, three loops train a model each (see
loops.py): *trainer*, the path of `gan-lightning train` with its progress bar, metrics.csv and W&B
offline; *bare*, the same arithmetic by hand, to the same weights; *textbook*, a tutorial's loop. No
evaluation, picture or checkpoint falls into the timed blocks of the trainer.

Each loop lives in a process of its own, since flushing denormals is a state of each thread that
PyTorch's workers keep from their start, and trains in short blocks, taking turns: trainer, bare,
textbook, trainer, ... Only one computes at a time. A time is the median of the blocks, a ratio the
median of the ratios block by block. Denormals come up after a while of training, so each loop first
trains some hundred updates unmeasured where they matter. What they cost is the processor's affair:
on an AMD Zen 4 a product of denormals costs no more than another, but the square root (in Adam) 36
times as much; elsewhere every operation on them may be slow.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_lightning.learner import Learner

VARIANTS = ("trainer", "bare", "textbook")


@dataclass(frozen=True)
class Plan:
    """How an experiment is timed, and what is to be shown.

    Args:
        updates: in a block.
        warmup_updates: of each loop before its first block.
        overhead: of the trainer over the bare loop, at most.
        speedup: of the trainer over the textbook, at least; 1 where nothing is claimed.
    """

    updates: int
    warmup_updates: int
    overhead: float = 0.03
    speedup: float = 1.0


PLANS = {
    "infogan_mnist": Plan(updates=20, warmup_updates=20),
    "dcgan_mnist": Plan(updates=20, warmup_updates=20, speedup=2.0),
    "gan_mnist": Plan(updates=40, warmup_updates=1000, speedup=10.0),
    "gan_ring": Plan(updates=1000, warmup_updates=200, overhead=0.10),
}
DEFAULT_PLAN = Plan(updates=20, warmup_updates=20)


@dataclass
class Timing:
    """Milliseconds an update of every block, by variant."""

    batch: int = 0
    blocks: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in VARIANTS})

    def ratios(self, slow: str, fast: str) -> list[float]:
        """Divide block by block."""
        pairs = zip(self.blocks[slow], self.blocks[fast], strict=True)
        return [numerator / denominator for numerator, denominator in pairs]


class Stopwatch:
    """The tick of a loop that trains a block whenever the parent asks for one."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._first = self._end = 0
        self._start = time.perf_counter()

    def __call__(self, learner: Learner, updates: int) -> None:
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


def work(
    variant: str, experiment: str, overrides: Sequence[str], connection: Connection[Any, Any]
) -> None:
    """Train one variant in this process; the first message is the batch size."""
    from gan_lightning.machine import set_up_arithmetic

    if variant != "textbook":
        set_up_arithmetic()
    from loops import LOOPS, Finished

    from gan_lightning.config import load_config
    from gan_lightning.experiment_files import experiment_path, read_yaml

    config = load_config(read_yaml(experiment_path(experiment)), overrides)
    connection.send(config.data.batch_size)
    with suppress(Finished):
        LOOPS[variant](config, Stopwatch(connection))


@contextmanager
def workers(experiment: str, overrides: Sequence[str]) -> Iterator[dict[str, Connection[Any, Any]]]:
    """Start a process a variant, and end them after the block."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["gan_lightning.run", "torchvision.datasets"])
    connections, processes = {}, []
    try:
        for variant in VARIANTS:
            connections[variant], theirs = context.Pipe()
            process = context.Process(target=work, args=(variant, experiment, overrides, theirs))
            process.start()
            processes.append(process)
            theirs.close()
        yield connections
        for connection in connections.values():
            connection.send(None)
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.kill()


def measure(
    experiment: str, overrides: Sequence[str], updates: int, warmup: int, repeats: int
) -> Timing:
    """Time one experiment's loops in turn."""
    with workers(experiment, overrides) as connections:
        timing = Timing()
        for connection in connections.values():
            timing.batch = connection.recv()
            connection.recv()
        for connection in connections.values():
            connection.send(warmup)
            connection.recv()
        for repeat in range(repeats):
            for variant, connection in connections.items():
                connection.send(updates)
                made, seconds = connection.recv()
                timing.blocks[variant].append(1000 * seconds / made)
            shown = {variant: f"{times[-1]:.2f}" for variant, times in timing.blocks.items()}
            print(f"{experiment} {repeat + 1}/{repeats}: ms {shown}", file=sys.stderr, flush=True)
    return timing


HEADER = (
    f"{'experiment':<15} {'batch':>5} {'trainer':>9} {'bare':>9} {'textbook':>9}   "
    f"{'trainer/bare':<30} textbook/trainer"
)


def row(experiment: str, timing: Timing) -> str:
    """Write one line of the table: milliseconds, ratios (min to max) and their targets."""
    plan = PLANS.get(experiment, DEFAULT_PLAN)
    times = " ".join(f"{median(timing.blocks[variant]):>9.3f}" for variant in VARIANTS)
    overhead = _spread(timing.ratios("trainer", "bare")) + f" <= {1 + plan.overhead:.2f}"
    speedup = _spread(timing.ratios("textbook", "trainer"))
    if plan.speedup > 1:
        speedup += f" >= {plan.speedup:.0f}"
    return f"{experiment:<15} {timing.batch:>5} {times}   {overhead:<30} {speedup}"


def _spread(ratios: list[float]) -> str:
    return f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


def machine(threads: int) -> str:
    """Name what the times were taken on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return (
        f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores, "
        f"{threads} threads, Python {platform.python_version()}, torch {version('torch')}, "
        f"pytorch-lightning {version('pytorch-lightning')}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table; targets are printed beside, and decide nothing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--experiments", nargs="+", default=list(PLANS), metavar="NAME")
    parser.add_argument("--updates", type=int, help="in a block; by default the experiment's plan")
    parser.add_argument("--warmup-updates", type=int, help="by default the experiment's plan")
    parser.add_argument("--repeats", type=int, default=7, help="blocks of each loop")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--wandb", choices=("offline", "disabled"), default="offline")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="config override")
    options = parser.parse_args(arguments)
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(options.threads)
    print(HEADER, flush=True)
    for experiment in options.experiments:
        plan = PLANS.get(experiment, DEFAULT_PLAN)
        timing = measure(
            experiment,
            [f"log.wandb={options.wandb}", *options.set],
            plan.updates if options.updates is None else options.updates,
            plan.warmup_updates if options.warmup_updates is None else options.warmup_updates,
            options.repeats,
        )
        print(row(experiment, timing), flush=True)
    print(f"milliseconds an update; {machine(options.threads)}")


if __name__ == "__main__":
    main()
