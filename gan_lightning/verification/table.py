"""The table that `gan-lightning verify` prints."""

from __future__ import annotations

from collections.abc import Sequence

from gan_lightning.results.aggregate import format_mean_sd, format_number
from gan_lightning.results.claims import ClaimRow
from gan_lightning.results.records import Results
from gan_lightning.results.tables import format_interval, format_probability
from gan_lightning.utils.tables import text_table

__all__ = ["verification_table"]


def verification_table(results: Results, claims: Sequence[ClaimRow]) -> str:
    """Format claims, the other metrics, and minutes as a table with a column per seed.

    Seeds that decide no claim, since they were measured on a changed tree, are marked by a star.
    """
    judged = results.judged_runs
    seeds = [f"seed {run.seed}{'' if run in judged else '*'}" for run in results.runs]
    rows = [["claim", *seeds, "mean [95 %]", "p", "verdict", "paper", "against it"]]
    for claim in claims:
        statement = claim.measure
        if claim.statement != claim.measure:
            statement += f": {claim.statement}"
        verdict = claim.verdict
        rows.append(
            [
                statement,
                *map(format_number, results.values(claim.measure)),
                format_interval(claim.values),
                format_probability(verdict.probability),
                verdict.text,
                claim.paper or "-",
                claim.against_paper or "-",
            ]
        )
    claimed = {claim.measure for claim in claims}
    for name in results.measures:
        if name not in claimed:
            rows.append(_metric_row(name, results.values(name)))
    rows.append(_metric_row("minutes per run", [run.minutes for run in results.runs]))
    return text_table(rows)


def _metric_row(name: str, values: Sequence[float]) -> list[str]:
    return [name, *map(format_number, values), format_mean_sd(values), "-", "-", "-", "-"]
