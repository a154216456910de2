"""How long until the claims of an experiment stand.

The minutes of the runs that [the results](results.md) are made of, evaluations and pictures
included; start-up is not. Most ran beside others, one thread each, which is what *threads* says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gan_lightning.results.records import Results, read_all, results_folder

__all__ = ["HEADER", "found", "row"]

HEADER = ("experiment", "updates", "runs", "claims that hold", "minutes a run", "threads")


def found() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a row an experiment that has results, its variations left out."""
    known = read_all(results_folder())
    for results in known:
        if results.name == results.experiment:
            yield results.name, _row(results, known)


def _row(results: Results, known: list[Results]) -> dict[str, Any]:
    verdicts = results.verdicts(known)
    return {
        "experiment": results.name,
        "updates": results.updates,
        "minutes": [run.minutes for run in results.runs],
        "threads": sorted({run.machine.get("threads", 0) for run in results.runs}),
        "held": sum(verdict.holds is True for verdict in verdicts),
        "claims": len(verdicts),
    }


def row(measured: dict[str, Any]) -> tuple[str, ...]:
    """Write a row of the table."""
    minutes = measured["minutes"]
    least, most = f"{min(minutes):.1f}", f"{max(minutes):.1f}"
    return (
        measured["experiment"],
        f"{measured['updates']:,}",
        str(len(minutes)),
        f"{measured['held']} of {measured['claims']}",
        least if least == most else f"{least} to {most}",
        ", ".join(map(str, measured["threads"])),
    )
