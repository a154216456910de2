"""Runs' claims against their papers, as a report or a comparison of those runs can judge them."""

from __future__ import annotations

from collections.abc import Sequence

from gan_lightning.config.schema import Claim
from gan_lightning.errors import UserError
from gan_lightning.report.run_data import RunSummary
from gan_lightning.results.claims import Verdict, judge, mean
from gan_lightning.utils.imports import gc_paused_imports

__all__ = ["judged"]


def judged(run: RunSummary, claim: Claim, runs: Sequence[RunSummary]) -> Verdict:
    """Hold one run's final measure against a claim.

    Args:
        run: that has the claim.
        claim: one of `run.claims`.
        runs: among which an experiment is looked for that the claim compares with.

    Returns:
        No verdict before the run's end, without the measure, or with nothing to compare with.
    """
    if not run.finished:
        return Verdict(None, "not judged before the run's end")
    if claim.metric not in run.measures:
        return Verdict(None, f"not judged: {claim.metric} was not measured")
    return judge(claim, [run.measures[claim.metric]], _reference(run, claim, runs))


def _reference(run: RunSummary, claim: Claim, runs: Sequence[RunSummary]) -> float | str:
    """Find the mean of the compared experiment's runs, or say why there is none."""
    name = claim.above or claim.below
    if name is None:
        return ""
    found = [
        other.measures[claim.metric]
        for other in runs
        if other.finished
        and other.updates == run.updates
        and claim.metric in other.measures
        and _is_of(other, name)
    ]
    return mean(found) if found else f"not compared: needs a run of {name}, as long, beside it"


def _is_of(run: RunSummary, experiment: str) -> bool:
    """Tell whether a run is of an experiment as it is shipped, whatever the seed and budget."""
    from gan_lightning.config.experiments import experiment_path, read_yaml

    try:
        shipped = read_yaml(experiment_path(experiment))
        if shipped.get("title") != run.title:  # the usual case, without torch
            return False
        with gc_paused_imports():
            from gan_lightning.config.fingerprint import differences
            from gan_lightning.config.load import load_config

        ours = load_config(run.config)
        return not differences(load_config(shipped, [f"seed={ours.seed}"]), ours)
    except UserError:  # of another version
        return False
