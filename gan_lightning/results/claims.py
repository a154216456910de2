"""What a claim asks of the values that were measured, and whether they keep it."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

from gan_lightning.config.schema import CLAIM_BOUNDS, Claim

__all__ = [
    "TABLE",
    "Verdict",
    "bound_in_short",
    "judge",
    "mean",
    "standard_deviation",
    "table_of_run",
]

SIGNS = {"at_least": ">=", "at_most": "<=", "above": ">", "below": "<"}
KEEPS: dict[str, Callable[[float, float], bool]] = {
    "at_least": operator.ge,
    "at_most": operator.le,
    "above": operator.gt,
    "below": operator.lt,
}
WHERE = {"all": "on every seed", "any": "on at least one seed"}


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds.

    Args:
        holds: None where there is nothing to compare with.
        said: the verdict in words, the bound included.
    """

    holds: bool | None
    text: str


def judge(claim: Claim, values: Sequence[float], reference: float | str = "") -> Verdict:
    """Hold measured values against a claim; a value that is no number keeps no bound.

    Args:
        claim: one that `Claim.validate` has passed.
        values: of the claim's metric, one a seed.
        reference: the mean that a claim of `above` or `below` compares with, or words that say
            why there is none; not looked at for other claims.
    """
    kind = _kind(claim)
    bound = getattr(claim, kind)
    said = f"{kind.replace('_', ' ')} {_short(bound)}"
    if isinstance(bound, str):
        if isinstance(reference, str):
            return Verdict(None, reference)
        said += f"'s {reference:.4g}"
        bound = reference
    judged = list(values) if claim.aggregate in WHERE else [mean(values)]
    enough = any if claim.aggregate == "any" else all
    holds = enough(KEEPS[kind](value, bound) for value in judged)
    where = f" {WHERE[claim.aggregate]}" if claim.aggregate in WHERE else ""
    return Verdict(holds, f"{'holds' if holds else 'does not hold'}: {said}{where}")


TABLE = ("measure", "claim", "asked", "measured", "verdict", "paper", "source")
"""Columns of `table_of_run`."""


def table_of_run(
    claims: Sequence[Claim], measures: Mapping[str, float], experiment: str
) -> list[tuple[str | float, ...]]:
    """Hold the claims of an experiment against one run of it, a row each.

    Args:
        claims: those on what was not measured are left out.
        measures: final ones, by name.
        experiment: whose runs `verify` compares.
    """
    later = f"not compared: `gan-lightning verify {experiment}` does"
    return [
        (
            claim.metric,
            claim.statement.strip(),
            bound_in_short(claim),
            measures[claim.metric],
            judge(claim, [measures[claim.metric]], later).text,
            claim.paper.strip(),
            claim.source.strip(),
        )
        for claim in claims
        if claim.metric in measures
    ]


def bound_in_short(claim: Claim | Mapping[str, Any]) -> str:
    """Write a claim's bound as a formula, as `modes/covered > gan_ring on every seed`."""
    parts = asdict(claim) if isinstance(claim, Claim) else claim
    kind = next((name for name in CLAIM_BOUNDS if parts.get(name) is not None), "at_least")
    formula = f"{parts.get('metric')} {SIGNS[kind]} {_short(parts.get(kind))}"
    return " ".join([formula, *([WHERE[how]] if (how := parts.get("aggregate")) in WHERE else [])])


def mean(values: Sequence[float]) -> float:
    """Average; not a number where a value is none or there are no values."""
    return fmean(values) if values and all(map(math.isfinite, values)) else math.nan


def standard_deviation(values: Sequence[float]) -> float:
    """Estimate the standard deviation, by n - 1; not a number for less than two finite values."""
    return stdev(values) if len(values) > 1 and math.isfinite(mean(values)) else math.nan


def _short(bound: Any) -> str:
    return f"{bound:g}" if isinstance(bound, int | float) else str(bound)


def _kind(claim: Claim) -> str:
    return next(name for name in CLAIM_BOUNDS if getattr(claim, name) is not None)
