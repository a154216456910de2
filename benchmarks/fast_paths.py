"""Time the fast paths of `gan_lightning/core/fast_paths.py`, each on and off.

`python benchmarks/fast_paths.py [--experiments NAME ...] [--threads T] [--turns K]`

One process trains an experiment and takes turns: a block of updates with all fast paths, then a
block without one of them, for each of them. A ratio is the time without a path divided by the time
with it, of two consecutive blocks; its median and range are taken over the turns. `malloc` cannot
be taken back in a process, since glibc then no longer adapts its thresholds, so that two processes
take turns (`timing.py`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from operator import truediv
from statistics import median
from typing import TYPE_CHECKING, Any

from timing import Spread, TimedLoop, set_threads, spread, time_interleaved

if TYPE_CHECKING:
    from gan_lightning.core.module import BaseModule

__all__ = ["PLANS", "BlockPairs", "Plan", "main", "time_in_process", "time_malloc"]


@dataclass(frozen=True)
class Plan:
    """How the fast paths of an experiment are timed.

    Args:
        updates: generator updates in a block.
        warmup: generator updates before the first block.
        overrides: of the config, so that the experiment uses the paths.
        paths: fast paths that it uses, without malloc.
    """

    updates: int
    warmup: int
    overrides: tuple[str, ...]
    paths: tuple[str, ...]


OVERRIDES = ("log.wandb=disabled", "model.ema_decay=0.999")
PLANS = {
    "gan_ring": Plan(
        200,
        200,
        (*OVERRIDES, "network.dropout=0.5"),
        ("dropout", "ema_update", "direct_step", "cuda_check"),
    ),
    "infogan_mnist": Plan(8, 20, OVERRIDES, ("ema_update", "direct_step", "cuda_check")),
}


@dataclass
class BlockPairs:
    """Times of blocks with and without a fast path, in milliseconds per update."""

    enabled: list[float] = field(default_factory=list)
    disabled: list[float] = field(default_factory=list)

    def ratios(self) -> Spread:
        """Divide the time without the path by the time with it, block by block."""
        return spread(list(map(truediv, self.disabled, self.enabled)))


class PairTimer:
    """Tick of a training loop that times pairs of blocks, with and without each fast path.

    Args:
        plan: lengths of warm-up and blocks, and the fast paths.
        turns: pairs of blocks for each path.
    """

    def __init__(self, plan: Plan, turns: int) -> None:
        self.pairs = {name: BlockPairs() for name in plan.paths}
        self._updates = plan.updates
        self._schedule = self._blocks(turns)
        self._times: list[float] = []  # of the block in progress; the warm-up's are dropped
        self._first, self._end = 0, plan.warmup
        self._start = time.perf_counter()
        self._stack = ExitStack()

    def __call__(self, model: BaseModule, updates: int) -> None:
        """At the end of a block record its time, and begin the next one.

        Raises:
            Finished: all blocks are timed.
        """
        if updates < self._end:
            return
        _synchronize()
        seconds = time.perf_counter() - self._start
        self._times.append(1000 * seconds / max(1, updates - self._first))
        self._stack.close()
        self._begin_block()
        self._first, self._end = updates, updates + self._updates
        self._start = time.perf_counter()

    def _blocks(self, turns: int) -> Iterator[tuple[list[float], str | None]]:
        """Yield the list for the time of each block, and the fast path that is off in it."""
        for _ in range(turns):
            for name, pair in self.pairs.items():
                yield pair.enabled, None
                yield pair.disabled, name

    def _begin_block(self) -> None:
        from loops import Finished

        from gan_lightning.core.fast_paths import disabled, skip_cuda_driver_check

        block = next(self._schedule, None)
        if block is None:
            skip_cuda_driver_check()
            raise Finished
        self._times, path = block
        if path is not None:
            self._stack.enter_context(disabled(path))
        skip_cuda_driver_check()


def _synchronize() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def time_in_process(experiment: str, plan: Plan, turns: int) -> dict[str, BlockPairs]:
    """Time the fast paths of an experiment in this process, by name."""
    import loops

    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.config.load import load_config
    from gan_lightning.core.fast_paths import set_up_process

    set_up_process()
    timer = PairTimer(plan, turns)
    config = load_config(read_yaml(experiment_path(experiment)), plan.overrides)
    with suppress(loops.Finished):
        loops.trainer(config, timer)
    return timer.pairs


def time_malloc(experiment: str, plan: Plan, turns: int) -> BlockPairs:
    """Time an experiment in two processes, of which one uses glibc's default thresholds."""
    loops = {
        "enabled": TimedLoop("trainer", experiment, plan.overrides),
        "disabled": TimedLoop("trainer", experiment, plan.overrides, disabled=("malloc",)),
    }
    timing = time_interleaved(loops, plan.updates, plan.warmup, turns)
    times = {name: [block for start in timing.starts for block in start[name]] for name in loops}
    return BlockPairs(times["enabled"], times["disabled"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Time the fast paths of the experiments and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", nargs="*", choices=PLANS, default=list(PLANS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=9, help="pairs of blocks; starts of malloc")
    options = parser.parse_args(arguments)
    set_threads(options.threads)  # before torch is imported
    from gan_lightning.utils.tables import markdown_table

    rows = [("experiment", "fast path", "ms on", "ms off", "off / on")]
    for name in options.experiments:
        plan = PLANS[name]
        plan = replace(plan, overrides=(*plan.overrides, f"trainer.threads={options.threads}"))
        pairs: dict[str, Any] = time_in_process(name, plan, options.turns)
        pairs["malloc"] = time_malloc(name, plan, options.turns)
        for path, pair in pairs.items():
            ratio = pair.ratios()
            rows.append(
                (
                    name,
                    path,
                    f"{median(pair.enabled):.3g}",
                    f"{median(pair.disabled):.3g}",
                    f"{ratio.median:.3f} ({ratio.min:.2f} to {ratio.max:.2f})",
                )
            )
    print(markdown_table(rows))


if __name__ == "__main__":
    main()
