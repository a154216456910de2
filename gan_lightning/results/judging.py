"""Judge the claims of stored results, against other stored results where a claim names some."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gan_lightning.config.claim import Claim
from gan_lightning.config.overridden import list_changes
from gan_lightning.errors import UserError
from gan_lightning.results.claims import ClaimRow, Verdict, metrics_of
from gan_lightning.results.records import Results
from gan_lightning.results.verdicts import REPRODUCED, judged_rows

__all__ = ["Counts", "count_claims", "judge_claims"]

DIRTY = "undecided, measured on a changed tree"
"""Verdict on results of code that differed from its commit."""

OUTDATED = "undecided, measured with an earlier config or other code"
"""Verdict on results of an experiment whose config, or the code that decides them, has changed."""


@dataclass(frozen=True)
class Counts:
    """How many claims are decided, and how many of the papers' numbers are reproduced.

    Attributes:
        claims: claims; two that are the same the other way round count once, and those that do not
            apply to a variation do not count.
        hold: claims that hold.
        fail: claims that fail.
        numbers: claims with a number of the paper that is held against the mean.
        reproduced: those whose mean is near the number, or better.
    """

    claims: int
    hold: int
    fail: int
    numbers: int
    reproduced: int

    @property
    def undecided(self) -> int:
        """Claims that neither hold nor fail."""
        return self.claims - self.hold - self.fail


def count_claims(rows: Iterable[ClaimRow]) -> Counts:
    """Count claims by their verdicts."""
    counted = [row for row in rows if row.verdict.applies and not row.same_as]
    numbers = [row.against_paper for row in counted if row.against_paper]
    return Counts(
        claims=len(counted),
        hold=sum(row.verdict.holds is True for row in counted),
        fail=sum(row.verdict.holds is False for row in counted),
        numbers=len(numbers),
        reproduced=sum(number in REPRODUCED for number in numbers),
    )


def judge_claims(results: Results, known: Sequence[Results]) -> list[ClaimRow]:
    """Judge the claims of results over `Results.judged_runs`, one row per claim, in their order.

    The claims of an experiment do not apply to a variation of it, which may have its own.

    Args:
        results: measured results.
        known: results that claims with `above` or `below` are compared with.

    Raises:
        UserError: a claim is about a metric that was not measured.
    """
    for metric in (name for claim in results.claims for name in metrics_of(claim)):
        if metric not in results.measures:
            available = ", ".join(results.measures) or "nothing"
            raise UserError(
                f"{results.name} has a claim on {metric!r}, which its runs do not measure; "
                f"they measure {available}"
            )
    rows = judged_rows(
        results.claims,
        {name: results.judged_values(name) for name in results.measures},
        lambda claim: _reference(results, claim, known),
        _no_verdict(results),
    )
    return [
        replace(row, same_as=_shown_by(results, claim, known)) if row.verdict.applies else row
        for claim, row in zip(results.claims, rows, strict=True)
    ]


def _no_verdict(results: Results) -> Verdict | None:
    """Return the verdict on every claim where none can be judged."""
    changed = "" if results.own_claims else list_changes(results.overrides)
    if changed:
        return Verdict(None, f"no verdict, another experiment: {changed}", applies=False)
    if results.is_outdated:
        return Verdict(None, OUTDATED, needs_seeds=True)
    return Verdict(None, DIRTY, needs_seeds=True) if results.is_dirty else None


def _compared(results: Results, claim: Claim, known: Sequence[Results]) -> list[Results]:
    """Find the results that a claim with `above` or `below` names, of any budget."""
    name = claim.above or claim.below
    candidates = [other for other in known if other.name == name]
    candidates += [
        other for other in known if (other.experiment, other.overrides) == (name, results.overrides)
    ]
    return candidates


def _reference(results: Results, claim: Claim, known: Sequence[Results]) -> list[float] | str:
    """Find the values that a claim is compared with, or the reason why there are none."""
    name = claim.above or claim.below
    candidates = _compared(results, claim, known)
    if not candidates:
        return f"not compared yet: run `gan-lightning verify {name}`"
    same_budget = [other for other in candidates if other.updates == results.updates]
    if not same_budget:
        return (
            f"not compared: {name} was measured after {candidates[0].updates:,} updates, not "
            f"{results.updates:,}"
        )
    other = same_budget[0]
    if claim.metric not in other.measures:
        return f"not compared: {name} does not measure {claim.metric}"
    if other.is_dirty:
        return f"not compared: {name} was measured on a changed tree"
    if other.is_outdated:
        return f"not compared: {name} was measured with an earlier config or other code"
    return other.judged_values(claim.metric)


def _shown_by(results: Results, claim: Claim, known: Sequence[Results]) -> str:
    """Name the results that show the same claim the other way round; empty where none do.

    That A is above B and that B is below A is one claim; the former is shown. Where only one of
    them has a floor, it is about the method that fails, and the other one is shown.
    """
    if not (claim.above or claim.below):
        return ""
    reverse = (
        claim.metric,
        results.experiment if claim.below else None,
        results.experiment if claim.above else None,
    )
    for other in _compared(results, claim, known):
        for mirror in other.claims:
            if (mirror.metric, mirror.above, mirror.below) == reverse and (
                _hidden_first(claim) > _hidden_first(mirror)
            ):
                return other.name
    return ""


def _hidden_first(claim: Claim) -> tuple[bool, bool]:
    """Order two claims that are the same the other way round: the larger one is not shown."""
    return claim.floor is not None, claim.below is not None
