"""Time of an update against PyTorch-GAN's scripts, at equal work.

The Trainer runs the same networks, batch size, learning rates and digits as the script; the script
runs unchanged, with its own data loading and printing. Before timing, the Trainer takes over the
weights and the first minibatch of the script and must reproduce its losses.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from timing import TimedLoop, time_interleaved
from training_step import format_ratio

__all__ = ["HEADER", "measure", "row"]

TOLERANCE = 1e-5
"""Largest relative difference of the losses at which the work counts as equal."""

HEADER = (
    "script",
    "batch size",
    "ms per update: trainer",
    "script",
    "script / trainer",
    "at least",
    "largest relative difference of losses",
)


def measure(name: str, checkout: Path, overrides: list[str], repeats: int) -> dict[str, Any]:
    """Check that the losses are equal, and time the Trainer and the script in turn."""
    from peers import PEERS
    from peers.same_work import loss_difference

    difference = loss_difference(checkout, name)
    if difference > TOLERANCE:
        raise SystemExit(f"{name}: the losses differ by {difference:.2g}; the work is not the same")
    loops = {
        "ours": TimedLoop("trainer", name, tuple(overrides), checkout),
        "script": TimedLoop("peer", name, (), checkout),
    }
    is_linear = PEERS[name].network["name"] == "peer_linear"
    updates, warmup = (100, 1000) if is_linear else (20, 20)
    timing = time_interleaved(loops, updates, warmup, repeats)
    return {
        "script": name,
        "batch": PEERS[name].batch,
        "milliseconds": {side: timing.median(side) for side in loops},
        "speedup": asdict(timing.ratios("script", "ours")),
        "difference": difference,
    }


def row(measured: dict[str, Any]) -> tuple[str, ...]:
    """Format a row of the table."""
    from peers import PEERS

    times = measured["milliseconds"]
    return (
        measured["script"],
        str(measured["batch"]),
        f"{times['ours']:.3g}",
        f"{times['script']:.3g}",
        format_ratio(measured["speedup"]),
        f"{PEERS[measured['script']].speedup:.0f}",
        f"{measured['difference']:.0e}",
    )
