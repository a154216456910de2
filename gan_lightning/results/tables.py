"""Markdown tables of claims and of measured metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite

from gan_lightning.results.aggregate import format_mean_sd, format_number, mean
from gan_lightning.results.agreement import mean_interval
from gan_lightning.results.claims import ClaimRow
from gan_lightning.results.detail import is_detail
from gan_lightning.results.judging import judge_claims
from gan_lightning.results.records import Results
from gan_lightning.utils.tables import markdown_table

__all__ = [
    "claims_table",
    "format_interval",
    "format_probability",
    "measures_table",
]

# six columns: more do not fit into the window of a laptop
CLAIM_COLUMNS = ("experiment", "claim", "bound", "mean [95 % interval]", "paper", "verdict")

SEEDS_OF_A_TABLE = 5
"""Columns of seeds that fit into the window of a laptop."""


def claims_table(
    shown: Sequence[Results],
    known: Sequence[Results],
    link: Callable[[Results], str] | None = None,
) -> str:
    """Format claims, the measured values, the verdicts and the papers' numbers as a table.

    Args:
        shown: results whose claims are the rows.
        known: results that claims with `above` or `below` are compared with.
        link: returns the address of the section about some results; None for no links.

    Raises:
        UserError: a claim is about a metric that was not measured.
    """

    def linked(results: Results) -> str:
        return results.name if link is None else f"[{results.name}]({link(results)})"

    names = {results.name: linked(results) for results in known}
    rows = [CLAIM_COLUMNS]
    for results in shown:
        for row in judge_claims(results, known):
            cells = (
                ("-", "-", f"the same claim as that of {names[row.same_as]}")
                if row.same_as
                else _cells(row)
            )
            rows.append((linked(results), _statement(row), f"`{row.bound}`", *cells))
    return markdown_table(rows)


def _cells(row: ClaimRow) -> tuple[str, str, str]:
    """Return mean, paper and verdict; what fails or is worse than the paper is emphasized."""
    seeds = "1 seed" if len(row.values) == 1 else f"{len(row.values)} seeds"
    paper = row.paper or "-"
    if row.against_paper:
        paper += f": {row.against_paper.replace('worse', '**worse**')}"
    verdict = row.verdict.text
    if row.verdict.holds is False:
        verdict = verdict.replace("fails", "**fails**", 1)
    if row.verdict.probability is not None:
        probability = format_probability(row.verdict.probability)
        verdict += f" (p {probability if probability[0] in '<>' else f'= {probability}'})"
    return f"{format_interval(row.values)}, {seeds}", paper, verdict


def format_interval(values: Sequence[float]) -> str:
    """Format the mean over seeds with its 95 % interval, or alone where it has none."""
    low, high = mean_interval(values)
    text = format_number(mean(values))
    return f"{text} [{format_number(low)}, {format_number(high)}]" if isfinite(low) else text


def format_probability(probability: float | None) -> str:
    """Format a probability with two digits, not rounded to 0 or 1; a dash for none."""
    if probability is None:
        return "-"
    if 0.005 < probability < 0.995:
        return f"{probability:.2f}".removeprefix("0")
    return "> .99" if probability > 0.5 else "< .01"


def measures_table(results: Results) -> str:
    """Format the metrics and the minutes of all seeds as a table, or several for many seeds."""
    names = [name for name in results.measures if not is_detail(name)]
    values = {f"`{name}`": results.values(name) for name in names}
    values["minutes"] = [run.minutes for run in results.runs]
    tables = []
    for start in range(0, len(results.runs), SEEDS_OF_A_TABLE):
        part = slice(start, start + SEEDS_OF_A_TABLE)
        rows = [["metric", "mean ± sd", *(f"seed {run.seed}" for run in results.runs[part])]]
        for name, numbers in values.items():
            rows.append([name, format_mean_sd(numbers), *map(format_number, numbers[part])])
        tables.append(markdown_table(rows))
    return "\n\n".join(tables)


def _statement(row: ClaimRow) -> str:
    """Append the source to the statement, before its full stop."""
    if not row.source:
        return row.statement
    text = row.statement.removesuffix(".")
    return f"{text} ({row.source}){row.statement[len(text) :]}"
