"""Where a run starts: in a new run directory, or from the latest checkpoint of an existing one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from gan_lightning.config.schema import RunConfig
from gan_lightning.errors import UserError
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import read_outcome
from gan_lightning.training.restore import latest_checkpoint

__all__ = ["TrainingStart", "resume_from_latest"]


@dataclass(frozen=True)
class TrainingStart:
    """Start of a run, which the first process determines and broadcasts to the others.

    Args:
        run_directory: directory of the run.
        checkpoint: checkpoint to resume from; None for the first update.
        updates: updates made before that checkpoint.
        run_id: id of the run in that checkpoint, if it has one.
    """

    run_directory: RunDirectory
    checkpoint: Path | None = None
    updates: int = 0
    run_id: str | None = None

    def with_absolute_paths(self) -> TrainingStart:
        """Return a copy for processes that may have another working directory."""
        return replace(
            self,
            run_directory=RunDirectory(self.run_directory.path.resolve()),
            checkpoint=None if self.checkpoint is None else self.checkpoint.resolve(),
        )

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


def resume_from_latest(config: RunConfig, run: RunDirectory) -> TrainingStart:
    """Return the start from a run's latest intact checkpoint, or from update 0 if it has none.

    Args:
        config: config to continue with.
        run: directory of the run.

    Raises:
        UserError: no checkpoint can be read, or the run has already made all its updates.
    """
    checkpoint = latest_checkpoint(run, rename_damaged=True)
    if checkpoint is None:
        return TrainingStart(run)
    remaining = config.trainer.max_updates - checkpoint.updates
    # a run that was stopped in its last evaluation has no updates left, but no final metrics yet
    if remaining < 0 or (remaining == 0 and read_outcome(run.path).measures is not None):
        raise UserError(
            f"run {run.path} has made all its {checkpoint.updates:,} updates; "
            f"to continue it, give a larger trainer.max_updates"
        )
    return TrainingStart(run, checkpoint.path, checkpoint.updates, checkpoint.content.get("run"))
