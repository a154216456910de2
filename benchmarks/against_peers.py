"""Our Trainer beside PyTorch-GAN's scripts: their networks, batch, rates and digits.

The script runs as it is, its loading and printing included. Before anything is timed, ours takes
the weights and the minibatch of its first step over and must come to the same losses.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from step import in_words
from timing import Contestant, interleaved

__all__ = ["HEADER", "measured", "row"]

TOLERANCE = 1e-5

HEADER = (
    "script",
    "batch",
    "ms an update: ours",
    "the script",
    "the script / ours",
    "at least",
    "largest difference of losses",
)


def measured(name: str, checkout: Path, overrides: list[str], repeats: int) -> dict[str, Any]:
    """Check that the work is the same, and time ours and the script in turn."""
    from peers import PEERS
    from peers.same_work import same_losses

    difference = same_losses(checkout, name)
    if difference > TOLERANCE:
        raise SystemExit(f"{name}: the losses differ by {difference:.2g}; the work is not the same")
    contestants = {
        "ours": Contestant("trainer", name, tuple(overrides), checkout),
        "script": Contestant("peer", name, (), checkout),
    }
    linear = PEERS[name].network["name"] == "peer_linear"
    timing = interleaved(contestants, 100 if linear else 20, 1000 if linear else 20, repeats)
    return {
        "script": name,
        "batch": PEERS[name].batch,
        "milliseconds": {side: timing.median(side) for side in contestants},
        "speedup": asdict(timing.ratios("script", "ours")),
        "difference": difference,
    }


def row(measured: dict[str, Any]) -> tuple[str, ...]:
    """Write a row of the table."""
    from peers import PEERS

    times = measured["milliseconds"]
    return (
        measured["script"],
        str(measured["batch"]),
        f"{times['ours']:.3g}",
        f"{times['script']:.3g}",
        in_words(measured["speedup"]),
        f"{PEERS[measured['script']].speedup:.0f}",
        f"{measured['difference']:.0e}",
    )
