"""Time of a training step: the Trainer against a bare loop and against a tutorial's loop.

For the experiment of each GAN, three loops train its model at its batch size (see loops.py).
*trainer* is the code path of `gan-lightning train`, with progress bar, metrics.csv and W&B offline.
*bare* is the same arithmetic in a hand-written loop; it gives the same weights. *textbook* is a
loop as a tutorial writes it. No evaluation, sample grid or checkpoint falls into the timed blocks.
Ratios are the median over several starts of the processes, with the range in parentheses; *at most*
and *at least* are targets.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from timing import TimedLoop, time_interleaved

__all__ = ["HEADER", "PLANS", "Plan", "format_ratio", "measure", "row"]

LOOPS = ("trainer", "bare", "textbook")


@dataclass(frozen=True)
class Plan:
    """How an experiment is timed, and its targets.

    Args:
        updates: generator updates in a timed block.
        warmup: generator updates of each loop before its first block.
        overhead: target: the trainer takes at most this fraction more than the bare loop.
        speedup: target: the textbook loop takes at least this many times as long as the trainer;
            1 for no target.
    """

    updates: int
    warmup: int
    overhead: float = 0.03
    speedup: float = 1.0


PLANS = {
    "gan_mnist": Plan(30, 200, speedup=10.0),
    "dcgan_mnist": Plan(10, 20, speedup=2.0),
    "infogan_mnist": Plan(8, 20),
    "minibatch_mnist": Plan(8, 20),
    "wgan_mnist": Plan(10, 20),
    "wgan_gp_mnist": Plan(6, 10),
    "ebgan_pt_mnist": Plan(40, 200),
    "acgan_mnist": Plan(10, 20),
    "cgan_mnist": Plan(30, 200),
    "semi_supervised_mnist": Plan(30, 200),
    "cogan_edges": Plan(20, 20),
    "pix2pix_edges_mnist": Plan(30, 20),
    "gan_ring": Plan(150, 100, overhead=0.05),
    "packed_ring": Plan(100, 100, overhead=0.05),
    "minibatch_ring": Plan(100, 60, overhead=0.05),
    "unrolled_ring": Plan(50, 60, overhead=0.05),
    "wgan_ring": Plan(100, 60, overhead=0.05),
    "wgan_gp_ring": Plan(60, 60, overhead=0.05),
}
"""Experiments that are timed; together they cover every GAN."""


def measure(experiment: str, overrides: list[str], repeats: int) -> dict[str, Any]:
    """Time the loops of one experiment in turn, and return a row of plain numbers."""
    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.config.load import load_config

    plan = PLANS[experiment]
    config = load_config(read_yaml(experiment_path(experiment)), overrides)
    loops = {loop: TimedLoop(loop, experiment, tuple(overrides)) for loop in LOOPS}
    timing = time_interleaved(loops, plan.updates, plan.warmup, repeats)
    steps = getattr(config.model, "discriminator_steps", 1)
    return {
        "experiment": experiment,
        "batch": config.data.batch_size,
        "images": config.data.batch_size * steps,
        "milliseconds": {loop: timing.median(loop) for loop in LOOPS},
        "overhead": asdict(timing.ratios("trainer", "bare")),
        "speedup": asdict(timing.ratios("textbook", "trainer")),
    }


HEADER = (
    "experiment",
    "batch size",
    "real images per second",
    "ms per update: trainer",
    "bare",
    "textbook",
    "trainer / bare",
    "at most",
    "textbook / trainer",
    "at least",
)


def row(measured: dict[str, Any]) -> tuple[str, ...]:
    """Format a row of the table; targets are shown next to the ratios and are not enforced."""
    plan, times = PLANS[measured["experiment"]], measured["milliseconds"]
    return (
        measured["experiment"],
        str(measured["batch"]),
        f"{1000 * measured['images'] / times['trainer']:,.0f}",
        *(f"{times[loop]:.3g}" for loop in LOOPS),
        format_ratio(measured["overhead"]),
        f"{1 + plan.overhead:.2f}",
        format_ratio(measured["speedup"]),
        f"{plan.speedup:.0f}" if plan.speedup > 1 else "",
    )


def format_ratio(ratio: dict[str, float]) -> str:
    """Format the median over the starts and its range."""
    return f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"
