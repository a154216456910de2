"""Minutes of training until the claims of an experiment are verified.

Times are those of the runs behind [the results](results.md), with evaluations and pictures and
without start-up. Most runs shared the processor with others, one thread each; *threads* gives the
number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gan_lightning.results.judging import count_claims, judge_claims
from gan_lightning.results.outdated import read_known_results
from gan_lightning.results.records import Results, results_folder

__all__ = ["HEADER", "measure", "row"]

HEADER = ("experiment", "updates", "runs", "claims that hold", "minutes per run", "threads")


def measure() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a row for each experiment with results; variations of experiments are left out."""
    all_results = read_known_results(results_folder())
    for results in all_results:
        if results.name == results.experiment:
            yield results.name, _row(results, all_results)


def _row(results: Results, all_results: list[Results]) -> dict[str, Any]:
    counts = count_claims(judge_claims(results, all_results))
    return {
        "experiment": results.name,
        "updates": results.updates,
        "minutes": [run.minutes for run in results.runs],
        "threads": sorted({run.machine.get("threads", 0) for run in results.runs}),
        "holding": counts.hold,
        "claims": counts.claims,
    }


def row(measured: dict[str, Any]) -> tuple[str, ...]:
    """Format a row of the table."""
    minutes = measured["minutes"]
    shortest, longest = f"{min(minutes):.1f}", f"{max(minutes):.1f}"
    return (
        measured["experiment"],
        f"{measured['updates']:,}",
        str(len(minutes)),
        f"{measured['holding']} of {measured['claims']}",
        shortest if shortest == longest else f"{shortest} to {longest}",
        ", ".join(map(str, measured["threads"])),
    )
