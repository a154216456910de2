"""What our Trainer costs over a bare loop, and what our loop saves over a tutorial's.

For every GAN, at the networks and the batch of its experiment, three loops train a model each (see
loops.py): *trainer*, the path of `gan-lightning train` with its progress bar, metrics.csv and W&B
offline; *bare*, the same arithmetic by hand, to the same weights; *textbook*, a tutorial's loop. No
evaluation, picture or checkpoint falls into the timed blocks of the trainer.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from timing import Contestant, interleaved

__all__ = ["HEADER", "PLANS", "Plan", "measured", "row"]

LOOPS = ("trainer", "bare", "textbook")


@dataclass(frozen=True)
class Plan:
    """How an experiment is timed, and what is to be shown.

    Args:
        updates: in a block.
        warmup: updates of each loop before its first block.
        overhead: of the trainer over the bare loop, at most.
        speedup: of the trainer over the textbook, at least; 1 where nothing is claimed.
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
"""Experiments in which every GAN plays."""


def measured(experiment: str, overrides: list[str], repeats: int) -> dict[str, Any]:
    """Time one experiment's loops in turn, and return a row of plain numbers."""
    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.config.load import load_config

    plan = PLANS[experiment]
    config = load_config(read_yaml(experiment_path(experiment)), overrides)
    contestants = {loop: Contestant(loop, experiment, tuple(overrides)) for loop in LOOPS}
    timing = interleaved(contestants, plan.updates, plan.warmup, repeats)
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
    "batch",
    "images a second",
    "ms an update: trainer",
    "bare",
    "textbook",
    "trainer / bare",
    "at most",
    "textbook / trainer",
    "at least",
)


def row(measured: dict[str, Any]) -> tuple[str, ...]:
    """Write a row of the table; what is aimed at stands beside, and decides nothing."""
    plan, times = PLANS[measured["experiment"]], measured["milliseconds"]
    return (
        measured["experiment"],
        str(measured["batch"]),
        f"{1000 * measured['images'] / times['trainer']:,.0f}",
        *(f"{times[loop]:.3g}" for loop in LOOPS),
        in_words(measured["overhead"]),
        f"{1 + plan.overhead:.2f}",
        in_words(measured["speedup"]),
        f"{plan.speedup:.0f}" if plan.speedup > 1 else "",
    )


def in_words(ratio: dict[str, float]) -> str:
    """Write the median of the starts and their range."""
    return f"{ratio['middle']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f})"
