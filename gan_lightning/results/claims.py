"""Evaluate claims: compare measured values with the bounds of papers and of other experiments."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gan_lightning.config.overridden import describe_changes
from gan_lightning.config.schema import CLAIM_BOUNDS, Claim
from gan_lightning.results.aggregate import format_mean_sd, mean

__all__ = [
    "ClaimRow",
    "Verdict",
    "check_claim",
    "claim_rows",
    "format_bound",
    "metrics_of",
    "no_verdict_reason",
    "single_run_rows",
]

SYMBOLS = {"at_least": ">=", "at_most": "<=", "above": ">", "below": "<"}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "at_least": operator.ge,
    "at_most": operator.le,
    "above": operator.gt,
    "below": operator.lt,
}
AGGREGATES = {"all": "on every seed", "any": "on at least one seed"}
"""Values of `Claim.aggregate` that compare each seed; `mean` compares the mean over seeds."""


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds.

    Attributes:
        holds: None where the claim cannot be evaluated.
        text: the verdict with the bound, or the reason why there is none.
    """

    holds: bool | None
    text: str


@dataclass(frozen=True)
class ClaimRow:
    """A claim with its measured values and its verdict, as tables and reports show it.

    Attributes:
        measure: key of the metric.
        statement: the claim as a sentence, or the key of the metric where there is no sentence.
        bound: the bound as a formula, for example `modes/covered > gan_ring on every seed`.
        values: measured values, one per seed; empty where the metric was not measured.
        verdict: whether the claim holds.
        paper: the paper's number as printed; empty where it gives none.
        source: section, table or figure of the paper; may be empty.
    """

    measure: str
    statement: str
    bound: str
    values: tuple[float, ...]
    verdict: Verdict
    paper: str
    source: str

    @property
    def measured(self) -> str:
        """Mean ± standard deviation of the values, or a dash where there are none."""
        return format_mean_sd(self.values) if self.values else "-"


def claim_rows(
    claims: Sequence[Claim],
    values: Mapping[str, Sequence[float]],
    reference: Callable[[Claim], float | str],
    *,
    no_verdict: str = "",
) -> list[ClaimRow]:
    """Evaluate claims, one row per claim, in their order.

    Args:
        claims: claims that `Claim.validate` has passed.
        values: metric -> measured values, one per seed.
        reference: returns the mean that a claim with `above` or `below` is compared with, or the
            reason why there is none.
        no_verdict: the reason why none of the claims has a verdict; empty where they have.
    """
    rows = []
    for claim in claims:
        measured = tuple(values.get(claim.metric, ()))
        missing = [name for name in metrics_of(claim) if not values.get(name)]
        if no_verdict:
            verdict = Verdict(None, no_verdict)
        elif missing:
            verdict = Verdict(None, f"not evaluated: {missing[0]} was not measured")
        else:
            compared = reference(claim) if claim.above or claim.below else ""
            floor = values[claim.floor.metric] if claim.floor else ()
            verdict = check_claim(claim, measured, compared, floor)
        rows.append(
            ClaimRow(
                measure=claim.metric,
                statement=claim.statement.strip() or claim.metric,
                bound=format_bound(claim),
                values=measured,
                verdict=verdict,
                paper=claim.paper.strip(),
                source=claim.source.strip(),
            )
        )
    return rows


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
    claims: Sequence[Claim], measures: Mapping[str, float], no_verdict: str = ""
) -> list[ClaimRow]:
    """Evaluate claims on one run, which has no other experiment to be compared with.

    Args:
        claims: claims that `Claim.validate` has passed.
        measures: metric -> final value.
        no_verdict: from `no_verdict_reason`.
    """

    def no_reference(claim: Claim) -> str:
        other = claim.above or claim.below
        return f"not compared with {other}: `gan-lightning verify` does so over several seeds"

    values = {name: [value] for name, value in measures.items()}
    return claim_rows(claims, values, no_reference, no_verdict=no_verdict)


def check_claim(
    claim: Claim,
    values: Sequence[float],
    reference: float | str = "",
    floor_values: Sequence[float] = (),
) -> Verdict:
    """Compare measured values with the bounds of a claim; NaN never satisfies a bound.

    Args:
        claim: a claim that `Claim.validate` has passed.
        values: values of the claim's metric, one per seed.
        reference: the mean that a claim with `above` or `below` is compared with, or the reason
            why there is none; ignored for other claims.
        floor_values: values of the metric of the claim's floor, one per seed.
    """
    kind = _kind(asdict(claim))
    bound = getattr(claim, kind)
    text = _bound_text(kind, bound)
    if isinstance(bound, str):
        if isinstance(reference, str):
            return Verdict(None, reference)
        text = f"{kind} {reference:.4g} (mean of {bound})"
        bound = reference
    bound_holds = _compare(claim, kind, values, bound)
    combine = any if claim.aggregate == "any" else all
    holds = combine(bound_holds)
    if holds and claim.floor is not None:
        low = _kind(asdict(claim.floor))
        least = getattr(claim.floor, low)
        floor_holds = _compare(claim, low, floor_values, least)
        holds = combine(map(operator.and_, bound_holds, floor_holds))
        text += f", {'with' if holds else 'but not'} {claim.floor.metric} {_bound_text(low, least)}"
    if claim.aggregate in AGGREGATES:
        text += f" {AGGREGATES[claim.aggregate]}"
    return Verdict(holds, f"{'holds' if holds else 'does not hold'}: {text}")


def _compare(claim: Claim, kind: str, values: Sequence[float], bound: float) -> list[bool]:
    """Compare the value of each seed, or the mean, with a bound."""
    compared = values if claim.aggregate in AGGREGATES else [mean(values)]
    return [COMPARISONS[kind](value, bound) for value in compared]


def format_bound(claim: Claim | Mapping[str, Any]) -> str:
    """Format a bound as a formula, for example `modes/covered > gan_ring on every seed`.

    Args:
        claim: a claim, or its keys as an experiment file has them.
    """
    keys = asdict(claim) if isinstance(claim, Claim) else claim
    formula = _formula(keys)
    if floor := keys.get("floor"):
        formula += f" with {_formula(floor)}"
    aggregate = AGGREGATES.get(str(keys.get("aggregate")))
    return f"{formula} {aggregate}" if aggregate else formula


def _kind(keys: Mapping[str, Any]) -> str:
    """Return the key of the bound that a claim or a floor has."""
    return next((name for name in CLAIM_BOUNDS if keys.get(name) is not None), "at_least")


def _formula(keys: Mapping[str, Any]) -> str:
    kind = _kind(keys)
    return f"{keys.get('metric')} {SYMBOLS[kind]} {_format_value(keys.get(kind))}"


def _bound_text(kind: str, bound: Any) -> str:
    return f"{kind.replace('_', ' ')} {_format_value(bound)}"


def _format_value(bound: Any) -> str:
    return f"{bound:g}" if isinstance(bound, int | float) else str(bound)
