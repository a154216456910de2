"""(c) Real images a second and memory, by resolution, precision and memory format.

*trainer* is the code path of `gan-lightning train`, *bare* the same arithmetic in a hand-written
loop with all its fast paths (loops.py); it gives the same weights. The loops follow one another in
one process; a time is the median over blocks of updates, after a warm-up. Memory is the peak of
PyTorch's allocator on the GPU. PyTorch-GAN's scripts are timed where `--peer` names a checkout.
Rounds as CUDA graphs (`trainer.cuda_graphs`) are timed against eager ones, both by the trainer;
points must take at most a fifth of the time.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import loops
import synthetic  # noqa: F401 - registers its dataset
import torch

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.utils.hardware import allow_tf32
from gpu_proof.record import SKIPPED, Item, Row, Settings, verdict

if TYPE_CHECKING:
    from gan_lightning.core.module import BaseModule

__all__ = ["Plan", "items"]

OVERHEAD = 1.03
"""The trainer takes at most this many times as long as the bare loop, at 64 pixels."""

SCRIPTS = {"dcgan": 3.0, "wgan_gp": 3.0}
"""Scripts of PyTorch-GAN, and how many times as long as the trainer they take at least on a GPU."""

FORMATS: dict[str, tuple[str, ...]] = {
    "bf16": ("trainer.precision=bf16-mixed",),
    "float32": ("trainer.precision=32-true", "trainer.tf32=false"),
    "TF32": ("trainer.precision=32-true",),
    "bf16, contiguous": ("trainer.precision=bf16-mixed", "trainer.channels_last=false"),
    "bf16, compiled": ("trainer.precision=bf16-mixed", "trainer.compile=true"),
}
"""Precision and memory format -> overrides; channels_last unless it says contiguous."""

NOISE = ("data.name=noise",)
NETWORKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "64 pixels": ("dcgan_lsun_bedroom", (*NOISE, "data.size=64", "data.batch_size=128")),
    "28 pixels": ("dcgan_mnist", ()),
    "128 pixels": ("dcgan_lsun_bedroom", (*NOISE, "data.size=128", "data.batch_size=128")),
}
"""Resolution -> experiment and overrides."""

GRAPHED: dict[str, tuple[str, float | None]] = {
    "points": ("gan_ring", 5.0),
    "points, WGAN-GP": ("wgan_gp_ring", 5.0),
    "MNIST, fully connected": ("gan_mnist", None),
    "MNIST, InfoGAN": ("infogan_mnist", None),
}
"""Trained with CUDA graphs and without -> experiment, and how many times as fast at least."""

POINTS = ("gan_ring", ("trainer.precision=32-true",))


@dataclass(frozen=True)
class Plan:
    """How a loop is timed.

    Attributes:
        warmup: updates before the first block.
        updates: updates in a block.
        blocks: number of blocks.
    """

    warmup: int = 30
    updates: int = 20
    blocks: int = 5


QUICK = Plan(warmup=1, updates=1, blocks=2)
QUICK_OVERRIDES = ("data.batch_size=16", "trainer.channels_last=true")


def items(settings: Settings) -> list[Item]:
    """List the measurements: the comparison with the bare loop first, compilation last."""
    plan = QUICK if settings.quick else Plan()
    made = [
        Item(
            "c", f"{_compared(settings)}, against the bare loop", partial(_overhead, settings, plan)
        ),
        Item("c", "points, against the bare loop", partial(_points, settings, plan)),
    ]
    for name, (experiment, at_least) in GRAPHED.items():
        measure = partial(_graphs, experiment, at_least, settings, plan)
        made.append(Item("c", f"{name}, CUDA graphs", measure))
    if settings.quick:
        formats, resolutions = ["float32"], ["28 pixels"]
    else:
        formats, resolutions = list(FORMATS), list(NETWORKS)
    for name in formats:
        for resolution in resolutions:
            measure = partial(_format, resolution, name, settings, plan)
            made.append(Item("c", f"{resolution}, {name}", measure))
    peers = [Item("c", f"PyTorch-GAN {name}", partial(_peer, name, settings)) for name in SCRIPTS]
    compiled = [item for item in made if item.name.endswith("compiled")]
    return [*(item for item in made if item not in compiled), *peers, *compiled]


class BlockTimer:
    """Tick of a training loop that times blocks of updates.

    Attributes:
        milliseconds: per update, of each block.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.milliseconds: list[float] = []
        self._first, self._end = 0, plan.warmup
        self._start = 0.0
        self._warm = False

    def __call__(self, model: BaseModule, updates: int) -> None:
        """At the end of a block store its time.

        Raises:
            Finished: all blocks are timed.
        """
        if updates < self._end:
            return
        synchronize()
        if self._warm:
            seconds = time.perf_counter() - self._start
            self.milliseconds.append(1000 * seconds / (updates - self._first))
        self._warm = True
        if len(self.milliseconds) == self.plan.blocks:
            raise loops.Finished
        self._first, self._end = updates, updates + self.plan.updates
        self._start = time.perf_counter()


def synchronize() -> None:
    """Wait for the GPU, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def time_loop(
    loop: str, experiment: str, overrides: tuple[str, ...], settings: Settings, plan: Plan
) -> dict[str, float]:
    """Return milliseconds per update, real images a second, and MiB on the GPU (0 without one)."""
    further = [f"trainer.accelerator={settings.accelerator}", "log.wandb=disabled"]
    further += QUICK_OVERRIDES if settings.quick else []
    config = load_config(read_yaml(experiment_path(experiment)), [*overrides, *further])
    allow_tf32(config.trainer.tf32)  # the bare loop leaves it as it is
    if settings.on_cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    timer = BlockTimer(plan)
    with suppress(loops.Finished):
        loops.LOOPS[loop](config, timer)
    steps = getattr(config.model, "discriminator_steps", 1)
    milliseconds = median(timer.milliseconds)
    return {
        "milliseconds": milliseconds,
        "images": 1000 * config.data.batch_size * steps / milliseconds,
        "mebibytes": torch.cuda.max_memory_allocated() / 2**20 if settings.on_cuda else 0.0,
    }


def _compared(settings: Settings) -> str:
    """Return resolution and format of the comparison with the bare loop."""
    return "28 pixels, float32" if settings.quick else "64 pixels, bf16"


def _overhead(settings: Settings, plan: Plan) -> Row:
    resolution, name = _compared(settings).split(", ")
    experiment, overrides = NETWORKS[resolution]
    return _against_bare(experiment, (*overrides, *FORMATS[name]), settings, plan, OVERHEAD)


def _points(settings: Settings, plan: Plan) -> Row:
    return _against_bare(*POINTS, settings, plan, None)


def _against_bare(
    experiment: str,
    overrides: tuple[str, ...],
    settings: Settings,
    plan: Plan,
    at_most: float | None,
) -> Row:
    """Time both loops; a bound does not count in a quick run, whose blocks are too short."""
    trainer, bare = (
        time_loop(loop, experiment, overrides, settings, plan) for loop in ("trainer", "bare")
    )
    ratio = trainer["milliseconds"] / bare["milliseconds"]
    text = (
        f"{trainer['milliseconds']:.3g} ms an update, the bare loop {bare['milliseconds']:.3g}: "
        f"{ratio:.2f} times"
    )
    holds = at_most is None or ratio <= at_most or settings.quick
    return verdict(holds, text, ratio=ratio, **trainer)


def _graphs(experiment: str, at_least: float | None, settings: Settings, plan: Plan) -> Row:
    """Time the trainer with eager rounds, and with CUDA graphs."""
    if not settings.on_cuda:
        return {"verdict": SKIPPED, "text": "rounds are eager: not on CUDA"}
    eager, graphed = (
        time_loop(
            "trainer",
            experiment,
            ("trainer.precision=32-true", f"trainer.cuda_graphs={flag}"),
            settings,
            plan,
        )
        for flag in ("false", "true")
    )
    ratio = eager["milliseconds"] / graphed["milliseconds"]
    text = (
        f"{graphed['milliseconds']:.3g} ms an update, eager {eager['milliseconds']:.3g}: "
        f"{ratio:.2f} times as fast"
    )
    holds = at_least is None or ratio >= at_least or settings.quick
    return verdict(holds, text, ratio=ratio, **graphed)


def _format(resolution: str, name: str, settings: Settings, plan: Plan) -> Row:
    experiment, overrides = NETWORKS[resolution]
    timed = time_loop("trainer", experiment, (*overrides, *FORMATS[name]), settings, plan)
    memory = f", {timed['mebibytes']:,.0f} MiB" if settings.on_cuda else ""
    return verdict(True, f"{timed['images']:,.0f} images/s{memory}", **timed)


def _peer(name: str, settings: Settings) -> Row:
    """Time a script of PyTorch-GAN against the trainer at equal work."""
    if settings.peer is None:
        return {"verdict": SKIPPED, "text": "no checkout is named; --peer CHECKOUT"}
    import against_peers

    checkout = Path(settings.peer).resolve()
    measured: dict[str, Any] = against_peers.measure(name, checkout, ["log.wandb=disabled"], 1)
    ratio = measured["speedup"]["median"]
    return verdict(ratio >= SCRIPTS[name], f"the script takes {ratio:.2f} times as long")
