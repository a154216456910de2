"""Verdicts on claims over seeds, and on the papers' numbers.

A claim holds where a rerun with as many seeds agrees with it with a probability of at least .95,
fails where that is at most .05, and is undecided in between, with a single seed, or with two that
are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from math import isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from gan_lightning.config.claim import Claim
from gan_lightning.results.aggregate import mean
from gan_lightning.results.agreement import (
    DECIDED,
    mean_interval,
    needed_seeds,
    predictive_reruns,
    rank_test,
    resampled_reruns,
)
from gan_lightning.results.claims import (
    AGGREGATES,
    COMPARISONS,
    ClaimRow,
    Verdict,
    bound_kind,
    bound_text,
    claim_row,
    metrics_of,
)

__all__ = ["REPRODUCED", "against_paper", "judge", "judged_rows", "paper_interval"]

REPRODUCED = ("near", "better")
"""Results of `against_paper` that count as a reproduction."""

ROUNDING = 1e-9
"""Error of a probability such as 1 - 1 / 20, which decides a claim."""

MIN_SEEDS = 3
"""Seeds below which the interval of a mean is too wide to be held against a paper's number, and
equal values, which have no interval, decide nothing."""

NOT_JUDGED = "not judged"
"""Mark of a comparison with a paper's number where the claim has no verdict."""

Values = Mapping[str, Sequence[float]]
Reference = Sequence[float] | str


def judged_rows(
    claims: Sequence[Claim],
    values: Values,
    reference: Callable[[Claim], Reference],
    no_verdict: Verdict | None = None,
) -> list[ClaimRow]:
    """Judge claims over seeds, one row per claim, in their order.

    Args:
        claims: claims that `Claim.validate` has passed.
        values: metric -> measured values, one per seed.
        reference: returns the values that a claim with `above` or `below` is compared with, or the
            reason why there are none.
        no_verdict: verdict on every claim, where none can be judged; a comparison with a paper's
            number is then marked, and is no reproduction.
    """
    rows = []
    for claim in claims:
        verdict = no_verdict or judge(claim, values, reference(claim) if _other(claim) else "")
        row = claim_row(claim, values[claim.metric], verdict)
        if claim.paper_value is not None and verdict.applies:
            compared = against_paper(claim, values[claim.metric])
            mark = f" ({NOT_JUDGED})" if no_verdict else ""
            row = replace(row, against_paper=compared + mark)
        rows.append(row)
    return rows


def judge(claim: Claim, values: Values, reference: Reference = "") -> Verdict:
    """Judge a claim over seeds.

    A bound is evaluated on reruns that `predictive_reruns` draws, or `resampled_reruns` where each
    seed must satisfy it and values repeat; metrics are drawn independently of each other. A
    comparison is judged by `rank_test`, as 1 - p value; where it has a floor too, the smaller of
    both probabilities counts.

    Args:
        claim: a claim that `Claim.validate` has passed.
        values: metric -> measured values, one per seed.
        reference: values that a claim with `above` or `below` is compared with, or the reason why
            there are none; ignored for other claims.
    """
    text = _text(claim, values, reference)
    if text is None:
        return Verdict(None, str(reference))
    seeds = len(values[claim.metric])
    if seeds < 2:
        return Verdict(None, f"undecided, one seed: {text}", needs_seeds=True)
    if seeds < MIN_SEEDS and len(set(values[claim.metric])) == 1:
        return Verdict(None, f"undecided, two equal seeds: {text}", needs_seeds=True)
    if isinstance(reference, str):
        probability = _agreement(claim, values)
    else:
        others = len(reference)
        if others < MIN_SEEDS:
            few = f"undecided, needs {MIN_SEEDS} seeds of each: {text}"
            return Verdict(None, few, needs_seeds=seeds < MIN_SEEDS)
        if seeds < (needed := needed_seeds(others)):
            few = f"undecided, needs {needed} seeds: {text}"
            return Verdict(None, few, needs_seeds=True)
        ours = values[claim.metric]
        p_value = rank_test(ours, reference) if claim.above else _reversed_test(ours, reference)
        probability = 1 - p_value
        if claim.floor is not None:
            probability = min(probability, _floor_agreement(claim, values))
    if probability >= DECIDED - ROUNDING:
        return Verdict(True, f"holds: {text}", probability)
    if probability <= 1 - DECIDED + ROUNDING:
        return Verdict(False, f"fails: {text}", probability)
    return Verdict(None, f"undecided: {text}", probability, needs_seeds=True)


def against_paper(claim: Claim, values: Sequence[float]) -> str:
    """Compare the mean over seeds with the paper's number.

    Args:
        claim: a claim with `paper_value`.
        values: measured values of its metric, one per seed.

    Returns:
        `near` where the 95 % interval of the mean and the paper's interval overlap, `better` or
        `worse` where they do not, or `too few seeds`. A mean is better on the side of the paper's
        number on which the bound is, or as `Claim.better` says; a NaN is worse.
    """
    if len(values) < MIN_SEEDS:
        return "too few seeds"
    low, high = mean_interval(values)
    if not isfinite(low):
        return "worse"
    paper_low, paper_high = paper_interval(claim)
    if low <= paper_high and paper_low <= high:
        return "near"
    upward = (claim.better or _side_of_bound(claim)) == "higher"
    return "better" if (low > paper_high) == upward else "worse"


def paper_interval(claim: Claim) -> tuple[float, float]:
    """Return the interval of the paper's number.

    It is the value ± two standard deviations of a mean over `paper_runs` runs, or ± two standard
    deviations where the number of runs is not known, or the value alone.
    """
    assert claim.paper_value is not None
    half = 2 * (claim.paper_sd or 0.0) / sqrt(claim.paper_runs or 1)
    return claim.paper_value - half, claim.paper_value + half


def _other(claim: Claim) -> str:
    return claim.above or claim.below or ""


def _side_of_bound(claim: Claim) -> str:
    return "higher" if bound_kind(asdict(claim)) in ("at_least", "above") else "lower"


def _text(claim: Claim, values: Values, reference: Reference) -> str | None:
    """Describe the bound; None where a comparison has nothing to compare with."""
    kind = bound_kind(asdict(claim))
    text = bound_text(kind, getattr(claim, kind))
    if _other(claim):
        if isinstance(reference, str):
            return None
        text = f"{kind} {mean(reference):.4g} (mean of {_other(claim)})"
    if claim.floor is not None:
        low = bound_kind(asdict(claim.floor))
        least = getattr(claim.floor, low)
        kept = COMPARISONS[low](mean(values[claim.floor.metric]), least)
        text += f", {'with' if kept else 'but not'} {claim.floor.metric} {bound_text(low, least)}"
    return f"{text} {AGGREGATES[claim.aggregate]}" if claim.aggregate in AGGREGATES else text


def _agreement(claim: Claim, values: Values) -> float:
    """Return the share of reruns that satisfy a claim with a numeric bound, and its floor."""
    metrics = list(dict.fromkeys(metrics_of(claim)))
    reruns = {
        name: _draw_reruns(claim, values[name], stream) for stream, name in enumerate(metrics)
    }
    kind = bound_kind(asdict(claim))
    satisfied = _satisfied(claim, kind, reruns[claim.metric], getattr(claim, kind))
    if claim.floor is not None:
        low = bound_kind(asdict(claim.floor))
        least = getattr(claim.floor, low)
        satisfied = satisfied & _satisfied(claim, low, reruns[claim.floor.metric], least)
    agrees = satisfied.any(axis=1) if claim.aggregate == "any" else satisfied.all(axis=1)
    return float(agrees.mean())


def _draw_reruns(claim: Claim, values: Sequence[float], stream: int) -> NDArray[np.float64]:
    """Draw reruns of one metric of a claim, of shape (reruns, seeds)."""
    repeats = len(set(values)) < len(values)
    draw = resampled_reruns if repeats and claim.aggregate in AGGREGATES else predictive_reruns
    return draw(values, stream=stream)


def _satisfied(
    claim: Claim, kind: str, reruns: NDArray[np.float64], bound: float
) -> NDArray[np.bool_]:
    """Compare each seed of the reruns, or the means (a single column), with a bound."""
    compared = reruns if claim.aggregate in AGGREGATES else reruns.mean(axis=1, keepdims=True)
    satisfied: NDArray[np.bool_] = COMPARISONS[kind](compared, bound)
    return satisfied


def _reversed_test(smaller: Sequence[float], larger: Sequence[float]) -> float:
    """Test that values are smaller; a NaN still counts against the claim."""
    return rank_test([-value for value in smaller], [-value for value in larger])


def _floor_agreement(claim: Claim, values: Values) -> float:
    """Return the probability that the floor of a comparison holds."""
    assert claim.floor is not None
    floor = claim.floor
    bound = Claim(floor.metric, at_least=floor.at_least, at_most=floor.at_most)
    return _agreement(bound, values)
