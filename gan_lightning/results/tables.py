"""Markdown tables of claims and of measured metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gan_lightning.results.aggregate import format_mean_sd, format_number
from gan_lightning.results.claims import ClaimRow
from gan_lightning.results.records import Results
from gan_lightning.utils.tables import markdown_table

__all__ = ["claims_table", "measures_table"]


def claims_table(
    shown: Sequence[Results],
    known: Sequence[Results],
    link: Callable[[Results], str] | None = None,
) -> str:
    """Format claims, the papers' numbers, the measured values and the verdicts as a table.

    Args:
        shown: results whose claims are the rows.
        known: results that claims with `above` or `below` are compared with.
        link: returns the address of the section about some results; None for no links.

    Raises:
        UserError: a claim is about a metric that was not measured.
    """
    rows = [("experiment", "claim", "bound", "paper", "measured", "verdict")]
    for results in shown:
        name = results.name if link is None else f"[{results.name}]({link(results)})"
        seeds = "1 seed" if len(results.runs) == 1 else f"{len(results.runs)} seeds"
        rows += [
            (
                name,
                _statement(row),
                f"`{row.bound}`",
                row.paper or "-",
                f"{row.measured} ({seeds})",
                _verdict(row),
            )
            for row in results.claim_rows(known)
        ]
    return markdown_table(rows)


def measures_table(results: Results) -> str:
    """Format every metric and the minutes of all seeds as a table."""
    rows = [["metric", "mean ± sd", *(f"seed {run.seed}" for run in results.runs)]]
    for name in results.measures:
        values = results.values(name)
        rows.append([f"`{name}`", format_mean_sd(values), *map(format_number, values)])
    minutes = [run.minutes for run in results.runs]
    rows.append(["minutes", format_mean_sd(minutes), *map(format_number, minutes)])
    return markdown_table(rows)


def _statement(row: ClaimRow) -> str:
    """Append the source to the statement, before its full stop."""
    if not row.source:
        return row.statement
    text = row.statement.removesuffix(".")
    return f"{text} ({row.source}){row.statement[len(text) :]}"


def _verdict(row: ClaimRow) -> str:
    """Emphasize that a claim does not hold."""
    if row.verdict.holds is False:
        return row.verdict.text.replace("does not hold", "**does not hold**", 1)
    return row.verdict.text
