"""Claims about one run: compare its metrics with the bounds of the paper and of other runs.

A verdict needs several seeds, see `gan_lightning.results.verdicts`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import nan
from typing import Any

from gan_lightning.config.claim import CLAIM_BOUNDS, Claim
from gan_lightning.config.overridden import describe_changes
from gan_lightning.results.aggregate import format_mean_sd

__all__ = [
    "AGGREGATES",
    "COMPARISONS",
    "ClaimRow",
    "Verdict",
    "bound_kind",
    "bound_text",
    "check_run",
    "claim_row",
    "format_bound",
    "metrics_of",
    "no_verdict_reason",
    "single_run_rows",
]

SYMBOLS = {"at_least": ">=", "at_most": "<=", "above": ">", "below": "<"}
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "at_least": operator.ge,
    "at_most": operator.le,
    "above": operator.gt,
    "below": operator.lt,
}
"""Comparisons of numbers or of arrays; NaN satisfies none."""
AGGREGATES = {"all": "on every seed", "any": "on at least one seed"}
"""Values of `Claim.aggregate` that compare each seed; `mean` compares the mean over seeds."""


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds over seeds, or whether one run meets its bound.

    Attributes:
        holds: True where the claim holds, or the run meets the bound; False where the claim fails,
            or the run misses the bound; None where it is undecided or cannot be evaluated.
        text: the verdict with the bound, or the reason why there is none.
        probability: that a rerun with as many seeds agrees with the claim; None where the claim was
            not judged over seeds.
        applies: False where the claim is not about the model that was trained, since overrides
            have made another experiment of it.
        needs_seeds: whether more seeds can decide an undecided claim.
    """

    holds: bool | None
    text: str
    probability: float | None = None
    applies: bool = True
    needs_seeds: bool = False


@dataclass(frozen=True)
class ClaimRow:
    """A claim with its measured values and its verdict, as tables and reports show it.

    Attributes:
        measure: key of the metric.
        statement: the claim as a sentence, or the key of the metric where there is no sentence.
        bound: the bound as a formula, for example `modes/covered > gan_ring`.
        values: measured values, one per seed; empty where the metric was not measured.
        verdict: whether the claim holds.
        paper: the paper's number as printed; empty where it gives none.
        source: section, table or figure of the paper; may be empty.
        against_paper: the mean compared with the paper's number: near, better, worse, or the reason
            why it is not compared; empty where the paper has no comparable number.
        same_as: name of the results that show the same claim the other way round; empty for none.
    """

    measure: str
    statement: str
    bound: str
    values: tuple[float, ...]
    verdict: Verdict
    paper: str
    source: str
    against_paper: str = ""
    same_as: str = ""

    @property
    def measured(self) -> str:
        """Mean ± standard deviation of the values, or a dash where there are none."""
        return format_mean_sd(self.values) if self.values else "-"


def claim_row(claim: Claim, values: Sequence[float], verdict: Verdict) -> ClaimRow:
    """Return the row of a claim.

    Args:
        claim: the claim.
        values: measured values of its metric, one per seed.
        verdict: on the claim.
    """
    return ClaimRow(
        measure=claim.metric,
        statement=claim.statement.strip() or claim.metric,
        bound=format_bound(claim),
        values=tuple(values),
        verdict=verdict,
        paper=claim.paper.strip(),
        source=claim.source.strip(),
    )


def no_verdict_reason(
    config: Mapping[str, Any], *, finished: bool = True, stopped_by: str | None = None
) -> str:
    """Say why the claims in the config of a run have no verdict on the run; empty if they have.

    Args:
        config: the config of the run as plain values.
        finished: whether the run has been trained to its end and evaluated.
        stopped_by: which callback ended the run before `trainer.max_updates`, or None.
    """
    if not finished:
        return "not evaluated before the end of the run"
    if changes := describe_changes(config):
        return f"no verdict, another experiment: {changes}"
    return f"no verdict: the run was stopped by {stopped_by}" if stopped_by else ""


def metrics_of(claim: Claim) -> list[str]:
    """Return the metrics that a claim needs: its own, and that of its floor."""
    return [claim.metric, *([claim.floor.metric] if claim.floor else [])]


def single_run_rows(
    claims: Sequence[Claim],
    measures: Mapping[str, float],
    no_verdict: str = "",
    reference: Callable[[Claim], float | str] | None = None,
) -> list[ClaimRow]:
    """Compare one run with the bounds of claims, one row per claim, in their order.

    Args:
        claims: claims that `Claim.validate` has passed.
        measures: metric -> final value.
        no_verdict: from `no_verdict_reason`.
        reference: returns the mean that a claim with `above` or `below` is compared with, or the
            reason why there is none; None where no other run is known.
    """
    rows = []
    for claim in claims:
        missing = [name for name in metrics_of(claim) if name not in measures]
        if no_verdict:
            verdict = Verdict(None, no_verdict)
        elif missing:
            verdict = Verdict(None, f"not evaluated: {missing[0]} was not measured")
        else:
            compared = (reference or _no_reference)(claim) if claim.above or claim.below else ""
            floor = measures[claim.floor.metric] if claim.floor else nan
            verdict = check_run(claim, measures[claim.metric], compared, floor)
        values = [measures[claim.metric]] if claim.metric in measures else []
        rows.append(claim_row(claim, values, verdict))
    return rows


def _no_reference(claim: Claim) -> str:
    other = claim.above or claim.below
    return f"not compared with {other}: `gan-lightning verify` does so over several seeds"


def check_run(
    claim: Claim, value: float, reference: float | str = "", floor_value: float = nan
) -> Verdict:
    """Compare the value of one run with the bounds of a claim; NaN never meets a bound.

    Args:
        claim: a claim that `Claim.validate` has passed.
        value: of the claim's metric.
        reference: the mean that a claim with `above` or `below` is compared with, or the reason
            why there is none; ignored for other claims.
        floor_value: of the metric of the claim's floor.
    """
    kind = bound_kind(asdict(claim))
    bound = getattr(claim, kind)
    text = bound_text(kind, bound)
    if isinstance(bound, str):
        if isinstance(reference, str):
            return Verdict(None, reference)
        text = f"{kind} {reference:.4g} (mean of {bound})"
        bound = reference
    meets = bool(COMPARISONS[kind](value, bound))
    if meets and claim.floor is not None:
        low = bound_kind(asdict(claim.floor))
        least = getattr(claim.floor, low)
        meets = bool(COMPARISONS[low](floor_value, least))
        text += f", {'with' if meets else 'but not'} {claim.floor.metric} {bound_text(low, least)}"
    return Verdict(meets, f"{'meets' if meets else 'misses'} the bound: {text}")


def format_bound(claim: Claim | Mapping[str, Any]) -> str:
    """Format a bound as a formula, for example `modes/covered >= 8 on every seed`.

    Args:
        claim: a claim, or its keys as an experiment file has them.
    """
    keys = asdict(claim) if isinstance(claim, Claim) else claim
    formula = _formula(keys)
    if floor := keys.get("floor"):
        formula += f" with {_formula(floor)}"
    aggregate = AGGREGATES.get(str(keys.get("aggregate")))
    return f"{formula} {aggregate}" if aggregate else formula


def bound_kind(keys: Mapping[str, Any]) -> str:
    """Return the key of the bound that a claim or a floor has."""
    return next((name for name in CLAIM_BOUNDS if keys.get(name) is not None), "at_least")


def bound_text(kind: str, bound: Any) -> str:
    """Format a bound in words, for example `at least 8`."""
    return f"{kind.replace('_', ' ')} {_format_value(bound)}"


def _formula(keys: Mapping[str, Any]) -> str:
    kind = bound_kind(keys)
    return f"{keys.get('metric')} {SYMBOLS[kind]} {_format_value(keys.get(kind))}"


def _format_value(bound: Any) -> str:
    return f"{bound:g}" if isinstance(bound, int | float) else str(bound)
