"""Where a run begins: in a new folder, or at the latest checkpoint of one that is there."""

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
    """What the first process of a run decides and the others are told.

    Args:
        folder: of the run.
        checkpoint: that it goes on from, or None.
        updates: behind that checkpoint.
        identity: by which that checkpoint knows the run, or None.
    """

    run_directory: RunDirectory
    checkpoint: Path | None = None
    updates: int = 0
    run_id: str | None = None

    def with_absolute_paths(self) -> TrainingStart:
        """Return the same for processes that may stand in another folder."""
        checkpoint = None if self.checkpoint is None else self.checkpoint.resolve()
        return replace(
            self,
            run_directory=RunDirectory(self.run_directory.path.resolve()),
            checkpoint=checkpoint,
        )

    def check_checkpoint_exists(self, rank: int) -> None:
        """Check that a process sees the checkpoint.

        Raises:
            UserError: it does not.
        """
        if self.checkpoint is not None and not self.checkpoint.exists():
            raise UserError(
                f"process {rank} does not see checkpoint {self.checkpoint}; a run on several nodes "
                f"is resumed from a folder that all of them share"
            )


def resume_from_latest(config: RunConfig, folder: RunDirectory) -> TrainingStart:
    """Go on from a run's latest whole checkpoint, or from its beginning where there is none.

    Raises:
        UserError: no checkpoint can be read, or the run has made all its updates.
    """
    saved = latest_checkpoint(folder, rename_damaged=True)
    if saved is None:
        return TrainingStart(folder)
    left = config.trainer.max_updates - saved.updates
    if left < 0 or (left == 0 and read_outcome(folder.path).measures is not None):
        raise UserError(
            f"run {folder.path} has made all its {saved.updates:,} updates; "
            f"to go on, give a larger trainer.max_updates"
        )
    return TrainingStart(folder, saved.path, saved.updates, saved.content.get("run"))
