"""Runs of an experiment for single seeds: finished runs are reused, interrupted runs resumed."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from pathlib import Path

from gan_lightning.config.fingerprint import fingerprint
from gan_lightning.config.schema import RunConfig
from gan_lightning.errors import UserError
from gan_lightning.report.curves import read_curves
from gan_lightning.results.records import SeedRun
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import is_locked, read_outcome

__all__ = ["RunInterrupted", "reuse_or_train"]

VERSIONED_PACKAGES = ("gan-lightning", "torch", "pytorch-lightning")


class RunInterrupted(Exception):  # noqa: N818 - requested by the user, not an error
    """A signal ended a run before its last update; the run can be resumed.

    Args:
        signal: number of the signal.
    """

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


def reuse_or_train(
    config: RunConfig, experiment: str, runs: Path, echo: Callable[[str], None]
) -> SeedRun:
    """Return the finished run of a config; resume an interrupted run or train a new one if needed.

    Args:
        config: config of the run, including the seed.
        experiment: name of the experiment; its runs are in RUNS/EXPERIMENT.
        runs: folder of all runs.
        echo: prints a line; called with one that says what is done.

    Raises:
        UserError: the run cannot be trained, or another process is training it.
        RunInterrupted: a signal ended the run.
    """
    finished, interrupted = _find_runs(config, runs / experiment)
    if finished is not None:
        echo(f"seed {config.seed}: reuses {finished.path}")
        return _seed_run(finished, config)
    if config.trainer.devices * config.trainer.nodes > 1:
        raise UserError(
            f"verify trains on one device; train this run by `gan-lightning train {experiment} "
            f"--seed {config.seed}` with the same settings, and verify reuses it when it has "
            f"finished"
        )
    from gan_lightning.training.train import train

    action = "trains" if interrupted is None else f"resumes {interrupted.path}"
    echo(f"seed {config.seed}: {action}")
    outcome = train(config, experiment, resume=interrupted, runs=runs)
    if outcome.stop_signal is not None:
        raise RunInterrupted(outcome.stop_signal)
    return _seed_run(outcome.run_directory, config)


def _find_runs(config: RunConfig, parent: Path) -> tuple[RunDirectory | None, RunDirectory | None]:
    """Find the latest finished run of a config, and the latest interrupted one.

    Raises:
        UserError: another process is training a run of the config.
    """
    expected = fingerprint(config)
    interrupted = None
    for folder in reversed(RunDirectory.all_in(parent)):
        try:
            if fingerprint(folder.config_at(config)) != expected or folder.config_changed():
                continue
        except UserError:
            continue  # written by another version
        state = read_outcome(folder.path)
        ended = state.updates == config.trainer.max_updates or state.stopped_by is not None
        if state.measures is not None and ended:
            return folder, None
        if is_locked(folder.path):
            raise UserError(
                f"another process is training seed {config.seed} in {folder.path}; wait until it "
                f"has finished"
            )
        if interrupted is None and 0 < state.updates <= config.trainer.max_updates:
            interrupted = folder
    return None, interrupted


def _seed_run(folder: RunDirectory, config: RunConfig) -> SeedRun:
    """Read the record of a finished run from its run directory."""
    state, environment = read_outcome(folder.path), folder.environment()
    packages = environment.get("packages", {})
    logged = read_curves(folder.metrics)
    return SeedRun(
        seed=config.seed,
        run=str(folder.path),
        updates=state.updates,
        minutes=round(state.seconds / 60, 2),
        measures={name: _finite(value) for name, value in (state.measures or {}).items()},
        machine=environment.get("machine", {}),
        versions={
            **{name: packages.get(name) for name in VERSIONED_PACKAGES},
            "revision": environment.get("git_revision"),
        },
        curves={
            claim.metric: {
                str(update): _finite(value)
                for update, value in zip(curve.updates, curve.values, strict=True)
            }
            for claim in config.claims
            if (curve := logged.get(claim.metric)) is not None
        },
    )


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
