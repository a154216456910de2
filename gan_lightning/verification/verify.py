"""An experiment is trained on several seeds, and its paper's claims are held against the result."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from gan_lightning.config.experiments import experiment_names, experiment_path, read_yaml
from gan_lightning.config.fingerprint import affects_result, deciding, differences
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import RunConfig
from gan_lightning.errors import UserError
from gan_lightning.results.claims import Verdict
from gan_lightning.results.page import number, spread
from gan_lightning.results.records import NAME, Results, read, read_all, results_folder
from gan_lightning.runs.directory import RUNS, RunDirectory
from gan_lightning.utils.files import atomic_write
from gan_lightning.utils.tables import text_table
from gan_lightning.verification.runs import Interrupted, seed_run

__all__ = ["Request", "verify"]


@dataclass(frozen=True)
class Request:
    """What `gan-lightning verify` is asked.

    Args:
        experiment: name, or path of a YAML.
        seeds: different ones, 0 or more.
        overrides: `key=value`.
        runs: folder of all runs: finished ones are taken from there, new ones made there.
        output: folder of the results; by default docs/results of the checkout.
        name: of the results; by default the experiment's where no override changes the outcome.
        add: keep the seeds that the results hold already, if their config is the same.
    """

    experiment: str
    seeds: Sequence[int]
    overrides: Sequence[str] = ()
    runs: Path = RUNS
    output: Path | None = None
    name: str | None = None
    add: bool = False


def verify(request: Request, say: Callable[[str], None]) -> int:
    """Measure an experiment over seeds, hold its claims against that, and write the results.

    Args:
        request: what to verify.
        say: takes each line that is for the user.

    Returns:
        Exit code: 0, or 1 where a claim does not hold, or 128 + signal where one ended a run.

    Raises:
        UserError: nothing has been trained then, or what was trained is in its run folders.
    """
    path = experiment_path(request.experiment)
    configs = _configs(request, path)
    varied = deciding(configs[0]) != _as_shipped(path, configs[0].seed)
    name = _name(request, path.stem, varied)
    folder = None if name is None else _writable(request.output)
    compares = any(claim.above or claim.below for claim in configs[0].claims)
    known = read_all(request.output or results_folder(), [str(name)]) if compares else []
    kept = _kept(request, folder, name, configs[0])
    seeds = sorted({*request.seeds, *(run.seed for run in kept.runs)}) if kept else request.seeds
    results = _results(request, seeds, path.stem, name, configs[0], varied)
    verdicts: list[Verdict] = []
    for config in configs:
        try:
            results.runs.append(seed_run(config, path.stem, request.runs, say))
        except Interrupted as stopped:
            say("stopped; the same command goes on")
            return 128 + stopped.signal
        # after each run, so that a claim on what is not measured costs one run and not all
        verdicts = results.verdicts(known)
    if kept is not None:
        results.add(kept)
        verdicts = results.verdicts(known)
    say(_table(results, verdicts))
    if folder is None:
        say("nothing is written, since overrides change the result: --name NAME writes it")
    else:
        run = RunDirectory(Path(results.runs[0].run))
        if kept is None:
            results.pictures = _copy_pictures(run, results.name, folder)
        say(f"wrote {results.write(folder, known)}")
    return int(any(verdict.holds is False for verdict in verdicts))


def _configs(request: Request, path: Path) -> list[RunConfig]:
    """Resolve the config of each seed."""
    if not request.seeds:
        raise UserError("--seeds has no seed; give some, as --seeds 0 1 2")
    for seed in request.seeds:
        if seed < 0:
            raise UserError(f"--seeds has {seed}; it must be at least 0")
        if request.seeds.count(seed) > 1:
            raise UserError(f"--seeds has {seed} twice; each seed makes one run")
    for override in request.overrides:
        if override.partition("=")[0] == "seed":
            raise UserError(f"{override} is for `train`; give seeds by --seeds")
    source = read_yaml(path)
    return [load_config(source, [*request.overrides, f"seed={seed}"]) for seed in request.seeds]


def _as_shipped(path: Path, seed: int) -> dict[str, object]:
    return deciding(load_config(read_yaml(path), [f"seed={seed}"]))


def _name(request: Request, experiment: str, varied: bool) -> str | None:
    """Choose the name of the results; None where there must be one and is not."""
    name = request.name
    if name is None:
        return None if varied else experiment
    if not NAME.fullmatch(name):
        raise UserError(f"--name is {name!r}; it must be of letters, digits, _, . and -")
    if name in {*experiment_names(), experiment} and (varied or name != experiment):
        raise UserError(
            f"--name is {name!r}, the name of an experiment as it is shipped; choose another, "
            f"as {experiment}_varied"
        )
    return name


def _kept(
    request: Request, folder: Path | None, name: str | None, config: RunConfig
) -> Results | None:
    """Read the results that the seeds are added to; None where they stand alone.

    Raises:
        UserError: their config is another.
    """
    if not request.add or folder is None or not (folder / f"{name}.json").is_file():
        return None
    kept = read(folder / f"{name}.json")
    # a key that is newer than the file has its default
    then = load_config(kept.config, [f"seed={config.seed}"])
    if deciding(then) != deciding(config):
        changed = ", ".join(differences(then, config)) or "its budget or evaluation"
        raise UserError(
            f"{folder / f'{name}.json'} is of another config ({changed}); without --add it is "
            f"written anew"
        )
    return kept


def _writable(output: Path | None) -> Path:
    """Make the folder of the results before hours are spent on what goes there."""
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


def _results(
    request: Request,
    seeds: Sequence[int],
    experiment: str,
    name: str | None,
    config: RunConfig,
    varied: bool,
) -> Results:
    """Begin the results, without a run."""
    overrides = [
        word for word in request.overrides if varied and affects_result(word.partition("=")[0])
    ]
    words = ["gan-lightning", "verify", request.experiment]
    words += ["--seeds", *map(str, seeds), *overrides]
    words += ["--name", name] if name not in (None, experiment) else []
    return Results(
        name=name or experiment,
        experiment=experiment,
        title=config.title,
        paper=config.paper,
        command=shlex.join(words),
        date=date.today().isoformat(),
        overrides=overrides,
        config={key: value for key, value in deciding(config).items() if key != "seed"},
        claims=config.claims,
    )


def _table(results: Results, verdicts: list[Verdict]) -> str:
    """Lay out claims, what else was measured, and minutes, a column a seed."""
    rows = [["claim", "paper", "ours", *(f"seed {run.seed}" for run in results.runs), "verdict"]]
    for claim, verdict in zip(results.claims, verdicts, strict=True):
        values = results.values(claim.metric)
        said = (
            f"{claim.metric}: {claim.statement.strip()}"
            if claim.statement.strip()
            else claim.metric
        )
        paper = claim.paper.strip() or "-"
        rows.append([said, paper, spread(values), *map(number, values), verdict.text])
    for name in results.measures:
        if name not in {claim.metric for claim in results.claims}:
            values = results.values(name)
            rows.append([name, "-", spread(values), *map(number, values), "-"])
    minutes = [run.minutes for run in results.runs]
    rows.append(["minutes a run", "-", spread(minutes), *map(number, minutes), "-"])
    return text_table(rows)


def _copy_pictures(run: RunDirectory, name: str, folder: Path) -> list[str]:
    """Copy the last picture of each kind that a run has drawn; return the files' names."""
    latest = {kind: list(drawn.values())[-1] for kind, drawn in run.pictures().items()}
    for kind, path in latest.items():
        atomic_write(folder / f"{name}-{kind}.png", path.read_bytes())
    return [f"{name}-{kind}.png" for kind in latest]
