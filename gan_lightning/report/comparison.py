"""Comparison of runs as tables on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from gan_lightning.errors import UserError
from gan_lightning.report.claims import run_claims
from gan_lightning.report.run_data import RunSummary, read_runs
from gan_lightning.report.tables import EMPTY, config_differences, metrics_table
from gan_lightning.results.aggregate import format_number
from gan_lightning.utils.tables import text_table

__all__ = ["compare"]


def compare(names: Sequence[str]) -> str:
    """Format metrics, claims and config differences of runs, one column per run.

    Args:
        names: run directories or experiments, at least two.

    Raises:
        UserError: a run does not exist or is named twice, or there is only one.
    """
    if len(names) < 2:
        raise UserError("compare needs at least two runs; `gan-lightning report` shows one")
    runs = read_runs(names)
    header = ("", *(run.label for run in runs))
    parts = [text_table([header, *_progress(runs), *_metrics(runs)])]
    if not any(run.measures for run in runs):
        parts[0] += "\nnothing has been measured yet"
    elif not all(run.finished for run in runs):
        parts[0] += "\n* latest value of a run that has not finished"
    if claims := run_claims(runs):
        rows = [("claim of", "bound", "paper", "measured", "outcome")]
        rows += [
            (run.label, claim.bound, claim.paper or EMPTY, claim.measured, claim.verdict.text)
            for run, claim in claims
        ]
        parts.append(text_table(rows))
    if differences := config_differences(runs):
        parts.append(text_table([("config", *header[1:]), *differences]))
    return "\n\n".join(parts)


def _progress(runs: Sequence[RunSummary]) -> list[tuple[str, ...]]:
    budgets = [f" of {run.budget:,}" if run.budget and not run.finished else "" for run in runs]
    return [
        (
            "updates",
            *(f"{run.updates:,}{budget}" for run, budget in zip(runs, budgets, strict=True)),
        ),
        ("minutes", *(format_number(run.minutes) for run in runs)),
    ]


def _metrics(runs: Sequence[RunSummary]) -> list[tuple[str, ...]]:
    """Return a row per metric, with a star after the values of runs that have not finished."""
    stars = ["" if run.finished else "*" for run in runs]
    return [
        (
            name,
            *(
                cell if cell == EMPTY else cell + star
                for cell, star in zip(cells, stars, strict=True)
            ),
        )
        for name, *cells in metrics_table(runs)
    ]
