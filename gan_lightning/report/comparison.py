"""Runs side by side on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from gan_lightning.errors import UserError
from gan_lightning.report.run_data import RunSummary, read_runs
from gan_lightning.report.tables import NOTHING, claims_of, differing, measured
from gan_lightning.results.page import number
from gan_lightning.utils.tables import text_table

__all__ = ["compare"]


def compare(names: Sequence[str]) -> str:
    """Lay out what runs measured, what they claim, and in what their configs differ.

    Args:
        names: folders or experiments, at least two.

    Raises:
        UserError: there is no such run, one is named twice, or there is only one.
    """
    if len(names) < 2:
        raise UserError("compare needs two runs or more; `report` shows one")
    runs = read_runs(names)
    header = ("", *(run.label for run in runs))
    parts = [text_table([header, *_progress(runs), *_marked(runs)])]
    if not any(run.measures for run in runs):
        parts[0] += "\nnothing has been measured yet"
    elif not all(run.finished for run in runs):
        parts[0] += "\n* the latest measures of a run that has not ended"
    if claims := claims_of(runs):
        rows = [("claim of", "asked", "paper", "ours", "verdict")]
        rows += [(c.run, c.asked, c.paper, c.ours, c.verdict) for c in claims]
        parts.append(text_table(rows))
    if keys := differing(runs):
        parts.append(text_table([("config", *header[1:]), *keys]))
    return "\n\n".join(parts)


def _progress(runs: Sequence[RunSummary]) -> list[tuple[str, ...]]:
    of = [f" of {run.budget:,}" if run.budget and not run.finished else "" for run in runs]
    return [
        ("updates", *(f"{run.updates:,}{part}" for run, part in zip(runs, of, strict=True))),
        ("minutes", *(number(run.minutes) for run in runs)),
    ]


def _marked(runs: Sequence[RunSummary]) -> list[tuple[str, ...]]:
    """List the measures, those of a run that has not ended with a star."""
    stars = ["" if run.finished else "*" for run in runs]
    return [
        (name, *(c if c == NOTHING else c + star for c, star in zip(cells, stars, strict=True)))
        for name, *cells in measured(runs)
    ]
