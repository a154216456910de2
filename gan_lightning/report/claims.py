"""The claims of the runs of one report, each run compared with their bounds by itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from gan_lightning.config.claim import Claim
from gan_lightning.errors import UserError
from gan_lightning.report.run_data import RunSummary
from gan_lightning.results.aggregate import mean
from gan_lightning.results.claims import ClaimRow, single_run_rows
from gan_lightning.utils.imports import fast_imports

__all__ = ["run_claims"]


def run_claims(runs: Sequence[RunSummary]) -> list[tuple[RunSummary, ClaimRow]]:
    """Compare every run with the bounds of its claims, each run by itself.

    A claim that compares two experiments is compared with the mean over those finished runs of the
    other experiment that are in the same report and have the same number of updates. A run that
    has not finished, or has changed its experiment, has no verdicts.
    """
    rows = []
    for run in runs:
        reference = partial(_reference, run, runs)
        evaluated = single_run_rows(run.claims, run.measures, run.no_verdict, reference)
        rows += [(run, row) for row in evaluated]
    return rows


def _reference(run: RunSummary, runs: Sequence[RunSummary], claim: Claim) -> float | str:
    """Return the mean over the compared experiment's runs, or the reason why there is none."""
    experiment = claim.above or claim.below or ""
    values = [
        other.measures[claim.metric]
        for other in runs
        if other.finished
        and other.updates == run.updates
        and claim.metric in other.measures
        and _is_run_of(other, experiment)
    ]
    if not values:
        return (
            f"not compared: add a run of {experiment} with {run.updates:,} updates to the command"
        )
    return mean(values)


def _is_run_of(run: RunSummary, experiment: str) -> bool:
    """Return whether a run has the config of an experiment, up to the seed and the budget."""
    from gan_lightning.config.experiments import experiment_path, read_yaml

    try:
        source = read_yaml(experiment_path(experiment))
        if source.get("title") != run.title:  # decides most cases without importing torch
            return False
        with fast_imports():
            from gan_lightning.config.fingerprint import changed_values
            from gan_lightning.config.load import load_config

        config = load_config(run.config)
        return not changed_values(load_config(source, [f"seed={config.seed}"]), config)
    except UserError:  # the run was made by another version
        return False
