"""Compare the config of stored results with that of their experiment today."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from gan_lightning.config.experiments import experiment_names, read_yaml
from gan_lightning.config.fingerprint import changed_values, fingerprint
from gan_lightning.config.load import load_config
from gan_lightning.config.renamed import upgrade
from gan_lightning.config.schema import RunConfig
from gan_lightning.errors import UserError
from gan_lightning.results.claims import metrics_of
from gan_lightning.results.earlier import differs, read_trials
from gan_lightning.results.records import Results, read_all_results

__all__ = ["config_difference", "hold_against_today", "read_known_results"]


def config_difference(stored: Results, config: RunConfig) -> str:
    """Say how the config of stored results differs; empty where it is the same up to the seed.

    Renamed keys are upgraded, and a key that is newer than the file gets its default.
    """
    try:
        stored_config = load_config(upgrade(stored.config), [f"seed={config.seed}"])
    except UserError as error:
        return str(error)
    if fingerprint(stored_config) == fingerprint(config):
        return ""
    return ", ".join(changed_values(stored_config, config)) or "its budget or evaluation"


def read_known_results(folder: Path, exclude: Iterable[str] = ()) -> list[Results]:
    """Read all results of a folder, and mark those of an earlier config or of other code.

    The code that decides results is today's where a few updates with the code of their revision
    and with today's gave equal weights, or where nobody has found other ones; see
    `gan_lightning.results.earlier`.

    Args:
        folder: of the files.
        exclude: names of results that are left out.

    Raises:
        UserError: a file is damaged.
    """
    trials = read_trials(folder)
    return [
        replace(results, is_outdated=True) if differs(results, trials) else results
        for results in hold_against_today(read_all_results(folder, exclude))
    ]


def hold_against_today(known: Sequence[Results]) -> list[Results]:
    """Give results the claims that their experiment has today, and mark outdated results.

    Results are outdated if the config of their experiment has changed since they were measured, or
    if the experiment has a claim on a metric that was not measured. Results keep the claims of
    their file in the second case, if they have claims of their own, and if their experiment is not
    among those of the project.
    """
    paths = experiment_names()
    return [
        _held_against(results, read_yaml(paths[results.experiment]))
        if results.experiment in paths
        else results
        for results in known
    ]


def _held_against(results: Results, source: dict[str, object]) -> Results:
    try:
        config = load_config(source, [*results.overrides, "seed=0"])
    except UserError:  # a key of the overrides has been removed
        return replace(results, is_outdated=True)
    is_outdated = bool(config_difference(results, config))
    if results.own_claims:
        return replace(results, is_outdated=is_outdated)
    claimed = {metric for claim in config.claims for metric in metrics_of(claim)}
    if claimed - set(results.measures):
        return replace(results, is_outdated=True)
    return replace(results, is_outdated=is_outdated, claims=config.claims)
