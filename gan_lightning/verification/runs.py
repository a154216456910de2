"""The run of a config: one that is there already, one that was interrupted, or a new one."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from pathlib import Path

from gan_lightning.config.fingerprint import deciding
from gan_lightning.config.schema import RunConfig
from gan_lightning.errors import UserError
from gan_lightning.results.records import SeedRun
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import is_locked, read_outcome

__all__ = ["Interrupted", "seed_run"]

VERSIONS = ("gan-lightning", "torch", "pytorch-lightning")


class Interrupted(Exception):  # noqa: N818 - a user's wish, not an error
    """A signal ended a run early; it can be gone on with.

    Args:
        signal: its number.
    """

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


def seed_run(config: RunConfig, experiment: str, runs: Path, say: Callable[[str], None]) -> SeedRun:
    """Take the finished run of a config, else go on with an interrupted one, else train.

    Args:
        config: of the run, its seed included.
        experiment: its name; runs are looked up and made in RUNS/EXPERIMENT.
        runs: folder of all runs.
        say: takes the line that says which.

    Raises:
        UserError: the run cannot be made, or another process is making it.
        Interrupted: a signal ended it.
    """
    finished, interrupted = _there_is(config, runs / experiment)
    if finished is not None:
        say(f"seed {config.seed}: takes {finished.path}")
        return _described(finished, config.seed)
    if config.trainer.devices * config.trainer.nodes > 1:
        raise UserError(
            f"verify trains on one device: make the run by `gan-lightning train {experiment} "
            f"--seed {config.seed}` with the same settings, and verify takes it when it has ended"
        )
    from gan_lightning.training.train import train

    doing = f"goes on with {interrupted.path}" if interrupted is not None else "trains"
    say(f"seed {config.seed}: {doing}")
    outcome = train(config, experiment, resume=interrupted, runs=runs)
    if outcome.stop_signal is not None:
        raise Interrupted(outcome.stop_signal)
    return _described(outcome.run_directory, config.seed)


def _there_is(config: RunConfig, parent: Path) -> tuple[RunDirectory | None, RunDirectory | None]:
    """Find the latest finished and the latest interrupted run of a config.

    Raises:
        UserError: a run of the config is being trained right now.
    """
    wanted = deciding(config)
    interrupted = None
    for path in sorted(parent.glob("*/config.yaml"), reverse=True):
        folder = RunDirectory(path.parent)
        try:
            if deciding(folder.config()) != wanted or folder.config_changed():
                continue
        except UserError:
            continue  # another version wrote it
        state = read_outcome(folder.path)
        if state.measures is not None and state.updates == config.trainer.max_updates:
            return folder, None
        if is_locked(folder.path):
            raise UserError(
                f"seed {config.seed} is being trained right now in {folder.path}; "
                f"wait until it has ended"
            )
        if interrupted is None and 0 < state.updates <= config.trainer.max_updates:
            interrupted = folder
    return None, interrupted


def _described(folder: RunDirectory, seed: int) -> SeedRun:
    state, environment = read_outcome(folder.path), folder.environment()
    packages = environment.get("packages", {})
    return SeedRun(
        seed=seed,
        run=str(folder.path),
        updates=state.updates,
        minutes=round(state.seconds / 60, 2),
        measures={k: v if isfinite(v) else None for k, v in (state.measures or {}).items()},
        machine=environment.get("machine", {}),
        versions={
            **{name: packages.get(name) for name in VERSIONS},
            "revision": environment.get("git_revision"),
        },
    )
