"""Check the arguments of `gan-lightning verify` before hours of training."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gan_lightning.config.experiments import experiment_names, experiment_path, read_yaml
from gan_lightning.config.fingerprint import fingerprint
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import RunConfig
from gan_lightning.errors import UserError
from gan_lightning.results.outdated import config_difference, read_known_results
from gan_lightning.results.records import NAME, Results, read_results, results_folder
from gan_lightning.runs.directory import RUNS
from gan_lightning.runs.environment import git_revision

__all__ = ["Job", "VerifyOptions", "prepare"]


@dataclass(frozen=True)
class VerifyOptions:
    """Arguments of `gan-lightning verify`.

    Attributes:
        experiment: name, or path of a YAML file.
        seeds: different seeds, 0 or more.
        overrides: `key=value`.
        runs: folder of all runs, where finished runs are found and new ones written.
        output: folder of the results; None for docs/results of the checkout.
        name: name of the results; None for the experiment's name, which is valid where no override
            changes the result.
        add: keep the seeds that the stored results have, if their config is the same.
        until_decided: like `add`, and add seeds until every claim is decided.
        most: seeds of committed code at which `until_decided` stops.
    """

    experiment: str
    seeds: Sequence[int]
    overrides: Sequence[str] = ()
    runs: Path = RUNS
    output: Path | None = None
    name: str | None = None
    add: bool = False
    until_decided: bool = False
    most: int = 10


@dataclass(frozen=True)
class Job:
    """A verification whose arguments have been checked.

    Attributes:
        options: the arguments.
        path: file of the experiment.
        config: with the first seed.
        varied: whether overrides change the result.
        name: name of the results.
        folder: folder of the results; None where they are not written.
        known: other results, which claims are compared with.
        stored: results that are extended; None for none.
    """

    options: VerifyOptions
    path: Path
    config: RunConfig
    varied: bool
    name: str
    folder: Path | None
    known: Sequence[Results]
    stored: Results | None

    def load(self, seed: int) -> RunConfig:
        """Resolve the config of a seed."""
        return load_config(read_yaml(self.path), [*self.options.overrides, f"seed={seed}"])


def prepare(options: VerifyOptions) -> Job:
    """Check the arguments, create the folder of the results, and read what is stored there.

    Raises:
        UserError: an option or the config is invalid.
    """
    path = experiment_path(options.experiment)
    _check_seeds(options)
    config = load_config(read_yaml(path), [*options.overrides, f"seed={options.seeds[0]}"])
    varied = fingerprint(config) != _default_values(path, config.seed)
    name = _results_name(options, path.stem, varied)
    if options.until_decided:
        _check_until_decided(options, name)
    folder = None if name is None else _create_folder(options.output)
    known: list[Results] = []
    if any(claim.above or claim.below for claim in config.claims):
        known = read_known_results(options.output or results_folder(), exclude=[str(name)])
    stored = _stored_results(options, folder, name, config)
    return Job(options, path, config, varied, name or path.stem, folder, known, stored)


def _check_seeds(options: VerifyOptions) -> None:
    """Check the seeds, and that no override names one."""
    if not options.seeds:
        raise UserError("--seeds has no seed; name some, for example --seeds 0,1,2")
    for seed in options.seeds:
        if seed < 0:
            raise UserError(f"--seeds has {seed}; it must be at least 0")
        if options.seeds.count(seed) > 1:
            raise UserError(f"--seeds has {seed} twice; each seed makes one run")
    for override in options.overrides:
        if override.partition("=")[0] == "seed":
            raise UserError(f"verify has no override {override}; name seeds by --seeds")


def _check_until_decided(options: VerifyOptions, name: str | None) -> None:
    """Check that added seeds can decide claims."""
    if name is None:
        raise UserError("--until-decided needs --name NAME here, since overrides change the result")
    if options.most < 2:
        raise UserError(
            f"--most is {options.most}; it must be at least 2, one seed decides nothing"
        )
    if (git_revision() or "").endswith("-dirty"):
        raise UserError(
            "--until-decided decides nothing on a changed tree; commit the changes in gan_lightning"
        )


def _default_values(path: Path, seed: int) -> dict[str, object]:
    """Return the values of the experiment without overrides that decide its result."""
    return fingerprint(load_config(read_yaml(path), [f"seed={seed}"]))


def _results_name(options: VerifyOptions, experiment: str, varied: bool) -> str | None:
    """Return the name of the results; None where overrides require one and none is given."""
    name = options.name
    if name is None:
        return None if varied else experiment
    if not NAME.fullmatch(name):
        raise UserError(f"--name is {name!r}; use letters, digits, `_`, `.` and `-` only")
    if name in {*experiment_names(), experiment} and (varied or name != experiment):
        raise UserError(
            f"--name is {name!r}, the name of an experiment; choose another, for example "
            f"{experiment}_varied"
        )
    return name


def _stored_results(
    options: VerifyOptions, folder: Path | None, name: str | None, config: RunConfig
) -> Results | None:
    """Read the results that are extended; None without them.

    Raises:
        UserError: their config differs.
    """
    if (
        not (options.add or options.until_decided)
        or folder is None
        or not (folder / f"{name}.json").is_file()
    ):
        return None
    path = folder / f"{name}.json"
    stored = read_results(path)
    if changed := config_difference(stored, config):
        option = "--add" if options.add else "--until-decided"
        raise UserError(
            f"{path} has results of another config ({changed}); leave out {option} to replace it"
        )
    return stored


def _create_folder(output: Path | None) -> Path:
    """Create the folder of the results and check it, before hours of training."""
    folder = output or results_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, os.strerror(13))
    except OSError as error:
        raise UserError(
            f"cannot write to {folder}: {error.strerror}; choose another folder by --output DIR"
        ) from error
    return folder
