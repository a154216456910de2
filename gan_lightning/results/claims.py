"""Evaluate claims: compare measured values with the bounds of papers and of other experiments."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gan_lightning.config.schema import CLAIM_BOUNDS, Claim
from gan_lightning.results.aggregate import format_mean_sd, mean

__all__ = ["ClaimRow", "Verdict", "check_claim", "claim_rows", "format_bound", "single_run_rows"]

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
    finished: bool = True,
) -> list[ClaimRow]:
    """Evaluate claims, one row per claim, in their order.

    Args:
        claims: claims that `Claim.validate` has passed.
        values: metric -> measured values, one per seed.
        reference: returns the mean that a claim with `above` or `below` is compared with, or the
            reason why there is none.
        finished: False for a run in training, whose claims have no verdict yet.
    """
    rows = []
    for claim in claims:
        measured = tuple(values.get(claim.metric, ()))
        if not finished:
            verdict = Verdict(None, "not evaluated before the end of the run")
        elif not measured:
            verdict = Verdict(None, f"not evaluated: {claim.metric} was not measured")
        elif claim.above or claim.below:
            verdict = check_claim(claim, measured, reference(claim))
        else:
            verdict = check_claim(claim, measured)
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


def single_run_rows(claims: Sequence[Claim], measures: Mapping[str, float]) -> list[ClaimRow]:
    """Evaluate claims on one run, which has no other experiment to be compared with.

    Args:
        claims: claims that `Claim.validate` has passed.
        measures: metric -> final value.
    """

    def no_reference(claim: Claim) -> str:
        other = claim.above or claim.below
        return f"not compared with {other}: `gan-lightning verify` does so over several seeds"

    return claim_rows(claims, {name: [value] for name, value in measures.items()}, no_reference)


def check_claim(claim: Claim, values: Sequence[float], reference: float | str = "") -> Verdict:
    """Compare measured values with the bound of a claim; NaN never satisfies a bound.

    Args:
        claim: a claim that `Claim.validate` has passed.
        values: values of the claim's metric, one per seed.
        reference: the mean that a claim with `above` or `below` is compared with, or the reason
            why there is none; ignored for other claims.
    """
    kind = next(name for name in CLAIM_BOUNDS if getattr(claim, name) is not None)
    bound = getattr(claim, kind)
    text = f"{kind.replace('_', ' ')} {_format_value(bound)}"
    if isinstance(bound, str):
        if isinstance(reference, str):
            return Verdict(None, reference)
        text = f"{kind} {reference:.4g} (mean of {bound})"
        bound = reference
    per_seed = claim.aggregate in AGGREGATES
    compared = list(values) if per_seed else [mean(values)]
    combine = any if claim.aggregate == "any" else all
    holds = combine(COMPARISONS[kind](value, bound) for value in compared)
    if per_seed:
        text += f" {AGGREGATES[claim.aggregate]}"
    return Verdict(holds, f"{'holds' if holds else 'does not hold'}: {text}")


def format_bound(claim: Claim | Mapping[str, Any]) -> str:
    """Format a bound as a formula, for example `modes/covered > gan_ring on every seed`.

    Args:
        claim: a claim, or its keys as an experiment file has them.
    """
    keys = asdict(claim) if isinstance(claim, Claim) else claim
    kind = next((name for name in CLAIM_BOUNDS if keys.get(name) is not None), "at_least")
    formula = f"{keys.get('metric')} {SYMBOLS[kind]} {_format_value(keys.get(kind))}"
    aggregate = AGGREGATES.get(str(keys.get("aggregate")))
    return f"{formula} {aggregate}" if aggregate else formula


def _format_value(bound: Any) -> str:
    return f"{bound:g}" if isinstance(bound, int | float) else str(bound)
