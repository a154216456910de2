"""Train an experiment on several seeds, evaluate its claims, and store the results."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from gan_lightning.config.experiments import experiment_names, experiment_path, read_yaml
from gan_lightning.config.fingerprint import affects_result, changed_values, fingerprint
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import RunConfig
from gan_lightning.errors import UserError
from gan_lightning.results.aggregate import format_mean_sd, format_number
from gan_lightning.results.claims import ClaimRow
from gan_lightning.results.records import (
    NAME,
    Results,
    read_all_results,
    read_results,
    results_folder,
)
from gan_lightning.runs.directory import RUNS, RunDirectory
from gan_lightning.utils.files import atomic_write
from gan_lightning.utils.tables import text_table
from gan_lightning.verification.runs import RunInterrupted, reuse_or_train

__all__ = ["VerifyOptions", "verify"]


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
    """

    experiment: str
    seeds: Sequence[int]
    overrides: Sequence[str] = ()
    runs: Path = RUNS
    output: Path | None = None
    name: str | None = None
    add: bool = False


def verify(options: VerifyOptions, echo: Callable[[str], None]) -> int:
    """Train or reuse one run per seed, evaluate the claims, and write the results.

    Args:
        options: what to verify.
        echo: prints a line for the user.

    Returns:
        Exit code: 0, or 1 where a claim does not hold, or 128 + signal where a signal ended a run.

    Raises:
        UserError: an option or the config is invalid, before anything is trained; or a run fails.
    """
    path = experiment_path(options.experiment)
    configs = _seed_configs(options, path)
    varied = fingerprint(configs[0]) != _default_values(path, configs[0].seed)
    name = _results_name(options, path.stem, varied)
    folder = None if name is None else _create_folder(options.output)
    known: list[Results] = []
    if any(claim.above or claim.below for claim in configs[0].claims):
        known = read_all_results(options.output or results_folder(), exclude=[str(name)])
    stored = _stored_results(options, folder, name, configs[0])
    seeds = options.seeds
    if stored is not None:
        seeds = sorted({*seeds, *(run.seed for run in stored.runs)})
    results = _empty_results(options, seeds, path.stem, name, configs[0], varied)
    rows: list[ClaimRow] = []
    for config in configs:
        try:
            results.runs.append(reuse_or_train(config, path.stem, options.runs, echo))
        except RunInterrupted as interruption:
            echo("stopped; the same command continues")
            return 128 + interruption.signal
        # after each run, so that a claim about an unknown metric costs one run, not all
        rows = results.claim_rows(known)
    if stored is not None:
        results.merge(stored)
        rows = results.claim_rows(known)
    echo(_table(results, rows))
    if folder is None:
        echo("nothing was written, since overrides change the result; write it by --name NAME")
    else:
        if stored is None:
            first_run = RunDirectory(Path(results.runs[0].run))
            results.pictures = _copy_pictures(first_run, results.name, folder)
        echo(f"wrote {results.write(folder, known)}")
    return int(any(row.verdict.holds is False for row in rows))


def _seed_configs(options: VerifyOptions, path: Path) -> list[RunConfig]:
    """Check the seeds, and resolve the config of each."""
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
    source = read_yaml(path)
    return [load_config(source, [*options.overrides, f"seed={seed}"]) for seed in options.seeds]


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
    """Read the results that --add extends; None without them.

    Raises:
        UserError: their config differs.
    """
    if not options.add or folder is None or not (folder / f"{name}.json").is_file():
        return None
    path = folder / f"{name}.json"
    stored = read_results(path)
    # a key that is newer than the file gets its default
    stored_config = load_config(stored.config, [f"seed={config.seed}"])
    if fingerprint(stored_config) != fingerprint(config):
        changed = ", ".join(changed_values(stored_config, config)) or "its budget or evaluation"
        raise UserError(
            f"{path} has results of another config ({changed}); leave out --add to replace it"
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


def _empty_results(
    options: VerifyOptions,
    seeds: Sequence[int],
    experiment: str,
    name: str | None,
    config: RunConfig,
    varied: bool,
) -> Results:
    """Return results without runs."""
    overrides = [
        override
        for override in options.overrides
        if varied and affects_result(override.partition("=")[0])
    ]
    command = ["gan-lightning", "verify", options.experiment]
    command += ["--seeds", ",".join(map(str, seeds)), *overrides]
    command += ["--name", name] if name not in (None, experiment) else []
    return Results(
        name=name or experiment,
        experiment=experiment,
        title=config.title,
        paper=config.paper,
        command=shlex.join(command),
        date=date.today().isoformat(),
        overrides=overrides,
        config={key: value for key, value in fingerprint(config).items() if key != "seed"},
        claims=config.claims,
        own_claims=varied and any(word.startswith("claims=") for word in options.overrides),
    )


def _table(results: Results, claims: Sequence[ClaimRow]) -> str:
    """Format claims, the other metrics, and minutes as a table with a column per seed."""
    seeds = [f"seed {run.seed}" for run in results.runs]
    rows = [["claim", "paper", "measured", *seeds, "verdict"]]
    for claim in claims:
        statement = claim.measure
        if claim.statement != claim.measure:
            statement += f": {claim.statement}"
        values = map(format_number, claim.values)
        rows.append([statement, claim.paper or "-", claim.measured, *values, claim.verdict.text])
    claimed = {claim.measure for claim in claims}
    for name in results.measures:
        if name not in claimed:
            rows.append(_metric_row(name, results.values(name)))
    rows.append(_metric_row("minutes per run", [run.minutes for run in results.runs]))
    return text_table(rows)


def _metric_row(name: str, values: Sequence[float]) -> list[str]:
    return [name, "-", format_mean_sd(values), *map(format_number, values), "-"]


def _copy_pictures(run: RunDirectory, name: str, folder: Path) -> list[str]:
    """Copy the last picture of each kind that a run has drawn, and return the files' names."""
    latest = {kind: list(files.values())[-1] for kind, files in run.pictures().items()}
    for kind, path in latest.items():
        atomic_write(folder / f"{name}-{kind}.png", path.read_bytes())
    return [f"{name}-{kind}.png" for kind in latest]
