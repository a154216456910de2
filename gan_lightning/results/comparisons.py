"""One table for all methods whose claims compare them with the same baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gan_lightning.config.claim import Claim
from gan_lightning.results.aggregate import format_mean_sd
from gan_lightning.results.claims import ClaimRow
from gan_lightning.results.judging import judge_claims
from gan_lightning.results.records import Results
from gan_lightning.results.tables import format_interval
from gan_lightning.utils.tables import markdown_table

__all__ = ["compared_methods", "compared_metrics", "comparison_table"]

MIN_METHODS = 3
"""Methods below which the table of claims shows the comparison well enough."""

SIGNIFICANT = 0.01
"""p value at which a method counts as better than its baseline."""

SMALLEST_SHOWN = 0.001


def compared_methods(baseline: Results, known: Sequence[Results]) -> list[Results]:
    """Return the results whose claims compare them with a baseline; none for fewer than three."""
    methods = [results for results in known if _comparisons(results, baseline)]
    return methods if len(methods) >= MIN_METHODS else []


def compared_metrics(baseline: Results, methods: Sequence[Results]) -> dict[str, str]:
    """Return metric -> `higher` or `lower`, as the methods' claims say of themselves."""
    found = [claim for results in methods for claim in _comparisons(results, baseline)]
    return {claim.metric: "higher" if claim.above else "lower" for claim in found}


def comparison_table(
    baseline: Results, known: Sequence[Results], link: Callable[[Results], str]
) -> str:
    """Compare methods with a baseline after the same updates, where their claims do so.

    Args:
        baseline: results of the method that the others are compared with.
        known: all results.
        link: returns the address of the section about some results.

    Returns:
        A Markdown table with a row per method. For each metric of their claims it has the mean over
        seeds with its interval, and the p value of the one-sided exact rank test. It is empty where
        fewer than three methods are compared with the baseline.
    """
    if not (methods := compared_methods(baseline, known)):
        return ""
    metrics = compared_metrics(baseline, methods)
    header = ["method", "seeds", "minutes"]
    for metric, side in metrics.items():
        header += [f"`{metric}` (claimed: {side})", "p"]
    rows = [header]
    for results in [baseline, *methods]:
        judged = {
            claim.metric: row
            for claim, row in zip(results.claims, judge_claims(results, known), strict=True)
            if claim in _comparisons(results, baseline)
        }
        cells = [cell for metric in metrics for cell in _cells(results, metric, judged)]
        minutes = format_mean_sd([run.minutes for run in results.runs])
        name = f"[{results.name}]({link(results)})"
        rows.append([name, str(len(results.judged_runs)), minutes, *cells])
    return markdown_table(rows)


def _comparisons(results: Results, baseline: Results) -> list[Claim]:
    """Return the claims that compare results with a baseline."""
    return [claim for claim in results.claims if (claim.above or claim.below) == baseline.name]


def _cells(results: Results, metric: str, judged: dict[str, ClaimRow]) -> tuple[str, str]:
    """Return the mean of a metric with its interval, and the p value in bold where it is small."""
    values = results.judged_values(metric) if metric in results.measures else []
    shown = format_interval(values) if values else "-"
    row = judged.get(metric)
    if row is None or row.verdict.probability is None:
        return shown, "-" if row is None else row.verdict.text.partition(":")[0]
    p_value = 1 - row.verdict.probability
    text = f"{p_value:.3f}".removeprefix("0") if p_value >= SMALLEST_SHOWN else "< .001"
    return shown, f"**{text}**" if p_value <= SIGNIFICANT else text
