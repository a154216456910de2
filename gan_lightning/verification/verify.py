"""Train an experiment on several seeds, judge its claims, and store the results."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from gan_lightning.config.fingerprint import affects_result, fingerprint
from gan_lightning.results.claims import ClaimRow
from gan_lightning.results.judging import judge_claims
from gan_lightning.results.records import Results, SeedRun
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.utils.files import atomic_write
from gan_lightning.verification.prepare import Job, VerifyOptions, prepare
from gan_lightning.verification.runs import RunInterrupted, reuse_or_train
from gan_lightning.verification.table import verification_table

__all__ = ["VerifyOptions", "next_seed", "verify"]


def verify(options: VerifyOptions, echo: Callable[[str], None]) -> int:
    """Train or reuse one run per seed, judge the claims, and write the results.

    Args:
        options: what to verify.
        echo: prints a line for the user.

    Returns:
        Exit code: 0, or 1 where a claim fails, or 128 + signal where a signal ended a run.

    Raises:
        UserError: an option or the config is invalid, before anything is trained; or a run fails.
    """
    job = prepare(options)
    results = _empty_results(job)
    stored = [] if job.stored is None else [run.seed for run in job.stored.runs]
    seeds = [seed for seed in options.seeds if not (options.until_decided and seed in stored)]
    while True:
        for config in [job.load(seed) for seed in seeds]:
            try:
                run = reuse_or_train(config, job.path.stem, options.runs, echo)
            except RunInterrupted as interruption:
                echo("stopped; the same command continues")
                return 128 + interruption.signal
            results = _with_runs(job, results, [run])
            # after each run, so that a claim about an unknown metric costs one run, not all
            judge_claims(results, job.known)
        if job.stored is not None:
            results = _with_runs(job, results, job.stored.runs)
            results.pictures = job.stored.pictures
        rows = judge_claims(results, job.known)
        more = next_seed(results, rows, options.most) if options.until_decided else None
        if more is None:
            break
        if job.folder is not None:
            _write(job, results, rows)
        seeds = [more]
    echo(verification_table(results, rows))
    if job.folder is None:
        echo("nothing was written, since overrides change the result; write it by --name NAME")
    else:
        echo(f"wrote {_write(job, results, rows)}")
    return int(any(row.verdict.holds is False for row in rows))


def next_seed(results: Results, rows: Sequence[ClaimRow], most: int) -> int | None:
    """Return the seed to add; None where all claims are decided, or more seeds cannot decide them.

    Args:
        results: measured results.
        rows: their judged claims.
        most: number of seeds of committed code that is enough in any case.
    """
    if not any(row.verdict.needs_seeds for row in rows):
        return None
    if sum(not run.is_dirty for run in results.runs) >= most:
        return None
    return max(run.seed for run in results.runs) + 1


def _with_runs(job: Job, results: Results, runs: Sequence[SeedRun]) -> Results:
    """Add the runs of other seeds, and name all seeds in the command."""
    known = {run.seed for run in results.runs}
    added = [run for run in runs if run.seed not in known]
    merged = sorted([*results.runs, *added], key=lambda run: run.seed)
    return replace(results, runs=merged, command=_command(job, [run.seed for run in merged]))


def _write(job: Job, results: Results, rows: Sequence[ClaimRow]) -> Path:
    """Write the results, with the pictures of the first seed beside them."""
    assert job.folder is not None
    if not results.pictures and job.stored is None:
        first_run = RunDirectory(Path(results.runs[0].run))
        results.pictures = _copy_pictures(first_run, results.name, job.folder)
    return results.write(job.folder, rows)


def _command(job: Job, seeds: Sequence[int]) -> str:
    """Return the command that makes the results."""
    command = ["gan-lightning", "verify", job.options.experiment]
    command += ["--seeds", ",".join(map(str, seeds)), *_overrides(job)]
    return shlex.join([*command, *(["--name", job.name] if job.name != job.path.stem else [])])


def _overrides(job: Job) -> list[str]:
    """Return the overrides that make another experiment."""
    return [
        override
        for override in job.options.overrides
        if job.varied and affects_result(override.partition("=")[0])
    ]


def _empty_results(job: Job) -> Results:
    """Return results without runs."""
    config = job.config
    return Results(
        name=job.name,
        experiment=job.path.stem,
        title=config.title,
        paper=config.paper,
        command=_command(job, job.options.seeds),
        date=date.today().isoformat(),
        overrides=_overrides(job),
        config={key: value for key, value in fingerprint(config).items() if key != "seed"},
        claims=config.claims,
        own_claims=job.varied and any(w.startswith("claims=") for w in job.options.overrides),
    )


def _copy_pictures(run: RunDirectory, name: str, folder: Path) -> list[str]:
    """Copy the last picture of each kind that a run has drawn, and return the files' names."""
    latest = {kind: list(files.values())[-1] for kind, files in run.pictures().items()}
    for kind, path in latest.items():
        atomic_write(folder / f"{name}-{kind}.png", path.read_bytes())
    return [f"{name}-{kind}.png" for kind in latest]
