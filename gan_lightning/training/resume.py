"""Where a run starts: in a new run directory, or from the latest checkpoint of an existing one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch.optim import Optimizer

from gan_lightning.config.fingerprint import changed_values
from gan_lightning.config.merge import one_line
from gan_lightning.config.schema import RunConfig
from gan_lightning.core.module import BaseModule
from gan_lightning.errors import UserError
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import read_outcome
from gan_lightning.training.restore import LoadedCheckpoint, latest_checkpoint
from gan_lightning.utils.settings import settings_of

__all__ = ["TrainingStart", "check_unchanged", "resume_from_latest"]


@dataclass(frozen=True)
class TrainingStart:
    """Start of a run, which the first process determines and broadcasts to the others.

    Args:
        run_directory: directory of the run.
        checkpoint: checkpoint to resume from; None for the first update.
        updates: updates made before that checkpoint.
        run_id: id of the run in that checkpoint, if it has one.
        is_new_run: whether the directory has been made for this run.
        damaged: newer checkpoints that cannot be read.
    """

    run_directory: RunDirectory
    checkpoint: Path | None = None
    updates: int = 0
    run_id: str | None = None
    is_new_run: bool = True
    damaged: tuple[Path, ...] = ()

    def with_absolute_paths(self) -> TrainingStart:
        """Return a copy for processes that may have another working directory."""
        return replace(
            self,
            run_directory=RunDirectory(self.run_directory.path.resolve()),
            checkpoint=None if self.checkpoint is None else self.checkpoint.resolve(),
        )

    def rename_damaged(self) -> None:
        """Rename damaged checkpoints to `NAME.damaged`, so that they are not read again."""
        for path in self.damaged:
            path.replace(path.with_name(f"{path.name}.damaged"))

    def check_checkpoint_exists(self, rank: int) -> None:
        """Check that the checkpoint is visible from a process.

        Args:
            rank: rank of the process, for the message.

        Raises:
            UserError: the file does not exist on this machine.
        """
        if self.checkpoint is not None and not self.checkpoint.exists():
            raise UserError(
                f"process {rank} cannot find checkpoint {self.checkpoint}; to resume on several "
                f"nodes, put the run directory on a file system that all of them share"
            )


def resume_from_latest(config: RunConfig, run: RunDirectory, model: BaseModule) -> TrainingStart:
    """Return the start from a run's latest intact checkpoint, or from update 0 if it has none.

    Nothing is written: a run that cannot be resumed with the config stays as it is.

    Args:
        config: config to continue with.
        run: directory of the run.
        model: model of the config; it gets the weights of the checkpoint.

    Raises:
        UserError: no checkpoint can be read, its state does not fit the model of the config, a key
            of the initial weights has another value, or the run has already made all its updates.
    """
    checkpoint = latest_checkpoint(run)
    if checkpoint is None:
        return TrainingStart(run, is_new_run=False)
    remaining = config.trainer.max_updates - checkpoint.updates
    # a run that was stopped in its last evaluation has no updates left, but no final metrics yet
    if remaining < 0 or (remaining == 0 and read_outcome(run.path).measures is not None):
        raise UserError(
            f"run {run.path} has made all its {checkpoint.updates:,} updates; "
            f"to continue it, give a larger trainer.max_updates"
        )
    _check_initial(run.raw_config(), config, checkpoint.updates)
    _check_fits(model, checkpoint)
    return TrainingStart(
        run,
        checkpoint.path,
        checkpoint.updates,
        checkpoint.content.get("run"),
        is_new_run=False,
        damaged=checkpoint.damaged,
    )


def check_unchanged(run: RunDirectory, config: RunConfig) -> None:
    """Check that a run is resumed with the config values that it was started with.

    Raises:
        UserError: values that affect the result differ; the message lists them.
    """
    if changed := changed_values(run.config_at(config), config):
        raise UserError(
            f"run {run.path} was started with other values: {', '.join(changed)}; "
            f"add --allow-changes to resume it with the new ones, or train a new run"
        )


def _check_initial(before: Mapping[str, Any], config: RunConfig, updates: int) -> None:
    """Check that the values that act on the initial weights only are those of the run.

    Args:
        before: values that the run was started with.
        config: config to continue with; a class of another name does not fit the checkpoint.
        updates: updates made since the initial weights.

    Raises:
        UserError: a value differs, which would be in config.yaml and have no effect.
    """
    for section in ("model", "network", "trainer"):
        old, new = before.get(section) or {}, getattr(config, section)
        same_class = old.get("name") == getattr(new, "name", None)
        for key, declared in settings_of(type(new)).items():
            value = getattr(new, key)
            if (
                declared is not None
                and declared.initial
                and same_class
                and old.get(key, value) != value
            ):
                raise UserError(
                    f"{section}.{key} is {value!r}, was {old[key]!r}, and acts on the initial "
                    f"weights only, which have been trained for {updates:,} updates; leave it out, "
                    f"or train a new run. Nothing has been changed"
                )


def _check_fits(model: BaseModule, checkpoint: LoadedCheckpoint) -> None:
    """Load a checkpoint into a model and its optimizers as Lightning will do.

    Raises:
        UserError: names, shapes or the number of optimizers differ; the message names the first.
    """
    state, optimizers = checkpoint.content["state_dict"], checkpoint.content["optimizer_states"]
    try:
        model.load_state_dict(state)
        for optimizer, saved in zip(_optimizers(model), optimizers, strict=True):
            optimizer.load_state_dict(saved)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"checkpoint {checkpoint.path} does not fit the config: "
            f"{_difference(model.state_dict(), state) or one_line(error)}; leave out what changes "
            f"the model or the shape of the data, or train a new run. Nothing has been changed"
        ) from error


def _optimizers(model: BaseModule) -> list[Optimizer]:
    configured: Any = model.configure_optimizers()
    return configured if isinstance(configured, list) else [configured]


def _difference(own: Mapping[str, Any], saved: Mapping[str, Any]) -> str:
    """Name the first weight that a checkpoint lacks, or has in excess or in another shape."""
    for name, value in own.items():
        if name not in saved:
            return f"it has no {name}"
        if value.shape != saved[name].shape:
            return f"{name} has the shape {tuple(saved[name].shape)}, not {tuple(value.shape)}"
    excess = next((name for name in saved if name not in own), None)
    return "" if excess is None else f"it has {excess}, which the model has not"
