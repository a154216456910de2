"""How fast it is: against bare and textbook loops, against peers, beside and as work grows.

`python benchmarks/performance.py [--only PART ...] [--peer CHECKOUT] [--threads T] [--repeats K]`

What is measured is kept in docs/performance.json, part by part and row by row, and
docs/performance.md is made of that file alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import against_peers
import beside_training
import growth
import step
import time_to_result
from timing import machine, set_threads

from gan_lightning.utils.files import atomic_write

__all__ = ["PARTS", "main", "page"]

DOCS = Path(__file__).parent.parent / "docs"
Rows = Iterator[tuple[str, dict[str, Any]]]


def steps(options: argparse.Namespace) -> Rows:
    """Yield a row an experiment."""
    for name in options.experiments or step.PLANS:
        yield name, step.measured(name, OVERRIDES, options.repeats)


def peers(options: argparse.Namespace) -> Rows:
    """Yield a row a script of the checkout."""
    if options.peer is None:
        print("no --peer CHECKOUT of PyTorch-GAN: its part stays as it is", file=sys.stderr)
        return
    sys.path.insert(0, str(Path(__file__).parent))
    from peers import PEERS

    for name in options.experiments or PEERS:
        yield name, against_peers.measured(name, options.peer.resolve(), OVERRIDES, options.repeats)


def beside(options: argparse.Namespace) -> Rows:
    """Yield what is not training."""
    for rows in (
        beside_training.start(options.repeats),
        beside_training.frechet(options.repeats),
        beside_training.evaluation(OVERRIDES, options.repeats),
    ):
        for row in rows:
            yield row["what"], row


def growing(options: argparse.Namespace) -> Rows:
    """Yield a row a series."""
    for series in growth.SERIES:
        row = growth.measured(series, OVERRIDES, options.repeats)
        yield f"{series.experiment} {series.key}", row
    yield "evaluation.samples", growth.evaluation_measured(options.repeats)


def until_claims(options: argparse.Namespace) -> Rows:
    """Yield a row an experiment with results."""
    yield from time_to_result.found()


OVERRIDES = ["log.wandb=offline"]

PARTS: dict[str, tuple[Callable[[argparse.Namespace], Rows], Any, str, str]] = {
    "steps": (steps, step, "A training step", step.__doc__ or ""),
    "peers": (peers, against_peers, "Against PyTorch-GAN", against_peers.__doc__ or ""),
    "beside": (beside, beside_training, "Beside training", beside_training.__doc__ or ""),
    "growth": (growing, growth, "As work grows", growth.__doc__ or ""),
    "claims": (until_claims, time_to_result, "Time to result", time_to_result.__doc__ or ""),
}
"""By name: what measures it, what writes its rows, its title, and what is said of it."""


def page(kept: dict[str, Any]) -> str:
    """Write docs/performance.md."""
    lines = ["# Performance", "", "Made by `make benchmark`; every figure was measured here."]
    for name, (_, writer, title, said) in PARTS.items():
        part = kept.get(name)
        if part is None:
            continue
        summary, _, explained = said.partition("\n\n")
        command = f'`make benchmark ARGS="--only {name}"`'
        lines += ["", f"## {title}", "", explained.strip() or summary]
        lines += ["", f"{command}, {measured_on(part['rows'])}.", ""]
        lines += ["| " + " | ".join(writer.HEADER) + " |", "| --- " * len(writer.HEADER) + "|"]
        lines += ["| " + " | ".join(writer.row(row)) + " |" for row in part["rows"].values()]
    return "\n".join(lines) + "\n"


def measured_on(rows: dict[str, Any]) -> str:
    """Say when and on what rows were measured: once where it is the same for all."""
    by_machine: dict[str, list[str]] = {}
    for name, row in rows.items():
        by_machine.setdefault(row["on"], []).append(name)
    if len(by_machine) == 1:
        return next(iter(by_machine))
    return "; ".join(f"{', '.join(names)}: {on}" for on, names in by_machine.items())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts asked for, and write the page after each row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--experiments", nargs="+", help="rows of --only steps or --only peers")
    parser.add_argument("--peer", type=Path, help="checkout of PyTorch-GAN", metavar="CHECKOUT")
    parser.add_argument("--repeats", type=int, default=5, help="starts of each loop's process")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--docs", type=Path, default=DOCS, help="where the page is written")
    options = parser.parse_args(arguments)
    set_threads(options.threads)
    facts = options.docs / "performance.json"
    kept = json.loads(facts.read_text()) if facts.exists() else {}
    for name in options.only:
        measure, writer, _, _ = PARTS[name]
        for key, row in measure(options):
            part = kept.setdefault(name, {"rows": {}})
            part["rows"][key] = row | {"on": f"{date.today()}, {machine(options.threads)}"}
            atomic_write(facts, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
            atomic_write(options.docs / "performance.md", page(kept))
            print("  ".join(writer.row(row)), flush=True)


if __name__ == "__main__":
    main()
